"""Causes: what shifted, what each change costs when it is made alone, and the verdicts (patent ¶66, FIG. 11).

`find_causes` is the whole of it. Measured: what shifted (`marginal_shifts`, `search`), and what each change costs
(`experiment`). Estimated: intervals and shares (`estimates`). Judged: causes, verdicts and sentences
(`cause_of_factor`, `verdict`, `sentences`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftlens.core.arrays import FloatArray
from shiftlens.core.causes import sentences
from shiftlens.core.causes.augmentation import augmentation_of
from shiftlens.core.causes.cause_of_factor import Findings, class_mix_cause, tried_cause, untried_cause
from shiftlens.core.causes.changes import ActiveFactor, FactorFault, Plan
from shiftlens.core.causes.estimates import CLASS_MIX, Estimate
from shiftlens.core.causes.experiment import Trial, costless, run_trial
from shiftlens.core.causes.marginal_shifts import (
    NOT_MOVED,
    Moved,
    Shifted,
    accounted_for,
    class_mix,
    discrete_shift,
    shifts_of,
    suspects_of,
)
from shiftlens.core.causes.matched import Matched, find_all_changes
from shiftlens.core.causes.outcomes import TrialRows, randomised_rows
from shiftlens.core.causes.request import CauseRequest
from shiftlens.core.causes.search import Match
from shiftlens.core.causes.split import split_of
from shiftlens.core.causes.verdict import NEARLY_ALL, Gap
from shiftlens.core.causes.views import at_full_size, taught, viewed
from shiftlens.core.results.results import Cause, Interaction, LossSplit, RemedyResult, TrialSize, Unexplained


@dataclass(frozen=True)
class CausesFound:
    """What the trial found.

    Attributes:
        causes: one per factor that could be used, and the class mix where it changed; the costliest first.
        unexplained: the rest of the loss gap; None where there is no gap to explain or no target labels.
        split: the gap by classes, inputs and the rest; None where there is none to explain.
        interactions: pairs that cost more or less together than the sum of both.
        remedy, headline, warnings: for people.
        strips: ``(k, *sample)`` float32, what `StripCell.index` points into.
        rows: randomised rows for the generator's loss axis.
        size: how many samples that took, and how precise it became.
        left_out: factors that could not be used, with the reason.
        augmentation: content of augmentation.yaml, None where no factor is harmful.
        plan: the changes that turn the source into the target, as fitted.
        joint: fall of the accuracy by all of them together.
    """

    causes: list[Cause]
    unexplained: Unexplained | None
    split: LossSplit | None
    interactions: list[Interaction]
    remedy: RemedyResult
    headline: str
    warnings: list[str]
    strips: FloatArray
    rows: TrialRows
    size: TrialSize
    left_out: dict[str, str]
    augmentation: dict[str, object] | None
    plan: Plan
    joint: Estimate


def find_causes(request: CauseRequest) -> CausesFound:
    """Find which change in the data costs the classifier its accuracy."""
    usable, refused, broken = _usable(request)
    while True:
        try:
            measured = _measure(request, usable)
            estimated = _estimate(request, measured)
            return _judge(request, measured, estimated, refused, broken)
        except FactorFault as fault:  # a fault that the probe did not meet: start again without that factor
            broken[fault.name] = fault.reason
            usable = [factor for factor in usable if factor.name != fault.name]


def _usable(request: CauseRequest) -> tuple[list[ActiveFactor], dict[str, str], dict[str, str]]:
    """Factors that fit these samples; those that say that they do not, and those that fail, each with the reason."""
    source, target = (
        request.sight.samples(x)[slice(0, request.policy.trial.probed)]
        for x in (request.source_samples, request.target_samples)
    )
    usable: list[ActiveFactor] = []
    refused: dict[str, str] = {}
    broken: dict[str, str] = {}
    discrete = [factor for factor in request.factors if factor.discrete]
    for factor in [*viewed([f for f in request.factors if not f.discrete], request.sight), *discrete]:
        try:
            if factor.discrete:
                reason = _tried(request, factor)
            else:
                reason = factor.refuses(source) or factor.refuses(target)
            if not reason and not factor.discrete:
                here, there = factor.measure(source), factor.measure(target)
                spread = float(np.nanstd(here))
                if factor.interventional:
                    gap = max(abs(float(np.nanmedian(there) - np.nanmedian(here))), spread)
                    factor = taught(factor, request.source_samples, gap, request.sight)
                    step = np.full(min(len(source), 16), 0.1 * spread)
                    factor.shift(source[:16], step, np.random.default_rng(0))
        except FactorFault as fault:
            broken[factor.name] = fault.reason
            continue
        if reason:
            refused[factor.name] = reason
        else:
            usable.append(factor)
    return usable, refused, broken


def _tried(request: CauseRequest, factor: ActiveFactor) -> str:
    """Why a discrete factor is refused; an empty string where it is not, and works on a few samples."""
    source, target = (
        x[slice(0, request.policy.discrete.probed)] for x in (request.source_samples, request.target_samples)
    )
    reason = factor.refuses(source) or factor.refuses(target)
    if not reason:
        few = source[:16]
        factor.signs(few)
        first = factor.as_variant(factor.description.variants[0].name)
        first.shift(few, np.ones(len(few)), np.random.default_rng(0))
    return reason


@dataclass(frozen=True)
class _Measured:
    """What shifted, and the trial of each change.

    Attributes:
        shifts: each factor's own measure in both domains.
        matched: how that was found.
        match: the plan that turns the source into the target.
        others: factors that are not in the plan, and how far their measures moved.
        suspects: changes that bring a measure to its target values which the plan leaves open.
        class_mix: whether the proportions of the classes changed.
        rng: goes on with what is drawn from here on.
    """

    factors: Sequence[ActiveFactor]
    shifts: Mapping[str, Shifted]
    matched: Matched
    match: Match
    others: Sequence[ActiveFactor]
    moved: Mapping[str, Moved]
    suspects: Plan
    class_mix: bool
    trial: Trial
    rng: np.random.Generator
    warnings: Sequence[str]


@dataclass(frozen=True)
class _Estimated:
    """How much worse the target is, which part of that each change makes, and what is left."""

    gap: Gap
    shares: Mapping[str, Estimate]
    unexplained: Unexplained | None
    rest_is_large: bool


def _measure(request: CauseRequest, factors: Sequence[ActiveFactor]) -> _Measured:
    settings, rng = request.settings, np.random.default_rng([request.seed, 1])
    warnings: list[str] = []
    mix = class_mix(request, warnings)
    shifts = shifts_of(request, [factor for factor in factors if not factor.discrete], rng)
    request.show(0.05)
    matched = find_all_changes(
        request,
        factors,
        lambda change: costless(request, *at_full_size((change,))),
        lambda share: request.show(0.05 + 0.65 * share),
    )
    shifts |= {f.name: discrete_shift(f.name in matched.alike, request) for f in factors if f.discrete}
    match = matched.match
    others = [f for f in factors if f.name not in {change.name for change in (*matched.discrete, *match.plan)}]
    gradual = [factor for factor in others if not factor.discrete]
    moved = accounted_for(matched, gradual)
    suspects = suspects_of(matched.matcher, match.plan, gradual, shifts, moved, settings.alpha)
    suspects = at_full_size(suspects)
    match = replace(match, plan=(*matched.discrete, *at_full_size(match.plan)))
    trial = run_trial(request, match, suspects, mix, rng)
    return _Measured(factors, shifts, matched, match, others, moved, suspects, mix is not None, trial, rng, warnings)


def _estimate(request: CauseRequest, measured: _Measured) -> _Estimated:
    settings, effects = request.settings, measured.trial.effects
    gap, rise = effects.gap(settings.smallest_effect, settings.smallest_share)
    gap = replace(gap, unit=request.loss_unit, domains=request.domain_gap)
    if rise is None or not gap.worse:
        return _Estimated(gap, {}, None, False)
    unexplained = effects.unexplained(rise, settings.large_rest, len(measured.factors))
    return _Estimated(gap, effects.shares(rise), unexplained, unexplained.ci[0] > settings.large_rest)


def _judge(
    request: CauseRequest,
    measured: _Measured,
    estimated: _Estimated,
    refused: Mapping[str, str],
    broken: Mapping[str, str],
) -> CausesFound:
    match, trial, gap = measured.match, measured.trial, estimated.gap
    shape = request.source_samples.sample_shape
    strips: list[FloatArray] = []
    causes = _causes(request, measured, estimated, strips)
    harmful = tuple(c for c in match.plan if any(f.factor == c.name and f.verdict == "harmful" for f in causes))
    rest = estimated.unexplained.sentence if estimated.unexplained else ""
    split = None
    if estimated.unexplained:
        split = split_of(request, match.plan, estimated.shares, estimated.unexplained, estimated.rest_is_large)
        rest = split.sentence if split.relation else rest
    rows = randomised_rows(trial.rig, trial.scores, match.plan, request.settings.rows)
    request.show(1.0)
    return CausesFound(
        causes=causes,
        unexplained=estimated.unexplained,
        split=split,
        interactions=trial.effects.interactions(gap.worth, gap.unit),
        remedy=sentences.remedy_of(causes, gap, estimated.rest_is_large),
        headline=sentences.headline_of(
            causes, gap, rest, estimated.rest_is_large, _together(trial, match, causes, gap)
        ),
        warnings=[
            *(f"the factor {name} failed and is left out: {reason}" for name, reason in broken.items()),
            *measured.warnings,
            *_cut_off(measured.trial.size),
            *_warnings(request, causes),
        ],
        strips=np.stack(strips).astype(np.float32) if strips else np.zeros((0, *shape), dtype=np.float32),
        rows=rows,
        size=trial.size,
        left_out={**refused, **broken},
        augmentation=augmentation_of(harmful, request.seed) if harmful else None,
        plan=match.plan,
        joint=trial.effects.joint("correct"),
    )


def _causes(request: CauseRequest, measured: _Measured, estimated: _Estimated, strips: list[FloatArray]) -> list[Cause]:
    """One for each factor, and the class mix where it changed; the costliest first."""
    match, trial, gap = measured.match, measured.trial, estimated.gap
    findings = Findings(
        request, match, trial, measured.shifts, gap, estimated.shares, estimated.rest_is_large, measured.matched.alike
    )
    changes = (*match.plan, *measured.suspects)
    found: list[Cause] = []
    for change in changes:
        found.append(tried_cause(findings, change, strips))
        request.show(0.8 + 0.15 * len(found) / len(changes))
    if measured.class_mix:
        found.append(class_mix_cause(trial, estimated.shares.get(CLASS_MIX), gap))
    tried = {cause.factor for cause in found}
    for factor in measured.others:
        if factor.name not in tried:
            shifted, moved = measured.shifts[factor.name], measured.moved.get(factor.name, NOT_MOVED)
            found.append(untried_cause(request, factor, shifted, moved, measured.rng))
    rank = {"harmful": 0, "unclear": 1, "harmless": 2, "unchanged": 3}
    return sorted(found, key=lambda c: (rank[c.verdict], -(c.effect or 0.0)))


def _cut_off(size: TrialSize) -> list[str]:
    """What the budget left open, and what more would bring."""
    if not size.cut_off:
        return []
    return [
        f"trial.budget is spent ({size.scored} changed samples were scored): the effect of "
        f"{', '.join(size.cut_off)} is less precise than was asked for; about {size.more} more would do"
    ]


def _warnings(request: CauseRequest, causes: Sequence[Cause]) -> list[str]:
    """What a reader of these causes should know."""
    found = [
        f"{c.factor}: the change alone reached {100 * c.reached:.0f} % of the shift that was asked for"
        for c in causes
        if c.verdict == "harmful" and c.reached is not None and c.reached < NEARLY_ALL
    ]
    if request.target_labels is None:
        found.append(
            "the target has no labels: how much accuracy it lost was not measured; what each change costs was "
            "measured on source samples, and classes could not be evened out"
        )
    return found


def _together(trial: Trial, match: Match, found: Sequence[Cause], gap: Gap) -> str:
    """What is said of all changes of the plan together, where each is unclear for itself."""
    open_ones = {cause.factor for cause in found if cause.verdict == "unclear"}
    names = [change.name for change in match.plan]
    if not gap.worse or not set(names) <= open_ones:
        return ""
    joint = trial.effects.rise(frozenset(names))
    return sentences.together_sentence(names, joint.value, joint.ci, gap)
