"""Every number that the HTML report prints is one of results.json, where it belongs and as the one formatter writes it.

Sentences of results.json are quoted by the report; their figures are held by the tests of the sentences.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from examplereports import SCENES, example
from htmltree import Node, tree

from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import Renderer
from shiftlens.core.results.report import Report
from shiftlens.core.results.results import (
    BeforeAfter,
    Cause,
    Cell,
    ConverterResult,
    FactorGap,
    InterventionCell,
    PairResult,
    Results,
)
from shiftlens.plugins.renderers.words import factor_title, number, percent, points, signed

FIGURE = re.compile(r"(?<![\w.#])#?[−+]?\d+(?:,\d{3})*(?:\.\d+)?(?:[\u202f ]%)?(?![\w.]*\w)")
CONSTANT = {"0", "1", "95 %"}  # of explanations: "1 is full agreement", "95 % interval"


@dataclass(frozen=True)
class Case:
    """A report as HTML and the results that it tells."""

    results: Results
    page: Node

    @cached_property
    def sentences(self) -> list[str]:
        """Sentences of the results, the longest first, their narrow spaces made plain ones."""
        return [" ".join(s.split()) for s in sorted(_sentences(self.results), key=len, reverse=True)]

    def figures(self, text: str) -> list[str]:
        """Numbers in a text, in their order, without those of sentences that are quoted from the results."""
        text = " ".join(text.split())
        for sentence in self.sentences:
            text = text.replace(sentence, " ")
        return [figure.replace("\u202f", " ").lstrip("#") for figure in FIGURE.findall(text)]

    def told(self, text: str, *expected: str, constants: Sequence[str] = tuple(CONSTANT)) -> None:
        """The text's figures are the expected ones in their order, and beside them only constants."""
        wanted = [figure for part in expected for figure in self.figures(part)]
        found = self.figures(text)
        position = 0
        for figure in found:
            if position < len(wanted) and figure == wanted[position]:
                position += 1
            else:
                assert figure in constants, f"{figure} in {text!r}: expected {wanted}"
        assert position == len(wanted), f"{wanted[position:]} missing in {text!r}"


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


@cache
def _dumped(text: str) -> list[Any]:
    return list(_leaves(json.loads(text)))


def _sentences(results: Results) -> set[str]:
    return {leaf for leaf in _dumped(results.to_json()) if isinstance(leaf, str) and " " in leaf}


def html_of(report: Report) -> str:
    component = Host().find(Renderer, "html")
    html: bytes = component.build(component.settings())(report)["report.html"]
    return html.decode("utf-8")


@cache
def _example(name: str) -> Case:
    report = example(name)
    component = Host().find(Renderer, "html")
    html = component.build(component.settings())(report)["report.html"].decode("utf-8")
    return Case(report.results, tree(html))


@pytest.fixture(params=[*SCENES, "demo"])
def case(request: pytest.FixtureRequest) -> Case:
    """The examples, which hold every figure that there can be, and a run's own report."""
    if request.param != "demo":
        return _example(request.param)
    run = request.getfixturevalue("demo_run").run
    return Case(run.results, _parsed(run.path / "report.html"))


@cache
def _parsed(report: Path) -> Node:
    return tree(report.read_text(encoding="utf-8"))


def range_of(ci: Sequence[float] | None, say: Any = number) -> str:
    return "" if ci is None else f"{say(ci[0])} {say(ci[1])}"


def bare(value: float) -> str:
    return points(value).split(" ")[0]


def test_the_summary(case: Case) -> None:
    results, page = case.results, case.page.one("header", "summary")
    shape = " ".join(map(str, results.sample_shape))
    kicker = page.one("p", "kicker").words.replace(results.provenance.date or "–", " ")
    case.told(kicker, f"{shape} {len(results.classes)}", constants=())
    assert results.measured_on is not None
    assert results.accuracy_ci is not None
    for role in ("source", "target"):
        accuracy, samples = (getattr(part, role) for part in (results.accuracy, results.measured_on))
        ci = " ".join(percent(end, 1) for end in getattr(results.accuracy_ci, role))
        side = page.one("div", role)
        assert side.one("p", "accuracy-value").words.strip() == f"accuracy {percent(accuracy, 1)}"
        case.told(side.one("p", "accuracy-detail").words, f"{ci} {samples:,}", constants=())
        assert float(side.one("rect", "fill").attributes["width"]) == pytest.approx(100 * accuracy)
    assert results.accuracy.target is not None
    difference = results.accuracy.target - results.accuracy.source
    change = page.one("div", "change").one("p")
    assert change.words.strip() == points(difference)
    case.told(change.attributes["title"], points(abs(difference)), constants=())
    assert results.headline in page.one("h1").words


