"""What shifted: each factor's measure in both domains, the mix of classes, and what a plan of changes accounts for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.causes.changes import ActiveFactor, Plan
from shiftlens.core.causes.distance import LEVELS, Matcher, as_columns
from shiftlens.core.causes.matched import Matched
from shiftlens.core.causes.request import CauseRequest
from shiftlens.core.causes.statistics import centre, class_mix_test, holm, natural, shift_test, wrapped
from shiftlens.core.causes.strengths import guess
from shiftlens.core.data.samples import LazySamples
from shiftlens.core.results.results import Distribution, Shift

OF_THE_SAMPLES = "of the samples"
"""Unit of a discrete change: the share of the samples that have it."""


@dataclass(frozen=True)
class Shifted:
    """How one factor's own measure differs between the domains."""

    shift: Shift
    p: float
    distribution: Distribution


def class_mix(request: CauseRequest, warnings: list[str]) -> Floats | None:
    """Weight of each class that gives the source the target's mix, ``(classes,)``; None where the mix is the same."""
    if request.target_labels is None:
        return None
    count = max(len(request.classes), int(request.source_labels.max()) + 1, int(request.target_labels.max()) + 1)
    here, there = (np.bincount(labels, minlength=count) for labels in (request.source_labels, request.target_labels))
    for missing, where, other in (
        ((here == 0) & (there > 0), "source", "target"),
        ((there == 0) & (here > 0), "target", "source"),
    ):
        names = [request.classes[c] if c < len(request.classes) else str(c) for c in map(int, np.flatnonzero(missing))]
        if names:
            warnings.append(
                f"the {where} has no sample of class {', '.join(names)}: it is compared with nothing, and the loss of "
                f"the {other}'s samples of it is not explained"
            )
    if class_mix_test(request.source_labels, request.target_labels, count) >= request.settings.alpha:
        return None
    weight: Floats = np.divide(there / there.sum(), here / here.sum(), out=np.zeros(count), where=here > 0)
    return weight


def shifts_of(request: CauseRequest, factors: Sequence[ActiveFactor], rng: np.random.Generator) -> dict[str, Shifted]:
    """Every factor's own measure in both domains, tested within classes and corrected for their number."""
    most = request.settings.samples
    s = rng.permutation(len(request.source_samples))[:most]
    t = rng.permutation(len(request.target_samples))[:most]
    source = request.sight.samples(request.source_samples.some(s))
    target = request.sight.samples(request.target_samples.some(t))
    source_class = request.source_labels[s] if request.target_labels is not None else np.zeros(len(s), dtype=np.int64)
    target_class = request.target_labels[t] if request.target_labels is not None else np.zeros(len(t), dtype=np.int64)
    here_all, there_all = measured_on(factors, source), measured_on(factors, target)
    measured = {f.name: (here_all[f.name], there_all[f.name]) for f in factors}
    raw = [shift_test(*measured[f.name], source_class, target_class, f.period) for f in factors]
    found = {}
    for factor, p in zip(factors, holm(raw) if factors else [], strict=True):
        here, there = measured[factor.name]
        means = [natural(centre(v, factor.period), np.concatenate([here, there]), factor.period) for v in (here, there)]
        turn = float(wrapped(means[1] - means[0], factor.period)) if factor.period else None
        shift = Shift(source=means[0], target=means[1], unit=factor.description.unit, turn=turn)
        found[factor.name] = Shifted(shift, float(p), _distribution(here, there, request.policy.trial.bins))
    return found


def discrete_shift(happened: bool, request: CauseRequest) -> Shifted:
    """How a discrete factor differs, which has no measure: all samples of the target have the change, or none."""
    share = float(happened)
    ends = [[len(request.source_samples), 0], [0, len(request.target_samples)]]
    if not happened:
        ends[1].reverse()
    return Shifted(
        Shift(source=0.0, target=share, unit=OF_THE_SAMPLES),
        1.0 - share,
        Distribution(edges=[-0.5, 0.5, 1.5], source=ends[0], target=ends[1]),
    )


