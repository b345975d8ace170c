"""The fields of settings and results classes as tables: key, type, default, help."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from shiftlens.core.config.settings import name_key
from shiftlens.core.host.kinds import Component
from writing.markdown import doc, name, table

HEAD = ("key", "type", "default", "meaning")
LIMITS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def components(found: Sequence[Component]) -> str:
    """Components for people: a table of all, then the settings of those that have any."""
    if not found:
        return "None yet."
    rows = [(_named(one), one.summary, one.reference) for one in found]
    sections = [f"### {one.name}\n\n{settings_table(one.settings)}" for one in found if one.settings.model_fields]
    return "\n\n".join([table((name_key(type(found[0])), "what it is", "source"), rows), *sections])


def _named(one: Component) -> str:
    return f"[`{one.name}`](#{one.name})" if one.settings.model_fields else name(one.name)


def settings_table(model: type[BaseModel], prefix: str = "") -> str:
    """Every key that a YAML file may hold for this class, those of nested classes with a dot."""
    rows = [
        (name(key), shown_type(info.annotation) + limits(info), default(info), info.description or "")
        for key, info in leaves(model, prefix)
    ]
    return table(HEAD, rows) if rows else ""


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Fields by their dotted key; a field that is itself a settings class gives way to its fields."""
    for key, info in model.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from leaves(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", info


def shown_type(annotation: Any) -> str:
    """A type as a person would write it down."""
    if annotation is None or annotation is type(None):
        return "null"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(shown_type(part) for part in arguments)
    if origin is typing.Annotated:
        return shown_type(arguments[0])
    if origin in (tuple, list, set, frozenset):
        parts = [part for part in arguments if part is not Ellipsis]
        if origin is tuple and Ellipsis not in arguments and len(parts) > 1:
            return f"[{', '.join(shown_type(part) for part in parts)}]"
        return f"list of {shown_type(parts[0])}" if parts else "list"
    if origin is dict:
        return f"mapping of {shown_type(arguments[0])} to {shown_type(arguments[1])}"
    if isinstance(annotation, type):
        words = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path"}
        return words.get(annotation.__name__, annotation.__name__)
    return str(annotation).removeprefix("typing.")


def linked(annotation: Any) -> str:
    """The type, with a link to each class that has a section of its own."""
    text = shown_type(annotation)
    for word in re.findall(r"\b[A-Z]\w+", text):
        text = text.replace(word, "anything" if word == "Any" else f"[{word}](#{word.lower()})")
    return text


def limits(info: FieldInfo) -> str:
    """``, ≥ 1, ≤ 64`` or nothing."""
    found = [
        f"{sign} {getattr(limit, word)}"
        for limit in info.metadata
        for word, sign in LIMITS.items()
        if getattr(limit, word, None) is not None
    ]
    return f", {', '.join(found)}" if found else ""


def default(info: FieldInfo) -> str:
    """The default as YAML, or ``required``."""
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)  # type: ignore[call-arg]
    if isinstance(value, tuple):
        value = list(value)
    plain = value if isinstance(value, bool | int | float | str | list | dict) or value is None else str(value)
    if plain == "":
        return ""
    return name(yaml.safe_dump(plain, default_flow_style=True, width=10_000).split("\n")[0])


def described(model: type[BaseModel]) -> str:
    """A class of the results: its docstring and its fields."""
    rows = [
        (name(info.alias or key), linked(info.annotation), default(info), info.description or "")
        for key, info in model.model_fields.items()
    ]
    return f"{doc(model)}\n\n{table(HEAD, rows)}"
