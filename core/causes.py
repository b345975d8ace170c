"""Causes: what shifted, what each change costs when it is made alone, and the verdicts (patent ¶66, FIG. 11).

`find_causes` is the whole of it: usable factors, what shifted (`shifts`, `matching`), the trial (`trial`), intervals
and shares (`effects`, `statistics`), verdicts and sentences (`verdicts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from shiftlens.core import verdicts
from shiftlens.core.domain import FloatArray, IntArray
from shiftlens.core.effects import (
    CLASS_MIX,
    NONE,
    Effects,
    Estimate,
    Sensitivity,
    rows_per_coalition,
    wanted_coalitions,
)
from shiftlens.core.job import Progress
from shiftlens.core.matching import Match, Matcher, find_changes
from shiftlens.core.results import (
    Cause,
    DosePoint,
    Interaction,
    Remedy,
    StripCell,
    Unexplained,
)
from shiftlens.core.scoring import Scores
from shiftlens.core.shifts import (
    ACCOUNTED,
    VISIBLE,
    Compared,
    Moved,
    Shifted,
    accounted_for,
    class_mix,
    shifts_of,
    suspects_of,
)
from shiftlens.core.statistics import (
    Floats,
    partial_rank_correlation,
    percentile_interval,
    resampled_means,
    wrapped,
)
from shiftlens.core.trial import (
    ActiveFactor,
    Change,
    Dose,
    FactorFault,
    Outcomes,
    Plan,
    Score,
    TrialRows,
    TrialSettings,
    apply,
    augmentation_of,
    clipped_share,
    individual_parts,
    measure_coalitions,
    measure_dose,
    outcomes,
    randomised_rows,
    reached_share,
    undo,
)
from shiftlens.core.verdicts import Evidence, Gap

PROBED = 300
"""Samples of each domain that a factor is tried on before it is let in."""
DOSED = 400
"""Samples that the dose-response curves are measured on."""
UNDONE = 600
"""Target samples on which a change is undone."""


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
        left_out: factors that could not be used, with the reason.
        augmentation: content of augmentation.yaml, None where no factor is harmful.
    """

    causes: list[Cause]
    unexplained: Unexplained | None
    interactions: list[Interaction]
    remedy: Remedy
    headline: str
    warnings: list[str]
    strips: FloatArray
    rows: TrialRows
    left_out: dict[str, str]
    augmentation: dict[str, object] | None


