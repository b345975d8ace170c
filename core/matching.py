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
from shiftlens.core.trial import MOST_SKEW, ActiveFactor, Change, Plan, apply, individual_parts

LEVELS = np.linspace(0.05, 0.95, 10)
TOLERATED = 0.15
"""Share of a measure's movement by which our operation may differ from what really happened."""
OPERATION_ERROR = 0.1
"""Standard error of every strength, as a part of it, for the same reason: resampling does not show it."""
WORTH_ADDING = 0.08
"""A change is added when it takes away at least this part of the distance that is left..."""
LEAST_GAIN = 0.1
"""...and at least this much of it."""
SET_ASIDE_FROM = 2
"""Size of a plan from which changes that cost nothing are no longer added."""
BEYOND_NOISE = 2.5
"""A factor is a candidate while the squared gap of its own measure is so many times what sampling alone makes."""
OWN_WEIGHT = 6.0
"""Weight of a factor's own measure, against 1 of a broad one, when its strength is fitted: it is the cleanest sign,
where it moved by a spread or more (the size of what a photograph shows is a weak measure)."""
PLAINNESS = 0.5
"""What a slope or a skew of one costs, in units of the distance."""
SCREENED = 120
"""Samples that every candidate is tried on; the best are then fitted on all samples of the half."""


