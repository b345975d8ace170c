"""The reference of results.json, from the classes that write it."""

from __future__ import annotations

import typing
from typing import Any

from pydantic import BaseModel

from shiftlens.core.results import results
from shiftlens.core.results.results import Results
from writing.fields import described
from writing.markdown import doc

KEPT = "How this document may grow, and what stays: [Growing without breaking](../compatibility.md)."


def page() -> str:
    """The whole document, then each of its parts in the order in which they are met."""
    parts = ["# results.json", doc(results), KEPT, "## The document", described(Results)]
    for model in _parts(Results):
        parts += [f"## {model.__name__}", described(model)]
    return "\n\n".join(parts)


def _parts(model: type[BaseModel]) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    for info in model.model_fields.values():
        for inner in _models(info.annotation):
            for part in (inner, *_parts(inner)):
                if part not in found:
                    found.append(part)
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]
