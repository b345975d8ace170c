"""What the HTML template is given: one frozen `Page`, made of results and pictures.

Everything that is worked out for the eye is worked out here, as text, positions and paths; the template only places
it. A test asserts that the template's variables are exactly the fields of `Page`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from markupsafe import Markup

from shiftlens.core.fidelity import LOW_FIDELITY
from shiftlens.core.report import Report
from shiftlens.core.results import Axes, Cause, Cell, PairResult, Results, StripCell
from shiftlens.plugins.renderers import charts, pictures
from shiftlens.plugins.renderers.charts import CurveChart, DistributionChart, DoseChart, IntervalBar, LossScale, Span
from shiftlens.plugins.renderers.pictures import Picture, Sheet
from shiftlens.plugins.renderers.words import (
    count, interval, listed, number, percent, points, signed, with_unit,
)  # fmt: skip

AXIS_MOVE = 0.25
"""Part of the pairs' gap that a factor must move along an axis of the grid before the axis is named after it."""
CLASSES_SHOWN = 12

MEANINGS = {
    "harmful": "its change alone raises the loss",
    "harmless": "it changed, and its change alone does not raise the loss",
    "unclear": "the evidence does not decide",
    "unchanged": "it did not change of its own",
    "unexplained": "no measured factor accounts for it",
}
ORDER = ("harmful", "unclear", "harmless", "unchanged")
EVIDENCE = {
    "intervention": "intervention: changed alone on real source samples, which were then scored again",
    "observation": "observation only: it goes along with the loss inside the target",
    "none": "none",
}
ADVICE = {
    "use": "Use as it is",
    "restrict": "Use within limits",
    "retrain": "Retrain with such data",
    "investigate": "Look closer",
}


@dataclass(frozen=True)
class Accuracy:
    """One of the two big numbers."""

    name: str
    value: str
    bar: float | None
    detail: str


@dataclass(frozen=True)
class Summary:
    """What a person with two minutes reads: before, after, the difference, the sentence, what to do."""

    before: Accuracy
    after: Accuracy
    change: str
    change_words: str
    falls: bool
    headline: str
    remedy: str
    remedy_title: str
    facts: str


@dataclass(frozen=True)
class StripPicture:
    """One picture of a factor's strip and what the classifier made of it."""

    picture: Picture
    value: str
    unit: str
    loss: str
    level: int
    bar: float
    predicted: str
    wrong: bool
    label: str


@dataclass(frozen=True)
class FactorCard:
    """One factor with its verdict, sentence, pictures, curve and figures."""

    factor: str
    verdict: str
    meaning: str
    sentence: str
    strip: tuple[StripPicture, ...]
    dose: DoseChart | None
    distribution: DistributionChart | None
    facts: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class EffectRow:
    """One row of the table of effects: a factor, or the unexplained rest (which has a share only)."""

    name: str
    verdict: str
    meaning: str
    effect: IntervalBar | None
    share: IntervalBar | None


@dataclass(frozen=True)
class Why:
    """The section that says which change costs the accuracy."""

    gap: str
    rows: tuple[EffectRow, ...]
    loss_unit: str
    cards: tuple[FactorCard, ...]
    unchanged: tuple[FactorCard, ...]
    unexplained: str
    unexplained_share: str
    interactions: tuple[tuple[str, str], ...]
    advice: str
    remedy: str
    remedy_measured: str


@dataclass(frozen=True)
class CellView:
    """One cell of a grid. ``bar`` and ``tick`` are the measured and the requested loss in ``0 .. 100``."""

    picture: Picture
    label: str
    measured: str
    requested: str
    predicted: str
    confidence: str
    note: str
    level: int
    bar: float
    tick: float
    wrong: bool
    real: bool


@dataclass(frozen=True)
class RowView:
    """One row of a grid: the loss requested, and its cells."""

    requested: str
    cells: tuple[CellView, ...]


@dataclass(frozen=True)
class PairView:
    """One pair with its grid and its plain series."""

    number: int
    title: str
    source: str
    target: str
    source_loss: str
    target_loss: str
    rows: tuple[RowView, ...]
    series: tuple[CellView, ...]


@dataclass(frozen=True)
class GridView:
    """The section with the grids."""

    columns: int
    rows: int
    feature_names: str
    loss_names: str
    pairs: tuple[PairView, ...]
    scale: tuple[tuple[int, str], ...]
    loss_name: str
    loss_unit: str
    left_out: str
    how_to_read: str
    warning: str


