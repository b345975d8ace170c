"""One page per hook: its signature, its example, the description it yields, the worker, the built-ins."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from typing import Any

from shiftlens.core.host import hookspecs, kinds
from writing.fields import components
from writing.markdown import attributes, code, doc, name, prose, summary, table
from writing.source import HOOKS, KIND_OF, built_ins


def index() -> str:
    """All hooks on one page."""
    offering = [(_link(hook), summary(getattr(hookspecs, hook))) for hook in HOOKS if hook in KIND_OF]
    telling = [(_link(hook), summary(getattr(hookspecs, hook))) for hook in HOOKS if hook not in KIND_OF]
    return "\n\n".join(
        [
            "# Hooks",
            doc(kinds),
            "A plugin implements the hooks it needs, in a module or on an object, each marked with "
            "`@shiftlens.hookimpl`. [Write a plugin](../../write-a-plugin.md) goes the whole way once.",
            "## Hooks that offer something",
            table(("hook", "does"), offering),
            "## Hooks that are told what happens",
            "What they raise is logged once and stops nothing. They may leave out arguments that they do not need.",
            table(("hook", "does"), telling),
        ]
    )


def page(hook: str) -> str:
    """The page of one hook."""
    function = getattr(hookspecs, hook)
    parts = [f"# {hook}", code(f"@hookspec\n{_signature(hook, function)}"), doc(function)]
    if hook in KIND_OF:
        kind = KIND_OF[hook]
        worker = getattr(kinds, f"{kind.__name__}Worker")
        parts += [f"## What it yields: `{kind.__name__}`", prose(kind), _dataclass_fields(kind)]
        parts += [f"## What is built: `{worker.__name__}`", doc(worker), _methods(worker)]
        parts += [_handed_over(passed) for passed in _passed(worker)]
        parts += ["## Built in", components(built_ins(kind))]
    return "\n\n".join(part for part in parts if part)


def _link(hook: str) -> str:
    return f"[`{hook}`]({hook}.md)"


def _signature(label: str, function: Any) -> str:
    plain = str(inspect.signature(function)).replace("'", "")
    return f"def {label}{plain}: ..."


def _dataclass_fields(described: type) -> str:
    """The fields of a dataclass, with what its docstring and those of its bases say of them."""
    told = {word: text for base in reversed(described.__mro__) for word, text in attributes(base).items()}
    rows = [
        (name(field.name), name(str(field.type)), _default(field), told.get(field.name, ""))
        for field in dataclasses.fields(described)
    ]
    return table(("field", "type", "default", "meaning"), rows)


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return name(getattr(field.default, "__name__", None) or repr(field.default))
    return "empty" if field.default_factory is not dataclasses.MISSING else "required"


def _methods(worker: type) -> str:
    """The protocol as code."""
    lines = [f"class {worker.__name__}(Protocol):"]
    for label, method in vars(worker).items():
        if inspect.isfunction(method) and (label == "__call__" or not label.startswith("_")):
            lines.append(f"    {_signature(label, method)}")
    return code("\n".join(lines))


def _passed(worker: type) -> list[type]:
    """The classes of shiftlens that a worker is handed or gives back, in the order of its signature."""
    found: list[type] = []
    for label, method in vars(worker).items():
        if inspect.isfunction(method) and (label == "__call__" or not label.startswith("_")):
            for hint in _hints(method):
                for part in (hint, *typing.get_args(hint)):
                    if isinstance(part, type) and part.__module__.startswith("shiftlens.") and part not in found:
                        found.append(part)
    return found


def _hints(method: Any) -> list[Any]:
    """The types of a method's arguments and of its result; names that only type checkers import are looked up here."""
    from shiftlens.core.data.scoring import Scores
    from shiftlens.core.results.report import Report

    return list(typing.get_type_hints(method, {**vars(kinds), "Report": Report, "Scores": Scores}).values())


def _handed_over(passed: type) -> str:
    fields = _dataclass_fields(passed) if dataclasses.is_dataclass(passed) else ""
    return f"### {passed.__name__}\n\n{name(f'{passed.__module__}.{passed.__name__}')}\n\n{prose(passed)}\n\n{fields}"
