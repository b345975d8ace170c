"""What each factor's change does to every other factor's measure.

A measure that reads another factor makes that factor's shift look like its own. The table shows how far this goes on
given samples: one row for each factor changed by one step, one column for each measure, in units of that measure's
own step. The diagonal is what the factor's change did to its own measure, 1 where it did what was asked.

A step is the factor's ``span`` where it has one, else the spread of its measure over the samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.causes.changes import ActiveFactor
from shiftlens.core.causes.statistics import wrapped


@dataclass(frozen=True)
class CrossResponse:
    """How every measure responds to every factor.

    Attributes:
        names: ``(F,)`` factors, in the order of rows and columns.
        steps: ``(F,)`` by how much each was changed, in its unit.
        response: ``(F, F)`` mean change of the column's measure when the row's factor moves by its step, in units of
            the column's step; NaN where it could not be measured.
    """

    names: tuple[str, ...]
    steps: Floats
    response: Floats

    def readers(self, name: str, least: float = 0.25) -> tuple[str, ...]:
        """The factors whose change moves the measure ``name`` by at least that part of its step, strongest first."""
        column = np.abs(self.response[:, self.names.index(name)])
        order = np.argsort(-np.nan_to_num(column))
        return tuple(self.names[row] for row in order if self.names[row] != name and column[row] >= least)

    def __str__(self) -> str:
        """The table as text, rows changed, columns measured."""
        width = max(len(name) for name in self.names)
        heads = [name[:8].rjust(9) for name in self.names]
        lines = [" " * width + "".join(heads)]
        for name, row in zip(self.names, self.response, strict=True):
            lines.append(name.ljust(width) + "".join(f"{value:9.2f}" for value in row))
        return "\n".join(lines)


def cross_response(factors: Sequence[ActiveFactor], x: FloatArray, rng: np.random.Generator) -> CrossResponse:
    """Change each factor by one step on real samples and see what all the measures do.

    Args:
        factors: of which none refuses ``x``.
        x: ``(N, *sample)``; some hundred samples are enough.
        rng: for the changes that need chance.
    """
    # The workers themselves: a measure that is NaN for most samples is a gap in the table, and no fault.
    before = [factor.worker.measure(x) for factor in factors]
    steps = np.array([_step(factor, values) for factor, values in zip(factors, before, strict=True)])
    response = np.full((len(factors), len(factors)), np.nan)
    for row, changed_factor in enumerate(factors):
        if steps[row] == 0:
            continue
        changed = changed_factor.worker.shift(x, np.full(len(x), steps[row]), rng)
        for column, read in enumerate(factors):
            moved = wrapped(read.worker.measure(changed) - before[column], read.period)
            known = moved[np.isfinite(moved)]
            if len(known) and steps[column] != 0:
                response[row, column] = known.mean() / steps[column]
    return CrossResponse(tuple(factor.name for factor in factors), steps, response)


def _step(factor: ActiveFactor, values: Floats) -> float:
    """The factor's ``span``, or the standard deviation of its measure; 0 where that does not vary."""
    if factor.span is not None:
        return factor.span
    known = values[np.isfinite(values)]
    return float(known.std()) if len(known) else 0.0