@dataclass(frozen=True)
class Trust:
    """How far the grid may be trusted: fidelity and leak, in figures and in plain words."""

    fidelity: str
    fidelity_words: str
    leak: str
    leak_words: str


@dataclass(frozen=True)
class ClassRow:
    """Accuracy of one class in both domains; positions in ``0 .. 100``, None where it is not known."""

    label: str
    source: str
    target: str
    source_at: float | None
    target_at: float | None
    change: str
    samples: str


@dataclass(frozen=True)
class Domains:
    """The section that compares both domains."""

    losses: DistributionChart
    classes: tuple[ClassRow, ...]
    more_classes: tuple[ClassRow, ...]
    has_target_labels: bool


@dataclass(frozen=True)
class Training:
    """One training run with a small chart for each logged figure."""

    name: str
    charts: tuple[CurveChart, ...]


@dataclass(frozen=True)
class Page:
    """Everything that the template of report.html may use.

    Attributes:
        title: name of the analysis.
        policy: the Content-Security-Policy; allows the page's own style and script by their hashes, and data images.
        style, script: the page's only style sheet and script, as they stand in the file.
        summary: the two accuracies and the sentence.
        warnings: what the reader must know before anything else.
        why: causes, where they were looked for.
        grid: the pairs, where there are any.
        trust: fidelity and leak of the grid.
        domains: loss distributions and accuracy per class.
        training: training curves.
        provenance: names and values of all that is needed to repeat or compare the run.
        settings: the resolved settings as YAML.
        sheets: images that the pictures are windows onto.
    """

    title: str
    policy: str
    style: Markup
    script: Markup
    summary: Summary
    warnings: tuple[str, ...]
    why: Why | None
    grid: GridView | None
    trust: Trust
    domains: Domains
    training: tuple[Training, ...]
    provenance: tuple[tuple[str, str], ...]
    settings: str
    sheets: tuple[Sheet, ...]


def page_of(report: Report, most_pairs: int, style: Markup, script: Markup, policy: str) -> Page:
    """The page of one report, with at most so many pairs."""
    results = report.results
    gallery = Gallery(report, most_pairs)
    scale = charts.loss_scale(
        [loss for pair in results.pairs for cell in _cells(pair) for loss in (cell.measured, cell.requested)]
        + [cell.loss for cause in results.causes for cell in cause.strip]
    )
    return Page(
        title=results.name,
        policy=policy,
        style=style,
        script=script,
        summary=_summary(results),
        warnings=tuple(results.warnings),
        why=_why(results, gallery, scale),
        grid=_grid(results, gallery, scale),
        trust=_trust(results),
        domains=_domains(results),
        training=tuple(
            Training(curve.name, tuple(drawn)) for curve in results.curves if (drawn := charts.curve_charts(curve))
        ),
        provenance=_provenance(results),
        settings=yaml.safe_dump(json.loads(json.dumps(dict(report.settings), default=str)), sort_keys=False),
        sheets=tuple(gallery.sheets),
    )


def _cells(pair: PairResult) -> list[Cell]:
    return [cell for row in pair.cells for cell in row] + list(pair.series)


