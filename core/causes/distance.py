"""Source and target samples side by side, by many measures at once.

One measure per factor is not enough: thicker strokes are also brighter, a zoom also blurs. So many measures are looked
at together, the broad ones of `broad_measures` and every factor's own. Their distributions (ten quantiles each, with
the class proportions evened out) are compared between the changed source and the target. The *distance* is the mean
over measures of the squared gap, in units of what has to be tolerated: the sampling noise, and a share of what the
changes themselves move in that measure, because no operation of ours is exactly the one that happened to the data.
A perfect match has a distance near one or below.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.causes.changes import ActiveFactor, Plan, apply, individual_parts
from shiftlens.core.causes.policy import DEFAULT, FitPolicy, Policy
from shiftlens.core.causes.sample_statistics import broad_measures
from shiftlens.core.data.samples import LazySamples

LEVELS = np.linspace(0.05, 0.95, 10)
"""Quantiles by which distributions are compared."""


@dataclass(frozen=True)
class Yardstick:
    """The measures that one comparison looks at, and the units in which it does.

    Attributes:
        measure: ``(n, k)`` of samples ``(n, *sample)``.
        start, goal: ``(levels, k)`` quantiles of the source's and the target's measures.
        there: ``(m, k)`` the target's measures.
        scale: ``(k,)`` unit of each measure.
        floor: ``(k,)`` squared sampling noise of a quantile, in units of the scale.
        emphasis: ``(k,)`` weight of each measure.
        policy: what is tolerated.
    """

    measure: Callable[[FloatArray], Floats]
    start: Floats
    goal: Floats
    there: Floats
    scale: Floats
    floor: Floats
    emphasis: Floats
    policy: FitPolicy

    def quantiles(self, x: FloatArray) -> Floats:
        """``(levels, k)``."""
        return np.asarray(np.quantile(self.measure(x), LEVELS, axis=0))

    def misfit(self, reached: Floats) -> tuple[float, Floats]:
        """The distance, and the gaps ``(levels, k)`` weighted so that their mean square falls when it falls.

        Per measure: the squared gap over what is tolerated, then its logarithm. So a measure that our operation moves
        a little differently than what happened to the data cannot outweigh many that it explains well.
        """
        gap, made = (reached - self.goal) / self.scale, (reached - self.start) / self.scale  # (levels, k)
        tolerated = self._tolerated(np.maximum(self._wanted, (made**2).mean(0)))
        ratio = (gap**2).mean(0) / tolerated
        weight = self.emphasis / self.emphasis.mean()
        return float((weight * np.log1p(ratio)).mean()), gap * np.sqrt(weight / (tolerated * (1 + ratio)))

    def only(self, columns: Sequence[int]) -> Yardstick:
        """Of some of the measures; ``quantiles`` still gives all."""
        return replace(
            self, start=self.start[:, columns], goal=self.goal[:, columns], there=self.there[:, columns],
            scale=self.scale[columns], floor=self.floor[columns], emphasis=self.emphasis[columns],
        )  # fmt: skip

    def of_each(self, reached: Floats) -> Floats:
        """``(k,)`` distance by each measure alone, for changes that are made exactly or not at all.

        What is tolerated is a share of what the target moved, however far the change went: `misfit`, which fits a
        strength, must not be held up by a first step that goes too far.
        """
        gap = (reached - self.goal) / self.scale
        return np.asarray(np.log1p((gap**2).mean(0) / self._tolerated(self._wanted)))

    @property
    def _wanted(self) -> Floats:
        """``(k,)`` squared gaps between the domains."""
        return np.asarray((((self.start - self.goal) / self.scale) ** 2).mean(0))

    def _tolerated(self, moves: Floats) -> Floats:
        """Of squared gaps ``(k,)``, where measures move by so much, squared."""
        return self.floor + self.policy.tolerated**2 * moves + self.policy.least_tolerated


@dataclass(frozen=True)
class Comparison:
    """LazySamples of both domains, with the units in which all their measures are compared.

    Attributes:
        source, target: ``(n, *sample)``, classes evened out.
        goal: ``(levels, k)`` quantiles of the target's measures; ``start``: of the source's.
        measured: ``(n, k)`` the target's measures.
        scale, floor: as of `Yardstick`.
        own: each source sample's random numbers per factor, see `individual_parts`.
    """

    source: FloatArray
    target: FloatArray
    goal: Floats
    start: Floats
    measured: Floats
    scale: Floats
    floor: Floats
    own: dict[str, Floats]


@dataclass(frozen=True)
class ToMatch:
    """What a `Matcher` compares, and how.

    Attributes:
        source, target: ``(n, *sample)`` and ``(m, *sample)`` float32.
        source_labels, target_labels: ``(n,)`` and ``(m,)`` classes, which are evened out; None: no labels.
        factors: whose measures are looked at beside the broad ones.
        sample_kind: the kind of sample, `Domain.kind`.
        samples: of each domain, that are fitted on, and as many again to check the fit.
        broad: gives the broad measures ``(n, k)``; None: those of the kind.
    """

    source: FloatArray | LazySamples
    source_labels: IntArray
    target: FloatArray | LazySamples
    target_labels: IntArray | None
    factors: Sequence[ActiveFactor]
    sample_kind: str
    samples: int
    seed: int
    policy: Policy = DEFAULT
    broad: Callable[[FloatArray], Floats] | None = None


class Matcher:
    """Compares changed source samples with target samples. Every call with the same arguments gives the same answer.

    ``fit`` is what strengths are fitted on, ``check`` what tells whether that helped, ``wide`` is both together;
    ``rest`` holds the rows of the source that neither has.
    """

    def __init__(self, given: ToMatch) -> None:
        source, target, seed = LazySamples.of(given.source), LazySamples.of(given.target), given.seed
        self.factors, self.kind, self.seed, self.source = list(given.factors), given.sample_kind, seed, source
        self.policy = given.policy
        self.broad = given.broad or (lambda x: broad_measures(given.sample_kind, x))
        rng = np.random.default_rng([seed, 3])
        fit_s, fit_t, check_s, check_t = evened_halves(
            given.source_labels, given.target_labels, len(target), given.samples, rng
        )
        self.fit = self._compare(source[fit_s], target[fit_t], rng, seed)
        self.check = self._compare(source[check_s], target[check_t], rng, seed + 1)
        both_s, both_t = np.union1d(fit_s, check_s), np.union1d(fit_t, check_t)  # for the last fit
        self.wide = self._compare(source[both_s], target[both_t], rng, seed + 2)
        self.rest = np.setdiff1d(np.arange(len(source)), both_s)

    def measure(self, x: FloatArray, own: Collection[str] | None = None) -> Floats:
        """``(n, k)``: the broad measures, then the own ones of all factors, or only of those named."""
        columns = [self.broad(x)]
        for factor in self.factors:
            if own is None or factor.name in own:
                columns.append(as_columns(factor, factor.measure(x)))
        return np.concatenate(columns, axis=1)

    def chosen(self, own: Collection[str] | None) -> IntArray:
        """The columns of a full table of measures that `measure` gives with the same ``own``."""
        sizes = [2 if factor.period else 1 for factor in self.factors]
        width = len(self.fit.scale) - sum(sizes)
        columns = list(range(width))
        for factor, size in zip(self.factors, sizes, strict=True):
            if own is None or factor.name in own:
                columns += range(width, width + size)
            width += size
        return np.array(columns, dtype=np.int64)

    def _compare(self, source: FloatArray, target: FloatArray, rng: np.random.Generator, seed: int) -> Comparison:
        here, there = self.measure(source), self.measure(target)
        own = individual_parts([f.name for f in self.factors], len(source), seed)
        start, goal, scale, floor = units_of(here, there, self.policy.fit, rng)
        return Comparison(source, target, goal, start, there, scale, floor, own)

    def apply(self, plan: Plan, half: Comparison, x: FloatArray | None = None) -> FloatArray:
        """The source samples of this half (or ``x``, an earlier state of them) changed by the plan."""
        return apply(plan, half.source if x is None else x, half.own, self.seed)

    def yardstick(self, half: Comparison, own: Collection[str] | None = None, emphasised: bool = False) -> Yardstick:
        """The broad measures and the own ones of the factors named, or of all.

        ``emphasised``, as strengths are fitted: own measures that moved far weigh more.
        """
        columns = self.chosen(own)
        start, goal, scale = half.start[:, columns], half.goal[:, columns], half.scale[columns]
        weight = np.ones(len(columns))
        if emphasised:
            gap = (((start - goal) / scale) ** 2).mean(0)
            weight += (self.policy.fit.own_weight - 1) * ~np.isin(columns, self.chosen([])) * np.minimum(1, gap)
        return Yardstick(
            lambda x: self.measure(x, own), start, goal, half.measured[:, columns], scale, half.floor[columns], weight,
            self.policy.fit,
        )  # fmt: skip

    def distance(self, plan: Plan, half: Comparison) -> float:
        """How far the changed source still is from the target, by all measures."""
        stick = self.yardstick(half)
        return stick.misfit(stick.quantiles(self.apply(plan, half)))[0]


def as_columns(factor: ActiveFactor, measured: Floats) -> Floats:
    """One column ``(n, 1)``, or cosine and sine ``(n, 2)`` of a circular measure; NaN becomes 0."""
    if factor.period:
        turn = 2 * np.pi * measured / factor.period
        measured = np.column_stack([np.cos(turn), np.sin(turn)])
    return np.asarray(np.nan_to_num(measured.reshape(len(measured), -1)), dtype=np.float64)


def units_of(
    here: Floats, there: Floats, policy: FitPolicy, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats, Floats]:
    """Start, goal, scale and floor of a `Yardstick`, from measures ``(n, k)`` of the source and of the target."""
    start, goal = np.quantile(here, LEVELS, axis=0), np.quantile(there, LEVELS, axis=0)
    pooled = np.concatenate([here, there]).std(0)
    # A measure that never varies in the source (the saturation of grey images) takes its unit from both domains.
    scale = np.sqrt(here.std(0) ** 2 + (policy.pooled * pooled) ** 2) + 1e-6
    return start, goal, scale, _noise(here, there, policy.splits, rng) / scale**2


def _noise(here: Floats, there: Floats, splits: int, rng: np.random.Generator) -> Floats:
    """``(k,)`` squared gap between quantiles of two samples of one population, of the sizes at hand."""
    total = np.zeros(here.shape[1])
    for values in (here, there):
        half = len(values) // 2
        found = np.zeros(here.shape[1])
        for _ in range(splits):
            order = rng.permutation(len(values))
            a = np.quantile(values[order[:half]], LEVELS, axis=0)
            b = np.quantile(values[order[half : 2 * half]], LEVELS, axis=0)
            found += ((a - b) ** 2).mean(0)
        total += found / splits / 4  # two halves differ by four times the variance of the whole
    return total


def evened_halves(
    source_class: IntArray, target_class: IntArray | None, targets: int, samples: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Rows to fit on and rows to check on, ``samples`` of each domain in each half, the same class mix in all.

    Both domains get the mix that lets most samples be used. Without target labels the source keeps its mix.
    """
    if target_class is None:
        source = rng.permutation(len(source_class))[: 2 * samples]
        target = rng.permutation(targets)[: 2 * samples]
        return source[::2], target[::2], source[1::2], target[1::2]
    labels = np.intersect1d(source_class, target_class)
    counts = {c: min(int((source_class == c).sum()), int((target_class == c).sum())) for c in labels}
    total = sum(counts.values())
    part = min(1.0, 2 * samples / max(total, 1))
    halves: tuple[list[IntArray], ...] = ([], [], [], [])
    for label in labels:
        size = max(1, round(counts[label] * part / 2))
        for offset, classes in ((0, source_class), (1, target_class)):
            rows = rng.permutation(np.flatnonzero(classes == label))
            halves[offset].append(rows[:size])
            halves[offset + 2].append(rows[size : 2 * size] if len(rows) >= 2 * size else rows[-size:])
    fit_s, fit_t, check_s, check_t = (np.concatenate(h) for h in halves)
    return fit_s, fit_t, check_s, check_t
