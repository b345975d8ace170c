"""What shifted, found jointly: the smallest set of changes that turns source samples into target samples.

Greedy: add the change that lowers the distance (`distance`) most, refit all strengths together (`strengths`), take back
what is no longer needed, stop where samples that the fit has not seen no longer gain. The strengths of the set that
was found are then fitted once more, to readings that were learned for it (`strength_readings`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.causes.changes import ActiveFactor, Change, Plan, apply
from shiftlens.core.causes.distance import LEVELS, Matcher, as_columns
from shiftlens.core.causes.sample_statistics import BY_KIND
from shiftlens.core.causes.strength_readings import fit_to_readings
from shiftlens.core.causes.strengths import ToFit, guess, offset_and_spread, refine, shape_free


@dataclass(frozen=True)
class SearchStep:
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
    steps: list[SearchStep]


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
        progress: called with the share of the search that is done, in [0, 1].
    """
    policy = matcher.policy.search
    aside: set[str] = set()
    plan: Plan = ()
    units: dict[str, float] = {}
    steps: list[SearchStep] = []
    before = left = matcher.distance((), matcher.check)
    while len(plan) < most:
        names = {change.name for change in plan} | aside
        candidates = [f for f in matcher.factors if f.interventional and f.name not in names]
        tried, without = screen(matcher, plan, candidates)
        added = None
        if len(plan) >= policy.set_aside_from:
            aside |= {c.change.name for c in tried if costless(c.change)}
        for candidate in [c for c in tried if c.change.name not in aside][: policy.placed]:
            if without - candidate.distance < policy.sign_of_gain * policy.gain_wanted(without):
                break  # not even on the samples that it was fitted on
            longer_units = {**units, candidate.change.name: candidate.unit}
            longer = _placed(matcher, plan, candidate.change, longer_units)
            after = matcher.distance(longer, matcher.check)
            if left - after > policy.gain_wanted(left):
                plan, units, left, added = longer, longer_units, after, candidate.change.name
                break
        steps.append(SearchStep(added, left, {"": without, **{c.change.name: c.distance for c in tried}}))
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
        change, units[factor.name] = _guessed(matcher, factor, base)
        plan = _placed(matcher, plan, change, units)
    return fit_to_readings(matcher, plan, units, seed)[0]


def screen(matcher: Matcher, plan: Plan, candidates: Sequence[ActiveFactor]) -> tuple[list[Candidate], float]:
    """Each candidate's best change on top of the plan, best first, and the distance without any of them."""
    half, policy = matcher.fit, matcher.policy.search
    base = matcher.apply(plan, half)
    # Own measures cost time, and weigh little beside the broad ones; a kind without broad measures has only these.
    own: Collection[str] | None = () if BY_KIND.get(matcher.kind) else None
    few = slice(0, policy.screened)
    stick = matcher.yardstick(half, own)

    def distance(x: FloatArray) -> float:
        return stick.misfit(stick.quantiles(x))[0]

    found = []
    for factor in candidates:
        measured = factor.measure(base)
        if not _differs(matcher, factor, measured):
            continue
        first, unit = guess(factor, measured, factor.measure(half.target), matcher.policy.fit)
        # Seldom is a whole domain changed by one and the same strength; the fit may take this back.
        first = replace(first, spread=max(first.spread, policy.first_spread * abs(first.offset)))
        tries = [first, first.scaled(policy.weaker)]
        if abs(first.offset) < policy.weaker * unit:  # the own measure says little: look to both sides
            aside, spread = policy.weaker * unit, policy.spread_aside * unit
            tries += [Change(factor, sign * aside, 0.0, spread, first.middle) for sign in (-1, 1)]
        numbers = {factor.name: half.own[factor.name][few]}
        distances = [distance(apply([change], base[few], numbers, matcher.seed)) for change in tries]
        if factor.period and abs(first.offset) > factor.period / 4:  # its own measure cannot tell which way round
            tries.append(replace(first, offset=first.offset - np.sign(first.offset) * factor.period))
            other = distance(apply([tries[-1]], base[few], numbers, matcher.seed))
            distances.append(other / policy.clearly_better)
        best = int(np.argmin(distances))
        found.append(Candidate(tries[best], unit, distances[best]))
    found.sort(key=lambda c: c.distance)
    refined = []
    for c in found[: policy.refined]:
        alone = ToFit(
            (*plan, c.change), {c.change.name: c.unit}, offset_and_spread, policy.rounds_alone, fixed=len(plan)
        )
        fitted = refine(matcher, half, alone)
        left = distance(matcher.apply(fitted.plan[-1:], half, base))
        refined.append(Candidate(fitted.plan[-1], c.unit, left))
    refined.sort(key=lambda c: c.distance)
    return refined + found[policy.refined :], distance(base)