def rows_of(case: Case) -> list[tuple[Node, Cause | None]]:
    """Rows of the table of causes with their factor; None: of the unexplained rest. One for all that is harmless."""
    titles = {factor_title(cause.factor, case.results.columns): cause for cause in case.results.causes}
    rows = case.page.all("table", "effects")[0].one("tbody").all("tr")
    return [(row, titles.get(row.one("th").words.strip())) for row in rows if "harmless" not in row.attributes["class"]]


def lost(cause: Cause) -> tuple[float, tuple[float, float]]:
    """Points of accuracy that a change costs, as the table tells them: what is lost is negative."""
    assert cause.accuracy_effect is not None
    assert cause.accuracy_ci is not None
    return -100 * cause.accuracy_effect, (-100 * cause.accuracy_ci[1], -100 * cause.accuracy_ci[0])


def one_digit(value: float) -> str:
    text = f"{abs(value):.1f}"
    return text if text == "0.0" else f"{'−' if value < 0 else '+'}{text}"


def test_the_table_of_causes(case: Case) -> None:
    rows = rows_of(case)
    told = [cause for cause in case.results.causes if cause.verdict in ("harmful", "unclear")]
    assert len(rows) == len(told) + 1
    for row, cause in rows:
        fall, effect, share = (cell.words for cell in row.all("td")[1:4])
        if cause is not None:
            if cause.accuracy_effect is not None:
                value, ci = lost(cause)
                case.told(fall, one_digit(value), range_of(ci, one_digit), constants=())
            if cause.effect is not None:
                case.told(effect, signed(cause.effect), range_of(cause.ci, signed), constants=())
            values = cause.share, cause.share_ci
        else:
            assert not case.figures(fall + effect)
            assert case.results.unexplained is not None
            values = case.results.unexplained.share, case.results.unexplained.ci
        case.told(share, *([percent(values[0]), range_of(values[1], percent)] if values[0] is not None else []))


def test_bars_are_as_long_as_their_figures(case: Case) -> None:
    """Within one column all bars share one scale: zero, value and both ends of the interval lie on a straight line."""
    rest = case.results.unexplained
    for column, (value, interval) in enumerate((("effect", "ci"), ("share", "share_ci")), start=2):
        drawn, figures = [], []
        for row, cause in rows_of(case):
            cell = row.all("td")[column]
            bars = cell.all("rect", "bar")
            figure, ci = (getattr(cause, value), getattr(cause, interval)) if cause else (rest.share, rest.ci)
            if not bars or ci is None:
                continue
            start, width = (float(bars[0].attributes[name]) for name in ("x", "width"))
            zero, *ends = _numbers(cell.one("path", "zero"), "whisker", cell)
            drawn += [zero, start + width if figure > 0 else start, *ends]
            figures += [0.0, figure, *ci]
        if np.ptp(figures) > 0:
            slope, start = np.polyfit(figures, drawn, 1)
            assert slope > 0
            np.testing.assert_allclose(np.array(figures) * slope + start, drawn, atol=0.2)


def _numbers(zero: Node, whisker: str, cell: Node) -> list[float]:
    """Place of the zero line and of both ends of the whisker."""
    at = float(re.findall(r"[\d.]+", zero.attributes["d"])[0])
    ends = [float(n) for n in re.findall(r"[\d.]+", cell.one("path", whisker).attributes["d"])]
    return [at, min(ends[0], ends[2]), max(ends[0], ends[2])]


def facts_of(cause: Cause, results: Results) -> list[str]:
    """The figures of a card's facts, one entry per line that has any."""
    shift, facts = cause.shift, []
    if shift:
        facts.append(f"{number(shift.source)} {number(shift.target)}")
        if shift.turn is not None:
            facts.append(number(shift.turn))
    if cause.accuracy_effect is not None:
        facts.append(f"{bare(cause.accuracy_effect)} {range_of(cause.accuracy_ci, bare)}")
    if cause.effect is not None:
        facts.append(f"{signed(cause.effect)} {range_of(cause.ci, signed)}")
    if cause.samples is not None:
        precise = ""
        if cause.ci and results.trial:
            precise = f"{number((cause.ci[1] - cause.ci[0]) / 2)} {number(results.trial.wanted)}"
        facts.append(f"{cause.samples} {precise}")
    if cause.share is not None:
        facts.append(f"{percent(cause.share)} {range_of(cause.share_ci, percent)}")
    if cause.restored is not None:
        facts.append(f"{bare(cause.restored)} {range_of(cause.restored_ci, bare)}")
    if cause.safe_until is not None:
        facts.append(number(cause.safe_until))
    if cause.reached is not None:
        facts.append(percent(cause.reached))
    if cause.clipped is not None and cause.clipped >= 0.0005:
        facts.append(percent(cause.clipped, 1))
    return facts