def find_causes(
    source: FloatArray,
    source_labels: IntArray,
    target: FloatArray,
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
    data = Compared(
        source, source_labels, source_scores, target, target_labels, target_scores,
        kind, tuple(classes), score, settings, seed, progress, label_free,
    )  # fmt: skip
    usable, refused, broken = _usable(factors, source[:PROBED], target[:PROBED])
    while True:
        try:
            return _analyse(data, usable, refused, broken)
        except FactorFault as fault:  # a fault that the probe did not meet: start again without that factor
            broken[fault.name] = fault.reason
            usable = [factor for factor in usable if factor.name != fault.name]


def _usable(
    factors: Sequence[ActiveFactor], source: FloatArray, target: FloatArray
) -> tuple[list[ActiveFactor], dict[str, str], dict[str, str]]:
    """Factors that fit these samples; those that say that they do not, and those that fail, each with the reason."""
    usable: list[ActiveFactor] = []
    refused: dict[str, str] = {}
    broken: dict[str, str] = {}
    for factor in factors:
        try:
            reason = factor.refuses(source) or factor.refuses(target)
            if not reason:
                spread = float(np.nanstd(factor.measure(source)))
                factor.measure(target)
                if factor.interventional:
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
        data.source, data.source_labels, data.target, data.target_labels,
        factors, data.kind, settings.matching_samples, data.seed,
    )  # fmt: skip
    match = find_changes(
        matcher,
        settings.most_factors,
        data.seed,
        lambda change: _costless(data, change),
        lambda share: data.told(0.05 + 0.65 * share),
    )
    others = [factor for factor in factors if factor.name not in {change.name for change in match.plan}]
    moved = accounted_for(matcher, match.plan, others)
    suspects = suspects_of(matcher, match.plan, others, shifts, moved, settings.alpha)
    trial = _run_trial(data, match, suspects, mix, rng)
    gap, rise = trial.effects.gap(settings.smallest_effect, settings.smallest_share)
    unexplained, shares = None, {}
    if rise is not None and gap.worse:
        unexplained = trial.effects.unexplained(rise, settings.large_rest, len(factors))
        shares = trial.effects.shares(rise)
    rest_is_large = unexplained is not None and unexplained.ci[0] > settings.large_rest
    strips: list[FloatArray] = []
    found: list[Cause] = []
    for change in (*match.plan, *suspects):
        cause = _tried(
            data, trial, match, change, shifts[change.name], gap, shares.get(change.name), rest_is_large, strips
        )
        found.append(cause)
        data.told(0.8 + 0.15 * len(found) / len((*match.plan, *suspects)))
    if mix is not None:
        found.append(_class_mix_cause(trial, shares.get(CLASS_MIX), gap))
    tried = {cause.factor for cause in found}
    for factor in others:
        if factor.name not in tried:
            found.append(_untried(data, factor, shifts[factor.name], moved[factor.name], rng))
    rank = {"harmful": 0, "unclear": 1, "harmless": 2, "unchanged": 3}
    found.sort(key=lambda c: (rank[c.verdict], -(c.effect or 0.0)))
    warnings += [
        f"{c.factor}: the change alone reached {100 * c.reached:.0f} % of the shift that was asked for"
        for c in found
        if c.verdict == "harmful" and c.reached is not None and c.reached < verdicts.NEARLY_ALL
    ]
    if data.target_labels is None:
        warnings.append(
            "the target has no labels: how much accuracy it lost is not known; what each change costs was measured on "
            "source samples, and classes could not be evened out"
        )
    harmful = tuple(c for c in match.plan if any(f.factor == c.name and f.verdict == "harmful" for f in found))
    rows = randomised_rows(match.plan, trial.x, trial.scores, settings.rows, data.score, data.seed)
    data.told(1.0)
    shape = data.source.shape[1:]
    return CausesFound(
        causes=found,
        unexplained=unexplained,
        interactions=trial.effects.interactions(gap.worth),
        remedy=verdicts.remedy_of(found, gap, rest_is_large),
        headline=verdicts.headline_of(found, gap, unexplained.sentence if unexplained else "", rest_is_large),
        warnings=warnings,
        strips=np.stack(strips).astype(np.float32) if strips else np.zeros((0, *shape), dtype=np.float32),
        rows=rows,
        left_out={**refused, **broken},
        augmentation=augmentation_of(harmful, data.seed) if harmful else None,
    )


@dataclass(frozen=True)
class _Trial:
    """The trial's samples with everything that was measured on them."""

    x: FloatArray
    labels: IntArray
    scores: Scores
    effects: Effects
    dosed: Mapping[str, tuple[Dose, list[FloatArray], list[Scores]]]


def _costless(data: Compared, change: Change) -> bool:
    """A first look, on few samples: whether a change alone surely costs less than what is worth naming."""
    settings, few = data.settings, slice(0, PROBED)
    x, labels = data.source[few], data.source_labels[few]
    own = individual_parts([change.name], len(x), data.seed)
    rise = data.score(apply([change], x, own, data.seed), labels).loss - data.source_scores.loss[few]
    worth = settings.smallest_effect
    if data.target_labels is not None:
        gap = float(data.target_scores.loss.mean() - data.source_scores.loss.mean())
        worth = max(worth, settings.smallest_share * gap)
    return float(rise.mean() + 2 * rise.std() / np.sqrt(len(rise))) < worth


