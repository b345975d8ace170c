"""Selective use (¶73): use the classifier as it is, where the harmful factor's value lets it be right often enough.

The range is found on target samples where they are labelled, and otherwise on source samples that are changed as in the
target: it goes as far in the direction of the change as the accuracy of all samples inside stays within ``points`` of
the source's.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import BoolArray, FloatArray, Floats
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import Augmentation, ComponentSettings, Remedied, RemedyData
from shiftlens.core.job import Job

READ = 256
LEAST = 20  # samples inside the range from which its accuracy is believed


class Settings(ComponentSettings):
    """Where the classifier may be used."""

    points: float = Field(
        3.0, gt=0, description="points of accuracy below the source's that are accepted inside the range"
    )


class UseWhere:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, data: RemedyData, augment: Augmentation, job: Job) -> Remedied:
        """Find the range; the classifier is not changed."""
        factors = [c.factor for c in data.plan if c.factor.period is None and not c.factor.discrete]
        if not factors:
            raise InputError(
                "the harmful change goes round in a circle or has no strength: there is no range to stay in"
            )
        labelled = data.target.label is not None
        samples = data.target if labelled else data.source
        assert samples.label is not None
        measured: list[Floats] = []
        right: list[BoolArray] = []
        for start in range(0, len(samples), READ):
            rows = np.arange(start, min(start + READ, len(samples)))
            x = samples.batch(rows) if labelled else augment(samples.batch(rows), job.seed + start)
            measured.append(np.column_stack([factor.measure(x) for factor in factors]))
            right.append(data.predict(x).argmax(1) == samples.label[rows])
        values, correct = np.concatenate(measured), np.concatenate(right)
        least = data.accuracy - self.settings.points / 100
        ranges = []
        for column, change in enumerate(factors):
            risen = data.plan[[c.factor for c in data.plan].index(change)].offset >= 0
            ranges.append(_range(values[:, column], correct, risen, least))

        def accepts(x: FloatArray) -> BoolArray:
            inside = np.ones(len(x), dtype=bool)
            for factor, (low, high) in zip(factors, ranges, strict=True):
                value = factor.measure(x)
                inside &= (value >= low) & (value <= high)
            return inside

        return Remedied(
            data.predict,
            accepts=accepts,
            facts={
                "ranges": {
                    f.name: [low if np.isfinite(low) else None, high if np.isfinite(high) else None]
                    for f, (low, high) in zip(factors, ranges, strict=True)
                }
            },
        )


def _range(value: Floats, correct: BoolArray, risen: bool, least: float) -> tuple[float, float]:
    """How far the value may go in the direction of the change; the other side is open."""
    known = np.isfinite(value)
    order = np.argsort(value[known] if risen else -value[known], kind="stable")
    value, correct = value[known][order], correct[known][order]
    good = np.flatnonzero(np.cumsum(correct) / np.arange(1, len(correct) + 1) >= least)
    if not len(good) or good[-1] + 1 < LEAST:
        raise InputError("nowhere in the range of the harmful factor is the classifier right often enough")
    limit = float(value[good[-1]]) if good[-1] + 1 < len(value) else np.inf if risen else -np.inf
    return (-np.inf, limit) if risen else (limit, np.inf)