def test_the_cards(case: Case) -> None:
    results = case.results
    cards = {card.one("h3").words.strip(): card for card in case.page.all("details", "card")}
    for cause in results.causes:
        name = factor_title(cause.factor, results.columns)
        if cause.verdict == "unchanged":
            assert name not in cards
            continue
        card = cards[name]
        assert cause.sentence in card.one("p", "sentence").words
        lines = [d.words for d in card.one("dl", "facts").all("dd") if case.figures(d.words)] if cause.shift else []
        for line, expected in zip(lines, facts_of(cause, results) if cause.shift else [], strict=True):
            case.told(line, expected, constants=())
        if cause.grid:
            axes = cause.grid
            moved = f"{percent(axes.loss_axis)} {range_of(axes.loss_axis_ci, percent)}"
            moved += f" {percent(axes.feature_axis)} {range_of(axes.feature_axis_ci, percent)}"
            case.told(card.one("dl", "notes").all("dd")[0].words, moved, constants=())
        strip = card.all("div", "strip-cell")
        assert len(strip) == len(cause.strip)
        for drawn, told in zip(strip, cause.strip, strict=True):
            label = drawn.one("svg", "picture").attributes["aria-label"].removeprefix(name)
            case.told(label, f"{number(told.value)} {number(told.loss)} {told.predicted}", constants=())
            case.told(drawn.one("p").words, f"{number(told.value)} {number(told.loss)} {told.predicted}", constants=())
            assert ("✕" in drawn.words) is not told.correct
    if results.remedy is not None and results.remedy.measured is not None:
        rows = case.page.one("section", id="remedy").one("tbody").all("tr")
        for row, measured in zip(rows, results.remedy.measured, strict=True):
            if not measured.why_not:
                target = f"{percent(measured.target, 1)} {range_of(measured.target_ci, lambda v: percent(v, 1))}"
                case.told(row.all("td")[1].words, target, constants=())
    gap = f"{number(results.loss.source)} {number(results.loss.target)}"
    assert results.loss.target is not None
    gap += f" {number(results.loss.target - results.loss.source)}"
    case.told(case.page.one("section", id="causes").one("p", "intro").words, gap, constants=())
    together = [dd.words for d in case.page.all("dl", "findings") for dd in d.all("dd")]
    for found in results.interactions:
        (line,) = (words for words in together if found.sentence in words)
        case.told(line, range_of(found.ci, signed))


def test_the_dose_curves(case: Case) -> None:
    """What stands at the points is what was measured, and the points lie where the axes say."""
    for cause in case.results.causes:
        if len(cause.dose) < 2 or cause.verdict == "unchanged":
            continue
        name = factor_title(cause.factor, case.results.columns)
        (card,) = (card for card in case.page.all("details", "card") if card.one("h3").words.strip() == name)
        chart = card.one("svg", "chart")
        doses = sorted(cause.dose, key=lambda dose: dose.value)
        dots = chart.all("circle", "dot")
        for dot, dose in zip(dots, doses, strict=True):
            told = f"{number(dose.value)} {number(dose.loss)} {percent(dose.accuracy)}"
            case.told(dot.one("title").words, told, constants=())
        ends = " ".join(f"{number(dose.loss)} {number(dose.value)}" for dose in (doses[0], doses[-1]))
        title = chart.all("title")[0].words.replace(name, "")
        case.told(title, ends, constants=())
        told = " ".join(label.words for label in chart.all("text", "value"))
        case.told(told, f"{percent(doses[0].accuracy)} {percent(doses[-1].accuracy)}", constants=())
        for safe in chart.all("text", "safe-text"):
            assert cause.safe_until is not None
            case.told(safe.words, number(cause.safe_until), constants=())
        ticks = chart.all("text", "tick-text")
        sideways = [tick for tick in ticks if tick.attributes["text-anchor"] == "middle"]
        upwards = [tick for tick in ticks if tick.attributes["text-anchor"] == "end"]
        along_axis(sideways, "x", [float(d.attributes["cx"]) for d in dots], [d.value for d in doses])
        along_axis(upwards, "y", [float(d.attributes["cy"]) + 3 for d in dots], [d.loss for d in doses])
        band = [float(n) for n in re.findall(r"[\d.]+", chart.one("path", "band").attributes["d"])]
        edges = [d.loss_ci[1] for d in doses] + [d.loss_ci[0] for d in reversed(doses)]
        along_axis(upwards, "y", [y + 3 for y in band[1::2]], edges)


