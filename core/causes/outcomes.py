"""Source samples changed and scored again: sets of changes, one change at several strengths, random strengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.causes.changes import Change, Plan, apply, clipped_share, individual_parts, share_reached
from shiftlens.core.causes.statistics import Coalition, centre, natural, wrapped
from shiftlens.core.data.samples import IN_MEMORY, LazySamples
from shiftlens.core.data.scoring import Scores, join

LARGEST_ROWS = 256 * 2**20
"""Bytes that the randomised rows may take."""

Score = Callable[[FloatArray, IntArray], Scores]


@dataclass(frozen=True)
class Rig:
    """LazySamples that changes are tried on, and what that takes.

    Attributes:
        x, labels: ``(n, *sample)`` and ``(n,)``.
        score: the classifier's scoring.
        seed: of all that is random in a change.
    """

    x: FloatArray | LazySamples
    labels: IntArray
    score: Score
    seed: int

    @property
    def samples(self) -> LazySamples:
        """Decoded when they are asked for."""
        return LazySamples.of(self.x)

    def some(self, rows: slice | IntArray) -> Rig:
        """The same with fewer samples, or in another order."""
        return Rig(self.samples.some(rows), self.labels[rows], self.score, self.seed)


@dataclass(frozen=True)
class Outcomes:
    """Loss and correctness ``(n,)`` of the same samples under one set of changes."""

    loss: Floats
    correct: Floats


def outcomes(scores: Scores) -> Outcomes:
    """Of samples as scored."""
    return Outcomes(scores.loss.astype(np.float64), scores.correct.astype(np.float64))


def measure_coalitions(
    rig: Rig,
    plan: Plan,
    wanted: Sequence[Coalition],
    known: Mapping[Coalition, Outcomes] | None = None,
    own: Mapping[str, Floats] | None = None,
) -> dict[Coalition, Outcomes]:
    """What every wanted set of changes does to the same samples.

    Sets are made in order of their members, and a changed array is used again for the sets that begin with it. Of many
    or large samples some are gone through after others.
    ``own`` holds the samples' random numbers, where they are not the first ones of this seed.
    """
    x, seed = rig.samples, rig.seed
    names = [change.name for change in plan]
    own = individual_parts(names, len(x), seed) if own is None else own
    todo = sorted(
        (tuple(n for n in names if n in c) for c in wanted if c not in (known or {})),
        key=lambda c: [names.index(n) for n in c],
    )
    found: dict[tuple[str, ...], list[Scores]] = {members: [] for members in todo}
    for rows in x.parts():
        held: dict[tuple[str, ...], FloatArray] = {(): x[rows]}
        numbers = {name: values[rows] for name, values in own.items()}
        for members in todo:
            start = max((prefix for prefix in held if members[: len(prefix)] == prefix), key=len)
            held = {prefix: array for prefix, array in held.items() if members[: len(prefix)] == prefix}
            changed = held[start]
            for index in range(len(start), len(members)):
                (change,) = (c for c in plan if c.name == members[index])
                changed = apply([change], changed, numbers, seed + rows.start)
                held[members[: index + 1]] = changed
            found[members].append(rig.score(changed, rig.labels[rows]))
    return {**(known or {}), **{frozenset(members): outcomes(join(parts)) for members, parts in found.items()}}


@dataclass(frozen=True)
class Dose:
    """One change at several parts of its full strength on the same samples.

    Attributes:
        part: ``(k,)`` parts of the full strength, the first 0.
        value: ``(k,)`` the measure's centre that was reached.
        loss, correct: ``(k, n)``.
    """

    part: Floats
    value: Floats
    loss: Floats
    correct: Floats


@dataclass(frozen=True)
class Dosed:
    """One change at several strengths, with what a sentence and a picture of it need.

    Attributes:
        dose: what was measured.
        prediction: ``(k, n)`` class index.
        reached: how much of the wanted movement the measure made at full strength, see `share_reached`.
        clipped: share of values driven to an end of their range at full strength, see `clipped_share`.
        again: ``again(step, place)`` is the sample ``(*sample)`` float32 as it was scored at that step.
    """

    dose: Dose
    prediction: IntArray
    reached: float
    clipped: float | None
    again: Callable[[int, int], FloatArray]


@dataclass(frozen=True)
class TrialRows:
    """Randomised, independent changes of the shifted factors: what the randomised loss axis is fitted on.

    Attributes:
        x: ``(r, *sample)`` float32 changed source samples.
        label: ``(r,)`` int64.
        loss, loss_before: ``(r,)`` after and before the change.
    """

    x: FloatArray
    label: IntArray
    loss: Floats
    loss_before: Floats


def randomised_rows(rig: Rig, scores: Scores, plan: Plan, count: int, batch: int = 512) -> TrialRows:
    """``count`` source samples, each factor of the plan at an independent part (0 to 1) of its full strength.

    Of large samples as many as `LARGEST_ROWS` holds. ``scores`` are those of the rig's samples as they are.
    """
    x, seed = rig.samples, rig.seed
    rng = np.random.default_rng([seed, 11])
    size = 4 * max(1, prod(x.sample_shape))
    count, batch = min(count, max(1, LARGEST_ROWS // size)), min(batch, max(1, IN_MEMORY // size))
    if not plan:
        count = 0
    chosen = rng.permutation(np.resize(np.arange(len(x)), count))
    changed = np.empty((count, *x.sample_shape), dtype=np.float32)
    loss = np.empty(count)
    names = [change.name for change in plan]
    parts = {name: rng.uniform(0, 1, count) for name in names}
    own = individual_parts(names, count, seed + 1)
    for start in range(0, count, batch):
        rows = slice(start, min(start + batch, count))
        changed[rows] = apply(
            plan, x[chosen[rows]], {n: own[n][rows] for n in names}, seed + start, {n: parts[n][rows] for n in names}
        )
        loss[rows] = rig.score(changed[rows], scores.label[chosen[rows]]).loss
    return TrialRows(changed, scores.label[chosen], loss, scores.loss[chosen])


def _reached(change: Change, step: Change, before: FloatArray, after: FloatArray, u: Floats) -> Floats:
    """What each sample measures after one step; of a discrete change, which has no measure, whether it was made."""
    return step.deltas(before, u) if change.factor.discrete else change.factor.measure(after)


def measure_dose(rig: Rig, sample_kind: str, change: Change, before: Scores, parts: Floats) -> Dosed:
    """One change at each of ``parts`` (the first is 0, the last 1) on the same samples.

    ``before`` holds the scores of the samples as they are.
    """
    x, seed = rig.samples, rig.seed
    own = individual_parts([change.name], len(x), seed)
    steps = [change.scaled(float(part)) for part in parts]
    runs = list(x.parts())

    def made(step: int, rows: slice, begun: FloatArray) -> FloatArray:
        return apply([steps[step]], begun, {change.name: own[change.name][rows]}, seed + rows.start) if step else begun

    values: list[list[Floats]] = [[] for _ in steps]
    after: list[list[Scores]] = [[] for _ in steps]
    wanted, clipped = [], []
    for rows in runs:
        begun = x[rows]
        wanted.append(change.deltas(begun, own[change.name][rows]))
        for step in range(len(steps)):
            changed = made(step, rows, begun)
            values[step].append(_reached(change, steps[step], begun, changed, own[change.name][rows]))
            unchanged = before.rows(np.arange(rows.start, rows.stop))
            after[step].append(rig.score(changed, rig.labels[rows]) if step else unchanged)
        clipped.append((clipped_share(sample_kind, begun, changed), len(begun)))

    def again(step: int, place: int) -> FloatArray:
        (rows,) = (run for run in runs if run.start <= place < run.stop)
        sample: FloatArray = made(step, rows, x[rows])[place - rows.start]
        return sample

    scores = [join(part) for part in after]
    found = [outcomes(s) for s in scores]
    measured = [np.concatenate(part) for part in values]
    period = change.factor.period
    value = np.array([natural(centre(values, period), measured[0], period) for values in measured])
    if period:  # a circular measure goes on where it has gone round
        value = value[0] + np.cumsum(wrapped(np.diff(value, prepend=value[0]), period))
    return Dosed(
        dose=Dose(parts, value, np.stack([o.loss for o in found]), np.stack([o.correct for o in found])),
        prediction=np.stack([s.prediction for s in scores]),
        reached=share_reached(measured[0], measured[-1], np.concatenate(wanted), period),
        clipped=None if clipped[0][0] is None else sum((part or 0) * n for part, n in clipped) / len(x),
        again=again,
    )
