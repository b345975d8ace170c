"""Geometry of the charts, the loss scale, and numbers as words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.core.results.results import Cause, Curve, Distribution, DosePoint, Shift
from shiftlens.plugins.renderers import charts, words

finite = st.floats(-1e6, 1e6)


def numbers(path: str) -> list[float]:
    return [float(n) for n in re.findall(r"-?\d+\.?\d*", path)]


@given(finite, st.floats(1e-6, 1e6), st.integers(3, 9))
def test_ticks_are_few_round_and_inside(low: float, width: float, most: int) -> None:
    values = charts.ticks(low, low + width, most)
    slack = 1e-6 * width
    assert 1 <= len(values) <= most
    assert all(low - slack <= v <= low + width + slack for v in values)


def test_ticks_by_hand() -> None:
    assert charts.ticks(0, 10, 6) == [0, 2, 4, 6, 8, 10]
    assert charts.ticks(0.13, 0.97, 4) == pytest.approx([0.5])
    assert charts.ticks(3, 3, 5) == [3]


@given(st.lists(st.floats(0, 50), min_size=2, max_size=30))
def test_the_loss_scale_keeps_order_and_covers_its_losses(losses: list[float]) -> None:
    scale = charts.loss_scale(losses)
    ordered = sorted(losses)
    positions = [scale.position(loss) for loss in ordered]
    assert positions == sorted(positions)
    assert {scale.level(loss) for loss in ordered} <= set(range(charts.LEVELS))
    assert scale.loss(scale.position(ordered[-1])) == pytest.approx(ordered[-1], abs=1e-6) or len(set(ordered)) == 1
    assert 3 <= scale.bar(ordered[0]) <= scale.bar(ordered[-1]) <= 100


def test_a_loss_that_is_not_finite_has_the_far_end_of_the_scale() -> None:
    assert charts.loss_scale([0.1, float("inf")]).level(float("nan")) == charts.LEVELS - 1


@pytest.mark.parametrize("edges", [[0.0, 1.0, 2.0, 3.0], [0.0, 0.01, 0.1, 10.0]])
def test_histograms_lie_on_the_baseline_and_inside(edges: list[float]) -> None:
    distribution = Distribution(edges=edges, source=[5, 3, 0], target=[0, 1, 9])
    chart = charts.distribution_chart("losses", distribution, "nats", 0.5, 2.5)
    for path in (chart.histograms.source, chart.histograms.target):
        pairs = numbers(path)
        assert all(0 <= x <= charts.WIDTH for x in pairs[::2])
        assert max(pairs[1::2]) == chart.histograms.baseline
    assert [m.text for m in chart.means] == ["source mean 0.50", "target mean 2.50"]
    assert chart.means[0].at < chart.means[1].at
    assert chart.axis


def test_an_empty_target_is_not_drawn() -> None:
    distribution = Distribution(edges=[0.0, 1.0], source=[5], target=[0])
    chart = charts.distribution_chart("losses", distribution, "nats", 0.5, None)
    assert not chart.has_target
    assert len(chart.means) == 1


def cause(**changes: object) -> Cause:
    doses = [
        DosePoint(value=v, loss=loss, accuracy=1 - loss / 4, loss_ci=(loss - 0.1, loss + 0.1))
        for v, loss in ((6.8, 1.4), (3.1, 0.2), (5.0, 0.5))
    ]
    base = Cause(
        factor="stroke-thickness", verdict="harmful", effect=1.2, shift=Shift(source=3.1, target=6.8, unit="px"),
        dose=doses, safe_until=4.2, sentence="Thicker strokes cost accuracy.",
    )  # fmt: skip
    return base.model_copy(update=changes)


def test_the_dose_curve_rises_where_the_loss_does() -> None:
    chart = charts.dose_chart(cause(), "nats")
    assert chart is not None
    assert [p.x for p in chart.points] == sorted(p.x for p in chart.points)
    assert [p.y for p in chart.points] == sorted((p.y for p in chart.points), reverse=True)
    assert chart.safe is not None
    assert chart.points[0].x < chart.safe.at < chart.points[1].x
    assert "4.20\u202fpx" in chart.safe.text
    assert chart.histograms is None


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(0, 3))
def test_the_accuracies_at_both_ends_stand_clear_of_each_other(one: float, other: float, rise: float) -> None:
    doses = [
        DosePoint(value=value, loss=loss, accuracy=1.0, loss_ci=(loss, loss))
        for value, loss in ((one, 0.1), (other, 0.1 + rise))
    ]
    around = Distribution(edges=[-10, 0, 10], source=[1, 1], target=[1, 1])
    chart = charts.dose_chart(cause(dose=doses, distribution=around), "nats")
    assert chart is not None

    def reach(label: charts.Marker) -> tuple[float, float]:
        start = label.at - {"start": 0, "middle": charts.LABEL / 2, "end": charts.LABEL}[label.anchor]
        return start, start + charts.LABEL

    first, last = reach(chart.first), reach(chart.last)
    assert min(first[0], last[0]) >= 0
    assert max(first[1], last[1]) <= charts.WIDTH + 1
    above = abs(chart.points[0].y - chart.points[-1].y) >= charts.LINE
    assert first[1] <= last[0] or above


def test_one_dose_is_no_curve() -> None:
    assert charts.dose_chart(cause(dose=[]), "nats") is None
    assert charts.dose_chart(cause(dose=cause().dose[:1]), "nats") is None


def test_a_small_chart_for_every_logged_figure() -> None:
    rows = [
        {"epoch": 1.0, "loss": 0.9},
        {"epoch": 2.0, "loss": 0.4, "held_out": float("nan")},
        {"epoch": 3.0, "loss": 0.3},
    ]
    drawn = charts.curve_charts(Curve(name="classifier", rows=rows))
    assert [chart.name for chart in drawn] == ["loss"]
    assert drawn[0].last == "0.30"
    assert len(drawn[0].dots) == 3
    assert charts.curve_charts(Curve(name="nothing", rows=[])) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (float("nan"), "–"), (0.0, "0"), (-0.5, "−0.50"), (1250.4, "1,250"), (0.04, "0.04"), (31.44, "31.4")],
)
def test_numbers(value: float | None, text: str) -> None:
    assert words.number(value) == text


def test_words() -> None:
    assert words.percent(0.942, 1) == "94.2\u202f%"
    assert words.percent(-0.0001) == "0\u202f%"
    assert words.points(0.01) == "1.0 point"
    assert words.points(-0.245) == "−24.5 points"
    assert words.signed(0.5) == "+0.50"
    assert words.signed(0.0) == "0"
    assert words.count(1, "class") == "1 class"
    assert words.count(5000, "class") == "5,000 classes"
    assert words.listed(["a", "b", "c"]) == "a, b and c"


def test_a_training_curve_is_drawn_over_its_steps_and_without_any_over_its_rows() -> None:
    stepped = Curve(name="generator", rows=[{"step": 50.0 * i, "loss": 3.0 - i} for i in range(3)])
    (chart,) = charts.curve_charts(stepped)
    assert chart.x_name == "step"
    assert [tick.text for tick in chart.x_axis] == ["0", "20", "40", "60", "80", "100"]
    plain = Curve(name="generator", rows=[{"loss": 3.0 - i} for i in range(3)])
    (chart,) = charts.curve_charts(plain)
    assert chart.x_name == "row"
    assert chart.dots == ((charts.LEFT, 16.0), ((charts.LEFT + charts.RIGHT - 4) / 2, 60.0), (charts.RIGHT - 4, 104.0))
    assert chart.last == "1.00"
    assert chart.title == "generator: loss from 3.00 to 1.00"
