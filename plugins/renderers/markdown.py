"""report.md: the findings in one short page, for a pull request or a chat."""

from __future__ import annotations

import re

from shiftlens.core.grid.fidelity import LOW_FIDELITY
from shiftlens.core.results.report import Report
from shiftlens.core.results.results import Cause, Results
from shiftlens.plugins.renderers.converter_section import converter_words
from shiftlens.plugins.renderers.words import interval, number, percent, points, signed, with_unit

MOST_GROUPS = 8
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#+!|~&])")  # GitHub takes an escaped parenthesis for the start of a formula


def plain(text: str) -> str:
    """Text with everything escaped that Markdown or HTML would read as markup, on one line."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def render(report: Report) -> dict[str, bytes]:
    """``{"report.md": ...}``."""
    results = report.results
    parts = [f"# {plain(results.name)}", plain(results.headline), _accuracies(results)]
    if results.warnings:
        parts.append("\n".join(f"- **Warning:** {plain(warning)}" for warning in results.warnings))
    if results.causes:
        parts += ["## Why", _causes(results)]
    if results.unexplained:
        rest = results.unexplained
        share = percent(rest.share) + interval(rest.ci, percent)
        parts.append(f"Not explained by any factor: {share} of the loss gap. {plain(rest.sentence)}".rstrip())
    if results.split and results.split.sentence != results.headline:
        parts.append(plain(results.split.sentence))
    parts += [plain(found.sentence) for found in results.interactions]
    if any(column.sentences for column in results.groups):
        parts += ["## Groups", *_groups(results)]
    if results.remedy:
        parts += ["## What to do", plain(results.remedy.sentence)]
        parts += [plain(results.remedy.measured_sentence)] if results.remedy.measured_sentence else []
    if results.converter:
        parts += ["## The style converter", plain(converter_words(results))]
    if results.pairs:
        parts += ["## The grid", _trust(results)]
    parts.append(f"shiftlens {plain(results.shiftlens)}, seed {results.provenance.seed}. Pictures are in report.html.")
    return {"report.md": ("\n\n".join(parts) + "\n").encode("utf-8")}


def _accuracies(results: Results) -> str:
    accuracy, loss = results.accuracy, results.loss
    change, after, estimate = "the target has no labels", percent(accuracy.target, 1), results.accuracy_estimate
    if estimate is not None:
        change = (
            f"no labels: an estimate from {estimate.sets} sets of known accuracy and {estimate.samples:,} predictions"
        )
        after = f"about {percent(estimate.value)}{interval(estimate.ci, percent)}"
    if accuracy.target is not None:
        change = points(accuracy.target - accuracy.source)
    return "\n".join(
        [
            "| | source | target | change |",
            "|---|---|---|---|",
            f"| accuracy | {percent(accuracy.source, 1)} | {after} | {change} |",
            f"| mean loss, {plain(results.loss_unit)} | {number(loss.source)} | {number(loss.target)} | "
            f"{signed(None if loss.target is None else loss.target - loss.source)} |",
            f"| samples | {results.samples.source:,} | {results.samples.target:,} | |",
        ]
    )


def _causes(results: Results) -> str:
    rows = [
        "| factor | verdict | source → target | adds to the loss | share of the gap | |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*rows, *(_row(cause) for cause in results.causes)])


def _groups(results: Results) -> list[str]:
    """Each column of which something was found, in words, with its groups, those that cost most first."""
    parts = []
    for column in (column for column in results.groups if column.sentences):
        told = " ".join(plain(sentence) for sentence in column.sentences)
        if column.verdict != "harmful" and not any(row.worse for row in column.groups):
            parts.append(told)
            continue
        rows = ["| group | share | accuracy | by mix | by becoming worse |", "|---|---|---|---|---|"]
        for row in column.groups[:MOST_GROUPS]:
            shares = f"{percent(row.share_source)} → {percent(row.share_target)}"
            right = f"{percent(row.accuracy_source)} → {percent(row.accuracy_target)}"
            rows.append(f"| {plain(row.value)} | {shares} | {right} | {signed(row.mix)} | {signed(row.within)} |")
        parts += [told, "\n".join(rows)]
    return parts


def _row(cause: Cause) -> str:
    moved = ""
    if cause.shift:
        moved = f"{number(cause.shift.source)} → {with_unit(cause.shift.target, plain(cause.shift.unit))}"
    effect = signed(cause.effect) + interval(cause.ci, signed)
    share = percent(cause.share) + interval(cause.share_ci, percent)
    name, sentence = plain(cause.factor), plain(cause.sentence)
    return f"| {name} | **{cause.verdict}** | {moved} | {effect} | {share} | {sentence} |"


def _trust(results: Results) -> str:
    fidelity = results.fidelity.spearman
    text = f"Fidelity {number(fidelity)}, leak {number(results.leak.r2)}, {len(results.pairs)} pairs."
    if results.second_opinion is not None:
        text += f" A second classifier sees it with a fidelity of {number(results.second_opinion.fidelity)}."
    if fidelity is None or fidelity < LOW_FIDELITY:
        return f"{text} **This grid does not do what it says:** draw no conclusion from it."
    return text
