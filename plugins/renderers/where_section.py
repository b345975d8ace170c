"""The section on where the accuracy is lost: worst samples, confusions, losses, classes."""

from __future__ import annotations

from shiftlens.core.results.results import AccuracyEstimate, Results, WorstSample
from shiftlens.plugins.renderers import charts
from shiftlens.plugins.renderers.context import ClassRow, ConfusionRow, Where, WorstView
from shiftlens.plugins.renderers.gallery import Gallery
from shiftlens.plugins.renderers.groups_section import groups_section
from shiftlens.plugins.renderers.pictures import Picture
from shiftlens.plugins.renderers.words import factor_title, number, percent, points, with_unit

CLASSES_SHOWN = 12
CONFUSIONS_SHOWN = 8


def where_section(results: Results, gallery: Gallery) -> Where:
    classes, estimate = _classes(results), results.accuracy_estimate
    worst = tuple(
        _worst(sample, picture, results) for sample, picture in zip(results.worst, gallery.worst(), strict=False)
    )
    return Where(
        losses=charts.distribution_chart(
            "Loss of the samples of both domains",
            results.loss_distribution,
            f"{results.loss_name}, {results.loss_unit}",
            results.loss.source,
            results.loss.target,
        ),
        classes=tuple(classes[:CLASSES_SHOWN]),
        more_classes=tuple(classes[CLASSES_SHOWN:]),
        has_target_labels=results.accuracy.target is not None,
        estimate=estimate.sentence if estimate else "",
        estimators=_estimators(estimate) if estimate else (),
        groups=groups_section(results),
        groups_left_out=tuple(results.groups_left_out.items()),
        confusions=tuple(_confusions(results)),
        worst=worst,
        labels=tuple(sorted({sample.actual for sample in worst if sample.actual})),
        predictions=tuple(sorted({sample.predicted for sample in worst})),
        largest=max((sample.value for sample in worst), default=0.0),
    )


ESTIMATORS = {
    "changed source": "source samples with all fitted changes",
    "confidence": "difference of the mean confidences",
    "threshold": "share of samples above a threshold of certainty (ATC)",
    "transport": "share of predictions near a class, in the source's mix of classes (COTT)",
    "regression": "the last three, weighed by what they meant in sets of known accuracy",
}
"""What the estimators of an accuracy without labels go by."""


def _estimators(found: AccuracyEstimate) -> tuple[tuple[str, str], ...]:
    """What each estimator says alone, and why some say nothing."""
    said = [(ESTIMATORS.get(name, name), f"about {percent(value)}") for name, value in found.estimates.items()]
    return (*said, *((ESTIMATORS.get(name, name), f"left out: {why}") for name, why in found.left_out.items()))


def _worst(sample: WorstSample, picture: Picture, results: Results) -> WorstView:
    name = sample.target_name or f"target #{sample.target}"
    wrong = sample.label is not None and sample.label != sample.predicted
    units = {cause.factor: cause.shift.unit if cause.shift else "" for cause in results.causes}
    measures = ", ".join(
        f"{factor_title(factor, results.columns)} {with_unit(value, units.get(factor, ''))}"
        for factor, value in sample.values.items()
    )
    known = f"class {sample.label}, " if sample.label is not None else ""
    return WorstView(
        picture=picture,
        label=f"{name}: {known}predicted {sample.predicted}, loss {number(sample.loss)}",
        actual=sample.label or "",
        predicted=sample.predicted,
        confidence=percent(sample.confidence),
        loss=number(sample.loss),
        value=round(sample.loss, 4),
        name=name,
        wrong=wrong,
        measures=measures,
    )


def _confusions(results: Results) -> list[ConfusionRow]:
    """Those that grew, with bars on one scale."""
    grown = [c for c in results.confusions if (c.target or 0.0) > (c.source or 0.0)][:CONFUSIONS_SHOWN]
    largest = max((max(c.target or 0.0, c.source or 0.0) for c in grown), default=1.0) or 1.0
    return [
        ConfusionRow(
            f"{c.label} taken for {c.predicted}",
            percent(c.source, 1),
            percent(c.target, 1),
            round(100 * (c.source or 0.0) / largest, 1),
            round(100 * (c.target or 0.0) / largest, 1),
        )
        for c in grown
    ]


def _classes(results: Results) -> list[ClassRow]:
    """Accuracy per class, the hardest hit first."""
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
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]
