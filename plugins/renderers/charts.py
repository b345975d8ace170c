"""Geometry of the report's charts: values in, positions and SVG path data out. The template only draws.

All charts are laid out in a view box about as wide as a phone, so that their text stays readable everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from shiftlens.core.results.results import Cause, Curve, Distribution, Interval
from shiftlens.plugins.renderers.words import factor_title, number, percent, with_unit

WIDTH = 360.0
LEFT, RIGHT = 34.0, 350.0  # of the plotting area; the y axis' numbers stand left of it
LABEL, LINE = 70.0, 14.0  # width and height of "100 % right"


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Marker:
    """A labelled vertical line in a plot; ``anchor`` is the SVG text-anchor."""

    at: float
    text: str
    anchor: str


@dataclass(frozen=True)
class Span:
    """A straight scale from values to positions."""

    low: float
    high: float
    start: float
    stop: float

    def at(self, value: float) -> float:
        """Position of a value, kept within the scale."""
        width = self.high - self.low
        t = 0.5 if width <= 0 else (value - self.low) / width
        return round(self.start + min(1.0, max(0.0, t)) * (self.stop - self.start), 1)


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most so many values between ``low`` and ``high``, evenly spaced by 1, 2 or 5 times a power of 10."""
    width = high - low
    if not width > 0 or not math.isfinite(width):
        return [low] if math.isfinite(low) else []
    power = 10.0 ** math.floor(math.log10(width / most))
    step = next(power * m for m in (1, 2, 5, 10, 20) if width / (power * m) <= most - 1 + 1e-9)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _axis(span: Span, most: int) -> tuple[Tick, ...]:
    return tuple(Tick(span.at(value), _round(value)) for value in ticks(span.low, span.high, most))


def _round(value: float) -> str:
    """A round value without the zeros behind it."""
    return f"{value:,.6g}".replace("-", "−")


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points) if points else ""


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


@dataclass(frozen=True)
class Histograms:
    """Two histograms over the same bins, as filled step lines."""

    source: str
    target: str
    baseline: float


def _histograms(distribution: Distribution, x: Sequence[float], top: float, baseline: float) -> Histograms:
    shares = [_shares(counts) for counts in (distribution.source, distribution.target)]
    tallest = max((value for row in shares for value in row), default=0.0) or 1.0

    def steps(row: Sequence[float]) -> str:
        points = [(x[0], baseline)]
        for i, value in enumerate(row):
            y = round(baseline - (baseline - top) * value / tallest, 1)
            points += [(x[i], y), (x[i + 1], y)]
        return _path([*points, (x[-1], baseline)]) + "Z"

    return Histograms(steps(shares[0]), steps(shares[1]), baseline)


@dataclass(frozen=True)
class DistributionChart:
    """Distributions of one value in both domains."""

    title: str
    histograms: Histograms
    axis: tuple[Tick, ...]
    means: tuple[Marker, ...]
    unit: str
    has_target: bool
    height: float = 170.0


