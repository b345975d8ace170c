"""The section with the grids of all pairs."""

from __future__ import annotations

from collections.abc import Sequence

from shiftlens.core.causes.verdict import CLEAR_MOVE
from shiftlens.core.grid.fidelity import LOW_FIDELITY
from shiftlens.core.results.results import Cause, Cell, Interval, PairResult, Results
from shiftlens.plugins.renderers import charts, pictures
from shiftlens.plugins.renderers.charts import LossColours
from shiftlens.plugins.renderers.context import CellView, GridView, PairView, RowView
from shiftlens.plugins.renderers.gallery import Gallery
from shiftlens.plugins.renderers.pictures import Picture
from shiftlens.plugins.renderers.words import VERDICTS, listed, number, percent


def grid_section(results: Results, gallery: Gallery, scale: LossColours) -> GridView | None:
    if not gallery.count:
        return None
    measured = any(cause.grid for cause in results.causes)
    features, losses = (_moving(results.causes, axis) for axis in ("feature_axis", "loss_axis"))
    total = len(results.pairs)
    left_out = ""
    if gallery.count < total:
        left_out = f"The first {gallery.count} of {total} pairs; results.json holds the others."
    return GridView(
        columns=results.grid.features,
        rows=results.grid.losses,
        feature_names=listed([name for name, _ in features]),
        loss_names=listed([name for name, _ in losses]),
        moves=f"Sideways {_how_far(features, results)}; downwards {_how_far(losses, results)}." if measured else "",
        pairs=tuple(
            _pair(number_, pair, results, gallery, scale)
            for number_, pair in enumerate(results.pairs[: gallery.count], start=1)
        ),
        scale=(number(scale.loss(0.0)), number(scale.loss(0.5)), number(scale.loss(1.0))),
        levels=charts.LEVELS,
        loss_name=results.loss_name,
        loss_unit=results.loss_unit,
        left_out=left_out,
        converted=results.converter is not None,
        how_to_read=_how_to_read(results),
        warning=_grid_warning(results),
    )


def _how_far(moved: Sequence[tuple[str, str]], results: Results) -> str:
    if not moved:
        return "no measured factor moves clearly"
    ends = "converted and real sample" if results.converter else "the two real samples"
    return listed([f"{name} moves by {far}" for name, far in moved]) + f" of the gap between {ends}"


def _grid_warning(results: Results) -> str:
    """What must stand above a grid whose loss axis does not work; empty where it does."""
    spearman = results.fidelity.spearman
    if spearman is None:
        return "Its fidelity could not be measured, so do not read from it what costs accuracy."
    if spearman < LOW_FIDELITY:
        return (
            "The losses measured on its cells do not follow the losses that its rows ask for (fidelity "
            f"{number(spearman)}, at least {LOW_FIDELITY} is needed). Do not read from it what costs accuracy."
        )
    return ""


def _how_to_read(results: Results) -> str:
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


def _pair(position: int, pair: PairResult, results: Results, gallery: Gallery, scale: LossColours) -> PairView:
    drawn, drawn_series, given_back = gallery.pair(position - 1)
    columns = results.grid.features
    rows = []
    for r, row in enumerate(pair.cells):
        cells = tuple(
            _cell(cell, drawn[r * columns + c], scale, _real_name(cell, pair, r), f"Row {r + 1}, column {c + 1}")
            for c, cell in enumerate(row)
        )
        rows.append(RowView(number(row[0].requested), cells))
    series = tuple(
        _cell(cell, picture, scale, _real_name(cell, pair, i - 1), f"Step {i}")
        for i, (cell, picture) in enumerate(zip(pair.series, drawn_series, strict=True), start=1)
    )
    return PairView(
        number=position,
        title=f"{position} · class {pair.label} · {_sample_name('source', pair)} → {_sample_name('target', pair)}",
        source=_sample_name("source", pair),
        target=_sample_name("target", pair),
        source_loss=number(pair.loss[0]),
        target_loss=number(pair.loss[1]),
        rows=tuple(rows),
        series=series,
        given_back=tuple(given_back),
    )


def _sample_name(role: str, pair: PairResult) -> str:
    if role == "source" and pair.converted:
        return f"{_sample_name('target', pair)}, converted"
    name: str = getattr(pair, f"{role}_name")
    return name or f"{role} #{getattr(pair, role)}"


def _real_name(cell: Cell, pair: PairResult, row: int) -> str:
    if cell.converted:
        return f"converted from the real sample {_sample_name('target', pair)}"
    if not cell.real:
        return ""
    return f"real sample: {_sample_name('source' if row == 0 else 'target', pair)}"


def _cell(cell: Cell, picture: Picture, scale: LossColours, real: str, place: str) -> CellView:
    measured, requested, confidence = number(cell.measured), number(cell.requested), percent(cell.confidence)
    note = real or ("the loss axis cannot reach the requested loss here" if cell.reached is False else "")
    wrong = "" if cell.correct else ", wrong"
    label = (
        f"{place}: measured loss {measured}, requested {requested}; "
        f"predicted {cell.predicted}{wrong}, {confidence} confident{f'; {note}' if note else ''}"
    )
    return CellView(
        picture=picture,
        label=label,
        measured=measured,
        requested=requested,
        predicted=cell.predicted,
        confidence=confidence,
        note=note,
        level=scale.level(cell.measured),
        bar=scale.bar(cell.measured),
        tick=scale.bar(cell.requested),
        wrong=not cell.correct,
        real=cell.real,
        converted=cell.converted,
    )


def _moving(causes: Sequence[Cause], axis: str) -> list[tuple[str, str]]:
    """Factors that really move along one axis of the grid and how far, in the order of the verdicts."""
    moved = []
    for cause in causes:
        if cause.grid is not None:
            value: float = getattr(cause.grid, axis)
            ci: Interval | None = getattr(cause.grid, f"{axis}_ci")
            if (ci[0] if ci else value) > CLEAR_MOVE:
                moved.append((VERDICTS.index(cause.verdict), -value, cause.factor, percent(value)))
    return [(name, far) for *_, name, far in sorted(moved)]
