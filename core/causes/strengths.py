"""Strengths of a plan of changes, fitted together so that the changed source samples measure what the target does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.causes.changes import MOST_SKEW, ActiveFactor, Change, Plan
from shiftlens.core.causes.distance import Comparison, Matcher, Yardstick
from shiftlens.core.causes.policy import FitPolicy
from shiftlens.core.causes.statistics import centre, wrapped


@dataclass(frozen=True)
class ToFit:
    """A plan whose strengths are to be fitted.

    Attributes:
        plan: with the strengths that the fit starts from.
        units: of the strength of each change, by its name; a change without one stays as it is.
        free: the strengths of a change that may move, see `shape_free`.
        rounds: of the fit, at most.
        fixed: so many first changes of the plan stay as they are and are made only once.
        stick: what to measure; None: the broad measures and the plan's own.
    """

    plan: Plan
    units: Mapping[str, float]
    free: Callable[[Change], list[str]]
    rounds: int
    fixed: int = 0
    stick: Yardstick | None = None


@dataclass(frozen=True)
class Fitted:
    """A plan after a fit, and the distance it leaves by the fit's yardstick.

    Attributes:
        jacobian: ``(levels * k, p)`` the last slopes of the weighted gaps.
        theta, write: the free strengths ``(p,)`` in their units, and the way from them to a plan.
    """

    plan: Plan
    distance: float
    jacobian: Floats
    theta: Floats
    write: Callable[[Floats], Plan]


def refine(matcher: Matcher, half: Comparison, given: ToFit) -> Fitted:
    """Fit the free strengths together: Levenberg-Marquardt on the weighted quantile gaps."""
    policy = matcher.policy.fit
    plan, units, free, fixed = given.plan, given.units, given.free, given.fixed
    begun = matcher.apply(plan[:fixed], half)
    theta, write, owners = _parameters(plan, units, free)
    stick = given.stick
    if stick is None:
        stick = matcher.yardstick(half, [change.name for change in plan], emphasised=True)
    # Which samples are changed more is seen only dimly: without a reason, all alike.
    plain = np.array(
        [
            policy.plainness * (name in ("slope", "skew"))
            for change in plan
            if change.name in units
            for name in free(change)
        ]
    )

    def states(values: Floats) -> list[FloatArray]:
        """The samples before each change that is fitted, and after all."""
        made = [begun]
        for change in write(values)[fixed:]:
            made.append(matcher.apply((change,), half, made[-1]))
        return made

    def stepped(i: int, step: float) -> Floats:
        """Quantiles with one strength changed: only from its own change on is anything made anew."""
        values = theta.copy()
        values[i] += step
        return stick.quantiles(matcher.apply(write(values)[owners[i] :], half, made[owners[i] - fixed]))

    def objective(values: Floats, quantiles: Floats) -> float:
        return stick.misfit(quantiles)[0] + float((plain * values**2).sum())

    made = states(theta)
    here = stick.quantiles(made[-1])
    best, damping = objective(theta, here), policy.damping
    jacobian = np.zeros((here.size, len(theta)))
    for _ in range(given.rounds):
        residual = stick.misfit(here)[1]
        weight = residual / np.where(here == stick.goal, 1.0, here - stick.goal)
        for i in range(len(theta)):
            step = policy.step if theta[i] < 2 * policy.step else -policy.step
            jacobian[:, i] = (weight * (stepped(i, step) - here)).ravel() / step
        normal = jacobian.T @ jacobian / residual.size + np.diag(plain)
        slope = jacobian.T @ residual.ravel() / residual.size + plain * theta
        gain = 0.0
        for _ in range(2):
            scaled = normal + damping * np.diag(np.diag(normal)) + 1e-4 * np.eye(len(theta))
            move = np.clip(-np.linalg.solve(scaled, slope), -policy.longest_move, policy.longest_move)
            after = states(theta + move)
            there = stick.quantiles(after[-1])
            found = objective(theta + move, there)
            if found < best:
                gain = best - found
                theta, here, best, made = theta + move, there, found, after
                damping = max(damping / 5, 1e-3)
                break
            damping *= 20
        if gain < policy.enough * best:
            break
    return Fitted(write(theta), best, jacobian, theta, write)


def spread_apart(matcher: Matcher, half: Comparison, plan: Plan, stick: Yardstick) -> Plan:
    """The plan with the spread of each change's strengths set to the best of a few.

    No slope leads away from a spread of nought: a little spread shows in nothing, so a fit that starts there stays.
    """
    best = stick.misfit(stick.quantiles(matcher.apply(plan, half)))[0]
    for i, change in enumerate(plan):
        for part in matcher.policy.fit.spreads:
            spread = part * max(abs(change.offset), change.spread)
            tried = (*plan[:i], replace(change, spread=spread, slope=0.0, skew=0.0), *plan[i + 1 :])
            found = stick.misfit(stick.quantiles(matcher.apply(tried, half)))[0]
            if found < best:
                plan, best = tried, found
    return plan


def guess(factor: ActiveFactor, source: Floats, target: Floats, policy: FitPolicy) -> tuple[Change, float]:
    """A change that brings one measure from its source values to its target values, and the unit of its strength."""
    middle, goal = centre(source, factor.period), centre(target, factor.period)
    if not (np.isfinite(middle) and np.isfinite(goal)):
        return Change(factor, 0.0), 1.0
    here = wrapped(source[np.isfinite(source)] - middle, factor.period).std()
    there = wrapped(target[np.isfinite(target)] - goal, factor.period).std()
    offset = float(wrapped(goal - middle, factor.period))
    unit = max(abs(offset), policy.unit_from_spread * here, policy.unit_from_spread * there, 1e-6)
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
    plan: Plan, units: Mapping[str, float], free: Callable[[Change], list[str]]
) -> tuple[Floats, Callable[[Floats], Plan], list[int]]:
    """The free strengths as one vector in their units, the way back to a plan, and whose strength each is."""
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

    return theta, write, [i for i, _ in places]