def distribution_chart(
    title: str, distribution: Distribution, unit: str, source_mean: float, target_mean: float | None
) -> DistributionChart:
    """Both domains' histograms with their means; bins of very unequal width are drawn equally wide."""
    edges = distribution.edges
    widths = [b - a for a, b in pairwise(edges)]
    uneven = min(widths) <= 0 or max(widths) > 4 * min(widths)
    left = 10.0
    if uneven:
        x = [round(left + (RIGHT - left) * i / len(widths), 1) for i in range(len(edges))]
        every = max(1, len(widths) // 5)
        axis = tuple(Tick(x[i], number(edges[i])) for i in range(0, len(edges), every))
    else:
        span = Span(edges[0], edges[-1], left, RIGHT)
        x = [span.at(edge) for edge in edges]
        axis = _axis(span, 6)

    def position(value: float) -> float:
        for i, (a, b) in enumerate(pairwise(edges)):
            if value <= b:
                t = min(1.0, max(0.0, (value - a) / (b - a))) if b > a else 0.0
                return round(x[i] + t * (x[i + 1] - x[i]), 1)
        return x[-1]

    has_target = sum(distribution.target) > 0
    means = [(source_mean, "source")]
    if has_target and target_mean is not None:
        means.append((target_mean, "target"))
    markers = tuple(
        Marker(at, f"{name} mean {number(value)}", "end" if at > WIDTH / 2 else "start")
        for value, name in means
        if math.isfinite(value)
        for at in [position(value)]
    )
    histograms = _histograms(distribution, x, 44.0, 142.0)
    return DistributionChart(title, histograms, axis, markers, unit, has_target)


@dataclass(frozen=True)
class CurvePoint:
    """One measured strength on the curve."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class DoseChart:
    """What each strength of a factor costs, and beneath it where the two domains lie."""

    title: str
    band: str
    line: str
    points: tuple[CurvePoint, ...]
    first: Marker
    last: Marker
    x_axis: tuple[Tick, ...]
    y_axis: tuple[Tick, ...]
    x_name: str
    y_name: str
    safe: Marker | None
    histograms: Histograms | None
    plot_bottom: float
    height: float


def dose_chart(cause: Cause, loss_unit: str, columns: Sequence[str] = ()) -> DoseChart | None:
    """The dose–response curve of a factor; None where fewer than two strengths were measured."""
    name = factor_title(cause.factor, columns)
    doses = sorted(cause.dose, key=lambda dose: dose.value)
    if len(doses) < 2:
        return None
    unit = cause.shift.unit if cause.shift else ""
    values = [dose.value for dose in doses]
    distribution = cause.distribution
    low, high = min(values), max(values)
    if distribution:
        low, high = min(low, distribution.edges[0]), max(high, distribution.edges[-1])
    x = Span(low, high, LEFT, RIGHT)
    bottom = 132.0
    lowest = min(0.0, *(dose.loss_ci[0] for dose in doses))
    highest = max(max(dose.loss, dose.loss_ci[1]) for dose in doses)
    y = Span(lowest, highest * 1.05 if highest > lowest else lowest + 1, bottom, 26.0)

    above = [(x.at(dose.value), y.at(dose.loss_ci[1])) for dose in doses]
    below = [(x.at(dose.value), y.at(dose.loss_ci[0])) for dose in reversed(doses)]
    points = tuple(
        CurvePoint(
            x.at(dose.value),
            y.at(dose.loss),
            f"{with_unit(dose.value, unit)}: loss {number(dose.loss)} {loss_unit}, accuracy {percent(dose.accuracy)}",
        )
        for dose in doses
    )
    safe = None
    if cause.safe_until is not None and low <= cause.safe_until <= high:
        at = x.at(cause.safe_until)
        way = "down" if cause.shift and cause.shift.target < cause.shift.source else "up"
        said = f"safe {way} to {with_unit(cause.safe_until, unit)}"
        safe = Marker(at, said, "end" if at > WIDTH / 2 else "start")
    histograms = None
    if distribution:
        histograms = _histograms(distribution, [x.at(edge) for edge in distribution.edges], 146.0, 186.0)
    first, last = _accuracy_labels(points[0], points[-1], doses[0].accuracy, doses[-1].accuracy)
    return DoseChart(
        title=(
            f"Mean loss at each strength of {name}: from {number(doses[0].loss)} {loss_unit} at "
            f"{with_unit(values[0], unit)} to {number(doses[-1].loss)} {loss_unit} at {with_unit(values[-1], unit)}"
        ),
        band=_path(above + below) + "Z",
        line=_path([(point.x, point.y) for point in points]),
        points=points,
        first=first,
        last=last,
        x_axis=_axis(x, 6),
        y_axis=_axis(y, 4),
        x_name=f"{name}, {unit}" if unit else name,
        y_name=f"mean loss, {loss_unit}, and the accuracy at both ends",
        safe=safe,
        histograms=histograms,
        plot_bottom=bottom,
        height=(218.0 if histograms else 164.0) + (14.0 if safe else 0.0),
    )


@dataclass(frozen=True)
class SmallDose:
    """The accuracy at each strength as a line no larger than a word, in a view box of 100 by 28."""

    title: str
    line: str
    last: tuple[float, float]


def small_dose(cause: Cause, lowest: float) -> SmallDose | None:
    """The accuracy from the source's value to the target's; ``lowest`` is the bottom that all rows share."""
    doses = list(cause.dose)
    if len(doses) < 2:
        return None
    x, y = Span(0, len(doses) - 1, 4.0, 96.0), Span(lowest, 1.0, 25.0, 3.0)
    points = [(x.at(i), y.at(dose.accuracy)) for i, dose in enumerate(doses)]
    ends = f"from {percent(doses[0].accuracy)} right at the source's value to {percent(doses[-1].accuracy)}"
    return SmallDose(f"Accuracy {ends} at the target's", _path(points), points[-1])


def _accuracy_labels(left: CurvePoint, right: CurvePoint, before: float, after: float) -> tuple[Marker, Marker]:
    """The accuracies at both ends of the curve: over its ends, or side by side where these lie close together."""
    texts = f"{percent(before)} right", f"{percent(after)} right"
    first, last = (
        Marker(point.x, text, "start" if point.x < 80 else "end" if point.x > 300 else "middle")
        for point, text in zip((left, right), texts, strict=True)
    )
    starts = {"start": 0.0, "middle": LABEL / 2, "end": LABEL}  # how far left of its place a label begins
    beside = first.at - starts[first.anchor] + LABEL <= last.at - starts[last.anchor]
    if beside or abs(left.y - right.y) >= LINE:
        return first, last
    between = min(max((left.x + right.x) / 2, LEFT + LABEL), RIGHT - LABEL)
    return Marker(between - 4, texts[0], "end"), Marker(between + 4, texts[1], "start")


@dataclass(frozen=True)
class IntervalBar:
    """A value with its interval on a scale that several rows share; positions in ``0 .. 100``."""

    zero: float
    value: float
    low: float
    high: float
    text: str
    interval: str


def interval_scale(values: Sequence[float | None], intervals: Sequence[Interval | None]) -> Span:
    """One scale for a column of bars: all values, intervals and zero fit in ``2 .. 98``."""
    seen = [0.0, *(v for v in values if v is not None), *(end for ci in intervals if ci is not None for end in ci)]
    finite = [value for value in seen if math.isfinite(value)]
    low, high = min(finite), max(finite)
    return Span(low, high if high > low else low + 1, 2.0, 98.0)


def interval_bar(span: Span, value: float, ci: Interval | None, text: str, interval: str) -> IntervalBar:
    """One row; without an interval the whisker has no length."""
    low, high = ci if ci is not None else (value, value)
    return IntervalBar(span.at(0.0), span.at(value), span.at(low), span.at(high), text, interval)


@dataclass(frozen=True)
class CurveChart:
    """One figure over the steps of a training run."""

    title: str
    name: str
    line: str
    dots: tuple[tuple[float, float], ...]
    x_axis: tuple[Tick, ...]
    y_axis: tuple[Tick, ...]
    x_name: str
    last: str


STEP_NAMES = ("epoch", "step", "iteration")


def curve_charts(curve: Curve) -> list[CurveChart]:
    """A small chart for each figure that a training run logged."""
    names = list(dict.fromkeys(name for row in curve.rows for name in row))
    step = next((name for name in STEP_NAMES if name in names), "")
    charts = []
    for name in names:
        if name in STEP_NAMES:
            continue
        rows = [(row.get(step, float(i)), row[name]) for i, row in enumerate(curve.rows) if name in row]
        rows = [(a, b) for a, b in rows if math.isfinite(a) and math.isfinite(b)]
        if not rows:
            continue
        x = Span(min(a for a, _ in rows), max(a for a, _ in rows), LEFT, RIGHT - 4)
        y = Span(min(b for _, b in rows), max(b for _, b in rows), 104.0, 16.0)
        dots = tuple((x.at(a), y.at(b)) for a, b in rows)
        plain = name.replace("_", " ")
        charts.append(
            CurveChart(
                title=f"{curve.name}: {plain} from {number(rows[0][1])} to {number(rows[-1][1])}",
                name=plain,
                line=_path(dots),
                dots=dots if len(dots) <= 30 else dots[-1:],
                x_axis=_axis(x, 6),
                y_axis=_axis(y, 4),
                x_name=step or "row",
                last=number(rows[-1][1]),
            )
        )
    return charts


LEVELS = 12


@dataclass(frozen=True)
class LossColours:
    """The colours of the grid: ``log(loss + 0.05)`` from its smallest to its largest value, in LEVELS steps.

    The logarithm, as in the generator, because raw cross-entropy has a tail that would take all the colours.
    """

    low: float
    high: float

    def position(self, loss: float) -> float:
        """Where a loss lies, in ``0 .. 1``."""
        if not math.isfinite(loss):
            return 1.0
        width = self.high - self.low
        return 0.5 if width <= 0 else min(1.0, max(0.0, (_log(loss) - self.low) / width))

    def level(self, loss: float) -> int:
        """Colour step of a loss, in ``range(LEVELS)``."""
        return min(LEVELS - 1, int(self.position(loss) * LEVELS))

    def bar(self, loss: float) -> float:
        """Length of a loss bar in ``3 .. 100``: never so short that it cannot be seen."""
        return round(3 + 97 * self.position(loss), 1)

    def loss(self, position: float) -> float:
        """The loss at a position: the inverse of `position`."""
        return max(0.0, math.exp(self.low + position * (self.high - self.low)) - 0.05)


def _log(loss: float) -> float:
    return math.log(max(loss, 0.0) + 0.05)


def loss_scale(losses: Sequence[float]) -> LossColours:
    """The scale that fits all these losses."""
    logs = [_log(loss) for loss in losses if math.isfinite(loss)] or [0.0]
    return LossColours(min(logs), max(logs))
