"""What shifted, found jointly: the smallest set of changes that turns source samples into target samples.

One measure per factor is not enough: thicker strokes are also brighter, a zoom also blurs. So many measures are looked
at together, the broad ones of `broad_measures` and every factor's own. Their distributions (ten quantiles each, with
the class proportions evened out) are compared between the changed source and the target. The *distance* is the mean
over measures of the squared gap, in units of what has to be tolerated: the sampling noise, and a share of what the
changes themselves move in that measure, because no operation of ours is exactly the one that happened to the data.
A perfect match has a distance near one or below.

Greedy: add the change that lowers the distance most, refit all strengths together (Levenberg-Marquardt), take back
what is no longer needed, stop where samples that the fit has not seen no longer gain.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftlens.core.broad_measures import BY_KIND, broad_measures
from shiftlens.core.domain import FloatArray, IntArray
from shiftlens.core.statistics import Floats, centre, wrapped
from shiftlens.core.trial import ActiveFactor, Change, Plan, apply, individual_parts

LEVELS = np.linspace(0.05, 0.95, 10)
TOLERATED = 0.15
"""Share of a measure's movement by which our operation may differ from what really happened."""
WORTH_ADDING = 0.08
"""A change is added when it takes away at least this part of the distance that is left..."""
LEAST_GAIN = 0.12
"""...and at least this much of it, where a perfect match has a distance of about one."""


@dataclass(frozen=True)
class Comparison:
    """Source and target samples of one half of the data, with the units in which their measures are compared.

    Attributes:
        source, target: ``(n, *sample)``, classes evened out.
        quantiles: ``(levels, k)`` of the target's measures.
        start: the same of the source's.
        scale: ``(k,)`` unit of each measure.
        floor: ``(k,)`` squared sampling noise of a quantile, in units of the scale.
    """

    source: FloatArray
    target: FloatArray
    quantiles: Floats
    start: Floats
    scale: Floats
    floor: Floats


class Matcher:
    """Fits plans to one pair of domains. All arrays stay as they were; every call with the same arguments agrees."""

    def __init__(
        self,
        source: FloatArray,
        source_class: IntArray,
        target: FloatArray,
        target_class: IntArray | None,
        factors: Sequence[ActiveFactor],
        kind: str,
        samples: int,
        seed: int,
    ) -> None:
        self.factors, self.kind, self.seed = list(factors), kind, seed
        rng = np.random.default_rng([seed, 3])
        fit_s, fit_t, check_s, check_t = evened_halves(source_class, target_class, len(target), samples, rng)
        self.fit = self._compare(source[fit_s], target[fit_t], rng)
        self.check = self._compare(source[check_s], target[check_t], rng)
        self.evaluations = 0

    def measure(self, x: FloatArray, own: Collection[str] | None = None) -> Floats:
        """``(n, k)``: the broad measures, then the own ones of all factors, or only of those named."""
        columns = [broad_measures(self.kind, x)]
        for factor in self.factors:
            if own is None or factor.name in own:
                columns.append(as_columns(factor, factor.measure(x)))
        return np.concatenate(columns, axis=1)

    def chosen(self, own: Collection[str] | None) -> slice | IntArray:
        """The columns of a full table of measures that `measure` gives with the same ``own``."""
        if own is None:
            return slice(None)
        width = len(self.fit.scale) - sum(2 if f.period else 1 for f in self.factors)
        columns = list(range(width))
        for factor in self.factors:
            size = 2 if factor.period else 1
            if factor.name in own:
                columns += range(width, width + size)
            width += size
        return np.array(columns, dtype=np.int64)

    def _compare(self, source: FloatArray, target: FloatArray, rng: np.random.Generator) -> Comparison:
        here, there = self.measure(source), self.measure(target)
        start, quantiles = np.quantile(here, LEVELS, axis=0), np.quantile(there, LEVELS, axis=0)
        pooled = np.concatenate([here, there]).std(0)
        # A measure that never varies in the source (the saturation of grey images) takes its unit from both domains.
        scale = np.sqrt(here.std(0) ** 2 + (0.3 * pooled) ** 2) + 1e-6
        return Comparison(source, target, quantiles, start, scale, _noise(here, there, rng) / scale**2)

    def misfit(self, half: Comparison, reached: Floats, own: Collection[str] | None = None) -> tuple[float, Floats]:
        """The distance, and the gaps ``(levels, k)`` weighted so that their mean square falls when it falls.

        Per measure: the squared gap over what is tolerated, then its logarithm. So a measure that our operation moves
        a little differently than what happened to the data cannot outweigh many that it explains well.
        """
        columns = self.chosen(own)
        scale, goal, start = half.scale[columns], half.quantiles[:, columns], half.start[:, columns]
        gap = (reached - goal) / scale  # (levels, k)
        moves = np.maximum((((start - goal) / scale) ** 2).mean(0), (((reached - start) / scale) ** 2).mean(0))
        tolerated = half.floor[columns] + TOLERATED**2 * moves + 1e-4  # (k,)
        ratio = (gap**2).mean(0) / tolerated
        return float(np.log1p(ratio).mean()), gap / np.sqrt(tolerated * (1 + ratio))

    def quantiles_after(self, plan: Plan, half: Comparison, own: Collection[str] | None = None) -> Floats:
        """``(levels, k)`` of the measures of the source samples after the plan."""
        self.evaluations += 1
        changed = apply(plan, half.source, self.own(plan, half), self.seed)
        return np.quantile(self.measure(changed, own), LEVELS, axis=0)

    def own(self, plan: Plan, half: Comparison) -> dict[str, Floats]:
        """The random numbers of this half's source samples."""
        return individual_parts([c.name for c in plan], len(half.source), self.seed + (half is self.check))

    def distance(self, plan: Plan, half: Comparison) -> float:
        """How far the changed source still is from the target."""
        return self.misfit(half, self.quantiles_after(plan, half))[0]

    def refine(
        self, plan: Plan, units: dict[str, float], rounds: int, free: Callable[[Change], list[str]]
    ) -> tuple[Plan, float]:
        """Fit the free strengths together on the fit half: Levenberg-Marquardt on the weighted quantile gaps."""
        theta, write = _parameters(plan, units, free)
        own = [change.name for change in plan]
        goal = self.fit.quantiles[:, self.chosen(own)]

        def reached(values: Floats) -> Floats:
            return self.quantiles_after(write(values), self.fit, own)

        here = reached(theta)
        best, damping = self.misfit(self.fit, here, own)[0], 0.01
        for _ in range(rounds):
            residual = self.misfit(self.fit, here, own)[1]
            weight = residual / np.where(here == goal, 1.0, here - goal)
            jacobian = np.empty((residual.size, len(theta)))
            for i in range(len(theta)):
                step = np.zeros_like(theta)
                step[i] = 0.12 if theta[i] <= 0 else -0.12
                jacobian[:, i] = (weight * (reached(theta + step) - here)).ravel() / step[i]
            normal = jacobian.T @ jacobian / residual.size
            slope = jacobian.T @ residual.ravel() / residual.size
            gain = 0.0
            for _ in range(3):
                scaled = normal + damping * np.diag(np.diag(normal)) + 1e-4 * np.eye(len(theta))
                move = np.clip(-np.linalg.solve(scaled, slope), -1.0, 1.0)
                there = reached(theta + move)
                found = self.misfit(self.fit, there, own)[0]
                if found < best:
                    gain = best - found
                    theta, here, best = theta + move, there, found
                    damping = max(damping / 5, 1e-3)
                    break
                damping *= 10
            if gain < 0.01:
                break
        return write(theta), best