def along_axis(ticks: list[Node], name: str, places: list[float], values: list[float]) -> None:
    """Marks at these places have these values by the axis that the ticks make."""
    if len(ticks) < 2:
        return
    at = [float(tick.attributes[name]) for tick in ticks]
    told = [float(tick.words.strip().replace(",", "").replace("−", "-")) for tick in ticks]
    slope, start = np.polyfit(at, told, 1)
    np.testing.assert_allclose(slope * np.array(at) + start, told, atol=abs(slope) * 0.2)
    np.testing.assert_allclose(slope * np.array(places) + start, values, atol=abs(slope) * 0.3)


def test_every_cell_of_every_generated_grid(case: Case) -> None:
    results = case.results
    articles = case.page.all("article", "pair")
    assert len(articles) == len(results.pairs)
    for drawn in articles:
        position = int(drawn.attributes["id"].removeprefix("pair-"))
        pair = results.pairs[position - 1]
        assert drawn.attributes["aria-label"].startswith(f"Pair {position} · class {pair.label} · ")
        ends = drawn.one("tr", "ends").all("span")
        assert [end.words.strip() for end in ends] == [_name("source", pair), _name("target", pair)]
        table, series = drawn.all("table", "grid")
        _cells_of(case, table, pair.cells)
        for i, (td, cell) in enumerate(zip(series.all("td", "cell"), pair.series, strict=True), start=1):
            _one_cell(case, td, cell, f"Step {i}")
        told = " ".join(p.words for p in drawn.all("p", "caption"))
        for move in pair.moves:
            if "moved by" in told and move.down > 0.25 * move.gap and move.factor == case.results.causes[1].factor:
                case.told(told, number(move.down), constants=())


def test_every_cell_of_the_intervention_grid(case: Case) -> None:
    found = case.results.intervention
    assert found is not None
    section = case.page.one("section", id="intervention")
    for drawn, sample in zip(section.all("article", "page"), found.samples, strict=True):
        _cells_of(case, drawn.one("table", "grid"), sample.cells)
        for td, cell in zip(drawn.all("td", "cell"), [cell for row in sample.cells for cell in row], strict=True):
            case.told(td.attributes["data-strengths"], f"{percent(cell.right)} {percent(cell.down)}", constants=())
        near = sample.nearest
        assert near is not None
        words = drawn.one("figure", "nearest").one("figcaption").words
        case.told(words, f"{near.target} {number(near.loss)} {near.predicted} {number(near.distance)}", constants=())
    told = section.all("p", "moves")[0].words
    case.told(told, f"1 {number(found.distance_before)} {number(found.distance)}", constants=())


def test_the_sliders(case: Case) -> None:
    found = case.results.intervention
    assert found is not None
    told = {factor_title(s.factor, case.results.columns): s for s in found.samples[0].sliders}
    units = {cause.factor: cause.shift.unit if cause.shift else "" for cause in case.results.causes}
    for drawn in case.page.all("article", "slider"):
        slider = told.pop(drawn.one("h3").words.strip())
        for li, step in zip(drawn.all("li", "step"), slider.steps, strict=True):
            value = percent(step.part) if step.value is None else f"{number(step.value)} {units[slider.factor]}"
            case.told(li.one("p").words, f"{step.predicted} {percent(step.confidence)} {value}", constants=())
            assert ("✕" in li.words) is not step.correct
    assert not told


def test_worst_samples_and_confusions(case: Case) -> None:
    section = case.page.one("section", id="where")
    for li, sample in zip(section.one("ul", "gallery").all("li"), case.results.worst, strict=True):
        wrong = "" if sample.label == sample.predicted else "✕ "
        assert (
            " ".join(li.one("p").words.split())
            == f"{sample.label} {wrong}{sample.predicted} loss {number(sample.loss)}"
        )
    shown = {f"{c.label} taken for {c.predicted}": c for c in case.results.confusions}
    for row in section.one("table", "confusions").one("tbody").all("tr"):
        found = shown[row.one("th").words.strip()]
        assert [td.words.strip() for td in row.all("td", "figure")] == [
            percent(found.source, 1),
            percent(found.target, 1),
        ]


def _cells_of(case: Case, table: Node, cells: Sequence[Sequence[Cell | InterventionCell]]) -> None:
    rows = [row.all("td", "cell") for row in table.all("tr") if row.all("td", "cell")]
    asked = [head.words.strip() for head in table.all("th", "requested")]
    assert asked == [number(row[0].requested) for row in cells]
    for r, (row, own) in enumerate(zip(rows, cells, strict=True), start=1):
        for c, (td, cell) in enumerate(zip(row, own, strict=True), start=1):
            _one_cell(case, td, cell, f"Row {r}, column {c}")