@dataclass(frozen=True)
class Comparison:
    """Samples of both domains, with the units in which their measures are compared.

    Attributes:
        source, target: ``(n, *sample)``, classes evened out.
        goal: ``(levels, k)`` quantiles of the target's measures; ``start``: of the source's.
        measured: ``(n, k)`` the target's measures.
        scale: ``(k,)`` unit of each measure.
        floor: ``(k,)`` squared sampling noise of a quantile, in units of the scale.
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


class Matcher:
    """Compares changed source samples with target samples. Every call with the same arguments gives the same answer.

    ``fit`` is what strengths are fitted on, ``check`` what tells whether that helped, ``wide`` is both together.
    """

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
        self.fit = self._compare(source[fit_s], target[fit_t], rng, seed)
        self.check = self._compare(source[check_s], target[check_t], rng, seed + 1)
        both_s, both_t = np.union1d(fit_s, check_s), np.union1d(fit_t, check_t)  # for the last fit
        self.wide = self._compare(source[both_s], target[both_t], rng, seed + 2)

    def measure(self, x: FloatArray, own: Collection[str] | None = None) -> Floats:
        """``(n, k)``: the broad measures, then the own ones of all factors, or only of those named."""
        columns = [broad_measures(self.kind, x)]
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
        start, goal = np.quantile(here, LEVELS, axis=0), np.quantile(there, LEVELS, axis=0)
        pooled = np.concatenate([here, there]).std(0)
        # A measure that never varies in the source (the saturation of grey images) takes its unit from both domains.
        scale = np.sqrt(here.std(0) ** 2 + (0.3 * pooled) ** 2) + 1e-6
        own = individual_parts([f.name for f in self.factors], len(source), seed)
        return Comparison(source, target, goal, start, there, scale, _noise(here, there, rng) / scale**2, own)

    def apply(self, plan: Plan, half: Comparison, x: FloatArray | None = None) -> FloatArray:
        """The source samples of this half (or ``x``, an earlier state of them) changed by the plan."""
        return apply(plan, half.source if x is None else x, half.own, self.seed)

    def misfit(
        self, half: Comparison, reached: Floats, own: Collection[str] | None = None, emphasis: Floats | None = None
    ) -> tuple[float, Floats]:
        """The distance, and the gaps ``(levels, k)`` weighted so that their mean square falls when it falls.

        Per measure: the squared gap over what is tolerated, then its logarithm. So a measure that our operation moves
        a little differently than what happened to the data cannot outweigh many that it explains well. ``emphasis``
        ``(k,)`` gives measures more weight than others.
        """
        columns = self.chosen(own)
        scale, goal, start = half.scale[columns], half.goal[:, columns], half.start[:, columns]
        gap = (reached - goal) / scale  # (levels, k)
        moves = np.maximum((((start - goal) / scale) ** 2).mean(0), (((reached - start) / scale) ** 2).mean(0))
        tolerated = half.floor[columns] + TOLERATED**2 * moves + 1e-4  # (k,)
        ratio = (gap**2).mean(0) / tolerated
        weight = np.ones(len(ratio)) if emphasis is None else emphasis / emphasis.mean()
        return float((weight * np.log1p(ratio)).mean()), gap * np.sqrt(weight / (tolerated * (1 + ratio)))

    def emphasis(self, half: Comparison, columns: IntArray) -> Floats:
        """Weight of each of these measures when strengths are fitted: more for own measures that moved far."""
        gap = (((half.start - half.goal)[:, columns] / half.scale[columns]) ** 2).mean(0)
        own = ~np.isin(columns, self.chosen([]))
        return np.asarray(1 + (OWN_WEIGHT - 1) * own * np.minimum(1, gap))

    def distance(self, plan: Plan, half: Comparison) -> float:
        """How far the changed source still is from the target, by all measures."""
        return self.misfit(half, np.quantile(self.measure(self.apply(plan, half)), LEVELS, axis=0))[0]


@dataclass(frozen=True)
class Fitted:
    """A plan after a fit, the distance it leaves (by the broad measures and its own factors'), and the last slopes."""

    plan: Plan
    distance: float
    jacobian: Floats
    theta: Floats
    write: Callable[[Floats], Plan]


def refine(
    matcher: Matcher,
    half: Comparison,
    plan: Plan,
    units: dict[str, float],
    rounds: int,
    free: Callable[[Change], list[str]],
    fixed: int = 0,
) -> Fitted:
    """Fit the free strengths together: Levenberg-Marquardt on the weighted quantile gaps.

    The first ``fixed`` changes of the plan stay as they are and are made only once.
    """
    begun = matcher.apply(plan[:fixed], half)
    theta, write = _parameters(plan, units, free)
    own = [change.name for change in plan]
    goal = half.goal[:, matcher.chosen(own)]

    columns = matcher.chosen(own)
    emphasis = matcher.emphasis(half, columns)
    # Which samples are changed more is seen only dimly: without a reason, all alike.
    plain = np.array(
        [PLAINNESS * (name in ("slope", "skew")) for change in plan if change.name in units for name in free(change)]
    )

    def reached(values: Floats) -> Floats:
        changed = matcher.apply(write(values)[fixed:], half, begun)
        return np.quantile(matcher.measure(changed, own), LEVELS, axis=0)

    def objective(values: Floats, quantiles: Floats) -> float:
        return matcher.misfit(half, quantiles, own, emphasis)[0] + float((plain * values**2).sum())

    here = reached(theta)
    best, damping = objective(theta, here), 0.01
    jacobian = np.zeros((here.size, len(theta)))
    for _ in range(rounds):
        residual = matcher.misfit(half, here, own, emphasis)[1]
        weight = residual / np.where(here == goal, 1.0, here - goal)
        for i in range(len(theta)):
            step = np.zeros_like(theta)
            step[i] = 0.12 if theta[i] <= 0 else -0.12
            jacobian[:, i] = (weight * (reached(theta + step) - here)).ravel() / step[i]
        normal = jacobian.T @ jacobian / residual.size + np.diag(plain)
        slope = jacobian.T @ residual.ravel() / residual.size + plain * theta
        gain = 0.0
        for _ in range(2):
            scaled = normal + damping * np.diag(np.diag(normal)) + 1e-4 * np.eye(len(theta))
            move = np.clip(-np.linalg.solve(scaled, slope), -1.0, 1.0)
            there = reached(theta + move)
            found = objective(theta + move, there)
            if found < best:
                gain = best - found
                theta, here, best = theta + move, there, found
                damping = max(damping / 5, 1e-3)
                break
            damping *= 20
        if gain < 0.02 * best:
            break
    return Fitted(write(theta), best, jacobian, theta, write)


def as_columns(factor: ActiveFactor, measured: Floats) -> Floats:
    """One column ``(n, 1)``, or cosine and sine ``(n, 2)`` of a circular measure; NaN becomes 0."""
    if factor.period:
        turn = 2 * np.pi * measured / factor.period
        measured = np.column_stack([np.cos(turn), np.sin(turn)])
    return np.asarray(np.nan_to_num(measured.reshape(len(measured), -1)), dtype=np.float64)


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


PARTS = ("offset", "slope", "spread", "skew")


def shape_free(change: Change) -> list[str]:
    """The strengths of a change that a joint fit may move."""
    return ["offset", "spread"] if change.factor.period else ["offset", "slope", "spread"]


def all_free(change: Change) -> list[str]:
    """As `shape_free`, with the skew of the individual parts."""
    return [*shape_free(change), "skew"]


def offset_and_spread(change: Change) -> list[str]:
    """The strengths of a change that a first fit may move."""
    return ["offset", "spread"]


def _parameters(
    plan: Plan, units: dict[str, float], free: Callable[[Change], list[str]]
) -> tuple[Floats, Callable[[Floats], Plan]]:
    """The free strengths as one vector in their units, and the way back to a plan."""
    places = [(i, name) for i, change in enumerate(plan) for name in free(change) if change.name in units]
    unit = [1.0 if name in ("slope", "skew") else units[plan[i].name] for i, name in places]
    theta = np.array([getattr(plan[i], name) / u for (i, name), u in zip(places, unit, strict=True)])

    def write(values: Floats) -> Plan:
        parts = [{name: float(getattr(change, name)) for name in PARTS} for change in plan]
        for (i, name), value, u in zip(places, values, unit, strict=True):
            parts[i][name] = float(value * u)
        return tuple(
            Change(
                change.factor,
                own["offset"],
                float(np.clip(own["slope"], -1.0, 1.0)),
                abs(own["spread"]),
                change.middle,
                float(np.clip(own["skew"], -MOST_SKEW, MOST_SKEW)),
            )
            for change, own in zip(plan, parts, strict=True)
        )

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
    """One round of the search: what was added (None: nothing), the distance left, what each candidate would leave."""

    added: str | None
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


@dataclass(frozen=True)
class Candidate:
    """One change on top of a plan, the unit of its strength, and the distance (by the broad measures) it leaves."""

    change: Change
    unit: float
    distance: float


def find_changes(
    matcher: Matcher, most: int, seed: int, costless: Callable[[Change], bool], progress: Callable[[float], None]
) -> Match:
    """Search the smallest plan that turns the source into the target.

    Args:
        most: changes that the plan may hold.
        costless: whether a change by itself costs next to nothing. From the third change on, such ones are set aside:
            they are small beside the first two, harmless anyway, and a joint fit of many changes takes long.
        progress: told a share in [0, 1].
    """
    aside: set[str] = set()
    plan: Plan = ()
    units: dict[str, float] = {}
    steps: list[Step] = []
    before = left = matcher.distance((), matcher.check)
    while len(plan) < most:
        names = {change.name for change in plan} | aside
        candidates = [f for f in matcher.factors if f.interventional and f.name not in names]
        tried, without = screen(matcher, plan, candidates)
        added = None
        if len(plan) >= SET_ASIDE_FROM:
            aside |= {c.change.name for c in tried if costless(c.change)}
        for candidate in [c for c in tried if c.change.name not in aside][:2]:
            if without - candidate.distance < 0.5 * max(WORTH_ADDING * without, LEAST_GAIN):
                break  # not even on the samples that it was fitted on
            longer_units = {**units, candidate.change.name: candidate.unit}
            longer = _placed(matcher, plan, candidate.change, longer_units)
            after = matcher.distance(longer, matcher.check)
            if left - after > max(WORTH_ADDING * left, LEAST_GAIN):
                plan, units, left, added = longer, longer_units, after, candidate.change.name
                break
        steps.append(Step(added, left, {"": without, **{c.change.name: c.distance for c in tried}}))
        progress(min(0.8, 1 - 0.7 ** len(steps)))
        if added is None:
            break
        plan, left = _without_the_needless(matcher, plan, units, left)
        units = {change.name: units[change.name] for change in plan}
    if not plan:
        progress(1.0)
        return Match((), before, left, {}, {}, steps)
    rivals = _rivals(matcher, plan, left, units, steps)
    fitted = refine(matcher, matcher.wide, plan, units, 1, all_free if len(plan) < 3 else offset_and_spread)
    errors = _errors(matcher, fitted, np.random.default_rng([seed, 23]))
    progress(1.0)
    return Match(fitted.plan, before, left, rivals, errors, steps)


def screen(matcher: Matcher, plan: Plan, candidates: Sequence[ActiveFactor]) -> tuple[list[Candidate], float]:
    """Each candidate's best change on top of the plan, best first, and the distance without any of them."""
    half = matcher.fit
    base = matcher.apply(plan, half)
    # Own measures cost time, and weigh little beside the broad ones; a kind without broad measures has only these.
    own: Collection[str] | None = () if BY_KIND.get(matcher.kind) else None
    few = slice(0, SCREENED)

    def distance(x: FloatArray) -> float:
        return matcher.misfit(half, np.quantile(matcher.measure(x, own), LEVELS, axis=0), own)[0]

    found = []
    for factor in candidates:
        measured = factor.measure(base)
        if not _differs(matcher, factor, measured):
            continue
        first, unit = guess(factor, measured, factor.measure(half.target))
        # Seldom is a whole domain changed by one and the same strength; the fit may take this back.
        first = replace(first, spread=max(first.spread, 0.25 * abs(first.offset)))
        tries = [first, first.scaled(0.6)]
        if abs(first.offset) < 0.6 * unit:  # the own measure says little: look to both sides
            tries += [Change(factor, sign * 0.6 * unit, 0.0, 0.2 * unit, first.middle) for sign in (-1, 1)]
        numbers = {factor.name: half.own[factor.name][few]}
        distances = [distance(apply([change], base[few], numbers, matcher.seed)) for change in tries]
        best = int(np.argmin(distances))
        found.append(Candidate(tries[best], unit, distances[best]))
    found.sort(key=lambda c: c.distance)
    refined = []
    for c in found[:3]:
        fitted = refine(matcher, half, (*plan, c.change), {c.change.name: c.unit}, 1, offset_and_spread, len(plan))
        left = distance(matcher.apply(fitted.plan[-1:], half, base))
        refined.append(Candidate(fitted.plan[-1], c.unit, left))
    refined.sort(key=lambda c: c.distance)
    return refined + found[3:], distance(base)


def _differs(matcher: Matcher, factor: ActiveFactor, measured: Floats) -> bool:
    """Whether a factor's own measure, on the source samples as changed so far, still differs from the target's."""
    half = matcher.fit
    columns = np.setdiff1d(matcher.chosen([factor.name]), matcher.chosen([]))
    gap = np.quantile(as_columns(factor, measured), LEVELS, axis=0) - half.goal[:, columns]
    noise = half.floor[columns] * half.scale[columns] ** 2
    return bool(((gap**2).mean(0) > BEYOND_NOISE * noise + 1e-12).any())


def _placed(matcher: Matcher, plan: Plan, change: Change, units: dict[str, float]) -> Plan:
    """The plan with the change at the best place in the order, all strengths refitted."""
    orders: list[Plan] = [(*plan[:i], change, *plan[i:]) for i in range(len(plan) + 1)]
    if len(orders) > 1:
        orders.sort(key=lambda p: matcher.distance(p, matcher.fit))
    names = [c.name for c in plan[2:]]  # later changes are smaller: fewer strengths of them are worth the time
    return refine(
        matcher, matcher.fit, orders[0], units, 3, lambda c: shape_free(c) if c.name not in names else ["offset"]
    ).plan


def _without_the_needless(matcher: Matcher, plan: Plan, units: dict[str, float], left: float) -> tuple[Plan, float]:
    """Take back changes that the others make unnecessary."""
    for change in plan if len(plan) > 1 else ():
        shorter = tuple(c for c in plan if c.name != change.name)
        without = matcher.distance(shorter, matcher.check)
        if without - left > 0.6:  # clearly needed, whatever a refit of the others would bring
            continue
        shorter = refine(matcher, matcher.fit, shorter, units, 2, shape_free).plan
        without = matcher.distance(shorter, matcher.check)
        if without - left < max(WORTH_ADDING * without, LEAST_GAIN):
            plan, left = shorter, without
    return plan, left


def _rivals(
    matcher: Matcher, plan: Plan, left: float, units: dict[str, float], steps: list[Step]
) -> dict[str, list[str]]:
    """For each change of the plan the factors that do as well in its place: tried for those that came near at first."""
    by_name = {factor.name: factor for factor in matcher.factors}
    names = [change.name for change in plan]
    found: dict[str, list[str]] = {}
    for step in steps:
        if step.added not in names:
            continue
        nothing, best = step.candidates[""], step.candidates[step.added]
        near = [n for n, d in step.candidates.items() if n and n not in names and d < best + 0.3 * (nothing - best)]
        place = names.index(step.added)
        for name in near[:2]:
            others = (*plan[:place], *plan[place + 1 :])
            base = matcher.apply(others, matcher.fit)
            factor = by_name[name]
            change, unit = guess(factor, factor.measure(base), factor.measure(matcher.fit.target))
            swapped = (*plan[:place], change, *plan[place + 1 :])
            fitted = refine(matcher, matcher.fit, swapped, {**units, name: unit}, 3, shape_free)
            if matcher.distance(fitted.plan, matcher.check) < left + 0.1 * (nothing - best):
                found.setdefault(step.added, []).append(name)
    return found


def _errors(matcher: Matcher, fitted: Fitted, rng: np.random.Generator, draws: int = 200) -> dict[str, float]:
    """Standard error of each strength, as a part of it.

    Linearised bootstrap: over the samples of both domains, and over the measures, since with another choice of
    measures an operation that is not quite the right one would have been fitted to another strength.
    """
    half, own = matcher.wide, [change.name for change in fitted.plan]
    columns = matcher.chosen(own)
    here, there = matcher.measure(matcher.apply(fitted.plan, half), own), half.measured[:, columns]
    reached = np.quantile(here, LEVELS, axis=0)
    emphasis = matcher.emphasis(half, columns)
    residual = matcher.misfit(half, reached, own, emphasis)[1]
    gap = reached - half.goal[:, columns]
    weight = residual / np.where(gap == 0, 1.0, gap)
    strengths = np.empty((draws, len(fitted.plan)))
    for draw in range(draws):
        a = np.quantile(here[rng.integers(0, len(here), len(here))], LEVELS, axis=0)
        b = np.quantile(there[rng.integers(0, len(there), len(there))], LEVELS, axis=0)
        importance = np.broadcast_to(rng.exponential(1.0, len(columns)), reached.shape).ravel()
        weighted = fitted.jacobian * importance[:, None]
        normal = fitted.jacobian.T @ weighted
        move = np.linalg.solve(
            normal + 0.01 * np.diag(np.diag(normal)) + 1e-6 * np.eye(len(normal)),
            weighted.T @ (weight * (a - b)).ravel(),
        )
        plan = fitted.write(fitted.theta - np.clip(move, -0.5, 0.5))
        strengths[draw] = [np.hypot(change.offset, change.spread) for change in plan]
    size = [max(np.hypot(change.offset, change.spread), 1e-12) for change in fitted.plan]
    spread = (np.quantile(strengths, 0.84, axis=0) - np.quantile(strengths, 0.16, axis=0)) / 2
    # What no resampling shows: our operation is not the one that happened to the data.
    return {
        change.name: float(min(np.hypot(e / s, OPERATION_ERROR), 0.5))
        for change, e, s in zip(fitted.plan, spread, size, strict=True)
    }
