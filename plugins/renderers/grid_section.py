"""The section with the generated grids of all pairs, and what keeps them from showing the cause."""

from __future__ import annotations

from collections.abc import Sequence

from shiftlens.core.causes.verdict import CLEAR_MOVE
from shiftlens.core.grid.fidelity import LOW_FIDELITY
from shiftlens.core.results.results import Axes, Cause, Cell, PairResult, Results
from shiftlens.plugins.renderers.cells import cell_view, heading, how_to_read
from shiftlens.plugins.renderers.charts import LossColours
from shiftlens.plugins.renderers.context import CellView, GridView, PairView, RowView
from shiftlens.plugins.renderers.gallery import Gallery
from shiftlens.plugins.renderers.pictures import Picture
from shiftlens.plugins.renderers.words import VERDICTS, factor_title, listed, number, percent, with_unit

LOW_REALISM = 0.5  # share of cells near real samples by plain statistics, below which a grid is no evidence
LARGE_STRAY = 0.25  # part of the pair's gap by which a harmless factor may move downwards in a pair that opens


def grid_section(results: Results, gallery: Gallery, scale: LossColours) -> GridView | None:
    if not gallery.count:
        return None
    total = len(results.pairs)
    left_out = f"The first {gallery.count} of {total} pairs; results.json holds the others."
    down, right = (_moving(results.causes, axis) for axis in ("loss_axis", "feature_axis"))
    order = sorted(range(gallery.count), key=lambda i: _stray(results.pairs[i], results)[0])
    return GridView(
        columns=results.grid.features,
        rows=results.grid.losses,
        right=heading(right, results) or "no measured factor moves clearly",
        down=heading(down, results) or "no measured factor moves clearly",
        moves=_moves(results),
        pairs=tuple(_pair(place, i, results, gallery, scale) for place, i in enumerate(order, start=1)),
        left_out=left_out if gallery.count < total else "",
        converted=results.converter is not None,
        how_to_read=how_to_read(results),
        doubt=grid_doubt(results),
    )


def grid_doubt(results: Results) -> str:
    """Why the generated grid does not show the cause; empty where it does."""
    spearman, realism = results.fidelity.spearman, results.realism
    if spearman is None:
        return "Its fidelity could not be measured."
    if spearman < LOW_FIDELITY:
        return (
            "The losses measured on its cells do not follow the losses that its rows ask for (fidelity "
            f"{number(spearman)}, at least {LOW_FIDELITY} is needed)."
        )
    harmful = [cause for cause in results.causes if cause.verdict == "harmful" and cause.factor != "class-mix"]
    if harmful and not set(_moving(harmful, "loss_axis")):
        names = listed([factor_title(cause.factor, results.columns) for cause in harmful])
        return f"Going down does not clearly move {names}, which the trial found harmful."
    if not harmful and any(cause.verdict != "unchanged" for cause in results.causes):
        return "No factor was found harmful that its vertical axis could show."
    if realism is not None and realism.plain_near is not None and realism.plain_near < LOW_REALISM:
        return (
            f"By plain statistics only {percent(realism.plain_near)} of its cells look like real samples: "
            "believe the intervention grid before these pictures."
        )
    return ""


def _moving(causes: Sequence[Cause], axis: str) -> list[str]:
    """Factors that really move along one axis of the grid, in the order of the verdicts."""
    moved = []
    for cause in causes:
        if cause.grid is not None and _low(cause.grid, axis) > CLEAR_MOVE:
            moved.append((VERDICTS.index(cause.verdict), -getattr(cause.grid, axis), cause.factor))
    return [name for *_, name in sorted(moved)]


def _low(axes: Axes, axis: str) -> float:
    """Lower end of how far a factor moves along an axis."""
    ci = getattr(axes, f"{axis}_ci")
    return float(ci[0] if ci else getattr(axes, axis))


def _moves(results: Results) -> str:
    """How far factors move on average, without sign where single pairs tell it."""
    phrases = []
    for cause in results.causes:
        moves = [m for pair in results.pairs for m in pair.moves if m.factor == cause.factor]
        if not moves or cause.grid is None:
            continue
        middle = sorted(move.down for move in moves)[len(moves) // 2]
        gap = sorted(move.gap for move in moves)[len(moves) // 2]
        unit = cause.shift.unit if cause.shift else ""
        name = factor_title(cause.factor, results.columns)
        phrases.append(f"{name} by {with_unit(middle, unit)} of the {with_unit(gap, unit)} between both samples")
    if not phrases:
        return ""
    return f"Going down moves {listed(phrases)} (medians over the pairs, in either direction)."


def _stray(pair: PairResult, results: Results) -> tuple[tuple[bool, float], str]:
    """How far what is not harmful moves downwards in one pair: for sorting, and in words."""
    shifted = results.intervention.right.factors if results.intervention else [m.factor for m in pair.moves]
    verdicts = {cause.factor: cause for cause in results.causes if cause.factor in shifted}
    largest, words = 0.0, []
    for move in pair.moves:
        cause = verdicts.get(move.factor)
        if cause is None or cause.verdict == "harmful" or move.gap <= 0:
            continue
        part = move.down / move.gap
        largest = max(largest, part)
        if part > LARGE_STRAY:
            unit = cause.shift.unit if cause.shift else ""
            verb = "turned" if cause.shift is not None and cause.shift.turn is not None else "moved by"
            words.append(f"{factor_title(move.factor, results.columns)} also {verb} {with_unit(move.down, unit)}")
    sentence = f"Going down, {listed(words)}." if words else ""
    return (largest > LARGE_STRAY, largest), sentence


def _pair(place: int, index: int, results: Results, gallery: Gallery, scale: LossColours) -> PairView:
    pair = results.pairs[index]
    drawn, drawn_series, given_back = gallery.pair(index)
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
    source, target = _sample_name("source", pair), _sample_name("target", pair)
    return PairView(
        number=index + 1,
        title=f"{index + 1} · class {pair.label} · {source} → {target}",
        source=source,
        target=target,
        source_loss=number(pair.loss[0]),
        target_loss=number(pair.loss[1]),
        rows=tuple(rows),
        moves=_stray(pair, results)[1],
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
    note = real or ("the loss axis cannot reach the loss asked for here" if cell.reached is False else "")
    return cell_view(
        picture, scale, place, cell.measured, cell.requested, cell.predicted, cell.confidence, cell.correct, note,
        real=cell.real, converted=cell.converted,
    )  # fmt: skip