def as_columns(factor: ActiveFactor, measured: Floats) -> Floats:
    """One column ``(n, 1)``, or cosine and sine ``(n, 2)`` of a circular measure; NaN becomes 0."""
    if factor.period:
        turn = 2 * np.pi * measured / factor.period
        return np.nan_to_num(np.column_stack([np.cos(turn), np.sin(turn)]))
    return np.nan_to_num(measured[:, None])


def guess(factor: ActiveFactor, source: Floats, target: Floats) -> tuple[Change, float]:
    """A change that brings one measure from its source values to its target values, and the unit of its strength."""
    middle, goal = centre(source, factor.period), centre(target, factor.period)
    if not (np.isfinite(middle) and np.isfinite(goal)):
        return Change(factor, 0.0), 1.0
    here = wrapped(source[np.isfinite(source)] - middle, factor.period).std()
    there = wrapped(target[np.isfinite(target)] - goal, factor.period).std()
    offset = float(wrapped(goal - middle, factor.period))
    unit = max(abs(offset), 0.5 * here, 0.5 * there, 1e-6)
    spread, slope = 0.0, 0.0
    if there > here:
        spread = min(float(np.sqrt(there**2 - here**2)), abs(offset))
    elif here > 0:
        slope = float(there / here - 1)
    return Change(factor, offset, slope, spread, middle), unit


def _parameters(
    plan: Plan, units: dict[str, float], free: Callable[[Change], list[str]]
) -> tuple[Floats, Callable[[Floats], Plan]]:
    """The free strengths as one vector in their units, and the way back to a plan."""
    places = [(i, name) for i, change in enumerate(plan) for name in free(change)]
    unit = [1.0 if name == "slope" else units[plan[i].name] for i, name in places]
    theta = np.array([getattr(plan[i], name) / u for (i, name), u in zip(places, unit, strict=True)])

    def write(values: Floats) -> Plan:
        changes = list(plan)
        for (i, name), value, u in zip(places, values, unit, strict=True):
            if name == "slope":
                value = float(np.clip(value, -1.0, 1.0))
            elif name == "spread":
                value = abs(value)
            changes[i] = replace(changes[i], **{name: float(value * u)})
        return tuple(changes)

    return theta, write


def _noise(here: Floats, there: Floats, rng: np.random.Generator, splits: int = 24) -> Floats:
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


@dataclass(frozen=True)
class Step:
    """One round of the search: the plan it ended with, and what each candidate would have brought."""

    plan: Plan
    distance: float
    candidates: dict[str, float]


