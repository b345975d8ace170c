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
        self.labels: list[str] = []  # of cells, for those who do not see them
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
            if self.found[-1:] == [("span", {"class": "hidden"})] and self.open[-1] == "span" and "td" in self.open:
                self.labels.append(data)

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
    assert "88.0\u202f% to 93.0\u202f%" in words  # how sure that is
    order = [
        before,
        after,
        results.headline,
        results.warnings[0],
        "Each slider makes",
        "Upper left a real source sample",
    ]
    order += ["What changed", "Accuracy per class", "is drawn by a network", "Versions, hashes and seed"]
    places = [words.index(text) for text in order]
    assert places == sorted(places)


def test_one_light_and_one_sentence_say_how_far_to_trust_it() -> None:
    report = example(pairs=0)
    told = Elements(html_of(report))
    assert [a["class"] for a in told.all("p", "light")] == ["light care"]
    assert "With care. The evidence does not decide about noise, which is listed below as unclear." in told.words
    rest = report.results.unexplained
    assert rest is not None
    stop = with_results(report, unexplained=rest.model_copy(update={"share": 0.7, "ci": (0.6, 0.8)}))
    assert "Do not rely on it. 70\u202f% of the loss has a cause" in Elements(html_of(stop)).words
    sure = [cause for cause in report.results.causes if cause.verdict != "unclear"]
    many = report.results.samples.model_copy(update={"source": 5000, "target": 4000})
    trust = Elements(html_of(with_results(report, causes=sure, measured_on=many))).words
    assert "Trust it. What was named harmful was made on real samples and measured" in trust
    few = report.results.samples.model_copy(update={"source": 30, "target": 4000})
    words = Elements(html_of(with_results(report, causes=sure, measured_on=few))).words
    assert "With care. It rests on few samples (30 before, 4,000 after)." in words


def test_sliders_and_the_intervention_grid_show_the_changes_on_real_samples(page: Elements) -> None:
    found = example().results.intervention
    assert found is not None
    assert len(page.all("article", "slider")) == 2
    assert len(page.all("li", "step")) == 18
    assert {"harmful: stroke thickness ", "harmless: hue "} <= set(page.text)
    cells = [a for a in page.all("td", "cell") if "data-strengths" in a]
    assert len(cells) == 2 * 25
    assert cells[-1]["data-strengths"] == "100\u202f% of the change to the right, 100\u202f% of the change down"
    assert "as it is" in cells[0]["data-note"]
    assert found.sentence in page.words
    assert "does not prove it again" in page.words


def test_where_nothing_changed_or_nothing_harms_words_stand_in_for_the_axis() -> None:
    report = example()
    found = report.results.intervention
    assert found is not None
    empty = found.right.model_copy(update={"factors": [], "words": "nothing that changed is harmless"})
    words = Elements(html_of(with_results(report, intervention=found.model_copy(update={"right": empty})))).words
    assert "nothing that changed is harmless" in words
    nothing = found.model_copy(update={"samples": [], "sentence": "Nothing was found to have changed."})
    page = Elements(html_of(with_results(report, intervention=nothing)))
    assert "Nothing was found to have changed." in page.words
    assert not page.all("article", "slider")


def test_worst_samples_and_confusions_are_shown(page: Elements) -> None:
    items = [a for a in page.all("li") if "data-actual" in a]
    assert len(items) == len(example().results.worst) == 12
    assert items[0]["data-predicted"] == example().results.worst[0].predicted
    assert "0 taken for 1" in page.words


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
    cells = [a for a in cells if "data-strengths" not in a]  # those of the generated grids
    assert len(cells) == 3 * (25 + 5)
    assert sum("real" in a["class"].split() for a in cells) == 3 * (2 + 2)
    pair = results.pairs[1]  # the first one's harmless factor strays: it does not open the grids
    wrong = [cell for each in results.pairs for row in [*each.cells, each.series] for cell in row if not cell.correct]
    assert sum("wrong" in a["class"].split() for a in cells) == len(wrong) > 0
    first = cells[0]
    label = page.labels[2 * 25]  # behind those of the intervention grids
    assert label.startswith("Row 1, column 1: loss")
    assert f"real sample: source #{pair.source}" in label
    assert first["data-predicted"] == pair.cells[0][0].predicted
    assert first["data-confidence"] == f"{100 * pair.cells[0][0].confidence:.0f}\u202f%"
    assert len(page.labels) == len(page.all("td", "cell"))
    wrong_cells = ["wrong" in a["class"].split() for a in page.all("td", "cell")]
    assert [", wrong," in label for label in page.labels] == wrong_cells
    assert all("data-requested" in a for a in cells)


def test_the_axes_are_named_by_the_verdicts_of_what_moves_along_them(page: Elements) -> None:
    assert {"harmless: hue", "harmful: stroke thickness"} <= set(page.text)
    assert "does not matter to the model" not in page.words


def test_stray_movement_is_told_without_sign_and_such_pairs_come_last(page: Elements) -> None:
    assert [a["id"] for a in page.all("article", "pair")] == ["pair-2", "pair-3", "pair-1"]
    assert page.words.count("Going down, hue also moved by 50.0") == 1
    assert "Going down moves stroke thickness by 2.00\u202fpx of the 3.00\u202fpx between both samples" in page.words


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
    opened = [a["class"] for a in page.all("details", "card") if "open" in a]
    assert opened == ["card harmful", "card unclear"]  # harmless ones are one row, and folded