def measured_on(factors: Sequence[ActiveFactor], x: LazySamples) -> dict[str, Floats]:
    """Each factor's measure ``(n,)``, of one part of the samples after another."""
    found: dict[str, list[Floats]] = {factor.name: [] for factor in factors}
    for rows in x.parts():
        part = x[rows]
        for factor in factors:
            found[factor.name].append(factor.measure(part))
    return {name: np.concatenate(values) for name, values in found.items()}


def _distribution(here: Floats, there: Floats, bins: int) -> Distribution:
    here, there = here[np.isfinite(here)], there[np.isfinite(there)]
    both = np.concatenate([here, there])
    low, high = (float(v) for v in np.quantile(both, [0.002, 0.998])) if len(both) else (0.0, 1.0)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, bins + 1)
    counts = [np.histogram(np.clip(v, low, high), edges)[0] for v in (here, there)]
    return Distribution(
        edges=[float(e) for e in edges], source=[int(n) for n in counts[0]], target=[int(n) for n in counts[1]]
    )


@dataclass(frozen=True)
class Moved:
    """How far a factor's own measure moved, and what of that the plan accounts for.

    Attributes:
        size: gap between the domains' quantiles, in spreads of the source.
        accounted: part of the gap that the plan closes; 1 is all of it.
        causes: the changes of the plan that close it, the strongest first.
    """

    size: float
    accounted: float
    causes: list[str]


NOT_MOVED = Moved(0.0, 0.0, [])
"""Of a factor without a measure."""


def accounted_for(matched: Matched, factors: Sequence[ActiveFactor]) -> dict[str, Moved]:
    """For each factor how its own measure moved."""
    matcher, plan, half, source = matched.matcher, matched.match.plan, matched.matcher.fit, matched.begun.fit.source
    alone = {change.name: half.source for change in matched.discrete}  # which are not told apart here
    alone |= {change.name: matcher.apply((change,), half, source) for change in plan}
    together = matcher.apply(plan, half)
    found = {}
    for factor in factors:
        begun = as_columns(factor, factor.measure(source))
        goal = np.quantile(as_columns(factor, factor.measure(half.target)), LEVELS, axis=0)
        unit = begun.std(0) + 1e-9

        def distance(columns: Floats) -> float:
            gap = (np.quantile(columns, LEVELS, axis=0) - goal) / unit  # noqa: B023
            return float(np.sqrt((gap**2).mean()))

        size = distance(begun)

        def closed(x: FloatArray) -> float:
            return 1 - distance(as_columns(factor, factor.measure(x))) / size  # noqa: B023

        if size == 0 or not alone:
            found[factor.name] = Moved(size, 0.0, [])
            continue
        parts = {name: closed(x) for name, x in alone.items()}
        named = matcher.policy.trial.part_of_shadow
        causes = [name for name in sorted(parts, key=lambda n: -parts[n]) if parts[name] >= named]
        found[factor.name] = Moved(size, closed(together), causes or [max(parts, key=lambda n: parts[n])])
    return found


def suspects_of(
    matcher: Matcher,
    plan: Plan,
    factors: Sequence[ActiveFactor],
    shifts: Mapping[str, Shifted],
    moved: Mapping[str, Moved],
    alpha: float,
) -> Plan:
    """Changes that bring a factor's own measure to its target values where the plan leaves most of its gap open.

    The joint fit found no use for them, so they can be acquitted by what they cost, but not convicted.
    """
    half = matcher.fit
    base = matcher.apply(plan, half)
    found = []
    for factor in factors:
        own = moved[factor.name]
        if (
            factor.interventional
            and shifts[factor.name].p < alpha
            and own.size >= matcher.policy.trial.visible
            and own.accounted < matcher.policy.trial.accounted
        ):
            found.append(guess(factor, factor.measure(base), factor.measure(half.target), matcher.policy.fit)[0])
    return tuple(found)
