"""YAML with the line of every key, so that a mistake can be pointed at."""

from __future__ import annotations

from typing import Any

import yaml

from shiftlens.core.errors import Mistake, SettingsError

KeyPath = tuple[str | int, ...]


def read_yaml(text: str, origin: str) -> tuple[dict[str, Any], dict[KeyPath, int], list[Mistake]]:
    """The mapping that a YAML text holds, the line of each key path, and keys that stand twice.

    Raises:
        SettingsError: the text is not YAML, or not a mapping.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise SettingsError(origin, [Mistake("YAML", problem, mark.line + 1 if mark else None)]) from None
    if not isinstance(raw, dict) or node is None:
        raise SettingsError(origin, [Mistake("file", "must hold a mapping of keys such as source, target, classifier")])
    lines: dict[KeyPath, int] = {}
    doubles: list[Mistake] = []
    _note_lines(node, (), lines, doubles)
    return raw, lines, doubles


def _note_lines(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], doubles: list[Mistake]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, key.value)
            line = key.start_mark.line + 1
            if here in lines:
                doubles.append(Mistake(dotted(here), f"stands a second time (first in line {lines[here]})", line))
            lines[here] = line
            _note_lines(value, here, lines, doubles)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*path, index)] = value.start_mark.line + 1
            _note_lines(value, (*path, index), lines, doubles)


def line_of(path: KeyPath, lines: dict[KeyPath, int]) -> int | None:
    """The line of a key path, or of the nearest key above it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def dotted(path: KeyPath) -> str:
    """``grid.features``, ``reports[0]``: a key path as people write it."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