def test_a_large_unexplained_rest_stands_before_the_factors() -> None:
    report = example(pairs=0)
    rest = report.results.unexplained
    assert rest is not None
    large = rest.model_copy(update={"share": 0.71, "ci": (0.6, 0.8), "sentence": "Most of the loss is unexplained."})
    words = Elements(html_of(with_results(report, unexplained=large))).words
    assert words.index("Most of the loss is unexplained.") < words.index("What each strength costs")


def test_a_rest_that_may_be_nothing_raises_no_alarm() -> None:
    report = example(pairs=0)
    rest = report.results.unexplained
    assert rest is not None
    small = Elements(
        html_of(with_results(report, unexplained=rest.model_copy(update={"share": 0.02, "ci": (-0.1, 0.1)})))
    )
    assert "chip rest" in [a["class"] for a in small.all("span", "chip")]
    assert "chip unexplained" not in [a["class"] for a in small.all("span", "chip")]


@pytest.mark.parametrize("name", ["digits", "series", "table"])
def test_all_that_a_user_can_name_is_escaped(name: str) -> None:
    hostile = Elements(html_of(example(name, pairs=2, text=lambda word: f"{word} {HOSTILE}")))
    plain = Elements(html_of(example(name, pairs=2)))
    assert [tag for tag, _ in hostile.found] == [tag for tag, _ in plain.found]
    # A long headline is set smaller by a class of its own; what is filtered by tells the user's own words.
    attributes = [
        [sorted(a) for tag, a in page.found if tag not in ("h1", "option") and "data-actual" not in a]
        for page in (hostile, plain)
    ]
    assert attributes[0] == attributes[1]
    assert hostile.raw["script"] == plain.raw["script"]
    assert "{{ 7 * 7 }}" in hostile.words
    assert hostile.open == []


def test_a_generated_grid_that_does_not_show_the_cause_says_so_and_is_folded() -> None:
    doubt = "Generated grid: this grid does not show the cause"

    def folded(report: Report) -> bool:
        page = Elements(html_of(report))
        (details,) = page.all("details", "folded")
        assert (doubt in page.words) == ("open" not in details)
        return "open" not in details

    assert folded(example(faithful=False))
    assert not folded(example())
    good = example(pairs=1)
    assert folded(with_results(good, fidelity=good.results.fidelity.model_copy(update={"spearman": None})))
    realism = good.results.realism
    assert realism is not None
    assert folded(with_results(good, realism=realism.model_copy(update={"plain_near": 0.3})))
    still = [
        cause
        if cause.grid is None
        else cause.model_copy(
            update={"grid": cause.grid.model_copy(update={"loss_axis": 0.1, "loss_axis_ci": (0.0, 0.2)})}
        )
        for cause in good.results.causes
    ]
    assert folded(with_results(good, causes=still))


def test_nothing_found_nothing_drawn_nothing_known() -> None:
    bare = Elements(html_of(example(pairs=0, causes=False, labelled=False)))
    assert bare.open == []
    assert "There is no generated grid" in bare.words
    assert "not known" in bare.words
    assert "The target has no labels" in bare.words
    assert "does not show the cause" not in bare.words
    assert not [a for a in bare.all("section") if a["id"] in ("causes", "tryit", "intervention")]


def test_figures_that_are_not_finite_are_dashes() -> None:
    report = example(pairs=1, causes=False)
    pair = report.results.pairs[0]
    broken = pair.cells[1][1].model_copy(update={"measured": float("nan")})
    cells = [list(row) for row in pair.cells]
    cells[1][1] = broken
    page = Elements(html_of(with_results(report, pairs=[pair.model_copy(update={"cells": cells})])))
    assert [a for a in page.all("td", "cell") if "data-strengths" not in a][6]["data-measured"] == "–"
    assert not re.search(r'="[^"]*\bnan\b', html_of(report))


def test_fifty_pairs_of_photographs_stay_under_three_megabytes() -> None:
    html = html_of(example("photos", pairs=50), pairs=50)
    assert len(html.encode()) < 3_000_000
    assert len(Elements(html).all("article", "pair")) == 50


def test_more_pairs_than_asked_for_are_left_to_results_json() -> None:
    page = Elements(html_of(example(pairs=4), pairs=3))
    assert len(page.all("article", "pair")) == 3
    assert "The first 3 of 4 pairs; results.json holds the others." in page.words
    assert sum("hidden" in a for a in page.all("article", "pair")) == 2


@pytest.mark.parametrize(("features", "losses"), [(2, 2), (9, 3), (3, 7)])
def test_grids_of_other_sizes(features: int, losses: int) -> None:
    page = Elements(html_of(example("table", pairs=1, features=features, losses=losses)))
    assert len(page.all("td", "cell")) == features * losses + losses + 2 * features * losses
    assert f"--columns: {features}; --steps: {losses};" in page.raw["style"]


def test_the_same_results_give_the_same_page() -> None:
    assert html_of(example(pairs=1)) == html_of(example(pairs=1))


def with_results(report: Report, **changes: object) -> Report:
    return Report(report.results.model_copy(update=changes), report.settings, report.arrays)