def _name(role: str, pair: PairResult) -> str:
    name: str = getattr(pair, f"{role}_name")
    return name or f"{role} #{getattr(pair, role)}"


def _one_cell(case: Case, td: Node, cell: Cell | InterventionCell, place: str) -> None:
    told = {name.removeprefix("data-"): value for name, value in td.attributes.items() if name.startswith("data-")}
    assert told["measured"] == number(cell.measured)
    assert told["requested"] == number(cell.requested)
    assert told["predicted"] == cell.predicted
    assert told["confidence"] == percent(cell.confidence)
    assert ("✕" in td.words) is not cell.correct
    expected = f"{number(cell.measured)}, asked for {number(cell.requested)}; predicted {cell.predicted}"
    wrong = "" if cell.correct else ", wrong"
    label = f"{place}: loss {expected}{wrong}, {percent(cell.confidence)} confident"
    assert td.one("span", "hidden").words.strip().startswith(label)
    assert td.one("p").all("span")[0].words.strip() == number(cell.measured)


def test_bars_and_colours_of_cells_follow_the_loss(case: Case) -> None:
    """Bar and tick are ``log(loss + 0.05)`` between the smallest and the largest loss on the page."""
    drawn, losses, levels = [], [], []
    found = case.results.intervention
    assert found is not None
    pairs = {f"pair-{i}": pair for i, pair in enumerate(case.results.pairs, start=1)}
    cells: list[Cell | InterventionCell] = [cell for s in found.samples for row in s.cells for cell in row]
    for article in case.page.all("article", "pair"):
        pair = pairs[article.attributes["id"]]
        cells += [cell for row in [*pair.cells, pair.series] for cell in row]
    for td, cell in zip(case.page.all("td", "cell"), cells, strict=True):
        bar, tick = td.one("svg", "loss-bar").all("rect")
        drawn += [float(bar.attributes["width"].rstrip("%")), float(tick.attributes["x"].rstrip("%"))]
        losses += [cell.measured, cell.requested]
        levels.append(int(bar.attributes["class"].removeprefix("q")))
    strip = [*_of_single_pictures(case.results)]
    logs = np.log(np.maximum(losses, 0) + 0.05)
    every = np.r_[_logs_of_cells(case.results), np.log(np.array(strip) + 0.05)]
    low, high = every.min(), every.max()
    np.testing.assert_allclose(drawn, 3 + 97 * (logs - low) / (high - low), atol=0.06)
    np.testing.assert_array_equal(levels, np.minimum(11, (logs[::2] - low) / (high - low) * 12).astype(int))
    ends = [math.exp(at) - 0.05 for at in (low, (low + high) / 2, high)]
    scale = case.page.one("svg", "scale")
    assert [text.words.strip() for text in scale.all("text")] == [number(max(0.0, loss)) for loss in ends]


def _of_single_pictures(results: Results) -> Iterator[float]:
    """Losses of strips and of the nearest target samples, which are drawn in the same colours."""
    yield from (cell.loss for cause in results.causes for cell in cause.strip)
    assert results.intervention is not None
    yield from (sample.nearest.loss for sample in results.intervention.samples if sample.nearest)


def _logs_of_cells(results: Results) -> np.ndarray:
    """log(loss + 0.05) of all cells that are drawn: measured and requested of the generated, measured of the others."""
    assert results.intervention is not None
    cells = [cell for pair in results.pairs for row in [*pair.cells, pair.series] for cell in row]
    losses = [loss for cell in cells for loss in (cell.measured, cell.requested)]
    losses += [cell.measured for sample in results.intervention.samples for row in sample.cells for cell in row]
    return np.log(np.maximum(losses, 0) + 0.05)


def test_what_is_said_of_trust(case: Case) -> None:
    results = case.results
    (folded,) = (d for d in case.page.all("details") if "How far the generated grid" in d.one("summary").words)
    names = [dt.words for dt in folded.all("dt")]
    words = [dd.words for dd in folded.all("dd")]
    found, second, realism, leak = results.fidelity, results.second_opinion, results.realism, results.leak
    expected = [(number(found.spearman), f"{found.cells:,}", number(found.source), number(found.target))]
    if second is not None:
        usual = second.fidelity is not None and second.fidelity < 0.4 and [number(second.fidelity_on_real)]
        expected.append(
            (
                number(second.fidelity), percent(second.agreement), percent(second.agreement_on_real),
                *(usual or []), percent(second.accuracy.source), percent(second.accuracy.target),
            )
        )  # fmt: skip
    if realism is not None:
        plain = (realism.plain_near, realism.plain_lowest)
        expected.append((percent(realism.near), number(realism.ratio), *map(percent, plain)))
    expected.append((number(leak.r2), number(leak.source), number(leak.target), number(leak.axis_r2)))
    missed = [cell.reached is False for pair in results.pairs for row in pair.cells for cell in row if not cell.real]
    share = percent(max(0.01, sum(missed) / len(missed))).replace("\u202f", " ")
    for name, line, (figure, *others) in zip(names, words, expected, strict=True):
        case.told(name, figure, constants=())
        case.told(line, *others, constants=[*CONSTANT, share] if name.startswith(" Fidelity") else tuple(CONSTANT))