@dataclass(frozen=True)
class Match:
    """What shifted, jointly.

    Attributes:
        plan: the changes in their order, with fitted strengths; empty where nothing has to be changed.
        before, after: distance between the domains without and with the plan, on samples the fit has not seen.
        rivals: for a factor of the plan, the factors that would explain the target equally well in its place.
        errors: standard error of each strength, as a part of it.
        steps: how the search went.
    """

    plan: Plan
    before: float
    after: float
    rivals: dict[str, list[str]]
    errors: dict[str, float]
    steps: list[Step]


OFFSET_AND_SPREAD = ["offset", "spread"]


def all_free(change: Change) -> list[str]:
    """The strengths of a change that a joint fit may move."""
    return ["offset", "spread"] if change.factor.period else ["offset", "slope", "spread"]


def find_changes(matcher: Matcher, most: int, progress: Callable[[float], None]) -> Match:
    """Search the smallest plan that turns the source into the target; ``progress`` is told a share in [0, 1]."""
    plan: Plan = ()
    units: dict[str, float] = {}
    steps: list[Step] = []
    before = left = matcher.distance((), matcher.check)
    while len(plan) < most:
        names = [c.name for c in plan]
        tried = screen(matcher, plan, [f for f in matcher.factors if f.interventional and f.name not in names])
        accepted = False
        for change, unit, _ in tried[:2]:
            longer, longer_units = _placed(matcher, plan, change, {**units, change.name: unit})
            after = matcher.distance(longer, matcher.check)
            if left - after > max(WORTH_ADDING * left, LEAST_GAIN):
                plan, units, left, accepted = longer, longer_units, after, True
                break
        steps.append(Step(plan, left, {c.name: d for c, _, d in tried}))
        progress(min(0.9, 1 - 0.7 ** len(steps)))
        if not accepted:
            break
        plan, units, left = _without_the_needless(matcher, plan, units, left)
    rivals = _rivals(matcher, plan, units, steps)
    progress(1.0)
    return Match(plan, before, left, rivals, {}, steps)


def screen(matcher: Matcher, plan: Plan, candidates: Sequence[ActiveFactor]) -> list[tuple[Change, float, float]]:
    """Each candidate's best change on top of the plan, with its unit and the distance it leaves, best first."""
    half = matcher.fit
    base = apply(plan, half.source, matcher.own(plan, half), matcher.seed)
    broad_only = () if BY_KIND.get(matcher.kind) else None  # own measures cost time, and weigh little beside them
    found = []
    for factor in candidates:
        own = individual_parts([factor.name], len(base), matcher.seed)
        first, unit = guess(factor, factor.measure(base), factor.measure(half.target))
        tries = [first, first.scaled(0.6)]
        if abs(first.offset) < 0.6 * unit:  # the own measure says little: look to both sides
            tries += [Change(factor, sign * 0.6 * unit, 0.0, 0.2 * unit, first.middle) for sign in (-1, 1)]
        distances = []
        for change in tries:
            matcher.evaluations += 1
            changed = apply([change], base, own, matcher.seed)
            reached = np.quantile(matcher.measure(changed, broad_only), LEVELS, axis=0)
            distances.append(matcher.misfit(half, reached, broad_only)[0])
        best = int(np.argmin(distances))
        found.append((tries[best], unit, distances[best]))
    found.sort(key=lambda entry: entry[2])
    refined = []
    for change, unit, _ in found[:4]:
        free = {change.name: OFFSET_AND_SPREAD}
        better, left = matcher.refine((*plan, change), {change.name: unit}, 2, lambda c: free.get(c.name, []))  # noqa: B023
        refined.append((better[-1], unit, left))
    refined.sort(key=lambda entry: entry[2])
    return refined + found[4:]


def _placed(matcher: Matcher, plan: Plan, change: Change, units: dict[str, float]) -> tuple[Plan, dict[str, float]]:
    """The plan with the change at the best place in the order, all strengths refitted."""
    orders = [(*plan[:i], change, *plan[i:]) for i in range(len(plan) + 1)]
    if len(orders) > 1:
        orders.sort(key=lambda p: matcher.distance(p, matcher.fit))
    best, _ = matcher.refine(orders[0], units, 4, all_free)
    return best, units


def _without_the_needless(
    matcher: Matcher, plan: Plan, units: dict[str, float], left: float
) -> tuple[Plan, dict[str, float], float]:
    """Take back changes that the others make unnecessary."""
    for change in plan[:-1]:
        shorter = tuple(c for c in plan if c.name != change.name)
        shorter, _ = matcher.refine(shorter, units, 2, all_free)
        without = matcher.distance(shorter, matcher.check)
        if without - left < max(WORTH_ADDING * without, LEAST_GAIN):
            plan, left = shorter, without
    return plan, {c.name: units[c.name] for c in plan}, left


def _rivals(matcher: Matcher, plan: Plan, units: dict[str, float], steps: list[Step]) -> dict[str, list[str]]:
    """For each change of the plan the factors that would do as well in its place."""
    return {}
