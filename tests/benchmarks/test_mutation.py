"""The mutants that the mutation benchmark makes, and how they are drawn."""

from __future__ import annotations

import ast

from benchmarks.mutants import drawn, mutants_of, mutated
from benchmarks.mutation import ROOMS
from benchmarks.mutation_reasons import REASONS
from realdata import ROOT

SOURCE = '''
"""A share of 0.5 is half."""

MOST = 3


def share(part: float, whole: float = 1.0) -> float:
    """2 of 4 are 0.5."""
    if not whole > 0 and part != whole:
        raise ValueError(f"{whole} is not above {0}")
    rng = np.random.default_rng(17)
    return min(part / whole, -MOST) if part else divide(part, whole)
'''


def changes() -> set[str]:
    return {f"{m.before} -> {m.text}" for m in mutants_of("core/x.py", SOURCE)}


def test_every_kind_of_change_is_made_and_words_are_left_alone():
    assert changes() == {
        "3 -> 4",
        "not whole > 0 -> (whole > 0)",
        "whole > 0 -> whole <= 0",
        "0 -> 1",
        "part != whole -> part == whole",
        "not whole > 0 and part != whole -> (not whole > 0) or (part != whole)",
        "not whole > 0 and part != whole -> (not whole > 0)",
        "part / whole -> (part) * (whole)",
        "part / whole -> (part)",
        "-MOST -> (MOST)",
        "min -> max",
        "min(part / whole, -MOST) -> min(-MOST, part / whole)",
        "divide(part, whole) -> divide(whole, part)",
        "min(part / whole, -MOST) if part else divide(part, whole) -> "
        "((divide(part, whole)) if (part) else (min(part / whole, -MOST)))",
    }


def test_a_mutant_is_the_module_with_one_expression_changed():
    for mutant in mutants_of("core/x.py", SOURCE):
        changed = mutated(SOURCE, mutant)
        assert ast.parse(changed)
        assert changed.splitlines()[mutant.line - 1] != SOURCE.splitlines()[mutant.line - 1]
        assert len(changed) - len(SOURCE) == len(mutant.text) - len(mutant.before)
        assert mutant.place in ("share", "module")


def test_modules_take_turns_and_the_same_seed_draws_the_same():
    many = [mutant for name in "abc" for mutant in mutants_of(f"core/{name}.py", SOURCE)]
    chosen = drawn(many, 9, 0)
    assert chosen == drawn(many, 9, 0)
    assert chosen != drawn(many, 9, 1)
    assert [mutant.path for mutant in chosen] == ["core/a.py"] * 3 + ["core/b.py"] * 3 + ["core/c.py"] * 3
    assert all(len({m.kind for m in chosen if m.path == path}) == 3 for path in {m.path for m in chosen})
    assert len(drawn(many, 1000, 0)) == len(many)


def test_rooms_and_reasons_speak_of_what_there_is():
    names = set()
    for room in ROOMS.values():
        modules = sorted(ROOT.glob(room.modules))
        assert modules
        assert all((ROOT / test).exists() for test in room.tests)
        for path in (path for path in modules if any(reason.startswith(f"{path.name}, ") for reason in REASONS)):
            names |= {m.name for m in mutants_of(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))}
    assert REASONS.keys() <= names
