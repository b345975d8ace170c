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