def _run_trial(data: Compared, match: Match, suspects: Plan, mix: Floats | None, rng: np.random.Generator) -> _Trial:
    """Measure every set of the plan's changes, and each change at several strengths, on the same source samples."""
    settings, plan = data.settings, match.plan
    rows = np.sort(rng.permutation(len(data.source))[: settings.samples])
    x, labels = data.source[rows], data.source_labels[rows]
    scores = _rows_of(data.source_scores, rows)
    names = [change.name for change in plan]
    wanted, orders = wanted_coalitions(names, rng)
    size = rows_per_coalition(len(rows), len(names))
    alone = [frozenset([change.name]) for change in (*plan, *suspects)]
    on_all = [NONE, *alone, frozenset(names)]
    before = {NONE: outcomes(scores)}
    steps = len(on_all) + (len(wanted) if size < len(rows) else 0)
    full = measure_coalitions(
        (*plan, *suspects), on_all if size < len(rows) else [*wanted, *alone], x, labels, data.score, data.seed,
        lambda done: data.told(0.7 + 0.1 * done / max(steps, 1)), before,
    )  # fmt: skip
    part = full
    if size < len(rows):
        known = {c: Outcomes(o.loss[:size], o.correct[:size]) for c, o in full.items()}
        part = measure_coalitions(
            plan, wanted, x[:size], labels[:size], data.score, data.seed, lambda done: None, known
        )
    parts = np.linspace(0, 1, settings.dose_steps + 1)
    dosed = {}
    few = slice(0, DOSED)
    for change in (*plan, *suspects):
        begun = Outcomes(before[NONE].loss[few], before[NONE].correct[few])
        dosed[change.name] = measure_dose(change, x[few], labels[few], begun, data.score, data.seed, parts)
    sensitivity = {
        name: Sensitivity(match.errors.get(name, 0.0), *(_last_slope(parts, v.mean(1)) for v in (d.loss, d.correct)))
        for name, (d, _, _) in dosed.items()
    }
    weight = None if mix is None else mix[labels]
    effects = Effects(
        [*names, CLASS_MIX] if mix is not None else names, full, part, weight, data.source_scores,
        data.target_scores if data.gap_is_known else None, sensitivity, orders, settings.bootstrap, rng,
    )  # fmt: skip
    return _Trial(x, labels, scores, effects, dosed)


def _last_slope(parts: Floats, values: Floats) -> float:
    """Rise per whole strength over the last two steps of a dose-response curve."""
    first = max(0, len(parts) - 3)
    return float((values[-1] - values[first]) / (parts[-1] - parts[first]))


def _rows_of(scores: Scores, rows: IntArray) -> Scores:
    return Scores(scores.loss[rows], scores.label[rows], scores.prediction[rows], scores.confidence[rows])


def _tried(
    data: Compared,
    trial: _Trial,
    match: Match,
    change: Change,
    shifted: Shifted,
    gap: Gap,
    share: Estimate | None,
    rest_is_large: bool,
    strips: list[FloatArray],
) -> Cause:
    """The cause of a factor that was changed."""
    loss, fall = trial.effects.effect(change.name), trial.effects.effect(change.name, "correct")
    dose, samples, _ = trial.dosed[change.name]
    own = individual_parts([change.name], len(samples[0]), data.seed)
    reached = reached_share(change, samples[0], samples[-1], change.deltas(samples[0], own[change.name]))
    supported = any(c.name == change.name for c in match.plan)
    restored = _restored(data, match.plan, change) if supported else None
    rivals = match.rivals.get(change.name, [])
    description = change.factor.description
    rises = float(wrapped(shifted.shift.target - shifted.shift.source, change.factor.period)) >= 0
    evidence = Evidence(
        name=change.name,
        noun=verdicts.noun_of(description.noun, change.name, rises),
        shift=shifted.shift,
        effect=loss.value,
        ci=loss.ci,
        accuracy_effect=fall.value,
        reached=reached,
        clipped=clipped_share(data.kind, samples[0], samples[-1]),
        restored=restored.value if restored else None,
        rivals=rivals,
        supported=supported,
    )
    verdict = verdicts.verdict_of(evidence, gap.worth, rest_is_large, share.value if share else None)
    points = _dose_points(dose, data)
    # A circular measure has no largest value: "safe up to" would mean nothing.
    tells_limit = verdict in ("harmful", "unclear") and change.factor.period is None
    return Cause(
        factor=change.name,
        verdict=verdict,
        effect=loss.value,
        ci=loss.ci,
        accuracy_effect=fall.value,
        accuracy_ci=fall.ci,
        share=share.value if share else None,
        share_ci=share.ci if share else None,
        shift=shifted.shift,
        reached=reached,
        clipped=evidence.clipped,
        restored=restored.value if restored else None,
        restored_ci=restored.ci if restored else None,
        evidence="intervention",
        rivals=list(rivals),
        safe_until=_safe_until(points, gap.worth) if tells_limit else None,
        dose=points,
        strip=_strip(data, trial, change.factor, verdict, strips),
        distribution=shifted.distribution,
        sentence=verdicts.sentence_of(verdict, evidence, gap),
    )


