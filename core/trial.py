"""The trial: factors changed on source samples, alone, together and at random, each changed sample re-scored.

A `Change` moves one factor by a fitted distribution of strengths; a `Plan` is an ordered list of changes. Everything
that the causes rest on is measured here: what each set of changes costs, the dose-response curve of one change, the
randomised rows for the generator's loss axis, and what undoing a change on target samples brings back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from pydantic import Field

from shiftlens.core.domain import FloatArray, IntArray
from shiftlens.core.kinds import ComponentSettings, Factor, FactorWorker
from shiftlens.core.scoring import Scores
from shiftlens.core.statistics import Coalition, Floats, centre, natural, wrapped

Score = Callable[[FloatArray, IntArray], Scores]

EVEN = np.sqrt(3.0)
"""Half the width of a uniform distribution of spread one: the individual part of a sample's strength."""


MOST_SKEW = 0.28
"""Up to here a larger random number means a larger change."""


class TrialSettings(ComponentSettings):
    """How much is measured, and from where on a finding is worth naming."""

    samples: int = Field(2000, ge=50, description="source samples that each change is measured on, at most")
    precision: float = Field(
        0.05,
        gt=0,
        description="half-width of an effect's interval that is enough, as a part of the loss gap; samples are drawn "
        "until it is reached, the verdict is beyond doubt, or there are no more",
    )
    matching_samples: int = Field(
        250, ge=50, description="samples of each domain that the strengths are fitted on; as many again check the fit"
    )
    rows: int = Field(4000, ge=0, description="randomised rows for the generator's loss axis")
    bootstrap: int = Field(500, ge=50, description="bootstrap draws behind every interval")
    alpha: float = Field(0.01, gt=0, lt=0.5, description="level of the tests for a shift, corrected for many factors")
    smallest_effect: float = Field(0.02, ge=0, description="smallest rise of the mean loss worth naming, in nats")
    smallest_share: float = Field(
        0.1, ge=0, lt=1, description="smallest part of the loss gap worth naming; the larger of both counts"
    )
    most_factors: int = Field(12, ge=1, description="largest number of factors that may be found to have shifted")
    large_rest: float = Field(0.5, gt=0, le=1, description="unexplained share that makes the headline")
    dose_steps: int = Field(5, ge=2, le=20, description="strengths of the dose-response curve above zero")


class FactorFault(Exception):
    """A factor that cannot be used on these samples: it is left out, the others go on."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"{name}: {reason}")


@dataclass(frozen=True)
class ActiveFactor:
    """One factor of this analysis: its description and the worker that was built from it.

    ``measure`` and ``shift`` are the worker's, with every answer checked; a wrong one raises `FactorFault`.
    """

    name: str
    description: Factor
    worker: FactorWorker

    @property
    def period(self) -> float | None:
        """The period of a circular measure, such as 360 degrees of hue; None for all others."""
        return getattr(self.worker, "period", None)

    @property
    def interventional(self) -> bool:
        """Whether it can be changed, not only measured."""
        return self.description.interventional

    def refuses(self, x: FloatArray) -> str:
        """Why it makes no sense for such samples; an empty string where it does."""
        try:
            return str(self.worker.refuses(x) or "")
        except Exception as error:
            raise FactorFault(self.name, f"its refuses() raised {error!r}") from error

    def measure(self, x: FloatArray) -> Floats:
        """``(n,)`` float64; NaN where a sample has no such property."""
        try:
            values = np.asarray(self.worker.measure(x), dtype=np.float64)
        except Exception as error:
            raise FactorFault(self.name, f"its measure raised {error!r}") from error
        if values.shape != (len(x),):
            raise FactorFault(self.name, f"its measure gave shape {values.shape} for {len(x)} samples")
        if np.isinf(values).any() or (len(x) and np.isnan(values).mean() > 0.5):
            raise FactorFault(self.name, "its measure is not a finite number on most of the samples")
        return values

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        """``x`` changed by ``delta`` ``(n,)`` units."""
        try:
            changed = np.asarray(self.worker.shift(x, delta, rng), dtype=np.float32)
        except Exception as error:
            raise FactorFault(self.name, f"its shift raised {error!r}") from error
        if changed.shape != x.shape:
            raise FactorFault(self.name, f"its shift gave shape {changed.shape[1:]} for samples of {x.shape[1:]}")
        if not np.isfinite(changed).all():
            raise FactorFault(self.name, "its shift gave values that are not finite")
        return changed


@dataclass(frozen=True)
class Change:
    """One factor with the distribution of its strengths over samples, all in the measure's unit.

    A sample that measures m, with its own even random number u of mean 0 and spread 1, is moved by
    ``offset + slope * (m - middle) + spread * (u + skew * (u² - 1))``: everybody's part, a part that depends on where
    the sample stands (a halved contrast), and a part of its own, more of whose samples lie at one end where it is
    skewed.
    """

    factor: ActiveFactor
    offset: float
    slope: float = 0.0
    spread: float = 0.0
    middle: float = 0.0
    skew: float = 0.0

    @property
    def name(self) -> str:
        """The factor's name."""
        return self.factor.name

    def deltas(self, x: FloatArray, u: Floats) -> Floats:
        """``(n,)`` strengths for samples ``x`` with their random numbers ``u`` ``(n,)``."""
        delta = self.offset + self.spread * (u + self.skew * (u * u - 1))
        if self.slope:
            around = wrapped(self.factor.measure(x) - self.middle, self.factor.period)
            delta = delta + self.slope * np.nan_to_num(around)
        return delta

    def scaled(self, part: float) -> Change:
        """The same change at a part of its strength."""
        return replace(self, offset=self.offset * part, slope=self.slope * part, spread=self.spread * part)


