"""The cause that is made of what was found about one factor: its figures, its pictures, its verdict and sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from shiftlens.core.arrays import FloatArray
from shiftlens.core.causes import sentences
from shiftlens.core.causes.changes import (
    ActiveFactor,
    Change,
    Plan,
    apply,
    individual_parts,
    undoing,
)
from shiftlens.core.causes.estimates import CLASS_MIX, Estimate
from shiftlens.core.causes.experiment import Trial
from shiftlens.core.causes.marginal_shifts import Moved, Shifted, measured_on
from shiftlens.core.causes.outcomes import Dose
from shiftlens.core.causes.request import CauseRequest
from shiftlens.core.causes.search import Match
from shiftlens.core.causes.statistics import partial_rank_correlation, percentile_interval, resampled_means
from shiftlens.core.causes.verdict import Evidence, Gap, Verdict, verdict_of
from shiftlens.core.data.scoring import join
from shiftlens.core.results.results import Cause, DosePoint, StripCell


@dataclass(frozen=True)
class Findings:
    """What all causes of one analysis are made of.

    Attributes:
        shifts: how each factor's own measure differs.
        shares: each change's part of the loss gap; empty where there is none to explain.
        rest_is_large: most of the gap is explained by nothing that was tried.
        alike: of a discrete change, other variants that the data cannot tell from it.
    """

    request: CauseRequest
    match: Match
    trial: Trial
    shifts: Mapping[str, Shifted]
    gap: Gap
    shares: Mapping[str, Estimate]
    rest_is_large: bool
    alike: Mapping[str, list[str]]


def tried_cause(findings: Findings, change: Change, strips: list[FloatArray]) -> Cause:
    """The cause of a factor that was changed; its pictures are added to ``strips``."""
    request, trial, match, gap = findings.request, findings.trial, findings.match, findings.gap
    shifted, share = findings.shifts[change.name], findings.shares.get(change.name)
    loss, fall = trial.effects.effect(change.name), trial.effects.effect(change.name, "correct")
    dosed = trial.dosed[change.name]
    supported = any(c.name == change.name for c in match.plan)
    restored = _restored(request, match.plan, change) if supported else None
    rivals = match.rivals.get(change.name, [])
    description, variant = change.factor.description, change.factor.chosen
    shift = shifted.shift
    if change.factor.period:  # the fit has looked at more than this measure, and knows which way round it was
        shift = shift.model_copy(update={"turn": change.offset})
    evidence = Evidence(
        name=change.name,
        noun=variant.noun if variant else sentences.noun_of(description.noun, change.name, sentences.rises(shift)),
        advice=variant.advice if variant else "",
        shift=shift,
        effect=loss.value,
        ci=loss.ci,
        accuracy_effect=fall.value,
        reached=dosed.reached,
        clipped=None if variant else dosed.clipped,
        restored=restored.value if restored else None,
        rivals=rivals,
        supported=supported,
        needed=trial.effects.needed(change.name, gap.worth),
    )
    verdict = verdict_of(evidence, gap.worth, findings.rest_is_large, share.value if share else None)
    points = _dose_points(dosed.dose, request)
    # A circular measure has no largest value: "safe up to" would mean nothing.
    tells_limit = verdict in ("harmful", "unclear") and change.factor.period is None and variant is None
    return Cause(
        factor=change.name,
        verdict=verdict,
        effect=loss.value,
        ci=loss.ci,
        samples=trial.effects.rows_of(frozenset([change.name])),
        accuracy_effect=fall.value,
        accuracy_ci=fall.ci,
        share=share.value if share else None,
        share_ci=share.ci if share else None,
        shift=shift,
        reached=dosed.reached,
        clipped=evidence.clipped,
        restored=restored.value if restored else None,
        restored_ci=restored.ci if restored else None,
        evidence="intervention",
        rivals=list(rivals),
        safe_until=_safe_until(points, gap.worth) if tells_limit else None,
        dose=points,
        strip=_strip(request, trial, change.factor, verdict, strips),
        distribution=None if variant else shifted.distribution,
        variant=variant.name if variant else "",
        advice=evidence.advice,
        alike=list(findings.alike.get(change.name, [])),
        sentence=sentences.sentence_of(verdict, evidence, gap),
    )


def _restored(request: CauseRequest, plan: Plan, change: Change) -> Estimate | None:
    """Accuracy that undoing one change on target samples brings back; None without labels."""
    variant = change.factor.chosen
    if request.target_labels is None or (variant is not None and not variant.undoable):
        return None
    rng = np.random.default_rng([request.seed, 5])
    rows = np.sort(rng.permutation(len(request.target_samples))[: request.policy.trial.undone])
    others = tuple(c for c in plan if c.name != change.name)
    some = rng.permutation(len(request.source_samples))[: request.policy.trial.undone]
    own = individual_parts([c.name for c in others], len(some), request.seed)
    source, target, factor = request.source_samples.some(some), request.target_samples.some(rows), change.factor
    if variant is not None:
        delta = np.full(len(rows), -1.0)
    else:
        reference = []
        for part in source.parts():
            numbers = {name: values[part] for name, values in own.items()}
            reference.append(factor.measure(apply(others, source[part], numbers, request.seed + part.start)))
        delta = undoing(factor, measured_on([factor], target)[factor.name], np.concatenate(reference))
    mended = join(
        [
            request.score(
                factor.shift(target[part], delta[part], np.random.default_rng([request.seed, 13, part.start])),
                request.target_labels[rows[part]],
            )
            for part in target.parts()
        ]
    )
    gained = mended.correct.astype(np.float64) - request.target_scores.correct[rows]
    return Estimate(float(gained.mean()), resampled_means(gained, request.settings.bootstrap, rng))


def _dose_points(dose: Dose, request: CauseRequest) -> list[DosePoint]:
    """The dose-response curve, set on the level of the whole source."""
    rng = np.random.default_rng([request.seed, 6])
    rise, fall = dose.loss - dose.loss[:1], dose.correct[:1] - dose.correct  # (k, n)
    level, accuracy = float(request.source_scores.loss.mean()), float(request.source_scores.correct.mean())
    draws = resampled_means(np.ascontiguousarray(rise.T), request.settings.bootstrap, rng)  # (draws, k)
    points = []
    for i in range(len(dose.part)):
        low, high = percentile_interval(draws[:, i])
        points.append(
            DosePoint(
                value=float(dose.value[i]),
                loss=level + float(rise[i].mean()),
                accuracy=accuracy - float(fall[i].mean()),
                loss_ci=(level + low, level + high),
            )
        )
    return points


def _safe_until(points: Sequence[DosePoint], worth: float) -> float | None:
    """The measured value at which the loss has risen by what is worth naming; None where it never does."""
    for before, after in pairwise(points):
        if after.loss - points[0].loss > worth:
            part = (worth - (before.loss - points[0].loss)) / (after.loss - before.loss)
            return before.value + float(np.clip(part, 0, 1)) * (after.value - before.value)
    return None


def _strip(
    request: CauseRequest, trial: Trial, factor: ActiveFactor, verdict: str, strips: list[FloatArray]
) -> list[StripCell]:
    """The same source sample at its own value, midway and at the full change, with the measured loss of each.

    One that shows the finding: right before; wrong after a harmful change; else of middling loss.
    """
    dosed = trial.dosed[factor.name]
    dose = dosed.dose
    last = len(dose.part) - 1
    middle = last // 2
    candidates = np.flatnonzero((dose.correct[0] == 1) & (dose.correct[last] == (0 if verdict == "harmful" else 1)))
    if not len(candidates):
        candidates = np.arange(dose.loss.shape[1])
    order = candidates[np.argsort(dose.loss[last, candidates], kind="stable")]
    row = int(order[len(order) // 2])
    cells = []
    for step in (0, middle, last):
        predicted = int(dosed.prediction[step, row])
        sample = dosed.again(step, row)
        value = float("nan") if factor.discrete else float(factor.measure(sample[None])[0])
        cells.append(
            StripCell(
                index=len(strips),
                value=value if np.isfinite(value) else float(dose.value[step]),
                loss=float(dose.loss[step, row]),
                predicted=request.classes[predicted] if predicted < len(request.classes) else str(predicted),
                correct=bool(dose.correct[step, row]),
            )
        )
        strips.append(sample)
    return cells


def untried_cause(
    request: CauseRequest,
    factor: ActiveFactor,
    shifted: Shifted,
    moved: Moved,
    rng: np.random.Generator,
) -> Cause:
    """The cause of a factor that was not changed: unchanged, a shadow, observed only, or moved without a reason."""
    differs = shifted.p < request.settings.alpha
    common = {"factor": factor.name, "shift": shifted.shift, "distribution": shifted.distribution}
    if differs and moved.accounted >= request.policy.trial.accounted and moved.causes:
        sentence = sentences.unchanged_sentence(factor.name, shifted.shift, moved.causes)
        return Cause(**common, verdict="unchanged", effect=None, shadow_of=moved.causes, sentence=sentence)
    if not differs or (factor.interventional and moved.size < request.policy.trial.visible):
        return Cause(
            **common, verdict="unchanged", effect=None, sentence=sentences.unchanged_sentence(factor.name, None, [])
        )
    if factor.interventional or request.target_labels is None:
        return Cause(
            **common, verdict="unclear", effect=None, sentence=sentences.unmatched_sentence(factor.name, shifted.shift)
        )
    rows = rng.permutation(len(request.target_samples))[: request.settings.samples]
    measured = measured_on([factor], request.sight.samples(request.target_samples.some(rows)))[factor.name]
    correlation, ci = partial_rank_correlation(
        measured, request.target_scores.loss[rows], np.zeros((len(rows), 0)), request.target_labels[rows],
        request.policy.trial.correlation_draws, rng,
    )  # fmt: skip
    return Cause(
        **common,
        verdict="unclear",
        effect=None,
        evidence="observation",
        sentence=sentences.observed_sentence(factor.name, shifted.shift, correlation, ci),
    )


def class_mix_cause(trial: Trial, share: Estimate | None, gap: Gap) -> Cause:
    """The finding that the proportions of the classes changed."""
    loss, fall = trial.effects.effect(CLASS_MIX), trial.effects.effect(CLASS_MIX, "correct")
    low, high = loss.ci
    verdict: Verdict = "harmful" if low > gap.worth else "harmless" if high < gap.worth else "unclear"
    return Cause(
        factor=CLASS_MIX,
        verdict=verdict,
        effect=loss.value,
        ci=loss.ci,
        accuracy_effect=fall.value,
        accuracy_ci=fall.ci,
        share=share.value if share else None,
        share_ci=share.ci if share else None,
        evidence="intervention",
        sentence=sentences.class_mix_sentence(verdict, loss.value, loss.ci, fall.value, gap),
    )
