"""Fills the page: results and pictures in, the template's context out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml
from markupsafe import Markup

from shiftlens.core.results.report import Report
from shiftlens.core.results.results import Cell, PairResult, Results
from shiftlens.plugins.renderers import charts
from shiftlens.plugins.renderers.context import Accuracy, ClassRow, Domains, Page, Summary, TrainingCurves
from shiftlens.plugins.renderers.converter_section import converter_section
from shiftlens.plugins.renderers.gallery import Gallery
from shiftlens.plugins.renderers.grid_section import grid_section
from shiftlens.plugins.renderers.trust_section import trust_section
from shiftlens.plugins.renderers.why_section import why_section
from shiftlens.plugins.renderers.words import ADVICE, count, number, percent, points, with_unit

CLASSES_SHOWN = 12
LONG_HEADLINE = 130  # characters from which it is set smaller


def page_of(report: Report, most_pairs: int, style: Markup, script: Markup, policy: str) -> Page:
    """The page of one report, with at most so many pairs."""
    results = report.results
    gallery = Gallery(report, most_pairs)
    scale = charts.loss_scale(
        [loss for pair in results.pairs for cell in _cells(pair) for loss in (cell.measured, cell.requested)]
        + [cell.loss for cause in results.causes for cell in cause.strip]
    )
    grid = grid_section(results, gallery, scale)
    return Page(
        title=results.name,
        policy=policy,
        style=style,
        script=script,
        summary=_summary(results),
        warnings=tuple(results.warnings),
        why=why_section(results, gallery, scale),
        converter=converter_section(results, grid),
        grid=grid,
        trust=trust_section(results),
        domains=_domains(results),
        training=tuple(
            TrainingCurves(curve.name, tuple(drawn))
            for curve in results.curves
            if (drawn := charts.curve_charts(curve))
        ),
        provenance=_provenance(results),
        settings=yaml.safe_dump(json.loads(json.dumps(dict(report.settings), default=str)), sort_keys=False),
        sheets=tuple(gallery.sheets),
    )


def _cells(pair: PairResult) -> list[Cell]:
    return [cell for row in pair.cells for cell in row] + list(pair.series)


def _summary(results: Results) -> Summary:
    accuracy, loss, unit = results.accuracy, results.loss, results.loss_unit

    def side(name: str, value: float | None, samples: int, mean_loss: float | None) -> Accuracy:
        mean = f" · mean loss {with_unit(mean_loss, unit)}" if mean_loss is not None else ""
        known = "not known" if value is None else percent(value, 1)
        why = " · the target has no labels" if value is None else ""
        return Accuracy(name, known, None if value is None else 100 * value, count(samples, "sample") + mean + why)

    after = accuracy.target
    change, words = "", "The target has no labels, so its accuracy cannot be known."
    if after is not None:
        difference = after - accuracy.source
        fell = difference < 0
        change = f"{'−' if fell else '+'}{points(abs(difference))}"
        words = f"the accuracy {'falls' if fell else 'rises'} by {points(abs(difference))}"
    remedy = results.remedy
    facts = (results.kind, " × ".join(map(str, results.sample_shape)), count(len(results.classes), "class"))
    return Summary(
        before=side("source", accuracy.source, results.samples.source, loss.source),
        after=side("target", after, results.samples.target, loss.target),
        change=change,
        change_words=words,
        falls=after is not None and after < accuracy.source,
        headline=results.headline,
        is_long=len(results.headline) > LONG_HEADLINE,
        remedy=remedy.sentence if remedy else "",
        remedy_title=ADVICE[remedy.advice] if remedy else "",
        facts=" · ".join(facts),
    )


def _domains(results: Results) -> Domains:
    rows = []
    for found in results.per_class:
        both = found.source is not None and found.target is not None
        change = (found.target or 0.0) - (found.source or 0.0)
        row = ClassRow(
            label=found.label,
            source=percent(found.source),
            target=percent(found.target),
            source_at=None if found.source is None else round(100 * found.source, 1),
            target_at=None if found.target is None else round(100 * found.target, 1),
            change=f"{'+' if change > 0 else ''}{points(change).split(' ')[0]}" if both else "",
            samples=f"{found.samples.source:,} / {found.samples.target:,}",
        )
        rows.append((change if both else 0.0, row))
    ordered = [row for _, row in sorted(rows, key=lambda pair: pair[0])]
    unit = f"{results.loss_name}, {results.loss_unit}"
    return Domains(
        losses=charts.distribution_chart(
            "Loss of the samples of both domains",
            results.loss_distribution,
            unit,
            results.loss.source,
            results.loss.target,
        ),
        classes=tuple(ordered[:CLASSES_SHOWN]),
        more_classes=tuple(ordered[CLASSES_SHOWN:]),
        has_target_labels=results.accuracy.target is not None,
    )


def _provenance(results: Results) -> tuple[tuple[str, str], ...]:
    origin = results.provenance
    rows = [
        ("shiftlens", results.shiftlens),
        ("seed", str(origin.seed)),
        ("device", origin.device),
        ("ONNX Runtime", ", ".join(origin.providers)),
        ("settings", f"sha256 {origin.settings_sha256}"),
        ("classifier", f"sha256 {origin.classifier_sha256}"),
        *((f"{role} data", f"sha256 {digest}") for role, digest in origin.data_sha256.items()),
        *((f"generator: {name.replace('_', ' ')}", _plain(value)) for name, value in results.generator.items()),
        *(_versions(origin.versions)),
    ]
    return tuple((name, value) for name, value in rows if value)


def _versions(versions: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, version) for name, version in sorted(versions.items()) if name != "shiftlens"]


def _plain(value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | float):
        return number(float(value))
    return json.dumps(value, ensure_ascii=False, default=str)
