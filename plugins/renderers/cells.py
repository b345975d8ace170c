"""What every grid of the report shares: axis headings from the verdicts, how to read a picture, and one cell."""

from __future__ import annotations

from collections.abc import Sequence

from shiftlens.core.results.results import Results
from shiftlens.plugins.renderers import pictures
from shiftlens.plugins.renderers.charts import LossColours
from shiftlens.plugins.renderers.context import CellView
from shiftlens.plugins.renderers.pictures import Picture
from shiftlens.plugins.renderers.words import VERDICTS, factor_title, number, percent


def heading(factors: Sequence[str], results: Results) -> str:
    """ "harmful: stroke thickness"; by verdicts, the harmful ones first."""
    verdicts = {cause.factor: cause.verdict for cause in results.causes}
    parts = []
    for verdict in VERDICTS:
        names = [factor_title(name, results.columns) for name in factors if verdicts.get(name) == verdict]
        if names:
            parts.append(f"{verdict}: {', '.join(names)}")
    return "; ".join(parts)


def how_to_read(results: Results) -> str:
    """What the lines or bars mean; images speak for themselves."""
    if results.kind == "series":
        channels = results.sample_shape[0]
        more = "" if channels <= pictures.MOST_LANES else f" The first {pictures.MOST_LANES} of {channels} channels."
        lanes = " Each channel has a lane of its own." if channels > 1 else ""
        return f"Every picture is one series over time; the pale line behind it is the real source sample.{lanes}{more}"
    if results.kind == "tabular":
        columns = results.sample_shape[0]
        more = f" The first {pictures.MOST_BARS} of {columns}." if columns > pictures.MOST_BARS else ""
        return (
            "Every bar is one column of the table, in its order, scaled to the column's own range; "
            f"the line across it is the real source sample's value, and bars that left it are coloured.{more}"
        )
    return ""


def cell_view(
    picture: Picture,
    scale: LossColours,
    place: str,
    measured: float,
    requested: float | None,
    predicted: str,
    confidence: float,
    correct: bool,
    note: str = "",
    real: bool = False,
    converted: bool = False,
    strengths: str = "",
) -> CellView:
    """One cell with its figures as words; ``requested`` is None where no loss was asked for."""
    loss, asked, sure = number(measured), "" if requested is None else number(requested), percent(confidence)
    words = [f"{place}: loss {loss}"]
    if asked:
        words[0] += f", asked for {asked}"
    words.append(f"predicted {predicted}{'' if correct else ', wrong'}, {sure} confident")
    words += [part for part in (strengths, note) if part]
    return CellView(
        picture=picture,
        label="; ".join(words),
        measured=loss,
        requested=asked,
        predicted=predicted,
        confidence=sure,
        strengths=strengths,
        note=note,
        level=scale.level(measured),
        bar=scale.bar(measured),
        tick=None if requested is None else scale.bar(requested),
        wrong=not correct,
        real=real,
        converted=converted,
    )