def test_both_domains(case: Case) -> None:
    results, section = case.results, case.page.one("section", id="where")
    chart = section.all("svg", "chart")[0]
    for role in ("source", "target"):
        case.told(chart.one("text", role).words, number(getattr(results.loss, role)), constants=())
    heights = {}
    for role in ("source", "target"):
        path = [float(n) for n in re.findall(r"[\d.]+", chart.one("path", f"area-{role}").attributes["d"])]
        heights[role] = np.array([142 - y for y in path[3:-2:4]])
    counts = {role: np.array(getattr(results.loss_distribution, role)) for role in heights}
    shares = {role: count / count.sum() for role, count in counts.items()}
    tallest = max(share.max() for share in shares.values())
    for role, height in heights.items():
        np.testing.assert_allclose(height / 98, shares[role] / tallest, atol=0.002)
    by_name = {found.label: found for found in results.per_class}
    tables = [table for table in section.all("table", "classes") if table.attributes["class"] == "classes"]
    rows = [row for table in tables for row in table.one("tbody").all("tr")]
    assert len(rows) == len(by_name)
    changes = []
    for row in rows:
        found = by_name[row.one("th").attributes["title"]]
        source, target, change, samples = (cell.words.strip() for cell in row.all("td", "figure"))
        assert (source, target) == (percent(found.source), percent(found.target))
        assert samples == f"{found.samples.source:,} / {found.samples.target:,}"
        assert row.one("svg").attributes["aria-label"] == f"{found.label}: source {source}, target {target}"
        if found.source is not None and found.target is not None:
            difference = found.target - found.source
            changes.append(difference)
            assert change.lstrip("+") == bare(difference)
            assert change.startswith("+") is (difference > 0)
            dot = float(row.one("circle", "dot-source").attributes["cx"])
            link = float(re.findall(r"[\d.]+", row.one("path", "dot-target").attributes["transform"])[0])
            assert dot == pytest.approx(5 + 190 * found.source, abs=0.15)
            assert link == pytest.approx(5 + 190 * found.target, abs=0.15)
    assert all(a <= b for a, b in pairwise(changes)), "the hardest hit first"


def test_training(case: Case) -> None:
    shown = case.page.one("section", id="details").all("figure")
    wanted = []
    for curve in case.results.curves:
        names = [name for name in curve.rows[0] if name not in ("epoch", "step")]
        names += [name for row in curve.rows for name in row if name not in (*names, "epoch", "step")]
        wanted += [(curve, name) for name in dict.fromkeys(names)]
    assert len(shown) == len(wanted)
    for figure, (curve, name) in zip(shown, wanted, strict=True):
        values = [row[name] for row in curve.rows if name in row and math.isfinite(row[name])]
        case.told(figure.one("figcaption").one("b").words, number(values[-1]), constants=())
        case.told(figure.one("title").words, f"{number(values[0])} {number(values[-1])}", constants=())
        dots = figure.all("circle")
        if len(dots) == len(values):
            ticks = figure.all("text", "tick-text")
            upwards = [tick for tick in ticks if tick.attributes["text-anchor"] == "end"]
            along_axis(upwards, "y", [float(d.attributes["cy"]) + 3 for d in dots], values)


def test_provenance(case: Case) -> None:
    origin = case.results.provenance
    table = case.page.one("section", id="details").one("table", "record")
    told = {row.one("th").words.strip(): row.one("td").words.strip() for row in table.all("tr")}
    assert told["seed"] == str(origin.seed)
    assert told["settings"] == f"sha256 {origin.settings_sha256}"
    assert told["classifier"] == f"sha256 {origin.classifier_sha256}"
    for role, digest in origin.data_sha256.items():
        assert told[f"{role} data"] == f"sha256 {digest}"
    for name, version in origin.versions.items():
        if name != "shiftlens":
            assert told[name] == version
    assert told["shiftlens"] == case.results.shiftlens
    for name, value in case.results.generator.items():
        if isinstance(value, float):
            assert told[f"generator: {name.replace('_', ' ')}"] == number(value)


