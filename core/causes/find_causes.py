"""Causes: what shifted, what each change costs when it is made alone, and the verdicts (patent ¶66, FIG. 11).

`find_causes` is the whole of it: usable factors, what shifted (`shifts`, `matching`), the trial (`trial`), intervals
and shares (`effects`, `statistics`), verdicts and sentences (`verdicts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.causes import sentences
from shiftlens.core.causes.augmentation import augmentation_of
from shiftlens.core.causes.changes import ActiveFactor, FactorFault, Plan
from shiftlens.core.causes.distance import Matcher
from shiftlens.core.causes.estimates import (
    CLASS_MIX,
)
from shiftlens.core.causes.experiment import PROBED, Trial, costless, run_trial
from shiftlens.core.causes.judged import class_mix_cause, tried_cause, untried_cause
from shiftlens.core.causes.marginal_shifts import (
    Compared,
    accounted_for,
    class_mix,
    shifts_of,
    suspects_of,
)
from shiftlens.core.causes.outcomes import Score, TrialRows, randomised_rows
from shiftlens.core.causes.policy import TrialSettings
from shiftlens.core.causes.search import Match, find_changes
from shiftlens.core.causes.verdict import NEARLY_ALL, Gap
from shiftlens.core.causes.views import at_full_size, sight_of, taught, viewed
from shiftlens.core.data.samples import Samples
from shiftlens.core.data.scoring import Scores
from shiftlens.core.job import Progress
from shiftlens.core.results.results import (
    Cause,
    Interaction,
    RemedyResult,
    TrialSize,
    Unexplained,
)


@dataclass(frozen=True)
class CausesFound:
    """What the trial found.

    Attributes:
        causes: one per factor that could be used, and the class mix where it changed; the costliest first.
        unexplained: the rest of the loss gap; None where there is no gap to explain or no target labels.
        interactions: pairs that cost more or less together than the sum of both.
        remedy, headline, warnings: for people.
        strips: ``(k, *sample)`` float32, what `StripCell.index` points into.
        rows: randomised rows for the generator's loss axis.
        size: how many samples that took, and how precise it became.
        left_out: factors that could not be used, with the reason.
        augmentation: content of augmentation.yaml, None where no factor is harmful.
        plan: the changes that turn the source into the target, as fitted.
    """

    causes: list[Cause]
    unexplained: Unexplained | None
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


def find_causes(
    source: FloatArray | Samples,
    source_labels: IntArray,
    target: FloatArray | Samples,
    target_labels: IntArray | None,
    source_scores: Scores,
    target_scores: Scores,
    factors: Sequence[ActiveFactor],
    score: Score,
    kind: str,
    classes: Sequence[str],
    settings: TrialSettings,
    seed: int,
    progress: Progress,
    label_free: bool = False,
) -> CausesFound:
    """Find which change in the data costs the classifier its accuracy.

    Args:
        source, target: ``(n, *sample)`` and ``(m, *sample)`` float32; best samples that the classifier never saw.
        source_labels, target_labels: class index of each sample; None for a target without labels.
        source_scores, target_scores: the classifier's scores of these samples.
        factors: the candidates. One that refuses, raises or answers wrongly is left out, and the others go on.
        score: ``score(x, labels) -> Scores``.
        kind: of the samples, as in `Domain`.
        classes: class names in the order of the classifier's outputs.
        label_free: the loss needs no labels, so that the target's is known even where its labels are not.
    """
    source, target = Samples.of(source), Samples.of(target)
    sight = sight_of(kind, source.sample_shape)
    data = Compared(
        source, source_labels, source_scores, target, target_labels, target_scores,
        kind, tuple(classes), score, settings, seed, progress, sight, label_free,
    )  # fmt: skip
    usable, refused, broken = _usable(data, factors)
    while True:
        try:
            return _analyse(data, usable, refused, broken)
        except FactorFault as fault:  # a fault that the probe did not meet: start again without that factor
            broken[fault.name] = fault.reason
            usable = [factor for factor in usable if factor.name != fault.name]


def _usable(
    data: Compared, factors: Sequence[ActiveFactor]
) -> tuple[list[ActiveFactor], dict[str, str], dict[str, str]]:
    """Factors that fit these samples; those that say that they do not, and those that fail, each with the reason."""
    source, target = (data.sight.samples(x)[slice(0, PROBED)] for x in (data.source, data.target))
    usable: list[ActiveFactor] = []
    refused: dict[str, str] = {}
    broken: dict[str, str] = {}
    for factor in viewed(factors, data.sight):
        try:
            reason = factor.refuses(source) or factor.refuses(target)
            if not reason:
                here, there = factor.measure(source), factor.measure(target)
                spread = float(np.nanstd(here))
                if factor.interventional:
                    gap = max(abs(float(np.nanmedian(there) - np.nanmedian(here))), spread)
                    factor = taught(factor, data.source, gap, data.sight)
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


def _analyse(
    data: Compared, factors: Sequence[ActiveFactor], refused: Mapping[str, str], broken: Mapping[str, str]
) -> CausesFound:
    settings, rng = data.settings, np.random.default_rng([data.seed, 1])
    warnings = [f"the factor {name} failed and is left out: {reason}" for name, reason in broken.items()]
    mix = class_mix(data, warnings)
    shifts = shifts_of(data, factors, rng)
    data.told(0.05)
    matcher = Matcher(
        data.sight.samples(data.source), data.source_labels, data.sight.samples(data.target), data.target_labels,
        factors, data.kind, settings.matching_samples, data.seed, data.sight.broad,
    )  # fmt: skip
    match = find_changes(
        matcher,
        settings.most_factors,
        data.seed,
        lambda change: costless(data, *at_full_size((change,))),
        lambda share: data.told(0.05 + 0.65 * share),
    )
    others = [factor for factor in factors if factor.name not in {change.name for change in match.plan}]
    moved = accounted_for(matcher, match.plan, others)
    suspects = suspects_of(matcher, match.plan, others, shifts, moved, settings.alpha)
    match, suspects = replace(match, plan=at_full_size(match.plan)), at_full_size(suspects)
    trial = run_trial(data, match, suspects, mix, rng)
    gap, rise = trial.effects.gap(settings.smallest_effect, settings.smallest_share)
    unexplained, shares = None, {}
    if rise is not None and gap.worse:
        unexplained = trial.effects.unexplained(rise, settings.large_rest, len(factors))
        shares = trial.effects.shares(rise)
    rest_is_large = unexplained is not None and unexplained.ci[0] > settings.large_rest
    strips: list[FloatArray] = []
    found: list[Cause] = []
    for change in (*match.plan, *suspects):
        cause = tried_cause(
            data, trial, match, change, shifts[change.name], gap, shares.get(change.name), rest_is_large, strips
        )
        found.append(cause)
        data.told(0.8 + 0.15 * len(found) / len((*match.plan, *suspects)))
    if mix is not None:
        found.append(class_mix_cause(trial, shares.get(CLASS_MIX), gap))
    tried = {cause.factor for cause in found}
    for factor in others:
        if factor.name not in tried:
            found.append(untried_cause(data, factor, shifts[factor.name], moved[factor.name], rng))
    rank = {"harmful": 0, "unclear": 1, "harmless": 2, "unchanged": 3}
    found.sort(key=lambda c: (rank[c.verdict], -(c.effect or 0.0)))
    warnings += [
        f"{c.factor}: the change alone reached {100 * c.reached:.0f} % of the shift that was asked for"
        for c in found
        if c.verdict == "harmful" and c.reached is not None and c.reached < NEARLY_ALL
    ]
    if data.target_labels is None:
        warnings.append(
            "the target has no labels: how much accuracy it lost is not known; what each change costs was measured on "
            "source samples, and classes could not be evened out"
        )
    harmful = tuple(c for c in match.plan if any(f.factor == c.name and f.verdict == "harmful" for f in found))
    rows = randomised_rows(match.plan, trial.x, trial.scores, settings.rows, data.score, data.seed)
    data.told(1.0)
    shape = data.source.sample_shape
    return CausesFound(
        causes=found,
        unexplained=unexplained,
        interactions=trial.effects.interactions(gap.worth),
        remedy=sentences.remedy_of(found, gap, rest_is_large),
        headline=sentences.headline_of(
            found, gap, unexplained.sentence if unexplained else "", rest_is_large, _together(trial, match, found, gap)
        ),
        warnings=warnings,
        strips=np.stack(strips).astype(np.float32) if strips else np.zeros((0, *shape), dtype=np.float32),
        rows=rows,
        size=trial.size,
        left_out={**refused, **broken},
        augmentation=augmentation_of(harmful, data.seed) if harmful else None,
        plan=match.plan,
    )


def _together(trial: Trial, match: Match, found: Sequence[Cause], gap: Gap) -> str:
    """What is said of all changes of the plan together, where each is unclear for itself."""
    open_ones = {cause.factor for cause in found if cause.verdict == "unclear"}
    names = [change.name for change in match.plan]
    if not gap.worse or not set(names) <= open_ones:
        return ""
    joint = trial.effects.rise(frozenset(names))
    return sentences.together_sentence(names, joint.value, joint.ci, gap)
