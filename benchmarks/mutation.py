"""Mutation testing: small wrong changes of the numeric code, one at a time, and whether the default tests see them.

    python -m benchmarks.mutation [--room causes] [--count 25] [--seed 0] [--workers 2] [--out benchmarks/mutation.md]
    python -m benchmarks.mutation --again "core/causes/verdict.py:71"    # those of one place, whatever the sample

A mutant is one change of one expression: a comparison turned round, a sign, a factor upside down, a term or a condition
left out, a number half as large again, arguments swapped, least for most. Messages, types, documentation, seeds and
defaults of settings are left alone. Mutants are drawn by chance, evenly over modules and kinds of change. Each is tried
in a copy of the tree, never in place, with the tests of its room that belong to the default run; the first that fails
ends it. The whole default run may catch more, so what is counted here is a lower bound.

cosmic-ray and mutmut were looked at: the one changes files in place, the other needs a package that is laid out as it
is imported, which four linked folders are not.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from benchmarks.mutation_reasons import REASONS

ROOT = Path(__file__).resolve().parent.parent
SLOWEST = 240
"""Seconds after which a mutant counts as caught: it hangs."""


@dataclass(frozen=True)
class Room:
    """Modules and the tests that speak of them, the quickest first."""

    modules: str
    tests: tuple[str, ...]


GRID = ("interpolate", "calibration", "fidelity", "loss_axis", "intervention", "conversion")
EXPORT = ("onnx_as_found", "torch_files", "brought")
RENDERERS = ("report_charts", "json_and_markdown", "pictures", "golden_figures", "html_report")
ROOMS = {
    "causes": Room(
        "core/causes/*.py",
        ("tests/core/causes/test_statistics.py", "tests/core/causes/test_verdicts.py", "tests/core/causes"),
    ),
    "grid": Room(
        "core/grid/*.py",
        (
            *(f"tests/core/grid/test_{name}.py" for name in GRID),
            "tests/core/causes/test_causes.py",
            "tests/export/test_grid_command.py",
        ),
    ),
    "export": Room("export/*.py", ("tests/export", *(f"tests/plugins/classifiers/test_{name}.py" for name in EXPORT))),
    "renderers": Room("plugins/renderers/*.py", tuple(f"tests/plugins/renderers/test_{name}.py" for name in RENDERERS)),
}

TURNED: dict[type[ast.cmpop], str] = {
    ast.Lt: ">=", ast.LtE: ">", ast.Gt: "<=", ast.GtE: "<", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
OTHER_SIGN: dict[type[ast.operator], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Pow: "*", ast.Mod: "+", ast.FloorDiv: "*",
}  # fmt: skip
OTHER_CALL = {
    "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "any": "all", "all": "any",
    "argmin": "argmax", "argmax": "argmin", "sin": "cos", "cos": "sin", "mean": "sum", "std": "var",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one module: the characters from ``start`` to ``stop`` become ``text``."""

    path: str
    place: str
    line: int
    kind: str
    start: int
    stop: int
    before: str
    text: str

    @property
    def name(self) -> str:
        """What stands in the table, the same as long as the function and the expression are."""
        return f"{self.path.rsplit('/', 1)[1]}, {self.place}: {_short(self.before)} → {_short(self.text)}"


def _short(code: str) -> str:
    line = " ".join(code.split())
    return f"`{line if len(line) <= 70 else line[:67] + '...'}`".replace("|", "\\|")


