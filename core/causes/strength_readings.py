"""Measures that are learned for one plan of changes: how strongly was each change made on this sample?

Some properties hardly show in any one measure: the size of what a photograph shows, sample for sample, is nearly
noise. All measures together tell much more. So source samples are changed by the plan's factors at random, independent
strengths, with a little of every other factor mixed in, and a ridge regression learns to read each strength off all
measures. The mixed-in rest keeps it from leaning on what one operation does beside its purpose (a zoom also blurs).
The strengths of the plan are then fitted so that these readings have the distribution that they have on the target:
their mean tells how strong the change is, and their spread how much that varies from sample to sample.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.causes.changes import EVEN, Change, Plan
from shiftlens.core.causes.distance import LEVELS, Comparison, Matcher, Yardstick, units_of
from shiftlens.core.causes.statistics import centre, wrapped
from shiftlens.core.causes.strengths import Fitted, ToFit, all_free, offset_and_spread, refine, spread_apart

Reading = Callable[[Floats], Floats]
"""From measures ``(n, k)`` of samples to one column per change of the plan."""


def reading_of(matcher: Matcher, plan: Plan, rng: np.random.Generator) -> Reading:
    """Learn to read the strength of each of the plan's changes off the broad measures and the plan's own."""
    own = [change.name for change in plan]
    policy = matcher.policy.fit
    pool = matcher.rest if len(matcher.rest) >= policy.least_taught else np.arange(len(matcher.source))
    rows = rng.permutation(pool)[: policy.taught]
    x = matcher.source[np.concatenate([rows, rows])]
    strengths = np.column_stack([rng.uniform(*_range(change, policy.widest_turn), len(x)) for change in plan])
    for column, change in enumerate(plan):
        x = change.factor.shift(x, strengths[:, column], rng)
    x = _mixed(matcher, plan, x, rng)
    measured = matcher.measure(x, own)
    mean, spread = measured.mean(0), measured.std(0) + 1e-9

    def standard(values: Floats) -> Floats:
        return np.asarray(np.clip((values - mean) / spread, -policy.outermost, policy.outermost))

    table = standard(measured)
    middle = table.mean(0)
    table = table - middle
    wanted = (strengths - strengths.mean(0)) / strengths.std(0)
    weights = np.linalg.solve(table.T @ table + policy.ridge * len(table) * np.eye(table.shape[1]), table.T @ wanted)
    return lambda values: np.asarray((standard(values) - middle) @ weights)


def _range(change: Change, widest_turn: float) -> tuple[float, float]:
    """Strengths from none (or the weakest that a sample has) to well beyond the strongest."""
    reach = max(abs(change.offset), EVEN * change.spread, 1e-9)
    ends = np.sort([min(0.0, abs(change.offset) - EVEN * change.spread), abs(change.offset) + reach])
    if change.factor.period:
        most = max(widest_turn * change.factor.period, abs(change.offset))
        ends = np.clip(ends, -most, most)
    low, high = (float(end) for end in ends)
    return (low, high) if change.offset >= 0 else (-high, -low)


def _mixed(matcher: Matcher, plan: Plan, x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A little of every factor that is not in the plan: as much as its measure still differs, and never nothing."""
    policy = matcher.policy.fit
    own = [change.name for change in plan]
    half = matcher.check
    reached = np.quantile(matcher.measure(matcher.apply(plan, half)), LEVELS, axis=0)
    left = np.sqrt((((reached - half.goal) / half.scale) ** 2).mean(0))  # of every measure, in its spreads
    for factor in matcher.factors:
        if factor.name in own or not factor.interventional:
            continue
        columns = np.setdiff1d(matcher.chosen([factor.name]), matcher.chosen([]))
        part = float(np.clip(left[columns].max(), policy.mixed_in, policy.most_mixed_in))
        measured = factor.measure(x)
        around = wrapped(measured - centre(measured, factor.period), factor.period)
        spread = float(np.nanstd(around)) if np.isfinite(around).any() else 0.0
        x = factor.shift(x, part * spread * rng.standard_normal(len(x)), rng)
    return x


def with_readings(
    matcher: Matcher, half: Comparison, plan: Plan, reading: Reading, rng: np.random.Generator
) -> Yardstick:
    """The yardstick of the plan's fit, with the readings beside the measures."""
    policy = matcher.policy.fit
    own = [change.name for change in plan]
    base = matcher.yardstick(half, own, emphasised=True)

    def measure(x: FloatArray) -> Floats:
        measured = base.measure(x)
        return np.concatenate([measured, reading(measured)], axis=1)

    here, there = measure(half.source), np.concatenate([base.there, reading(base.there)], axis=1)
    start, goal, scale, floor = units_of(here, there, policy, rng)
    weight = np.concatenate([base.emphasis, np.full(len(plan), policy.read_weight * base.emphasis.sum() / len(plan))])
    return Yardstick(measure, start, goal, there, scale, floor, weight, policy)


def fit_to_readings(matcher: Matcher, plan: Plan, units: dict[str, float], seed: int) -> tuple[Plan, dict[str, float]]:
    """The plan with its strengths fitted to the readings, on all samples, and the standard error of each strength."""
    rng, half = np.random.default_rng([seed, 29]), matcher.wide
    stick = with_readings(matcher, half, plan, reading_of(matcher, plan, rng), rng)
    plan = spread_apart(matcher, half, plan, stick)
    skewed = [change.name for change in plan[: matcher.policy.fit.skewed]]
    fitted = refine(
        matcher,
        half,
        ToFit(
            plan,
            units,
            lambda change: all_free(change) if change.name in skewed else offset_and_spread(change),
            matcher.policy.fit.rounds_of_readings,
            stick=stick,
        ),
    )
    return fitted.plan, _errors(matcher.apply(fitted.plan, half), stick, fitted, rng)


def _errors(x: FloatArray, stick: Yardstick, fitted: Fitted, rng: np.random.Generator) -> dict[str, float]:
    """Standard error of each strength, as a part of it; ``x`` are the source samples changed by the fitted plan.

    Linearised bootstrap: over the samples of both domains, and over the measures, since with another choice of
    measures an operation that is not quite the right one would have been fitted to another strength.
    """
    policy, draws = stick.policy, stick.policy.error_draws
    here = stick.measure(x)
    reached = np.quantile(here, LEVELS, axis=0)
    gap = reached - stick.goal
    weight = stick.misfit(reached)[1] / np.where(gap == 0, 1.0, gap)
    strengths = np.empty((draws, len(fitted.plan)))
    for draw in range(draws):
        a = np.quantile(here[rng.integers(0, len(here), len(here))], LEVELS, axis=0)
        b = np.quantile(stick.there[rng.integers(0, len(stick.there), len(stick.there))], LEVELS, axis=0)
        importance = np.broadcast_to(rng.exponential(1.0, reached.shape[1]), reached.shape).ravel()
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
        change.name: float(min(np.hypot(e / s, policy.operation_error), policy.most_error))
        for change, e, s in zip(fitted.plan, spread, size, strict=True)
    }
