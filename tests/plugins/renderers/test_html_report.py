"""The HTML report, rendered from measured results on real samples."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import fields
from html.parser import HTMLParser
from importlib import resources

import pytest
from examplereports import example
from jinja2 import meta

from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import Renderer
from shiftlens.core.results.report import Report
from shiftlens.plugins.renderers.context import Page
from shiftlens.plugins.renderers.html import environment

HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;{{ 7 * 7 }}"

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Elements(HTMLParser):
    """Every element with its attributes, the text inside, and what is left open at the end."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.raw: dict[str, str] = {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            self.raw[self.open[-1]] = data
        else:
            self.text.append(data)

    def all(self, tag: str, style: str = "") -> list[dict[str, str]]:
        return [a for name, a in self.found if name == tag and (not style or style in a.get("class", "").split())]

    @property
    def words(self) -> str:
        return re.sub(r"[ \n]+", " ", " ".join(self.text))  # other kinds of space stay


def html_of(report: Report, **settings: int) -> str:
    component = Host().find(Renderer, "html")
    files = component.build(component.settings(**settings))(report)
    assert list(files) == ["report.html"]
    return files["report.html"].decode("utf-8")


@pytest.fixture(scope="module")
def page() -> Elements:
    return Elements(html_of(example()))


def test_the_templates_use_exactly_the_documented_context() -> None:
    jinja, used, todo = environment(), set(), ["report.html.j2"]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        seen.add(name)
        assert jinja.loader is not None
        tree = jinja.parse(jinja.loader.get_source(jinja, name)[0])
        used |= meta.find_undeclared_variables(tree)
        todo += [other for other in meta.find_referenced_templates(tree) if other and other not in seen]
    assert used == {field.name for field in fields(Page)}
    parts = resources.files("shiftlens.templates").joinpath("report").iterdir()
    assert seen == {"report.html.j2", *(f"report/{part.name}" for part in parts)}


def test_before_after_and_the_sentence_come_first(page: Elements) -> None:
    results = example().results
    words = page.words
    assert results.accuracy.target is not None
    before, after = (f"{100 * value:.1f}\u202f%" for value in (results.accuracy.source, results.accuracy.target))
    assert words.index(before) < words.index(after) < words.index(results.headline) < words.index("The grid")
    assert words.index(results.headline) < words.index(results.warnings[0]) < words.index("What changed")


