"""What each factor's change does to every other factor's measure.

A measure that reads another factor makes that factor's shift look like its own. The table shows how far this goes on
given samples: one row for each factor changed by one step, one column for each measure, in units of that measure's
own step. The diagonal is what the factor's change did to its own measure, 1 where it did as it was told.

A step is the worker's ``span`` where it names one (a change that people notice, in its unit, in the direction in
which it can be changed), else the spread of its measure over the samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import FactorWorker


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


def cross_response(
    factors: Sequence[tuple[str, FactorWorker]], x: FloatArray, rng: np.random.Generator
) -> CrossResponse:
    """Change each factor by one step on real samples and see what all the measures do.

    Args:
        factors: names and workers, none of which refuses ``x``.
        x: ``(N, *sample)``; some hundred samples are enough.
        rng: for the changes that need chance.
    """
    before = [worker.measure(x) for _, worker in factors]
    steps = np.array([step_of(worker, values) for (_, worker), values in zip(factors, before, strict=True)])
    response = np.full((len(factors), len(factors)), np.nan)
    for row, (_, worker) in enumerate(factors):
        if steps[row] == 0:
            continue
        changed = worker.shift(x, np.full(len(x), steps[row]), rng)
        for column, (_, reader) in enumerate(factors):
            moved = difference(reader, reader.measure(changed), before[column])
            known = moved[np.isfinite(moved)]
            if len(known) and steps[column] != 0:
                response[row, column] = known.mean() / steps[column]
    return CrossResponse(tuple(name for name, _ in factors), steps, response)


def difference(worker: FactorWorker, after: Floats, before: Floats) -> Floats:
    """``after - before``, the short way round for a measure that goes in circles (its ``period``)."""
    period: float | None = getattr(worker, "period", None)
    if period is None:
        return after - before
    return np.mod(after - before + period / 2, period) - period / 2


def step_of(worker: FactorWorker, values: Floats) -> float:
    """The worker's ``span``, or the standard deviation of its measure; 0 where that does not vary."""
    span: float | None = getattr(worker, "span", None)
    if span is not None:
        return span
    known = values[np.isfinite(values)]
    return float(known.std()) if len(known) else 0.0
