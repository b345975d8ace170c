"""The intervention grid (FIG. 10, 11): the fitted changes made, forward, on one real source sample.

To the right go the changes that cost nothing, together, at even parts of their fitted strength; downwards those that
cost accuracy, at the strengths whose *measured* loss is the requested one. The upper left is the sample itself, the
lower right the same sample with the whole fitted shift. No generator is needed, and nothing is undone: what a change
moves is exact by construction, so the grid shows what the trial found and is no second proof of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shiftlens.core.arrays import BoolArray, FloatArray, Floats, IntArray, Reals
from shiftlens.core.causes.changes import Change, Plan
from shiftlens.core.causes.outcomes import Rig
from shiftlens.core.data.scoring import Scores, join

STRENGTHS = np.linspace(0.0, 1.5, 25)
"""Parts of the full strength that are tried for each row; the seventeenth is the whole."""
WHOLE = 16
NEAR = 0.3
"""A cell whose measured loss misses the requested one by more than this, in log(loss + 0.05), did not reach it."""
ALIKE = 5
"""Digits of log(loss + 0.05) in which two strengths must differ to be told apart: else the weaker one is taken."""
EVEN = 4
"""Digits of a squared miss: of a change made whole or not at all, both losses are as far from a middle one."""
OFFSET = 0.05  # nats; keeps the logarithm of the loss of a perfect prediction finite


@dataclass(frozen=True)
class Sides:
    """Which factors of the plan go right and which go down; either may be empty."""

    right: tuple[str, ...]
    down: tuple[str, ...]


def sides_of(plan: Plan, verdicts: Mapping[str, str]) -> Sides:
    """Harmful changes go down, all others right; where none is harmful, the unclear ones go down."""
    names = [change.name for change in plan]
    down = [name for name in names if verdicts[name] == "harmful"]
    if not down:
        down = [name for name in names if verdicts[name] == "unclear"]
    return Sides(tuple(name for name in names if name not in down), tuple(down))


@dataclass(frozen=True)
class InterventionGrid:
    """The cells of one source sample; ``[0, 0]`` is the sample itself, ``[-1, -1]`` has the whole fitted shift.

    Attributes:
        cells: ``(rows, columns, *sample)``.
        requested: ``(rows,)`` losses, even in log(loss + 0.05), from the sample's own to that of the whole shift.
        right: ``(columns,)`` part of the harmless changes' full strength.
        down: ``(rows, columns)`` part of the harmful changes' full strength.
        scores: the classifier's, of all cells in reading order.
    """

    cells: FloatArray
    requested: Floats
    right: Floats
    down: Floats
    scores: Scores

    @property
    def measured(self) -> Floats:
        """``(rows, columns)`` losses."""
        found: Floats = self.scores.loss.reshape(self.down.shape)
        return found

    @property
    def reached(self) -> BoolArray:
        """``(rows, columns)`` whether the measured loss is near the requested one."""
        return near(self.measured, self.requested[:, None])


def near(measured: Reals, requested: Reals) -> BoolArray:
    """Whether measured losses are what was requested, within `NEAR`; both of one shape, or broadcast to one."""
    found: BoolArray = np.abs(log_loss(np.asarray(measured)) - log_loss(np.asarray(requested))) <= NEAR
    return found


def intervention_grid(rig: Rig, plan: Plan, sides: Sides, columns: int, rows: int) -> InterventionGrid:
    """Change the rig's one sample by all combinations of both kinds of change."""
    sample, label = rig.samples[slice(0, 1)][0], int(rig.labels[0])
    right = np.linspace(0.0, 1.0, columns) if sides.right else np.zeros(1)
    tried = STRENGTHS if sides.down else np.zeros(1)
    cells, scores = [], []
    for part in right:  # a column at a time: large samples at all strengths at once would take much memory
        parts = {name: np.full(len(tried), part) for name in sides.right} | {name: tried for name in sides.down}
        cells.append(changed(plan, np.repeat(sample[None], len(tried), axis=0), parts, rig.seed))
        scores.append(rig.score(cells[-1], np.full(len(tried), label, dtype=np.int64)))
    loss = np.stack([found.loss for found in scores])  # (columns, tried)
    if sides.down:
        low, high = log_loss(np.array([loss[0, 0], loss[-1, WHOLE]]))
        requested = np.exp(np.linspace(low, high, rows)) - OFFSET
        requested[0], requested[-1] = loss[0, 0], loss[-1, WHOLE]
    else:
        requested = loss[0, :1]
    chosen = np.stack([rising_choice(column, requested) for column in loss], axis=1)  # (rows, columns)
    if sides.down:
        chosen[-1, -1] = WHOLE
        chosen[:, -1] = np.minimum(chosen[:, -1], WHOLE)
    places = [(k, c) for row in chosen for c, k in enumerate(row)]  # in reading order
    return InterventionGrid(
        cells=np.stack([cells[c][k] for k, c in places]).reshape(*chosen.shape, *sample.shape),
        requested=requested,
        right=right,
        down=tried[chosen],
        scores=join([scores[c].rows([k]) for k, c in places]),
    )


