"""YAML with the line of every key, so that a mistake can be pointed at; whatever is in the text, it costs little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from shiftlens.core.errors import InputError, Mistake, SettingsError
from shiftlens.core.files import read_text

KeyPath = tuple[str | int, ...]

DEEPEST = 100  # levels of lists and mappings in each other
MOST_VALUES = 500_000  # with every alias written out: nine lists of nine, nine times over, are 400 million


class _Loader(yaml.SafeLoader):
    """A safe loader that bounds depth and size, and tells the place of a value that cannot be built.

    PyYAML itself recurses without bound, takes an alias inside what it names, and lets Python's own errors through
    where a tag and its value do not fit (``!!int ""``, ``2024-99-99``, an integer of 6,000 digits).
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth, self.values = 0, 0
        self.size_of: dict[yaml.Node, int] = {}  # of what is complete

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            named = super().compose_node(parent, index)
            if named not in self.size_of:
                raise _problem(f"the alias *{event.anchor} stands inside what it stands for", event)
            self._count(self.size_of[named], event)
            return named
        if self.depth == DEEPEST:
            raise _problem(f"more than {DEEPEST} levels of lists and mappings in each other", event)
        before = self.values
        self._count(1, event)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        assert node is not None
        self.size_of[node] = self.values - before
        return node

    def _count(self, values: int, event: yaml.Event) -> None:
        self.values += values
        if self.values > MOST_VALUES:
            raise _problem(f"more than {MOST_VALUES:,} values, each alias written out", event)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            text = node.value if isinstance(node.value, str) else ""
            shown = f"{text:.40}…" if len(text) > 40 else text
            raise _problem(f'"{shown}" is no {node.tag.rpartition(":")[2]} ({error})', node) from None


def _problem(words: str, place: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=words, problem_mark=place.start_mark)


def parse_yaml(text: str) -> Any:
    """The value that a YAML text holds.

    Raises:
        yaml.YAMLError: and nothing else.
    """
    return _composed(text)[0]


def read_yaml(text: str, origin: str) -> tuple[dict[str, Any], dict[KeyPath, int], list[Mistake]]:
    """The mapping that a YAML text holds, the line of each key path, and keys that stand twice.

    Raises:
        SettingsError: the text is not YAML, or not a mapping.
    """
    try:
        raw, node = _composed(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise SettingsError(origin, [Mistake("YAML", told(error), mark.line + 1 if mark else None)]) from None
    if not isinstance(raw, dict) or node is None:
        raise SettingsError(origin, [Mistake("file", "must hold a mapping of keys such as source, target, classifier")])
    lines: dict[KeyPath, int] = {}
    doubles: list[Mistake] = []
    _note_lines(node, (), lines, doubles)
    return raw, lines, doubles


def read_yaml_file(path: Path, next_step: str) -> dict[str, Any]:
    """The mapping that a YAML file of our own holds.

    Args:
        next_step: what to do where it holds none.

    Raises:
        InputError: it is missing, or damaged.
    """
    try:
        raw = parse_yaml(read_text(path))
    except yaml.YAMLError as error:
        raise InputError(f"{path} is damaged ({told(error)}); {next_step}") from None
    except InputError as error:
        raise InputError(f"{error}; {next_step}") from None
    if not isinstance(raw, dict):
        raise InputError(f"{path} is damaged (it holds no mapping of keys); {next_step}")
    return raw


def told(error: yaml.YAMLError) -> str:
    """What is wrong, in one line."""
    return str(getattr(error, "problem", None) or error).strip().splitlines()[0]


def _composed(text: str) -> tuple[Any, yaml.Node | None]:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return (None if node is None else loader.construct_document(node)), node
    finally:
        loader.dispose()


def _note_lines(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], doubles: list[Mistake]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):  # it cannot be a key, as was told when it was built
                continue
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