class Gallery:
    """All pictures of a report, drawn by the kind of sample; collects the sheets that image tiles stand on."""

    def __init__(self, report: Report, most_pairs: int) -> None:
        self.kind, self.arrays = report.results.kind, report.arrays
        self.count = min(most_pairs, len(report.results.pairs))
        self.sheets: list[Sheet] = []
        strips = self.arrays.get("strips")
        size = report.results.grid
        tiles = self.count * (size.features * size.losses + size.losses) + (0 if strips is None else len(strips))
        self.side = pictures.largest_side(tiles)
        if self.kind != "image":
            self.scale = pictures.range_of(self._everything())
        self.strips = None if strips is None or not len(strips) else np.asarray(strips)
        if self.strips is not None and self.kind == "image":
            self.windows = self._draw("strips", self.strips)

    def pair(self, index: int) -> tuple[list[Picture], list[Picture]]:
        """Pictures of one pair: the grid's cells in reading order, and the plain series."""
        cells, series = np.asarray(self.arrays["cells"][index]), np.asarray(self.arrays["series"][index])
        flat = cells.reshape(-1, *cells.shape[2:])  # (losses * features, *sample)
        drawn = self._draw(f"pair-{index + 1}-sheet", np.concatenate([flat, series]))
        return drawn[: len(flat)], drawn[len(flat) :]

    def strip(self, cells: Sequence[StripCell]) -> list[Picture]:
        """Pictures of one factor's strip; lines and bars are compared with its first picture."""
        if self.strips is None or not cells:
            return []
        if self.kind == "image":
            return [self.windows[cell.index] for cell in cells]
        return self._draw("", self.strips[[cell.index for cell in cells]])

    def _draw(self, name: str, samples: npt.NDArray[np.float32]) -> list[Picture]:
        if self.kind == "image":
            sheet, windows = pictures.image_sheet(name, samples, self.side)
            self.sheets.append(sheet)
            return windows
        draw = pictures.series_pictures if self.kind == "series" else pictures.vector_pictures
        return draw(samples, samples[0], self.scale)

    def _everything(self) -> npt.NDArray[np.float32]:
        """All samples shown, ``(n, *sample)``: lines and bars share one scale over the whole page."""
        parts = []
        for name, axes in (("cells", 3), ("series", 2), ("strips", 1)):
            if name in self.arrays:
                array = np.asarray(self.arrays[name])
                array = array if name == "strips" else array[: self.count]
                if array.size:
                    parts.append(array.reshape(-1, *array.shape[axes:]))
        return np.concatenate(parts) if parts else np.zeros((1, 1), dtype=np.float32)


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
        remedy=remedy.sentence if remedy else "",
        remedy_title=ADVICE[remedy.advice] if remedy else "",
        facts=" · ".join(facts),
    )


def _why(results: Results, gallery: Gallery, scale: LossScale) -> Why | None:
    if not results.causes:
        return None
    unit = results.loss_unit
    causes = sorted(results.causes, key=lambda c: (ORDER.index(c.verdict), -(c.effect or 0.0)))
    changed = [cause for cause in causes if cause.verdict != "unchanged"]
    gap = "The mean loss of the target is not known."
    if results.loss.target is not None:
        rise = results.loss.target - results.loss.source
        gap = (
            f"The mean loss goes from {number(results.loss.source)} to {number(results.loss.target)} {unit}, "
            f"a difference of {number(rise)}. Each factor below was changed alone, and the classifier asked again."
        )
    rest = results.unexplained
    remedy = results.remedy
    return Why(
        gap=gap,
        rows=_effect_rows(changed, results),
        loss_unit=unit,
        cards=tuple(_card(cause, results, gallery, scale) for cause in changed),
        unchanged=tuple(_card(cause, results, gallery, scale) for cause in causes if cause.verdict == "unchanged"),
        unexplained=(rest.sentence or "This part of the loss gap is explained by no measured factor.") if rest else "",
        unexplained_share=percent(rest.share) + interval(rest.ci, percent) if rest else "",
        interactions=tuple(
            (listed(found.factors), f"{found.sentence} {signed(found.effect)} {unit}{interval(found.ci, signed)}.")
            for found in results.interactions
        ),
        advice=ADVICE[remedy.advice] if remedy else "",
        remedy=remedy.sentence if remedy else "",
        remedy_measured=(
            f"Measured: {points(remedy.measured)} of accuracy." if remedy and remedy.measured is not None else ""
        ),
    )


def _effect_rows(causes: Sequence[Cause], results: Results) -> tuple[EffectRow, ...]:
    rest = results.unexplained
    effects = charts.interval_scale([c.effect for c in causes], [c.ci for c in causes])
    shares = charts.interval_scale(
        [*(c.share for c in causes), rest.share if rest else None],
        [*(c.share_ci for c in causes), rest.ci if rest else None],
    )

    def bar(span: Span, value: float | None, ci: tuple[float, float] | None, share: bool) -> IntervalBar | None:
        if value is None:
            return None
        say = percent if share else signed
        between = f"{say(ci[0])} to {say(ci[1])}" if ci else ""
        return charts.interval_bar(span, value, ci, say(value), between)

    rows = [
        EffectRow(
            cause.factor,
            cause.verdict,
            MEANINGS[cause.verdict],
            bar(effects, cause.effect, cause.ci, share=False),
            bar(shares, cause.share, cause.share_ci, share=True),
        )
        for cause in causes
    ]
    if rest:
        share = bar(shares, rest.share, rest.ci, share=True)
        rows.append(EffectRow("none of the factors", "unexplained", MEANINGS["unexplained"], None, share))
    return tuple(rows)


