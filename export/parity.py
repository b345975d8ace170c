"""The proof that an exported file agrees with the original: names, shapes and values, each with its own error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shiftlens.core.arrays import AnyArray
from shiftlens.core.errors import ExportError
from shiftlens.export.session import Session

Arrays = dict[str, AnyArray]


def check_parity(
    path: Path,
    reference: Callable[[Arrays], Arrays],
    make_inputs: Callable[[int], Arrays],
    batches: Sequence[int] = (1, 2, 7),
    tolerance: float = 1e-4,
) -> dict[str, Any]:
    """Run file and original on the same real samples at several batch sizes.

    Args:
        reference: the original, ``{input name: array} -> {output name: array}``.
        make_inputs: ``make_inputs(batch)`` gives that many real samples by input name.
        tolerance: largest difference, in units of the largest absolute value of the output (or of 1, if smaller).

    Returns:
        ``{"largest_difference": {output: float}, "batches": [...], "tolerance": float}``, small enough to be kept.

    Raises:
        ExportError: naming what differs, at which batch size, by how much.
    """
    session = Session(path, device="cpu")
    largest: dict[str, float] = {}
    for batch in batches:
        inputs = make_inputs(batch)
        wanted = reference(inputs)
        _check_names(path, "inputs", inputs, [tensor.name for tensor in session.inputs])
        _check_names(path, "outputs", wanted, [tensor.name for tensor in session.outputs])
        got = session.run(**inputs)
        for name, expected in wanted.items():
            if got[name].shape != expected.shape:
                raise ExportError(
                    f"{path}: at batch {batch}, output {name} has shape {got[name].shape}; "
                    f"the original has {expected.shape}"
                )
            difference = _difference(path, name, batch, got[name], expected, tolerance)
            largest[name] = max(largest.get(name, 0.0), difference)
    return {"largest_difference": largest, "batches": list(batches), "tolerance": tolerance}


def _check_names(path: Path, what: str, wanted: Mapping[str, Any], found: list[str]) -> None:
    if list(wanted) != found:
        raise ExportError(f"{path}: the {what} are called {', '.join(found)}; expected {', '.join(wanted)}, in order")


def _difference(path: Path, name: str, batch: int, got: AnyArray, expected: AnyArray, tolerance: float) -> float:
    """The largest difference of one output, in units of its scale; raises where it is too large."""
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    off = np.abs(got.astype(np.float64) - expected.astype(np.float64)) / scale
    both_infinite = ~np.isfinite(expected) & ((got == expected) | (np.isnan(got) & np.isnan(expected)))
    off = np.where(both_infinite, 0.0, off)
    largest = float(off.max(initial=0.0))
    if not largest <= tolerance:  # NaN compares as False
        place = tuple(int(i) for i in np.unravel_index(int(np.nanargmax(np.where(off == off, off, np.inf))), off.shape))
        raise ExportError(
            f"{path}: at batch {batch}, output {name} differs from the original by {largest:.3g} of its scale "
            f"{scale:.3g}, more than {tolerance:.3g}: {got[place]:.6g} instead of {expected[place]:.6g} at {place}"
        )
    return largest