def test_no_number_is_printed_that_the_results_do_not_hold(case: Case) -> None:
    """Whatever stands on the page and was not looked at above: its numbers are in the results, or say where it is."""
    results = case.results
    known = {figure for leaf in _dumped(results.to_json()) for figure in _written(leaf)}
    count = [len(results.pairs), len(results.causes), len(results.classes), len(results.left_out)]
    size = range(max(results.grid.features, results.grid.losses, *count) + 1)
    known |= {str(i) for i in size} | CONSTANT | set(_derived(results))
    strange = set()
    looked_at = {id(node) for table in case.page.all("table", "record") for node in table}
    for node in case.page.one("body"):
        if (
            id(node) in looked_at
            or node.tag in ("style", "script", "pre")
            or "tick-text" in node.attributes.get("class", "")
        ):
            continue
        attributes = [value for name, value in node.attributes.items() if name in ("title", "aria-label", "alt")]
        for text in (*attributes, *(part for part in node.inside if isinstance(part, str))):
            strange |= {(figure, text.strip()[:90]) for figure in case.figures(text) if figure not in known}
    assert not strange


def _written(leaf: Any) -> Iterator[str]:
    """How a value of the results may stand on the page."""
    if isinstance(leaf, str):
        yield from (figure.lstrip("#") for figure in FIGURE.findall(leaf))
    elif isinstance(leaf, int | float) and not isinstance(leaf, bool):
        texts = [number(leaf), signed(leaf), percent(leaf), percent(leaf, 1), bare(leaf), f"{leaf:,}", str(leaf)]
        yield from (text.replace("\u202f", " ") for text in texts)


