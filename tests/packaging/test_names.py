"""A name means one thing: what a stranger reads in one room is not something else in the next."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EACH_HAS_ITS_OWN = {"Settings"}  # every plugin, and the whole analysis


def modules(*rooms: str) -> Iterator[tuple[str, ast.Module]]:
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def test_a_public_class_has_a_name_of_its_own():
    homes = defaultdict(list)
    for place, module in modules("core", "plugins", "export"):
        for node in module.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(place)
    assert len(homes) > 150
    twice = {name: places for name, places in homes.items() if len(places) > 1 and name not in EACH_HAS_ITS_OWN}
    assert not twice


MOST_PARAMETERS = 6


def is_a_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A command's parameters are its options: click asks for one each."""
    return any(ast.unparse(decorator).endswith(".command()") for decorator in function.decorator_list)


def test_no_function_of_core_has_more_parameters_than_a_reader_keeps_in_mind():
    """What belongs together travels together, in a frozen class."""
    found = {}
    for place, module in modules("core"):
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_a_command(node):
                names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                names = [name for name in names if name not in ("self", "cls")]
                if len(names) > MOST_PARAMETERS:
                    found[f"{place}:{node.lineno} {node.name}"] = names
    assert not found