def _card(cause: Cause, results: Results, gallery: Gallery, scale: LossScale) -> FactorCard:
    unit = cause.shift.unit if cause.shift else ""
    strip = tuple(
        StripPicture(
            picture=picture,
            value=number(cell.value),
            unit=unit,
            loss=number(cell.loss),
            level=scale.level(cell.loss),
            bar=_bar(scale, cell.loss),
            predicted=cell.predicted,
            wrong=not cell.correct,
            label=(
                f"{cause.factor} {with_unit(cell.value, unit)}: loss {number(cell.loss)}, "
                f"predicted {cell.predicted}{'' if cell.correct else ', wrong'}"
            ),
        )
        for picture, cell in zip(gallery.strip(cause.strip), cause.strip, strict=False)
    )
    dose = charts.dose_chart(cause, results.loss_unit)
    distribution = None
    if dose is None and cause.distribution and cause.shift:
        name = f"{cause.factor}, {unit}" if unit else cause.factor
        title = f"Distribution of {cause.factor} in both domains"
        distribution = charts.distribution_chart(
            title, cause.distribution, name, cause.shift.source, cause.shift.target
        )
    return FactorCard(
        factor=cause.factor,
        verdict=cause.verdict,
        meaning=MEANINGS[cause.verdict],
        sentence=cause.sentence,
        strip=strip,
        dose=dose,
        distribution=distribution,
        facts=tuple(_facts(cause, results.loss_unit)),
        notes=tuple(_notes(cause)),
    )


def _facts(cause: Cause, loss_unit: str) -> list[tuple[str, str]]:
    """The figures of one factor, as far as they are known."""
    unit = cause.shift.unit if cause.shift else ""
    facts = []
    if cause.shift:
        facts.append(("Mean, source → target", f"{number(cause.shift.source)} → {with_unit(cause.shift.target, unit)}"))
    if cause.accuracy_effect is not None:
        cost = points(cause.accuracy_effect) + interval(cause.accuracy_ci, lambda v: points(v).split(" ")[0])
        facts.append(("Alone costs", f"{cost} of accuracy"))
    if cause.effect is not None:
        facts.append(("Alone adds to the loss", f"{signed(cause.effect)} {loss_unit}{interval(cause.ci, signed)}"))
    if cause.share is not None:
        facts.append(("Share of the loss gap", percent(cause.share) + interval(cause.share_ci, percent)))
    if cause.restored is not None:
        restored = points(cause.restored) + interval(cause.restored_ci, lambda v: points(v).split(" ")[0])
        facts.append(("Undone on the target", f"brings back {restored} of accuracy"))
    if cause.safe_until is not None:
        facts.append(("Costs nothing up to", with_unit(cause.safe_until, unit)))
    if cause.reached is not None:
        facts.append(("The change reached", f"{percent(cause.reached)} of the measured gap"))
    if cause.clipped:
        facts.append(("Cut at the valid range", f"{percent(cause.clipped, 1)} of the values"))
    if cause.rivals:
        facts.append(("Explains it equally well", listed(cause.rivals)))
    if cause.shadow_of:
        facts.append(("Moved along by", listed(cause.shadow_of)))
    return facts


def _notes(cause: Cause) -> list[tuple[str, str]]:
    """What takes a sentence to say about one factor."""
    notes = []
    if cause.grid:
        notes.append(("In the grid", _grid_words(cause.grid)))
    if cause.evidence != "none":
        notes.append(("Evidence", EVIDENCE[cause.evidence]))
    return notes


def _grid_words(axes: Axes) -> str:
    moves = (
        f"moves {percent(axes.loss_axis)} of the pairs' gap along the loss axis{interval(axes.loss_axis_ci, percent)}, "
        f"{percent(axes.feature_axis)} along the feature axis{interval(axes.feature_axis_ci, percent)}"
    )
    if axes.agrees is None:
        return moves
    return f"{moves}; this {'agrees' if axes.agrees else 'does not agree'} with the verdict"