def _differs(matcher: Matcher, factor: ActiveFactor, measured: Floats) -> bool:
    """Whether a factor's own measure, on the source samples as changed so far, still differs from the target's."""
    half = matcher.fit
    columns = np.setdiff1d(matcher.chosen([factor.name]), matcher.chosen([]))
    gap = np.quantile(as_columns(factor, measured), LEVELS, axis=0) - half.goal[:, columns]
    noise = half.floor[columns] * half.scale[columns] ** 2
    return bool(((gap**2).mean(0) > matcher.policy.search.beyond_noise * noise + 1e-12).any())


def _placed(matcher: Matcher, plan: Plan, change: Change, units: dict[str, float]) -> Plan:
    """The plan with the change at the best place in the order, all strengths refitted."""
    orders: list[Plan] = [(*plan[:i], change, *plan[i:]) for i in range(len(plan) + 1)]
    if len(orders) > 1:
        orders.sort(key=lambda p: matcher.distance(p, matcher.fit))
    policy = matcher.policy.search
    plain = [c.name for c in plan[policy.shaped :]]
    given = ToFit(orders[0], units, lambda c: ["offset"] if c.name in plain else shape_free(c), policy.rounds_together)
    return refine(matcher, matcher.fit, given).plan


def _guessed(matcher: Matcher, factor: ActiveFactor, base: FloatArray) -> tuple[Change, float]:
    """A first guess of the factor's change from samples ``base`` to the target, and the unit of its strength."""
    return guess(factor, factor.measure(base), factor.measure(matcher.fit.target), matcher.policy.fit)


def _without_the_needless(matcher: Matcher, plan: Plan, units: dict[str, float], left: float) -> tuple[Plan, float]:
    """Take back changes that the others make unnecessary."""
    policy = matcher.policy.search
    for change in plan if len(plan) > 1 else ():
        shorter = tuple(c for c in plan if c.name != change.name)
        without = matcher.distance(shorter, matcher.check)
        if without - left > policy.clearly_needed:
            continue
        shorter = refine(matcher, matcher.fit, ToFit(shorter, units, shape_free, policy.rounds_again)).plan
        without = matcher.distance(shorter, matcher.check)
        if without - left < policy.gain_wanted(without):
            plan, left = shorter, without
    return plan, left


def _rivals(
    matcher: Matcher, plan: Plan, left: float, units: dict[str, float], steps: list[SearchStep]
) -> dict[str, list[str]]:
    """For each change of the plan the factors that do as well in its place: tried for those that came near at first.

    Where both together do better than either, both changed, and neither is the other's rival.
    """
    policy = matcher.policy.search
    by_name = {factor.name: factor for factor in matcher.factors}
    names = [change.name for change in plan]
    found: dict[str, list[str]] = {}
    for step in steps:
        if step.added not in names:
            continue
        nothing, best = step.candidates[""], step.candidates[step.added]
        close = best + policy.near * (nothing - best)
        near = [n for n, d in step.candidates.items() if n and n not in names and d < close]
        place = names.index(step.added)
        for name in near[: policy.rivals]:
            others = (*plan[:place], *plan[place + 1 :])
            base = matcher.apply(others, matcher.fit)
            change, unit = _guessed(matcher, by_name[name], base)
            swapped = (*plan[:place], change, *plan[place + 1 :])
            with_it = {**units, name: unit}
            fitted = refine(matcher, matcher.fit, ToFit(swapped, with_it, shape_free, policy.rounds_together))
            if matcher.distance(fitted.plan, matcher.check) >= left + policy.as_good * (nothing - best):
                continue
            both = refine(matcher, matcher.fit, ToFit((*plan, change), with_it, shape_free, policy.rounds_again)).plan
            if left - matcher.distance(both, matcher.check) < policy.gain_wanted(left):
                found.setdefault(step.added, []).append(name)
    return found
