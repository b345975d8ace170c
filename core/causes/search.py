"""What shifted, found jointly: the smallest set of changes that turns source samples into target samples.

Greedy: add the change that lowers the distance (`comparing`) most, refit all strengths together (`fitting`), take back
what is no longer needed, stop where samples that the fit has not seen no longer gain. The strengths of the set that
was found are then fitted once more, to measures that were learned for it (`learned`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.causes.changes import ActiveFactor, Change, Plan, apply
from shiftlens.core.causes.distance import LEVELS, Matcher, as_columns
from shiftlens.core.causes.learned_readings import fit_to_readings
from shiftlens.core.causes.sample_statistics import BY_KIND
from shiftlens.core.causes.strengths import guess, offset_and_spread, refine, shape_free

WORTH_ADDING = 0.08
"""A change is added when it takes away at least this part of the distance that is left..."""
LEAST_GAIN = 0.1
"""...and at least this much of it."""
SET_ASIDE_FROM = 2
"""Size of a plan from which changes that cost nothing are no longer added."""
BEYOND_NOISE = 2.5
"""A factor is a candidate while the squared gap of its own measure is so many times what sampling alone makes."""
CLEARLY_BETTER = 0.9
"""Part of the distance below which the longer way round a circular measure is believed."""
SCREENED = 120
"""Samples that every candidate is tried on; the best are then fitted on all samples of the half."""


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
    plan, errors = fit_to_readings(matcher, plan, units, seed)
    progress(1.0)
    return Match(plan, before, left, rivals, errors, steps)


def fit_changes(matcher: Matcher, seed: int) -> Plan:
    """The strengths of changes of which it is known that they happened, one by each of the matcher's factors."""
    plan: Plan = ()
    units: dict[str, float] = {}
    for factor in matcher.factors:
        base = matcher.apply(plan, matcher.fit)
        change, units[factor.name] = guess(factor, factor.measure(base), factor.measure(matcher.fit.target))
        plan = _placed(matcher, plan, change, units)
    return fit_to_readings(matcher, plan, units, seed)[0]


def screen(matcher: Matcher, plan: Plan, candidates: Sequence[ActiveFactor]) -> tuple[list[Candidate], float]:
    """Each candidate's best change on top of the plan, best first, and the distance without any of them."""
    half = matcher.fit
    base = matcher.apply(plan, half)
    # Own measures cost time, and weigh little beside the broad ones; a kind without broad measures has only these.
    own: Collection[str] | None = () if BY_KIND.get(matcher.kind) else None
    few = slice(0, SCREENED)

    stick = matcher.yardstick(half, own)

    def distance(x: FloatArray) -> float:
        return stick.misfit(stick.quantiles(x))[0]

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
        if factor.period and abs(first.offset) > factor.period / 4:  # its own measure cannot tell which way round
            tries.append(replace(first, offset=first.offset - np.sign(first.offset) * factor.period))
            other = distance(apply([tries[-1]], base[few], numbers, matcher.seed))
            distances.append(other / CLEARLY_BETTER)
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
    """For each change of the plan the factors that do as well in its place: tried for those that came near at first.

    Where both together do better than either, both changed, and neither is the other's rival.
    """
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
            if matcher.distance(fitted.plan, matcher.check) >= left + 0.1 * (nothing - best):
                continue
            both = refine(matcher, matcher.fit, (*plan, change), {**units, name: unit}, 2, shape_free).plan
            if left - matcher.distance(both, matcher.check) < max(WORTH_ADDING * left, LEAST_GAIN):
                found.setdefault(step.added, []).append(name)
    return found
