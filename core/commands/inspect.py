"""``shiftlens inspect``: what was understood of a classifier's file, without any data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from shiftlens.core.errors import InputError, ShiftlensError
from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import Classifier, UnderstoodClassifier


def understood(path: str, host: Host) -> UnderstoodClassifier:
    """What the classifier's plugin makes of a file.

    Raises:
        InputError: no such file, no plugin for it, or one that cannot look at it without data.
    """
    if not Path(path).expanduser().is_file():
        raise InputError(f"there is no file {path}; give the path of a classifier's file")
    raw = {"path": str(Path(path).expanduser().resolve())}
    component = host.claiming(Classifier, raw, Path())
    if component is None:
        raise InputError(f"no classifier knows what to do with {path}; give a .onnx or .pt2 file")
    worker = component.build(component.settings.model_validate(raw))
    if not hasattr(worker, "understood"):
        raise InputError(
            f'a file of the classifier "{component.name}" can be looked at with data only; '
            "`shiftlens init DIR --source ... --target ... --classifier FILE` does"
        )
    found = worker.understood()
    if not isinstance(found, UnderstoodClassifier):
        raise ShiftlensError(f'the classifier "{component.name}" told nothing of {path}')
    return found


def plain(found: UnderstoodClassifier) -> dict[str, Any]:
    """As plain values, for scripts."""
    return asdict(found)


def text(path: str, found: UnderstoodClassifier) -> str:
    """For people."""
    classes = ", ".join(found.classes) if found.classes else "not said: the labels of the source, sorted"
    count = f"{found.count} classes: " if found.count else ""
    shape = ", ".join("any" if side is None else str(side) for side in found.sample_shape)
    rows = [
        ("takes", "; ".join(found.inputs)),
        ("samples", f"({shape}), taken as {found.layout}"),
        ("gives", "; ".join(found.outputs)),
        ("used", f"{found.output}, read as {found.reading}"),
        ("classes", count + classes),
        ("batch", found.batch),
        *[("note", note) for note in found.notes],
    ]
    return "\n".join([path, *(f"  {name:<8} {value}" for name, value in rows)])
