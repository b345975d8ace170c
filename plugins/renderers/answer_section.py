"""The first screen: before, after, the sentence, how far to trust it, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from shiftlens.core.grid.fidelity import LOW_FIDELITY
from shiftlens.core.results.results import AccuracyEstimate, Interval, Results
from shiftlens.plugins.renderers.causes_section import strip_pictures
from shiftlens.plugins.renderers.charts import LossColours
from shiftlens.plugins.renderers.context import Accuracy, Answer, Light, RemedyRow, RemedyView, Wipe
from shiftlens.plugins.renderers.gallery import Gallery
from shiftlens.plugins.renderers.words import count, factor_title, interval, listed, percent, points

LONG_HEADLINE = 130  # characters from which it is set smaller
FEW = 200  # samples below which a figure is told to be coarse
LARGE_REST = 0.3  # of the loss gap


def answer_section(results: Results, settings: Mapping[str, Any], gallery: Gallery, scale: LossColours) -> Answer:
    before, after = results.accuracy.source, results.accuracy.target
    change, words = "", "The target has no labels, so its accuracy cannot be known."
    if after is not None:
        fell = after < before
        change = f"{'−' if fell else '+'}{points(abs(after - before))}"
        words = f"the accuracy {'falls' if fell else 'rises'} by {points(abs(after - before))}"
    estimate = results.accuracy_estimate
    if estimate is not None:
        words = estimate.sentence
    ci, measured = results.accuracy_ci, results.measured_on or results.samples
    remedy = remedy_section(results)
    return Answer(
        before=_side("source", before, ci.source if ci else None, measured.source),
        after=_estimated(estimate) if estimate else _side("target", after, ci.target if ci else None, measured.target),
        change=change,
        change_words=words,
        falls=after is not None and after < before,
        headline=results.headline,
        is_long=len(results.headline) > LONG_HEADLINE,
        light=light_of(results),
        wipe=_wipe(results, gallery, scale),
        remedy=remedy.sentence if remedy else "",
        measured=results.remedy.measured_sentence if results.remedy else "",
        command=remedy.commands[0] if remedy and remedy.commands else "",
        facts=_facts(results, settings),
    )


def _side(name: str, value: float | None, ci: Interval | None, samples: int) -> Accuracy:
    known = "not known" if value is None else percent(value, 1)
    why = ", which have no labels" if value is None else ""
    between = f"{percent(ci[0], 1)} to {percent(ci[1], 1)}" if ci else ""
    return Accuracy(name, known, None if value is None else 100 * value, between, count(samples, "sample") + why)


def _estimated(found: AccuracyEstimate) -> Accuracy:
    """The target's side where it has no labels: told as an estimate, never as a measurement."""
    between = f"{percent(found.ci[0])} to {percent(found.ci[1])}"
    known = f"about {percent(found.value)}"
    return Accuracy(
        "target", known, 100 * found.value, between, f"{count(found.samples, 'sample')}, estimated: no labels"
    )


