"""The report as a person meets it: opened from disk in headless Chromium, read, paged through, on a phone, on paper."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from examplereports import example

from shiftlens.plugins.renderers.html import HtmlRenderer

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = os.environ.get("SHIFTLENS_CHROMIUM") or shutil.which("chromium")
    if not chromium:
        pytest.skip("no Chromium found; install Debian's chromium or set SHIFTLENS_CHROMIUM to its path")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of every kind of sample, and one in which there is nothing to show."""
    folder = tmp_path_factory.mktemp("reports")
    made = {
        "digits": example(),
        "series": example("series"),
        "table": example("table"),
        "wide": example("table", pairs=1, features=12),
        "poor": example(faithful=False, causes=False),
        "bare": example(pairs=0, causes=False, labelled=False),
        "hostile": example(pairs=2, text=lambda word: f"{word} <img src=http://example.org/x onerror=alert(1)>" * 3),
    }
    for name, report in made.items():
        (folder / f"{name}.html").write_bytes(HtmlRenderer(50)(report)["report.html"])
    return {name: folder / f"{name}.html" for name in made}


class Opened:
    """A page with everything that it asked for and complained of."""

    def __init__(self, browser, path: Path, width: int = 1280, scheme: str = "light", scripts: bool = True) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.goto(path.as_uri())

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()


@pytest.mark.parametrize("name", ["digits", "series", "table", "wide", "poor", "bare", "hostile"])
def test_no_request_leaves_and_nothing_complains(browser, reports, name: str) -> None:
    with Opened(browser, reports[name]) as opened:
        opened.page.locator(".cell").first.hover() if name != "bare" else None
        leaving = [url for url in opened.requests if not url.startswith(("file://", "data:"))]
        assert leaving == []
        assert opened.requests[0] == reports[name].as_uri()
        assert opened.complaints == []


def test_the_sentence_and_the_grid_can_be_read(browser, reports) -> None:
    results = example().results
    with Opened(browser, reports["digits"]) as opened:
        page = opened.page
        assert page.locator("h1").inner_text() == results.headline
        assert page.locator("h1").bounding_box()["y"] < 500
        assert "90.5" in page.locator(".accuracy-value").first.inner_text()
        cells = page.locator("#pair-1 table.grid").first.locator(".cell")
        assert cells.count() == 25
        assert page.locator(".axis-x:visible").inner_text().startswith("features: does not matter to the model")
        # Pictures are really drawn: the two real samples differ, and neither is one flat colour.
        shots = [cells.nth(i).locator(".frame").screenshot() for i in (0, 24)]
        assert len(set(shots)) == 2
        assert min(map(len, shots)) > 500


def test_a_cell_tells_its_figures_on_hover_and_on_focus(browser, reports) -> None:
    first, below = (row[0] for row in example().results.pairs[0].cells[:2])
    with Opened(browser, reports["digits"]) as opened:
        page, tip = opened.page, opened.page.locator("#tip")
        cell = page.locator("#pair-1 .cell").first
        assert tip.is_hidden()
        cell.hover()
        assert tip.is_visible()
        for text in (f"{first.measured:.2f}", first.predicted, f"{100 * first.confidence:.0f}", "real sample"):
            assert text in tip.inner_text()
        page.mouse.move(0, 0)
        assert tip.is_hidden()
        cell.focus()
        page.keyboard.press("ArrowDown")
        assert f"measured loss\n{below.measured:.2f}" in tip.inner_text()
        assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Row 2, column 1")
        page.keyboard.press("End")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Row 2, column 5")
        box = tip.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 1280
        page.keyboard.press("Escape")
        assert tip.is_hidden()


def test_pages_through_the_pairs(browser, reports) -> None:
    with Opened(browser, reports["digits"]) as opened:
        page = opened.page
        shown = page.locator(".pair:visible")
        assert [shown.count(), shown.get_attribute("id")] == [1, "pair-1"]
        page.get_by_role("button", name="Next pair").click()
        assert [shown.count(), shown.get_attribute("id")] == [1, "pair-2"]
        assert page.locator("#pair-number").inner_text() == "2"
        assert page.locator(".pager select").input_value() == "1"
        page.locator(".pager select").select_option("2")
        assert shown.get_attribute("id") == "pair-3"
        page.get_by_role("button", name="Next pair").click()
        assert shown.get_attribute("id") == "pair-1"
        page.locator("#pair-1 .cell").first.focus()
        page.keyboard.press("PageDown")
        assert shown.get_attribute("id") == "pair-2"
        assert page.evaluate("document.activeElement.closest('.pair').id") == "pair-2"


@pytest.mark.parametrize("name", ["digits", "series", "table", "wide", "poor", "bare", "hostile"])
def test_nothing_overflows_on_a_phone(browser, reports, name: str) -> None:
    with Opened(browser, reports[name], width=375) as opened:
        page = opened.page
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        if name != "bare":
            last = page.locator(".pair:visible table.grid").first.locator(".cell").last
            last.scroll_into_view_if_needed()
            last.focus()
            box = page.locator("#tip").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 375


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser, reports, scheme: str) -> None:
    """WCAG's contrast of at least 4.5 for every kind of text, in both schemes."""
    with Opened(browser, reports["digits"], scheme=scheme) as opened:
        found = opened.page.evaluate(CONTRASTS)
        assert len(found) > 20
        low = {name: round(ratio, 2) for name, ratio in found.items() if ratio < 4.5}
        assert low == {}
        ground = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, ground.removeprefix("rgb(").removesuffix(")").split(","))) / 3
        assert (brightness < 60) == (scheme == "dark")


CONTRASTS = """() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (node) => {
    for (let n = node; n; n = n.parentElement) {
      const colour = rgb(getComputedStyle(n).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest("script, style, .hidden")) continue;
    const style = getComputedStyle(node);
    const ink = rgb(node.closest("svg") ? style.fill : style.color);
    const pair = [light(ink), light(ground(node.closest("svg") ?? node))].sort((a, b) => b - a);
    const name = `${node.tagName}.${node.getAttribute("class") ?? ""} in ${node.closest("section, header")?.id ?? ""}`;
    found[name] = Math.min(found[name] ?? 99, (pair[0] + 0.05) / (pair[1] + 0.05));
  }
  return found;
}"""


def test_a_wrong_prediction_is_marked_by_more_than_colour(browser, reports) -> None:
    with Opened(browser, reports["digits"]) as opened:
        wrong = opened.page.locator("#pair-1 .cell.wrong").first
        assert wrong.locator("svg.mark").is_visible()
        assert "✕" in wrong.inner_text()
        assert ", wrong," in wrong.get_attribute("aria-label")


def test_without_scripts_all_pairs_stand_below_each_other(browser, reports) -> None:
    with Opened(browser, reports["digits"], scripts=False) as opened:
        assert opened.page.locator(".pair:visible").count() == 3
        assert opened.page.locator(".pager:visible").count() == 0


def test_prints(browser, reports) -> None:
    with Opened(browser, reports["digits"], scheme="dark") as opened:
        page = opened.page
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("nav").is_hidden()
        assert page.locator("#provenance table").is_hidden()
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.locator("#provenance table").is_visible()
        pdf = page.pdf(format="A4")
        assert 2 <= pdf.count(b"/Type /Page\n") <= 12