class _Finder(ast.NodeVisitor):
    """Every mutant of one module."""

    def __init__(self, path: str, source: str) -> None:
        self.path, self.source, self.found = path, source, list[Mutant]()
        self.places: list[str] = []
        lines = source.splitlines(keepends=True)
        self.starts = [0]
        for line in lines:
            self.starts.append(self.starts[-1] + len(line))
        self.lines = lines
        self.visit(ast.parse(source))

    def _at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def _text(self, node: ast.expr) -> str:
        return ast.get_source_segment(self.source, node) or ""

    def _add(self, node: ast.expr, kind: str, text: str) -> None:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start, stop = self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)
        place = ".".join(self.places) or "module"
        self.found.append(Mutant(self.path, place, node.lineno, kind, start, stop, self.source[start:stop], text))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:  # annotations and defaults stay
        self.places.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self.places.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.places.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self.places.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None and not (isinstance(node.value, ast.Call) and _called(node.value) == "Field"):
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Messages are left alone."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """What cannot be otherwise is left alone."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:  # which axis, which row: seen by the shapes
        self.visit(node.value)

    def visit_Compare(self, node: ast.Compare) -> None:
        if len(node.ops) == 1 and type(node.ops[0]) in TURNED:
            sides = self._text(node.left), self._text(node.comparators[0])
            self._add(node, "comparison", f"{sides[0]} {TURNED[type(node.ops[0])]} {sides[1]}")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        left, right = self._text(node.left), self._text(node.right)
        words = any(
            isinstance(side, ast.Constant | ast.JoinedStr) and not _numeric(side) for side in (node.left, node.right)
        )
        if type(node.op) in OTHER_SIGN and not words:
            self._add(node, "sign", f"({left}) {OTHER_SIGN[type(node.op)]} ({right})")
            if isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
                self._add(node, "term left out", f"({left})")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.USub | ast.Not):
            self._add(node, "sign", f"({self._text(node.operand)})")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        texts = [self._text(value) for value in node.values]
        word = " or " if isinstance(node.op, ast.And) else " and "
        self._add(node, "condition", word.join(f"({text})" for text in texts))
        self._add(node, "term left out", f"({texts[0]})")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        test, then, other = (self._text(part) for part in (node.test, node.body, node.orelse))
        self._add(node, "condition", f"(({other}) if ({test}) else ({then}))")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if (_numeric(node) and abs(node.value) >= 1e-4) or (node.value == 0 and _numeric(node)):
            more = node.value + 1 if isinstance(node.value, int) else 1.5 * node.value or 1.0
            self._add(node, "number", repr(more))

    def visit_Call(self, node: ast.Call) -> None:
        name = _called(node)
        if name == "default_rng":
            return
        if name in OTHER_CALL:
            function = self._text(node.func)
            self._add(node.func, "least for most", function[: len(function) - len(name)] + OTHER_CALL[name])
        if (
            len(node.args) >= 2
            and not any(isinstance(arg, ast.Starred) for arg in node.args[:2])
            and name != "isinstance"
        ):
            one, other = (self._text(arg) for arg in node.args[:2])
            if one != other:
                start = self._at(node.lineno, node.col_offset)
                whole = self._text(node)
                first = self._at(node.args[0].lineno, node.args[0].col_offset) - start
                assert node.args[1].end_lineno is not None
                assert node.args[1].end_col_offset is not None
                last = self._at(node.args[1].end_lineno, node.args[1].end_col_offset) - start
                self._add(node, "arguments swapped", f"{whole[:first]}{other}, {one}{whole[last:]}")
        self.generic_visit(node)


def _numeric(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def mutants_of(path: str, source: str) -> list[Mutant]:
    """Every mutant of a module that differs from it by more than its brackets."""
    return [m for m in _Finder(path, source).found if _meaning(m.before) != _meaning(m.text)]


def _meaning(expression: str) -> str:
    return ast.dump(ast.parse(f"({expression})", mode="eval"))


def mutated(source: str, mutant: Mutant) -> str:
    return source[: mutant.start] + mutant.text + source[mutant.stop :]


def drawn(mutants: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """So many mutants by chance: the modules take turns, and within a module the kinds of change."""
    rng = random.Random(seed)
    modules: dict[str, dict[str, list[Mutant]]] = defaultdict(lambda: defaultdict(list))
    for mutant in rng.sample(mutants, len(mutants)):
        modules[mutant.path][mutant.kind].append(mutant)

    def turns(kinds: dict[str, list[Mutant]]) -> Iterator[Mutant]:
        left = rng.sample(sorted(kinds), len(kinds))
        while left:
            for kind in list(left):
                yield kinds[kind].pop()
                if not kinds[kind]:
                    left.remove(kind)

    waiting = {path: turns(kinds) for path, kinds in sorted(modules.items())}
    chosen: list[Mutant] = []
    while waiting and len(chosen) < count:
        for path in rng.sample(sorted(waiting), len(waiting)):
            mutant = next(waiting[path], None)
            if mutant is None:
                del waiting[path]
            elif len(chosen) < count:
                chosen.append(mutant)
    return sorted(chosen, key=lambda m: (m.path, m.line, m.start, m.text))


def copied(to: Path) -> Path:
    """The tree as git knows it, links as links."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name, follow_symlinks=False)
    return to


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """As a plugin of pytest: the demo's run is left out, it takes longer than all the rest."""
    items[:] = [item for item in items if "demo_run" not in item.fixturenames and "[demo]" not in item.name]


def tried(tree: Path, room: Room) -> str:
    """What the room's tests say in a tree: ``""`` if they pass, else the first test that fails."""
    tests = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "benchmarks.mutation", *room.tests]
    paths = os.pathsep.join(str(tree / part) for part in ("src", "tests", "."))
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", *tests]
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=SLOWEST)
    except subprocess.TimeoutExpired:
        return "it hangs"
    if done.returncode == 0:
        return ""
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if not failed:
        return f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-400:]}"
    return failed[0].split(" ")[1].rsplit("/", 1)[-1].split("[")[0]