def test_it_is_whole_and_asks_nothing_of_anybody(page: Elements) -> None:
    assert page.open == []
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.raw[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert not page.all("link")
    for tag, attributes in page.found:
        assert "style" not in attributes, f"<{tag}> has an inline style, which the policy forbids"
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:image/")), (tag, attributes)
    assert "http" not in page.raw["style"] + page.raw["script"]
    assert "url(" not in page.raw["style"]


def test_every_cell_tells_its_figures(page: Elements) -> None:
    results = example().results
    cells = page.all("td", "cell")
    pair = results.pairs[0]
    assert len(cells) == 3 * (25 + 5)
    assert sum("real" in a["class"].split() for a in cells) == 3 * (2 + 2)
    wrong = [cell for each in results.pairs for row in [*each.cells, each.series] for cell in row if not cell.correct]
    assert sum("wrong" in a["class"].split() for a in cells) == len(wrong) > 0
    first = cells[0]
    assert first["aria-label"].startswith("Row 1, column 1: measured loss")
    assert f"real sample: source #{pair.source}" in first["aria-label"]
    assert first["data-predicted"] == pair.cells[0][0].predicted
    assert first["data-confidence"] == f"{100 * pair.cells[0][0].confidence:.0f}\u202f%"
    assert all(", wrong," in a["aria-label"] for a in cells if "wrong" in a["class"].split())
    assert all("data-requested" in a for a in cells)


def test_the_axes_are_named_after_what_moves_along_them(page: Elements) -> None:
    assert "features: does not matter to the model" in page.words
    assert "loss: costs accuracy" in page.words
    assert {"moves hue", "moves stroke-thickness"} <= set(page.text)
    assert "Sideways hue moves by 93\u202f% of the gap between the two real samples; downwards stroke-th" in page.words


def test_every_cause_is_told(page: Elements) -> None:
    results = example().results
    for cause in results.causes:
        assert cause.sentence in page.words
    assert results.unexplained is not None
    assert results.unexplained.sentence in page.words
    assert results.interactions[0].sentence in page.words
    assert results.remedy is not None
    assert results.remedy.sentence in page.words
    assert "noise and sharpness explain the same gap equally well" in page.words
    verdicts = [a["class"] for a in page.all("span", "chip")]
    for verdict in ("harmful", "harmless", "unclear", "unexplained"):
        assert f"chip {verdict}" in verdicts
    assert len(page.all("div", "strip-cell")) == 6


def test_a_large_unexplained_rest_stands_before_the_factors() -> None:
    report = example(pairs=0)
    rest = report.results.unexplained
    assert rest is not None
    large = rest.model_copy(update={"share": 0.71, "ci": (0.6, 0.8), "sentence": "Most of the loss is unexplained."})
    words = Elements(html_of(with_results(report, unexplained=large))).words
    assert words.index("Most of the loss is unexplained.") < words.index("One real source sample")


@pytest.mark.parametrize("name", ["digits", "series", "table"])
def test_all_that_a_user_can_name_is_escaped(name: str) -> None:
    hostile = Elements(html_of(example(name, pairs=2, text=lambda word: f"{word} {HOSTILE}")))
    plain = Elements(html_of(example(name, pairs=2)))
    assert [tag for tag, _ in hostile.found] == [tag for tag, _ in plain.found]
    # A long headline is set smaller by a class of its own; all else is the same to the attribute.
    attributes = [[sorted(a) for tag, a in page.found if tag != "h1"] for page in (hostile, plain)]
    assert attributes[0] == attributes[1]
    assert hostile.raw["script"] == plain.raw["script"]
    assert "{{ 7 * 7 }}" in hostile.words
    assert hostile.open == []


def test_a_grid_of_low_fidelity_says_so_above_itself() -> None:
    warning = "This grid does not do what it says."
    poor = Elements(html_of(example(faithful=False)))
    assert poor.words.index(warning) < poor.words.index("features: does not matter to the model")
    assert warning not in Elements(html_of(example())).words
    good = example(pairs=1)
    unknown = good.results.fidelity.model_copy(update={"spearman": None})
    assert warning in Elements(html_of(with_results(good, fidelity=unknown))).words


def test_nothing_found_nothing_drawn_nothing_known() -> None:
    bare = Elements(html_of(example(pairs=0, causes=False, labelled=False)))
    assert bare.open == []
    assert "There is no grid" in bare.words
    assert "not known" in bare.words
    assert "The target has no labels" in bare.words
    assert "This grid does not do what it says" not in bare.words
    assert not [a for a in bare.all("section") if a["id"] == "why"]


def test_figures_that_are_not_finite_are_dashes() -> None:
    report = example(pairs=1, causes=False)
    pair = report.results.pairs[0]
    broken = pair.cells[1][1].model_copy(update={"measured": float("nan")})
    cells = [list(row) for row in pair.cells]
    cells[1][1] = broken
    page = Elements(html_of(with_results(report, pairs=[pair.model_copy(update={"cells": cells})])))
    assert page.all("td", "cell")[6]["data-measured"] == "–"
    assert not re.search(r'="[^"]*\bnan\b', html_of(report))


def test_fifty_pairs_of_photographs_stay_under_four_megabytes() -> None:
    html = html_of(example("photos", pairs=50))
    assert len(html.encode()) < 4_000_000
    assert len(Elements(html).all("article", "pair")) == 50


def test_more_pairs_than_asked_for_are_left_to_results_json() -> None:
    page = Elements(html_of(example(pairs=4), pairs=3))
    assert len(page.all("article", "pair")) == 3
    assert "The first 3 of 4 pairs; results.json holds the others." in page.words
    assert len(page.all("option")) == 3
    assert sum("hidden" in a for a in page.all("article", "pair")) == 2


@pytest.mark.parametrize(("features", "losses"), [(2, 2), (9, 3), (3, 7)])
def test_grids_of_other_sizes(features: int, losses: int) -> None:
    page = Elements(html_of(example("table", pairs=1, features=features, losses=losses)))
    assert len(page.all("td", "cell")) == features * losses + losses
    assert f"--columns: {features}; --steps: {losses};" in page.raw["style"]


def test_the_same_results_give_the_same_page() -> None:
    assert html_of(example(pairs=1)) == html_of(example(pairs=1))


def with_results(report: Report, **changes: object) -> Report:
    return Report(report.results.model_copy(update=changes), report.settings, report.arrays)