def _facts(results: Results, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """What was analysed and when: names of the data as given, kind, classes, day."""
    names = []
    for role in ("source", "target"):
        given = settings.get(role)
        path = given.get("path") if isinstance(given, Mapping) else None
        if path:
            names.append(PurePath(str(path)).name)
    shape = " × ".join(map(str, results.sample_shape))
    told = (" → ".join(names), f"{results.kind} {shape}", count(len(results.classes), "class"), results.provenance.date)
    return tuple(fact for fact in told if fact)


def light_of(results: Results) -> Light:
    """One light: stop where the cause is not among what was found, care where something keeps it from being sure."""
    rest = results.unexplained
    by_groups = any(one.verdict == "harmful" and (one.mix_share or 0.0) > 1 - LARGE_REST for one in results.groups)
    if rest is not None and rest.ci[0] > LARGE_REST and not by_groups:
        sentence = (
            f"{percent(rest.share)} of the loss has a cause that none of the factors measured explains: look at the "
            "samples before you act on the named ones."
        )
        return Light("stop", "Do not rely on it", sentence)
    doubts = _doubts(results)
    if doubts:
        return Light("care", "With care", doubts[0])
    measured = results.measured_on or results.samples
    on = f"{measured.source:,} source and {measured.target:,} target samples"
    harmful = [cause for cause in results.causes if cause.verdict == "harmful"]
    if not harmful:
        return Light("trust", "Trust it", f"It rests on {on}, and nothing speaks against it.")
    widths = [(c.accuracy_ci[1] - c.accuracy_ci[0]) / 2 for c in harmful if c.accuracy_ci is not None]
    size = f" How much each costs is known to within {points(max(widths))}." if widths else ""
    return Light(
        "trust",
        "Trust it",
        f"What was named harmful was made on real samples and measured; accuracies are of {on}.{size}",
    )


def _doubts(results: Results) -> list[str]:
    """What keeps the finding from being sure, the weightiest first."""
    found = []
    measured = results.measured_on or results.samples
    if results.accuracy.target is None:
        estimated = ": its accuracy is an estimate, not a measurement" if results.accuracy_estimate else ""
        found.append(
            f"The target has no labels{estimated}; what it lost is not known, and costs are those on source samples."
        )
    if not results.causes:
        found.append("No factor fits these samples, so nothing was looked for.")
    unclear = [factor_title(c.factor, results.columns) for c in results.causes if c.verdict == "unclear"]
    harmful = [cause for cause in results.causes if cause.verdict == "harmful"]
    if unclear:
        verb = "is" if len(unclear) == 1 else "are"
        found.append(f"The evidence does not decide about {listed(unclear[:3])}, which {verb} listed below as unclear.")
    weak = [c for c in harmful if c.reached is not None and c.reached < 0.8]
    if weak:
        name = factor_title(weak[0].factor, results.columns)
        found.append(f"The change of {name} could be imitated only to {percent(weak[0].reached)}.")
    if results.trial is not None and not results.trial.reached and results.trial.drawn >= results.trial.most:
        found.append("The effects could not be measured as precisely as was asked for: more source samples would help.")
    if min(measured.source, measured.target) < FEW:
        found.append(f"It rests on few samples ({measured.source:,} before, {measured.target:,} after).")
    shown = results.intervention
    spearman = shown.fidelity.spearman if shown and shown.fidelity else None
    if spearman is not None and spearman < LOW_FIDELITY:
        found.append("The loss of single samples does not follow the strength of the changes.")
    return found


def _wipe(results: Results, gallery: Gallery, scale: LossColours) -> Wipe | None:
    """The costliest harmful change on one real sample; None where nothing is harmful or there is no picture."""
    harmful = [cause for cause in results.causes if cause.verdict == "harmful" and len(cause.strip) > 1]
    if not harmful:
        return None
    strip = strip_pictures(harmful[0], results, gallery, scale)
    if len(strip) < 2:
        return None
    first, last, name = strip[0], strip[-1], factor_title(harmful[0].factor, results.columns)
    then = f"now {last.predicted}" if last.wrong else f"still {last.predicted}"
    return Wipe(
        first, last, f"One real source sample, nothing changed but its {name}: before {first.predicted}, {then}."
    )


REMEDIES = {
    "as it is": "as it is",
    "undo": "undo the change before the classifier",
    "refit-head": "refit the last layer",
    "retrain": "train again",
    "normalise": "estimate the normalisation anew on the target",
    "use-where": "use it only where it can be trusted",
}
"""What a person calls the built-in remedies; a plugin's keep their name."""


def remedy_section(results: Results) -> RemedyView | None:
    """None where the results tell nothing to do."""
    remedy = results.remedy
    if remedy is None:
        return None
    rows = tuple(
        RemedyRow(
            name=REMEDIES.get(row.name, factor_title(row.name)),
            samples=row.samples,
            target=percent(row.target, 1) + interval(row.target_ci, lambda v: percent(v, 1)),
            source=percent(row.source, 1) + interval(row.source_ci, lambda v: percent(v, 1)),
            recovered=percent(row.recovered) + interval(row.recovered_ci, percent),
            coverage="all" if row.coverage is None else percent(row.coverage),
            words=row.why_not,
        )
        for row in remedy.measured or ()
    )
    on = ""
    if remedy.samples is not None:
        on = f"Measured on {remedy.samples.source:,} source and {remedy.samples.target:,} target samples held out."
    # The report lies in the run directory, so that a dot is the run.
    commands = ["shiftlens augment . --out more.npz"] if remedy.advice == "retrain" else []
    for row in remedy.measured or ():
        if row.file and row.recovered is not None and row.recovered > 0:
            name = row.file.rpartition("classifier-")[2].removesuffix(".onnx")
            commands.append(f"shiftlens export . --classifier {name} --target directory --out {name}")
    measured = remedy.measured_sentence or _not_measured(remedy.why_not)
    return RemedyView(remedy.sentence, measured, rows, on, tuple(commands))


def _not_measured(why_not: str) -> str:
    return f"What a remedy brings was not measured: {why_not}." if why_not else ""
