"""Undo the harmful changes before the classifier sees a sample; the classifier stays as it is.

Each change is taken back by its own factor: the sample's measure is moved to the value that its place among the
target's samples has among the source's (quantile to quantile), the last change first. A discrete change, such as
another order of the channels, is taken back exactly. The way from a measured value to the amount is a table that is
made once, so that a single sample can be mended. What a change destroys (blur, cover) does not come back, and the
measured accuracy says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.causes.changes import Change, apply, individual_parts
from shiftlens.core.causes.statistics import centre
from shiftlens.core.errors import ExportError, InputError, ShiftlensError
from shiftlens.core.host.kinds import Augmentation, ComponentSettings, Remedied, RemedyData
from shiftlens.core.job import Job

USUAL = 0.95
"""Share of the source's samples whose value counts as usual."""
FILE = "classifier-restored.onnx"
PROVEN = 24
"""Target samples on which the file is held against the way back in Python."""


class Settings(ComponentSettings):
    """How the changes are undone."""

    samples: int = Field(600, ge=20, description="samples of each domain that the tables are made from")
    levels: int = Field(17, ge=2, le=257, description="entries of a table")


@dataclass(frozen=True)
class WayBack:
    """How one change is taken back.

    Attributes:
        change: what is taken back.
        value, move: ``(levels,)`` measured values, and by how much a sample that measures this is moved.
        seed: of what a factor does by chance.
    """

    change: Change
    value: Floats
    move: Floats
    seed: int

    def __call__(self, x: FloatArray) -> FloatArray:
        """Samples ``(n, *sample)`` with this change taken back."""
        factor = self.change.factor
        if factor.discrete:
            return factor.shift(x, np.full(len(x), self.move[0]), self.rng)
        measured = factor.measure(x)
        amount = np.interp(measured, self.value, self.move)
        amount = np.where(np.isfinite(measured), amount, 0.0)
        return factor.shift(x, amount, self.rng)

    @property
    def rng(self) -> np.random.Generator:
        """Chance, from its start."""
        return np.random.default_rng([self.seed, 37])


class Undo:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, data: RemedyData, augment: Augmentation, job: Job) -> Remedied:
        """Make the tables, and an ONNX file of them and the classifier; nothing is learned, and no label is used."""
        steps = ways_back(data, self.settings, job.seed)
        facts = {"undone": [step.change.name for step in steps]}
        try:
            path = written(steps, data, job)
        except ShiftlensError as reason:
            return Remedied(lambda x: data.predict(restored(steps, x)), why_no_onnx=str(reason), facts=facts)
        return Remedied(data.open(path), path, facts=facts)


def restored(steps: Sequence[WayBack], x: FloatArray) -> FloatArray:
    """Samples ``(n, *sample)`` with all changes taken back, one after the other."""
    for step in steps:
        x = step(x)
    return x


def written(steps: Sequence[WayBack], data: RemedyData, job: Job) -> Path:
    """``job.folder/classifier-restored.onnx``: the way back in front of the classifier, proven on target samples.

    Raises:
        ExportError: a factor or the classifier has no ONNX form, or the file answers differently.
    """
    from shiftlens.export.operations import Correction, Operation, check_corrections, corrected_classifier

    if data.onnx is None:
        raise ExportError("there is no ONNX file of the classifier")
    corrections = []
    for step in steps:
        form = step.change.factor.onnx(data.sample_shape, step.rng)
        corrections.append(Correction(Operation.of(step.change.name, form), step.value, step.move))
    path = job.folder / FILE
    corrected_classifier(data.onnx, corrections, data.sample_shape, path)
    rows = np.linspace(0, len(data.target) - 1, min(len(data.target), PROVEN)).astype(np.int64)
    tolerance = max(correction.operation.tolerance for correction in corrections)
    check_corrections(path, lambda x: restored(steps, x), data.onnx, data.target.batch(rows), tolerance)
    return path


def ways_back(data: RemedyData, settings: Settings, seed: int) -> list[WayBack]:
    """The way back for target samples, in the order in which it is gone."""
    rng = np.random.default_rng([seed, 41])
    x = data.target.batch(np.sort(rng.permutation(len(data.target))[: settings.samples]))
    source = data.source.batch(np.sort(rng.permutation(len(data.source))[: settings.samples]))
    names = [change.name for change in data.plan]
    own = individual_parts(names, len(source), seed)
    steps: list[WayBack] = []
    for place in range(len(data.plan) - 1, -1, -1):
        before = apply(data.plan[:place], source, own, seed)  # what this change was made on
        step = _step(data.plan[place], before, x, settings.levels, seed)
        x = step(x)
        steps.append(step)
    return steps


def _step(change: Change, before: FloatArray, after: FloatArray, levels: int, seed: int) -> WayBack:
    """The table of one change, from samples without and with it."""
    factor = change.factor
    if factor.chosen is not None:
        if not factor.chosen.undoable:
            raise InputError(f"what {factor.name} took away does not come back")
        return WayBack(change, np.zeros(1), np.full(1, -1.0), seed)
    goal, measured = factor.measure(before), factor.measure(after)
    goal, measured = goal[np.isfinite(goal)], measured[np.isfinite(measured)]
    if not len(goal) or not len(measured):
        return WayBack(change, np.zeros(1), np.full(1, -change.offset), seed)
    if factor.period:  # no value is the smallest of a circle: everything is turned back alike
        return WayBack(change, np.array([centre(measured, factor.period)]), np.full(1, -change.offset), seed)
    at = np.linspace(0, 1, levels)
    value, move = np.quantile(measured, at), np.quantile(goal, at) - np.quantile(measured, at)
    # What lies inside the source's own range stays as it is: there the classifier is good without help.
    risen = np.median(measured) > np.median(goal)
    end = float(np.quantile(goal, USUAL if risen else 1 - USUAL))
    outside = value > end if risen else value < end
    value, move = np.append(value[outside], end), np.append(move[outside], 0.0)
    order = np.argsort(value, kind="stable")
    return WayBack(change, value[order], move[order], seed)