def _moving(causes: Sequence[Cause], axis: str) -> str:
    """Names of the factors that really move along one axis of the grid, furthest first."""
    moved = []
    for cause in causes:
        if cause.grid is not None:
            value: float = getattr(cause.grid, axis)
            ci: tuple[float, float] | None = getattr(cause.grid, f"{axis}_ci")
            if (ci[0] if ci else value) > AXIS_MOVE:
                moved.append((value, cause.factor))
    return listed([f"{name} ({percent(value)} of its gap)" for value, name in sorted(moved, reverse=True)])


def _grid(results: Results, gallery: Gallery, scale: LossScale) -> GridView | None:
    if not gallery.count:
        return None
    has_axes = any(cause.grid for cause in results.causes)
    nothing = "no measured factor clearly" if has_axes else ""
    total = len(results.pairs)
    left_out = ""
    if gallery.count < total:
        left_out = f"The first {gallery.count} of {total} pairs; results.json holds the others."
    low = results.fidelity.spearman is None or results.fidelity.spearman < LOW_FIDELITY
    return GridView(
        columns=results.grid.features,
        rows=results.grid.losses,
        feature_names=_moving(results.causes, "feature_axis") or nothing,
        loss_names=_moving(results.causes, "loss_axis") or nothing,
        pairs=tuple(
            _pair(number_, pair, results, gallery, scale)
            for number_, pair in enumerate(results.pairs[: gallery.count], start=1)
        ),
        scale=tuple((level, number(scale.loss(level / (charts.LEVELS - 1)))) for level in range(charts.LEVELS)),
        loss_name=results.loss_name,
        loss_unit=results.loss_unit,
        left_out=left_out,
        how_to_read=_how_to_read(results),
        warning="This grid does not do what it says." if low else "",
    )


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


def _pair(position: int, pair: PairResult, results: Results, gallery: Gallery, scale: LossScale) -> PairView:
    drawn, drawn_series = gallery.pair(position - 1)
    columns = results.grid.features
    rows = []
    for r, row in enumerate(pair.cells):
        cells = tuple(
            _cell(cell, drawn[r * columns + c], scale, _real_name(cell, pair, r), f"Row {r + 1}, column {c + 1}")
            for c, cell in enumerate(row)
        )
        rows.append(RowView(number(row[0].requested), cells))
    series = tuple(
        _cell(cell, picture, scale, _real_name(cell, pair, 0), f"Step {i}")
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
    )


def _sample_name(role: str, pair: PairResult) -> str:
    name: str = getattr(pair, f"{role}_name")
    return name or f"{role} #{getattr(pair, role)}"


def _real_name(cell: Cell, pair: PairResult, row: int) -> str:
    if not cell.real:
        return ""
    return f"real sample: {_sample_name('source' if row == 0 else 'target', pair)}"


def _bar(scale: LossScale, loss: float) -> float:
    """Length of a loss bar in ``3 .. 100``: never so short that it cannot be seen."""
    return round(3 + 97 * scale.position(loss), 1)


def _cell(cell: Cell, picture: Picture, scale: LossScale, real: str, place: str) -> CellView:
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
        bar=_bar(scale, cell.measured),
        tick=round(3 + 97 * scale.position(cell.requested), 1),
        wrong=not cell.correct,
        real=cell.real,
    )


def _trust(results: Results) -> Trust:
    spearman, r2, cells = results.fidelity.spearman, results.leak.r2, count(results.fidelity.cells, "generated cell")
    if spearman is None:
        words = "It could not be measured: too few cells, or all of one loss."
    elif spearman < LOW_FIDELITY:
        words = (
            f"Each row asks for a loss. On {cells} the classifier then measured something else: the two orders hardly "
            f"agree (1 is full agreement, 0 is chance, and {LOW_FIDELITY} is the least to be trusted). "
            "Draw no conclusion from what changes down the rows."
        )
    else:
        words = (
            f"Each row asks for a loss. On {cells} the classifier then measured losses in nearly that order "
            "(1 is full agreement, 0 is chance). What changes down the rows is what the classifier finds hard."
        )
    if r2 is None:
        leak = "It could not be measured: too few samples."
    else:
        leak = (
            "The part of the loss that can still be read from the features alone. Near 0 a step sideways says nothing "
            "about the loss; near 1 both axes tell the same story."
        )
    return Trust(number(spearman), words, number(r2), leak)


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
