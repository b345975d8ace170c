"""Vectors: each column is a factor, called by the column's name.

What the columns are is known only with the data, and descriptions are fixed. So there is one description, ``column``,
whose settings name a column by its place (``factors: [{name: column, column: 3}]``). For vectors ``factors: auto``
makes one worker per column, ``factor.settings(column=i)``, and calls it by ``domain.columns[i]``: that is what
``per_column=True`` in the description tells the engine.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import ComponentSettings, Factor
from shiftlens.plugins.factors import onnx_series


class ColumnSettings(ComponentSettings):
    """Which column."""

    column: int = Field(ge=0, description="place of the column among the values of a sample, from 0")


class ColumnWorker:
    """One value of a vector, in its own unit; changed by adding.

    Whole numbers and codes (0/1, months) become broken numbers on the way; what a classifier makes of them is part of
    what is measured.
    """

    def __init__(self, settings: ColumnSettings) -> None:
        self.column = settings.column

    def measure(self, x: FloatArray) -> Floats:
        """``(N, F)`` to ``(N,)``."""
        return x[:, self.column].astype(np.float64)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        changed = x.copy()
        changed[:, self.column] += delta.astype(np.float32)
        return changed

    def refuses(self, x: FloatArray) -> str:
        if self.column >= x.shape[1]:
            return f"there is no column {self.column}: the samples have {x.shape[1]} values, the first is 0"
        return ""


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="column",
        summary="one value of a vector; auto takes every column, by its name",
        build=ColumnWorker,
        settings=ColumnSettings,
        onnx=onnx_series.column,
        kinds=("tabular",),
        unit="raw units",
        per_column=True,
    ),
)
