"""What `shiftlens init` proposes for two files of arrays: which arrays are meant, and what they hold."""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shiftlens.core.host.kinds import Proposal
from shiftlens.plugins.readers.npz import (
    LOOKED_AT,
    UNREADABLE,
    Archive,
    has_sides_of_images,
    largest_of,
    mapped,
    usual_white,
)
from shiftlens.plugins.readers.npz_names import PAIRS, archive_names, parts_in

FEW = 32  # values: shorter rows are rather vectors than series


@dataclass(frozen=True)
class Peek:
    """What a look at an array of samples tells: its range, whether its columns have names, whether it holds bytes."""

    shape: tuple[int, ...]
    low: float
    high: float
    named: bool
    of_bytes: bool


def propose(source: Path, target: Path) -> Proposal:
    """The arrays' names, and what they hold where that could be more than one thing."""
    paths = {"source": source, "target": target}
    settings: dict[str, dict[str, Any]] = {"source": {}, "target": {}}
    questions: list[str] = []
    same = source.resolve() == target.resolve()
    taken = {}
    for role, path in paths.items():
        members = _members(path)
        parts = parts_in(members)
        if parts and not any(x in members for x, _ in PAIRS):
            part = list(parts)[-1 if same and role == "target" else 0]
            settings[role] = dict(zip(("x", "y"), parts[part], strict=True))
            taken[role] = f"{part} (of {', '.join(parts)} in {path.name}) the {role}"
    if taken:
        questions.append(f"is {' and '.join(taken.values())}? x and y say which arrays are read")
    with tempfile.TemporaryDirectory(prefix="shiftlens-npz-", ignore_cleanup_errors=True) as scratch:
        here, there = (_peek(path, Path(scratch), settings[role]) for role, path in paths.items())
    more, question = _kinds(here, there)
    if question:
        questions.append(question)
    return Proposal({**settings["source"], **more}, {**settings["target"], **more}, (), tuple(questions))


def _kinds(here: Peek, there: Peek) -> tuple[dict[str, Any], str]:
    """What the samples are, where shape and values do not tell; and the question about it."""
    low, high = min(here.low, there.low), max(here.high, there.high)
    axes = {len(here.shape), len(there.shape)}
    if axes == {3} and has_sides_of_images(here.shape) and has_sides_of_images(there.shape):
        if (here.of_bytes and there.of_bytes) or (low >= 0 and high <= 1):
            return {}, ""
        kind = {"kind": "image", "white": usual_white(high)} if low >= 0 else {"kind": "series"}
        return kind, (
            f"are these grey images, or series of {here.shape[1]} channels? Values go from {low:g} to {high:g} "
            "(kind: image with white: VALUE, or kind: series)"
        )
    if axes == {4} and not (here.of_bytes and there.of_bytes) and low >= 0 and high > 1:
        white = usual_white(high)
        return {"white": white}, f"is {white:g} the value of white in these images? The largest is {high:g}"
    if axes == {2} and not here.named and not there.named:
        kind = {"kind": "tabular" if here.shape[1] < FEW else "series"}
        return kind, f"is each row of {here.shape[1]} values a series over time (series), or a vector (tabular)?"
    return {}, ""


def _members(path: Path) -> list[str]:
    if path.suffix.lower() != ".npz":
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except UNREADABLE:
        return []  # told when it is read


def _peek(path: Path, scratch: Path, settings: dict[str, Any]) -> Peek:
    named = False
    if path.suffix.lower() == ".npz":
        archive = Archive(path, scratch)
        members = list(archive.members)
        x = archive.get(archive_names(members, settings.get("x", "x"), settings.get("y", "y"), path)[0], "x")
        named = "columns" in members
    else:
        x = mapped(path, path)
    if x.dtype.kind not in "buif" or not x.size or x.ndim < 2:
        return Peek(x.shape, 0.0, 0.0, named, True)
    some = np.asarray(x[:LOOKED_AT], dtype=np.float64)
    return Peek(
        x.shape, float(some[np.isfinite(some)].min(initial=0.0)), largest_of(x), named, x.dtype in (np.uint8, np.bool_)
    )
