"""Source samples changed and scored again: sets of changes, one change at several strengths, random strengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.causes.changes import Change, Plan, apply, individual_parts
from shiftlens.core.causes.statistics import Coalition, centre, natural, wrapped
from shiftlens.core.data.scoring import Scores

Score = Callable[[FloatArray, IntArray], Scores]


@dataclass(frozen=True)
class Outcomes:
    """Loss and correctness ``(n,)`` of the same samples under one set of changes."""

    loss: Floats
    correct: Floats


def outcomes(scores: Scores) -> Outcomes:
    """Of samples as scored."""
    return Outcomes(scores.loss.astype(np.float64), scores.correct.astype(np.float64))


def measure_coalitions(
    plan: Plan,
    wanted: Sequence[Coalition],
    x: FloatArray,
    labels: IntArray,
    score: Score,
    seed: int,
    progress: Callable[[int], None],
    known: Mapping[Coalition, Outcomes] | None = None,
    own: Mapping[str, Floats] | None = None,
) -> dict[Coalition, Outcomes]:
    """What every wanted set of changes does to the same samples.

    Sets are made in order of their members, and a changed array is used again for the sets that begin with it.
    ``own`` holds the samples' random numbers, where they are not the first ones of this seed.
    """
    names = [change.name for change in plan]
    own = individual_parts(names, len(x), seed) if own is None else own
    result = dict(known or {})
    held: dict[tuple[str, ...], FloatArray] = {(): x}
    todo = sorted(
        (tuple(n for n in names if n in c) for c in wanted if c not in result),
        key=lambda c: [names.index(n) for n in c],
    )
    for done, members in enumerate(todo):
        start = max((prefix for prefix in held if members[: len(prefix)] == prefix), key=len)
        held = {prefix: array for prefix, array in held.items() if members[: len(prefix)] == prefix}
        changed = held[start]
        for index in range(len(start), len(members)):
            (change,) = (c for c in plan if c.name == members[index])
            changed = apply([change], changed, own, seed)
            held[members[: index + 1]] = changed
        result[frozenset(members)] = outcomes(score(changed, labels))
        progress(done + 1)
    return result


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


def randomised_rows(
    plan: Plan, x: FloatArray, scores: Scores, count: int, score: Score, seed: int, batch: int = 512
) -> TrialRows:
    """``count`` source samples, each factor of the plan at an independent part (0 to 1) of its full strength."""
    rng = np.random.default_rng([seed, 11])
    if not plan:
        count = 0
    chosen = rng.permutation(np.resize(np.arange(len(x)), count))
    changed = np.empty((count, *x.shape[1:]), dtype=np.float32)
    loss = np.empty(count)
    names = [change.name for change in plan]
    parts = {name: rng.uniform(0, 1, count) for name in names}
    own = individual_parts(names, count, seed + 1)
    for start in range(0, count, batch):
        rows = slice(start, min(start + batch, count))
        changed[rows] = apply(
            plan, x[chosen[rows]], {n: own[n][rows] for n in names}, seed + start, {n: parts[n][rows] for n in names}
        )
        loss[rows] = score(changed[rows], scores.label[chosen[rows]]).loss
    return TrialRows(changed, scores.label[chosen], loss, scores.loss[chosen])


def measure_dose(
    change: Change, x: FloatArray, labels: IntArray, before: Outcomes, score: Score, seed: int, parts: Floats
) -> tuple[Dose, list[FloatArray], list[Scores]]:
    """One change at each of ``parts`` (the first is 0) on the same samples, with the samples and their scores.

    ``before`` holds the outcomes of the samples as they are.
    """
    own = individual_parts([change.name], len(x), seed)
    samples = [x] + [apply([change.scaled(float(part))], x, own, seed) for part in parts[1:]]
    scores = [score(changed, labels) for changed in samples]
    found = [before] + [outcomes(s) for s in scores[1:]]
    measured = [change.factor.measure(changed) for changed in samples]
    period = change.factor.period
    value = np.array([natural(centre(values, period), measured[0], period) for values in measured])
    if period:  # a circular measure goes on where it has gone round
        value = value[0] + np.cumsum(wrapped(np.diff(value, prepend=value[0]), period))
    dose = Dose(parts, value, np.stack([o.loss for o in found]), np.stack([o.correct for o in found]))
    return dose, samples, scores