Plan = tuple[Change, ...]
"""Changes in the order in which they are made."""


def individual_parts(names: Iterable[str], count: int, seed: int) -> dict[str, Floats]:
    """Each sample's own random number for each factor, ``(count,)``, even, of mean 0 and spread 1.

    They depend on the factor's name and the seed alone, so that two plans meet the same numbers.
    """
    return {
        name: np.random.default_rng([seed, *name.encode()]).uniform(-EVEN, EVEN, count) for name in dict.fromkeys(names)
    }


def apply(
    plan: Iterable[Change],
    x: FloatArray,
    own: Mapping[str, Floats],
    seed: int,
    parts: Mapping[str, Floats] | None = None,
) -> FloatArray:
    """Samples ``x`` ``(n, *sample)`` changed by the plan.

    Args:
        own: each sample's random numbers, see `individual_parts`.
        parts: for each factor the part of its full strength per sample, ``(n,)``; all of it where left out.
    """
    for change in plan:
        delta = change.deltas(x, own[change.name])
        if parts is not None:
            delta = delta * parts[change.name]
        x = change.factor.shift(x, delta, np.random.default_rng([seed, 7, *change.name.encode()]))
    return x


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
    loss: npt.NDArray[np.float64]
    loss_before: npt.NDArray[np.float64]


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


def reached_share(change: Change, before: FloatArray, after: FloatArray, delta: Floats) -> float:
    """How much of the wanted movement the measure made: the slope of what it did on what it was asked to do.

    A circular measure that was turned by more than half round is read again on the other side, so samples turned by
    less are looked at where there are any; what each did is taken as near to what was asked as whole turns allow.
    """
    period = change.factor.period
    moved = delta + wrapped(change.factor.measure(after) - change.factor.measure(before) - delta, period)
    known = np.isfinite(moved) & np.isfinite(delta)
    if period and (less := known & (np.abs(delta) <= period / 2)).any():
        known = less
    wanted = float((delta[known] ** 2).sum())
    return float((moved[known] * delta[known]).sum() / wanted) if wanted > 0 else 1.0


LIMITS = {"image": (0.0, 1.0)}
"""Ends of the valid range of a value, for the kinds of sample that have one."""


def clipped_share(kind: str, before: FloatArray, after: FloatArray) -> float | None:
    """Share of values that a change drove to an end of their range; None for kinds without a range."""
    if kind not in LIMITS:
        return None
    low, high = LIMITS[kind]
    inside = (before > low) & (before < high)
    return float((inside & ((after <= low) | (after >= high))).mean())


def undo(change: Change, target: FloatArray, reference: Floats, seed: int) -> FloatArray:
    """Target samples with this factor brought back: its measure moved, quantile to quantile, to the reference.

    ``reference`` ``(n,)`` is the measure on source samples that were given all the *other* changes.
    """
    factor = change.factor
    measured = factor.measure(target)
    known = np.isfinite(measured)
    reference = reference[np.isfinite(reference)]
    delta = np.zeros(len(target))
    if known.any() and len(reference):
        here, there = centre(measured, factor.period), centre(reference, factor.period)
        around = wrapped(measured[known] - here, factor.period)
        rank = (np.argsort(np.argsort(around)) + 0.5) / len(around)
        goal = np.quantile(wrapped(reference - there, factor.period), rank)
        delta[known] = wrapped(there - here, factor.period) + goal - around
    return factor.shift(target, delta, np.random.default_rng([seed, 13]))


def augmentation_of(plan: Plan, seed: int) -> dict[str, object]:
    """The plan as plain values, for augmentation.yaml; `plan_of` reads it back."""
    return {
        "what": "each sample is changed by a random part, 0 to 1, of these strengths; labels stay",
        "seed": seed,
        "changes": [
            {
                "factor": change.name,
                "unit": change.factor.description.unit,
                **{
                    field: round(getattr(change, field), 6) for field in ("offset", "slope", "spread", "middle", "skew")
                },
            }
            for change in plan
        ],
    }


def augment(
    augmentation: Mapping[str, object], factors: Sequence[ActiveFactor], x: FloatArray, seed: int
) -> FloatArray:
    """Samples ``(n, *sample)`` changed as augmentation.yaml says, each by its own random part of the strengths.

    Raises:
        KeyError: the augmentation names a factor that is not among ``factors``.
    """
    by_name = {factor.name: factor for factor in factors}
    changes = augmentation["changes"]
    assert isinstance(changes, list)
    plan = tuple(
        Change(by_name[c["factor"]], *(float(c[field]) for field in ("offset", "slope", "spread", "middle", "skew")))
        for c in changes
    )
    names = [change.name for change in plan]
    rng = np.random.default_rng([seed, 17])
    return apply(plan, x, individual_parts(names, len(x), seed), seed, {n: rng.uniform(0, 1, len(x)) for n in names})
