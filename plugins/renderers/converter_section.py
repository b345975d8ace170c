"""The section on the style converter: target samples beside what it made of them, and what that did."""

from __future__ import annotations

from shiftlens.core.results.results import Results
from shiftlens.plugins.renderers.context import ConverterView, GapRow, GridView
from shiftlens.plugins.renderers.words import count, number, percent, with_unit

EXAMPLES = 8


def converter_section(results: Results, grid: GridView | None) -> ConverterView | None:
    """None where the pairs show real source samples."""
    found = results.converter
    if found is None:
        return None
    seen = "that it was not trained on" if found.held_out else "that it was trained on"
    skipped = ""
    if found.skipped:
        skipped = f"{count(found.skipped, 'further pair')} left out: the conversion did not bring the loss down."
    return ConverterView(
        name=found.name,
        sentence=found.sentence,
        measured_on=f"Measured on {count(found.samples, 'target sample')} {seen}.",
        gaps=tuple(
            GapRow(
                factor=gap.factor,
                source=with_unit(gap.source, gap.unit),
                target=with_unit(gap.target, gap.unit),
                converted=with_unit(gap.converted, gap.unit),
                closed=percent(gap.closed) if gap.closed > -1 else "none, it grew",
            )
            for gap in found.gaps
        ),
        examples=tuple(
            (pair.rows[-1].cells[-1], pair.rows[0].cells[0]) for pair in (grid.pairs if grid else ())[:EXAMPLES]
        ),
        skipped=skipped,
    )


def converter_words(results: Results) -> str:
    """The same in two sentences of plain text; empty where there is no converter."""
    found = results.converter
    if found is None:
        return ""
    losses = f"loss {number(found.loss.before)} → {number(found.loss.after)}"
    rates = f"classified rightly {percent(found.accuracy.before)} → {percent(found.accuracy.after)}"
    return f"{found.sentence} ({found.name}, {count(found.samples, 'target sample')}: {rates}, {losses}.)"
