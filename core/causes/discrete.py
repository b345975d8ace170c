"""Changes without a strength, tried before all others: another order of the channels, a quarter turn, bars.

Each variant of each discrete factor is made, exactly as it is, on source samples at full size. What a plain turn moves
shows in none of the broad measures, so every discrete factor brings *signs* of its own, and both together are compared
as `distance` compares measures. A factor's variants are tried where its signs differ between the domains (the broad
measures, where it has none). One counts where it brings the source nearer to the target by these signs, and no further
away by the broad measures, on the samples it was chosen by and on others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.causes.changes import ActiveFactor, Change, Plan, apply, individual_parts
from shiftlens.core.causes.distance import LEVELS, Yardstick, evened_halves, units_of
from shiftlens.core.causes.request import CauseRequest
from shiftlens.core.data.samples import IN_MEMORY, LazySamples


@dataclass(frozen=True)
class Half:
    """Source samples ``(n, *sample)`` with how they are compared to the target's."""

    source: FloatArray
    stick: Yardstick


@dataclass(frozen=True)
class FoundVariant:
    """A discrete change that brings the source nearer to the target.

    Attributes:
        change: the change.
        alike: names of variants that do as well; the data cannot tell them from the one that is named.
        distance: that is left on samples the variant was not chosen by; ``before``: without it.
    """

    change: Change
    alike: list[str]
    distance: float
    before: float


@dataclass(frozen=True)
class Distances:
    """How far changed source samples are from the target: by the broad measures, and by each factor's signs."""

    broad: float
    signs: dict[str, float]

    def seen_by(self, name: str) -> float:
        """By one factor's signs, or, where it has none, by the broad measures."""
        return self.signs.get(name, self.broad)

    @property
    def all(self) -> float:
        """By everything."""
        return (self.broad + sum(self.signs.values()) / max(len(self.signs), 1)) / 2


@dataclass(frozen=True)
class TriedVariant:
    """A variant, the distance it leaves by its factor's signs and the broad measures, and how much less that is.

    Both are sums over the halves.
    """

    change: Change
    left: float
    gain: float