def rising_choice(loss: Floats, requested: Floats) -> IntArray:
    """For each requested loss ``(rows,)`` the strength whose loss is nearest; no row has less than the row above.

    ``loss`` ``(k,)`` was measured at rising strengths, the first of them none, which the first row keeps. The choice
    with the smallest sum of squared misses of log(loss + 0.05), found by dynamic programming.
    """
    missed = (log_loss(requested)[:, None] - np.round(log_loss(loss), ALIKE)[None]) ** 2  # (rows, k)
    missed = np.round(missed, EVEN)
    missed[0, 1:] = np.inf
    best = missed.copy()
    came = np.zeros(missed.shape, dtype=np.int64)
    for row in range(1, len(missed)):
        lowest = np.minimum.accumulate(best[row - 1])
        came[row] = np.maximum.accumulate(np.where(best[row - 1] == lowest, np.arange(len(loss)), 0))
        best[row] = missed[row] + lowest
    choice = np.zeros(len(missed), dtype=np.int64)
    choice[-1] = int(best[-1].argmin())
    for row in range(len(missed) - 1, 0, -1):
        choice[row - 1] = came[row, choice[row]]
    return choice


def log_loss(loss: Floats) -> Floats:
    """log(loss + 0.05): steps of it look even, steps of the loss put nearly all of the change into the first."""
    return np.asarray(np.log(np.maximum(loss, 0.0) + OFFSET))


def typical(change: Change) -> float:
    """The random part, in units of its spread, of a sample to which the change does what is usual.

    The middle where all samples move the same way; one spread to a side where they only scatter.
    """
    return 0.0 if abs(change.offset) >= change.spread or change.slope else float(np.copysign(1.0, change.offset))


def changed(plan: Sequence[Change], x: FloatArray, parts: Mapping[str, Floats], seed: int) -> FloatArray:
    """Samples ``(n, *sample)`` with each factor's typical change at its part ``(n,)`` of the full strength.

    A factor that is not in ``parts`` stays, and so does a sample whose part is 0. All samples meet the same random
    numbers: more of a noise is more of the same noise.
    """
    for change in plan:
        part = parts.get(change.name)
        if part is None or not part.any():
            continue
        here = part != 0
        rows = x[here]
        delta = change.deltas(rows, np.full(len(rows), typical(change))) * part[here]
        x = x.copy()
        x[here] = _shifted(change, rows, delta, seed)
    return x


def _shifted(change: Change, x: FloatArray, delta: Floats, seed: int) -> FloatArray:
    """All at once where the factor uses no random numbers, one by one where it does."""

    def made(rows: slice) -> FloatArray:
        rng = np.random.default_rng([seed, 7, *change.name.encode()])
        return change.factor.shift(x[rows], delta[rows], rng)

    most = int(np.abs(delta).argmax())  # a weak change may come to nothing, and not show its random numbers
    rng = np.random.default_rng([seed, 7, *change.name.encode()])
    twice = change.factor.shift(np.repeat(x[[most]], 2, axis=0), np.repeat(delta[[most]], 2), rng)
    if np.array_equal(twice[0], twice[1]):
        return made(slice(None))
    return np.concatenate([made(slice(i, i + 1)) for i in range(len(x))])