def _derived(results: Results) -> Iterator[str]:
    """Differences and middles, each of which a test above works out in its place."""
    assert results.loss.target is not None
    assert results.accuracy.target is not None
    yield number(results.loss.target - results.loss.source)
    yield from (bare(results.accuracy.target - results.accuracy.source), points(abs(
        results.accuracy.target - results.accuracy.source)).split(" ")[0])  # fmt: skip
    for found in results.per_class:
        if found.source is not None and found.target is not None:
            yield from (bare(found.target - found.source), f"+{bare(found.target - found.source)}")
    for cause in results.causes:
        if cause.ci:
            yield number((cause.ci[1] - cause.ci[0]) / 2)
    for cause in results.causes:
        if cause.accuracy_effect is not None:
            yield from map(one_digit, (lost(cause)[0], *lost(cause)[1]))
        if cause.accuracy_ci is not None:
            yield bare((cause.accuracy_ci[1] - cause.accuracy_ci[0]) / 2)
    logs = np.r_[_logs_of_cells(results), np.log(np.array([*_of_single_pictures(results)]) + 0.05)]
    yield from (number(max(0.0, math.exp(at) - 0.05)) for at in (logs.min(), (logs.min() + logs.max()) / 2, logs.max()))
    for factor in {move.factor for pair in results.pairs for move in pair.moves}:
        moves = [move for pair in results.pairs for move in pair.moves if move.factor == factor]
        for name in ("down", "gap"):
            yield number(sorted(getattr(move, name) for move in moves)[len(moves) // 2])
    yield f"{len(results.worst)}"
    missed = [cell.reached is False for pair in results.pairs for row in pair.cells for cell in row if not cell.real]
    yield percent(sum(missed) / len(missed)).replace("\u202f", " ")


def test_the_style_converters_section() -> None:
    """Made of the example's own pairs, as if each target sample had been converted to stand for a source sample."""
    report = example("digits", pairs=9)
    results = report.results
    found = ConverterResult(
        name="latent-transport", samples=1234, held_out=True, accuracy=BeforeAfter(before=0.51, after=0.87),
        loss=BeforeAfter(before=1.75, after=0.62), skipped=2, sentence="It brings back most of it.",
        gaps=[
            FactorGap(factor="hue", source=40.0, target=201.0, converted=62.0, closed=0.86, unit="degrees"),
            FactorGap(factor="level", source=0.25, target=0.5, converted=0.9, closed=-1.6),
        ],
    )  # fmt: skip
    pairs = []
    for pair in results.pairs:
        cells = [list(row) for row in pair.cells]
        cells[0][0] = cells[0][0].model_copy(update={"real": False, "converted": True})
        pairs.append(pair.model_copy(update={"converted": True, "cells": cells}))
    changed = Report(results.model_copy(update={"converter": found, "pairs": pairs}), report.settings, report.arrays)
    case = Case(changed.results, tree(html_of(changed)))
    order = [int(a.attributes["id"].removeprefix("pair-")) - 1 for a in case.page.all("article", "pair")]
    pairs = [pairs[place] for place in order]
    section = case.page.one("section", id="converter")
    told = section.one("p", "sentence").words
    assert "It brings back most of it." in told
    assert "2 further pairs left out" in told
    assert "target samples that it was not trained on" in told
    case.told(told, "1,234 2", constants=())
    rows = [[cell.words.strip() for cell in row.all("td")] for row in section.one("tbody").all("tr")]
    assert rows == [
        ["40.0\u202fdegrees", "201\u202fdegrees", "62.0\u202fdegrees", "86\u202f%"],
        ["0.25", "0.50", "0.90", "none, it grew"],
    ]
    strips = section.all("div", "strip")
    assert len(strips) == 8  # more would only be scrolled past
    for strip, pair in zip(strips, pairs, strict=False):
        target, converted = strip.all("div", "strip-cell")
        for drawn, cell in ((target, pair.cells[-1][-1]), (converted, pair.cells[0][0])):
            case.told(drawn.one("p").words, f"{number(cell.measured)} {cell.predicted}", constants=())
            assert ("✕" in drawn.one("p").words) is not cell.correct
        assert target.one("span", "tag").words.strip() == "target"
    first = case.page.all("article", "pair")[0]
    name = f"target #{pairs[0].target}"
    assert [span.words.strip() for span in first.one("tr", "ends").all("span")] == [f"{name}, converted", name]
    assert first.all("td", "cell")[0].attributes["data-note"] == f"converted from the real sample {name}"
    assert first.all("td", "cell")[24].attributes["data-note"] == f"real sample: {name}"
    seen = changed.results.model_copy(update={"converter": found.model_copy(update={"held_out": False, "skipped": 0})})
    told = tree(html_of(Report(seen, report.settings, report.arrays))).one("section", id="converter").words
    assert "target samples that it was trained on" in told
    assert "left out" not in told


def test_pictures_that_are_not_square_keep_their_shape() -> None:
    report = example("digits", pairs=1)
    cut = {name: array[..., :20] for name, array in report.arrays.items()}
    results = report.results.model_copy(update={"sample_shape": [3, 32, 20]})
    style = tree(html_of(Report(results, report.settings, cut))).one("style")
    assert "--columns: 5; --steps: 5; --shape: 20 / 32;" in str(style.inside)


def table_rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


@pytest.mark.parametrize("name", list(SCENES))
def test_the_figures_of_the_markdown_page(name: str) -> None:
    report = example(name)
    results = report.results
    component = Host().find(Renderer, "markdown")
    text = component.build(component.settings())(report)["report.md"].decode("utf-8").replace("\\", "")
    accuracy, loss = results.accuracy, results.loss
    assert accuracy.target is not None
    assert loss.target is not None
    rows = table_rows(text)
    assert rows[2:5] == [
        [
            "accuracy",
            percent(accuracy.source, 1),
            percent(accuracy.target, 1),
            points(accuracy.target - accuracy.source),
        ],
        [
            f"mean loss, {results.loss_unit}",
            number(loss.source),
            number(loss.target),
            signed(loss.target - loss.source),
        ],
        ["samples", f"{results.samples.source:,}", f"{results.samples.target:,}", ""],
    ]
    for row, cause in zip(rows[7:], results.causes, strict=True):
        moved = f"{number(cause.shift.source)} {number(cause.shift.target)}" if cause.shift else ""
        expected = [
            cause.factor, f"**{cause.verdict}**", FIGURE.findall(moved),
            FIGURE.findall(f"{signed(cause.effect)} {range_of(cause.ci, signed)}"),
            FIGURE.findall(f"{percent(cause.share)} {range_of(cause.share_ci, percent)}"), cause.sentence,
        ]  # fmt: skip
        assert [*row[:2], *map(FIGURE.findall, row[2:5]), row[5]] == expected
    rest = results.unexplained
    assert rest is not None
    assert f"{percent(rest.share)} ({percent(rest.ci[0])} to {percent(rest.ci[1])}) of the loss gap" in text
    assert results.second_opinion is not None
    told = [number(v) for v in (results.fidelity.spearman, results.leak.r2)]
    assert f"Fidelity {told[0]}, leak {told[1]}, {len(results.pairs)} pairs." in text
    assert f"a fidelity of {number(results.second_opinion.fidelity)}." in text
    assert f"seed {results.provenance.seed}." in text
    for sentence in [found.sentence for found in results.interactions] + (
        [results.remedy.sentence] if results.remedy else []
    ):
        assert sentence in text