class VariantSearch:
    """Compares source samples, changed by variants, with target samples."""

    def __init__(self, request: CauseRequest, factors: Sequence[ActiveFactor]) -> None:
        self.request, self.factors, self.policy = request, list(factors), request.policy.discrete
        rng = np.random.default_rng([request.seed, 47])
        fitting = max(self.policy.fewest, IN_MEMORY // (4 * prod(request.source_samples.sample_shape)))
        count = min(request.settings.matching_samples, self.policy.samples, fitting)
        fit_s, fit_t, check_s, check_t = evened_halves(
            request.source_labels, request.target_labels, len(request.target_samples), count, rng
        )
        one = request.source_samples[slice(0, 1)]
        self.sizes = {factor.name: factor.signs(one).shape[1] for factor in self.factors}
        self.fit = self._half(fit_s, fit_t, rng)
        self.check = self._half(check_s, check_t, rng)

    def measure(self, x: FloatArray, names: Collection[str] | None = None) -> Floats:
        """``(n, k)``: the broad measures, then the signs of these factors, or of all."""
        sight = self.request.sight
        signs = [factor.signs(x) for factor in self.factors if names is None or factor.name in names]
        return np.concatenate([sight.broad(sight.of(x)), *signs], axis=1)

    def _half(self, source: IntArray, target: IntArray, rng: np.random.Generator) -> Half:
        x, policy = self.request.source_samples[source], self.request.policy.fit
        here, there = self.measure(x), self.measure(self.request.target_samples[target])
        start, goal, scale, floor = units_of(here, there, policy, rng)
        return Half(x, Yardstick(self.measure, start, goal, there, scale, floor, np.ones(here.shape[1]), policy))

    def distances(
        self, plan: Plan, half: Half, few: int | None = None, names: Collection[str] | None = None
    ) -> Distances:
        """How far the source samples of this half (or the first few of them), changed by the plan, are.

        ``names``: of the factors whose signs are looked at; None: of all.
        """
        x = half.source[:few]
        own = individual_parts([change.name for change in plan], len(x), self.request.seed)
        broad = len(half.stick.scale) - sum(self.sizes.values())
        columns, places, start = list(range(broad)), {}, broad
        for name, size in self.sizes.items():
            if names is None or name in names:
                places[name] = slice(len(columns), len(columns) + size)
                columns += range(start, start + size)
            start += size
        measured = self.measure(apply(plan, x, own, self.request.seed), names)
        each = half.stick.only(columns).of_each(np.quantile(measured, LEVELS, axis=0))
        signs = {name: float(each[place].mean()) for name, place in places.items() if self.sizes[name]}
        return Distances(float(each[:broad].mean()) if broad else 0.0, signs)

    def find(self, plan: Plan = ()) -> FoundVariant | None:
        """The variant that brings the source nearest to the target, made before the changes of a plan; or None."""
        policy = self.policy
        fit, check = self.distances(plan, self.fit), self.distances(plan, self.check)
        few = self.distances(plan, self.fit, policy.screened)
        names = {change.name for change in plan}
        suspected = [
            factor
            for factor in self.factors
            if factor.name not in names and fit.signs.get(factor.name, fit.broad) > policy.differs
        ]
        best: list[tuple[float, list[TriedVariant]]] = []
        for factor in suspected:
            passed = self._passed(factor, plan, fit, check, few)
            if passed:
                first = min(passed, key=lambda one: one.left)
                left = sum(self.distances((first.change, *plan), half).all for half in (self.fit, self.check))
                best.append((left, passed))
        if not best:
            return None
        _, passed = min(best, key=lambda one: one[0])
        most = min(one.left for one in passed) + policy.tie * max(one.gain for one in passed)
        named, *others = (one.change for one in passed if one.left <= most)  # in the order of the description
        after = self.distances((named, *plan), self.check)
        return FoundVariant(named, [change.factor.variant for change in others], after.all, check.all)

    def _passed(
        self, factor: ActiveFactor, plan: Plan, fit: Distances, check: Distances, few: Distances
    ) -> list[TriedVariant]:
        """The variants of a factor that bring the source nearer, on both halves, in the order of its description.

        ``fit``, ``check`` and ``few``: distances without it, of the halves and of the first few of the former.
        """
        policy, name = self.policy, factor.name
        changes = [Change(factor.as_variant(variant.name), 1.0) for variant in factor.description.variants]
        tried = [self.distances((change, *plan), self.fit, policy.screened, [name]).seen_by(name) for change in changes]
        near = few.seen_by(name) - policy.sign_of_gain * policy.wanted(few.seen_by(name))
        passed = []
        for place in sorted(np.argsort(tried, kind="stable")[: policy.checked]):
            if tried[place] > near:
                continue
            nearer, left = True, 0.0
            for half, before in ((self.fit, fit), (self.check, check)):
                after = self.distances((changes[place], *plan), half, names=[name])
                gain = before.seen_by(name) - after.seen_by(name)
                nearer &= gain > policy.wanted(before.seen_by(name))
                nearer &= after.broad < before.broad + policy.worse
                left += after.seen_by(name) + after.broad
            if nearer:
                begun = sum(before.seen_by(name) + before.broad for before in (fit, check))
                passed.append(TriedVariant(changes[place], left, begun - left))
        return passed


def made_on(samples: LazySamples, plan: Plan, seed: int) -> LazySamples:
    """The samples with discrete changes made on them when they are asked for."""
    if not plan:
        return samples
    own = individual_parts([change.name for change in plan], len(samples), seed)

    def batch(rows: IntArray) -> FloatArray:
        return apply(plan, samples[rows], {name: numbers[rows] for name, numbers in own.items()}, seed)

    return LazySamples(batch, np.arange(len(samples)), samples.sample_shape)