def table(room: str, verdicts: dict[Mutant, str], all_of_them: int) -> list[str]:
    caught = [m for m, said in verdicts.items() if said]
    explained = [m for m, said in verdicts.items() if not said and m.name in REASONS]
    meaningful = len(verdicts) - len(explained)
    lines = [
        f"## {room}",
        "",
        f"{len(verdicts)} of {all_of_them} mutants: {len(caught)} caught, {len(verdicts) - len(caught)} survived, "
        f"of which {len(explained)} mean nothing. Of the {meaningful} that mean something "
        f"{100 * len(caught) / max(meaningful, 1):.0f} % were caught.",
        "",
        "| mutant | kind | seen by, or why it may survive |",
        "|---|---|---|",
    ]
    for mutant, said in verdicts.items():
        why = said or (f"survived: {REASONS[mutant.name]}" if mutant.name in REASONS else "**survived**")
        lines.append(f"| {mutant.name} | {mutant.kind} | {why} |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--room", choices=ROOMS, action="append", help="which rooms (default: all)")
    parser.add_argument("--count", type=int, default=25, help="mutants of each room (default 25)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--again", default="", metavar="PATH:LINE", help="only the mutants of this line")
    parser.add_argument("--kept", type=Path, help="file of what was tried already; goes on where it stopped")
    parser.add_argument("--out", type=Path, help="where the tables go (default: printed only)")
    arguments = parser.parse_args()
    begun, report = time.monotonic(), list[str]()
    kept: dict[str, str] = {}
    if arguments.kept and arguments.kept.is_file():
        kept = dict(json.loads(line) for line in arguments.kept.read_text(encoding="utf-8").splitlines())
    with tempfile.TemporaryDirectory(prefix="shiftlens-mutants-") as folder:
        trees: Queue[Path] = Queue()
        for i in range(arguments.workers):
            trees.put(copied(Path(folder) / str(i)))
        for name in arguments.room or ROOMS:
            room = ROOMS[name]
            sources = {str(p.relative_to(ROOT)): p.read_text("utf-8") for p in sorted(ROOT.glob(room.modules))}
            every = [mutant for path, source in sources.items() for mutant in mutants_of(path, source)]
            chosen = drawn(every, arguments.count, arguments.seed)
            if arguments.again:
                chosen = [m for m in every if f"{m.path}:{m.line}" == arguments.again]
                if not chosen:
                    continue
            if not all(mutant.name in kept for mutant in chosen):
                tree = trees.get()
                said = tried(tree, room)
                trees.put(tree)
                if said:
                    sys.exit(f"the tests of {name} fail without any mutant: {said}")

            def attempt(mutant: Mutant, room: Room = room, sources: dict[str, str] = sources) -> str:
                if kept.get(mutant.name):  # survivors are tried again: there may be a new test
                    return kept[mutant.name]
                tree = trees.get()
                try:
                    (tree / mutant.path).write_text(mutated(sources[mutant.path], mutant), encoding="utf-8")
                    said = tried(tree, room)
                finally:
                    (tree / mutant.path).write_text(sources[mutant.path], encoding="utf-8")
                    trees.put(tree)
                if arguments.kept:
                    with arguments.kept.open("a", encoding="utf-8") as stream:
                        stream.write(json.dumps([mutant.name, said]) + "\n")
                print(f"{mutant.path}:{mutant.line} {mutant.name}: {said or 'SURVIVED'}", flush=True)
                return said

            with ThreadPoolExecutor(arguments.workers) as pool:
                verdicts = dict(zip(chosen, pool.map(attempt, chosen), strict=True))
            report += table(name, verdicts, len(every))
    print("\n".join(report))
    if arguments.out:
        head = [
            "# What the default tests see of wrong changes",
            "",
            f"`python -m benchmarks.mutation --count {arguments.count} --seed {arguments.seed}`, "
            f"{os.cpu_count()} cores, shared; {(time.monotonic() - begun) / 60:.0f} minutes.",
            "",
        ]
        arguments.out.write_text("\n".join([*head, *report]), encoding="utf-8")


if __name__ == "__main__":
    main()