def _restored(data: Compared, plan: Plan, change: Change) -> Estimate | None:
    """Accuracy that undoing one change on target samples brings back; None without labels."""
    if data.target_labels is None:
        return None
    rng = np.random.default_rng([data.seed, 5])
    rows = np.sort(rng.permutation(len(data.target))[:UNDONE])
    others = tuple(c for c in plan if c.name != change.name)
    some = rng.permutation(len(data.source))[:UNDONE]
    own = individual_parts([c.name for c in others], len(some), data.seed)
    reference = change.factor.measure(apply(others, data.source[some], own, data.seed))
    mended = data.score(undo(change, data.target[rows], reference, data.seed), data.target_labels[rows])
    gained = mended.correct.astype(np.float64) - data.target_scores.correct[rows]
    return Estimate(float(gained.mean()), resampled_means(gained, data.settings.bootstrap, rng))


def _dose_points(dose: Dose, data: Compared) -> list[DosePoint]:
    """The dose-response curve, set on the level of the whole source."""
    rng = np.random.default_rng([data.seed, 6])
    rise, fall = dose.loss - dose.loss[:1], dose.correct[:1] - dose.correct  # (k, n)
    level, accuracy = float(data.source_scores.loss.mean()), float(data.source_scores.correct.mean())
    draws = resampled_means(np.ascontiguousarray(rise.T), data.settings.bootstrap, rng)  # (draws, k)
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
    data: Compared, trial: _Trial, factor: ActiveFactor, verdict: str, strips: list[FloatArray]
) -> list[StripCell]:
    """The same source sample at its own value, midway and at the full change, with the measured loss of each.

    One that shows the finding: right before; wrong after a harmful change; else of middling loss.
    """
    dose, samples, scores = trial.dosed[factor.name]
    last = len(dose.part) - 1
    middle = last // 2
    candidates = np.flatnonzero((dose.correct[0] == 1) & (dose.correct[last] == (0 if verdict == "harmful" else 1)))
    if not len(candidates):
        candidates = np.arange(dose.loss.shape[1])
    order = candidates[np.argsort(dose.loss[last, candidates], kind="stable")]
    row = int(order[len(order) // 2])
    cells = []
    for step in (0, middle, last):
        predicted = int(scores[step].prediction[row])
        value = float(factor.measure(samples[step][row : row + 1])[0])
        cells.append(
            StripCell(
                index=len(strips),
                value=value if np.isfinite(value) else float(dose.value[step]),
                loss=float(dose.loss[step, row]),
                predicted=data.classes[predicted] if predicted < len(data.classes) else str(predicted),
                correct=bool(dose.correct[step, row]),
            )
        )
        strips.append(samples[step][row])
    return cells


def _untried(
    data: Compared,
    factor: ActiveFactor,
    shifted: Shifted,
    moved: Moved,
    rng: np.random.Generator,
) -> Cause:
    """The cause of a factor that was not changed: unchanged, a shadow, observed only, or moved without a reason."""
    differs = shifted.p < data.settings.alpha
    common = {"factor": factor.name, "shift": shifted.shift, "distribution": shifted.distribution}
    if differs and moved.accounted >= ACCOUNTED and moved.causes:
        sentence = verdicts.unchanged_sentence(factor.name, shifted.shift, moved.causes)
        return Cause(**common, verdict="unchanged", effect=None, shadow_of=moved.causes, sentence=sentence)
    if not differs or (factor.interventional and moved.size < VISIBLE):
        return Cause(
            **common, verdict="unchanged", effect=None, sentence=verdicts.unchanged_sentence(factor.name, None, [])
        )
    if factor.interventional or data.target_labels is None:
        return Cause(
            **common, verdict="unclear", effect=None, sentence=verdicts.unmatched_sentence(factor.name, shifted.shift)
        )
    rows = rng.permutation(len(data.target))[: data.settings.samples]
    measured = factor.measure(data.target[rows])
    correlation, ci = partial_rank_correlation(
        measured, data.target_scores.loss[rows], np.zeros((len(rows), 0)), data.target_labels[rows], 200, rng
    )
    return Cause(
        **common,
        verdict="unclear",
        effect=None,
        evidence="observation",
        sentence=verdicts.observed_sentence(factor.name, shifted.shift, correlation, ci),
    )


def _class_mix_cause(trial: _Trial, share: Estimate | None, gap: Gap) -> Cause:
    """The finding that the proportions of the classes changed."""
    loss, fall = trial.effects.effect(CLASS_MIX), trial.effects.effect(CLASS_MIX, "correct")
    low, high = loss.ci
    verdict: verdicts.Verdict = "harmful" if low > gap.worth else "harmless" if high < gap.worth else "unclear"
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
        sentence=verdicts.class_mix_sentence(verdict, loss.value, loss.ci, fall.value, gap),
    )
