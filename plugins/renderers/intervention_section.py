"""The sections made of the fitted changes: sliders on a real sample, and the intervention grid."""

from __future__ import annotations

from shiftlens.core.results.results import Intervention, InterventionCell, InterventionSample, Results
from shiftlens.plugins.renderers.cells import cell_view, heading, how_to_read
from shiftlens.plugins.renderers.charts import LossColours
from shiftlens.plugins.renderers.context import (
    CellView,
    InterventionView,
    RowView,
    SampleView,
    SliderCell,
    SliderView,
    TryIt,
)
from shiftlens.plugins.renderers.gallery import Gallery
from shiftlens.plugins.renderers.pictures import Picture
from shiftlens.plugins.renderers.words import VERDICTS, factor_title, number, percent, with_unit

FAR = 1.5  # usual distances from which the nearest target sample counts as another sort of sample


def tryit_section(results: Results, gallery: Gallery) -> TryIt | None:
    """Sliders on the first sample; None where nothing was found to have changed."""
    found = results.intervention
    if found is None or not found.samples or not found.samples[0].sliders:
        return None
    sample = found.samples[0]
    causes = {cause.factor: cause for cause in results.causes}
    views = []
    for slider, drawn in zip(sample.sliders, gallery.sliders(0), strict=True):
        cause = causes.get(slider.factor)
        unit, name = cause.shift.unit if cause and cause.shift else "", factor_title(slider.factor, results.columns)
        steps = tuple(
            SliderCell(
                picture=picture,
                part=percent(step.part),
                value="" if step.value is None else with_unit(step.value, unit),
                predicted=step.predicted,
                confidence=percent(step.confidence),
                loss=number(step.loss),
                wrong=not step.correct,
                label=(
                    f"{name} at {percent(step.part)} of the shift: predicted {step.predicted}"
                    f"{'' if step.correct else ', wrong'}, {percent(step.confidence)} confident"
                ),
            )
            for step, picture in zip(slider.steps, drawn, strict=True)
        )
        views.append((VERDICTS.index(cause.verdict) if cause else 9, name, cause.verdict if cause else "", steps))
    views.sort(key=lambda view: view[0])
    return TryIt(
        f"{_name(sample)}, class {sample.label}",
        tuple(SliderView(i, name, verdict, steps) for i, (_, name, verdict, steps) in enumerate(views, start=1)),
    )


def intervention_section(results: Results, gallery: Gallery, scale: LossColours) -> InterventionView | None:
    """None where the run was made without it."""
    found = results.intervention
    if found is None:
        return None
    first = found.samples[0].cells if found.samples else [[]]
    return InterventionView(
        columns=max(1, len(first[0])),
        rows=max(1, len(first)),
        right=heading(found.right.factors, results) or found.right.words,
        down=heading(found.down.factors, results) or found.down.words,
        right_empty=not found.right.factors,
        down_empty=not found.down.factors,
        sentence=found.sentence,
        unexplained=_unexplained(found),
        samples=tuple(_sample(i, sample, gallery, scale) for i, sample in enumerate(found.samples)),
        how_to_read=how_to_read(results),
    )


def _unexplained(found: Intervention) -> str:
    """What the distance to the nearest real target sample says of what the changes leave out."""
    if found.distance is None or found.distance_before is None:
        return ""
    told = (
        "The usual distance of a target sample to the nearest other one of its class is 1 (by plain statistics and by "
        f"what the classifier says): source samples lie {number(found.distance_before)} away from the target as they "
        f"are, and {number(found.distance)} with the whole shift (medians)."
    )
    if found.distance > FAR:
        return f"{told} So the target differs in something that these changes do not make."
    return f"{told} So these changes leave little unexplained that can be measured in this way."


def _sample(index: int, sample: InterventionSample, gallery: Gallery, scale: LossColours) -> SampleView:
    drawn, target = gallery.intervention(index)
    columns = len(sample.cells[0])
    rows = tuple(
        RowView(
            number(row[0].requested),
            tuple(_cell(cell, drawn[r * columns + c], scale, r, c, sample) for c, cell in enumerate(row)),
        )
        for r, row in enumerate(sample.cells)
    )
    near = sample.nearest
    nearest: CellView | None = None
    if near is not None:
        nearest = cell_view(
            target, scale, "Real target sample", near.loss, None, near.predicted, near.confidence, near.correct,
            real=True,
        )  # fmt: skip
    return SampleView(
        number=index + 1,
        title=f"{index + 1} · class {sample.label} · {_name(sample)}",
        name=_name(sample),
        rows=rows,
        nearest=nearest,
        nearest_name="" if near is None else near.target_name or f"target #{near.target}",
        distance="" if near is None else f"{number(near.distance)} × the usual distance away",
    )


def _name(sample: InterventionSample) -> str:
    return sample.source_name or f"source #{sample.source}"


def _cell(
    cell: InterventionCell, picture: Picture, scale: LossColours, row: int, column: int, sample: InterventionSample
) -> CellView:
    untouched = cell.right == 0 and cell.down == 0
    note = f"the real sample {_name(sample)} as it is" if untouched else ""
    if not cell.reached and not note:
        note = "no strength that was tried has the loss asked for"
    return cell_view(
        picture, scale, f"Row {row + 1}, column {column + 1}", cell.measured, cell.requested, cell.predicted,
        cell.confidence, cell.correct, note, real=untouched,
        strengths=f"{percent(cell.right)} of the change to the right, {percent(cell.down)} of the change down",
    )  # fmt: skip
