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
        cells = page.locator("#sample-1 table.grid").locator(".cell")
        assert cells.count() == 25
        assert page.locator("#sample-1 .axis-x").inner_text().startswith("harmless: hue")
        assert page.locator("#pair-2 .axis-moves").first.inner_text() == "harmless: hue"
        # Pictures are really drawn: the two real samples differ, and neither is one flat colour.
        shots = [cells.nth(i).locator(".frame").screenshot() for i in (0, 24)]
        assert len(set(shots)) == 2
        assert min(map(len, shots)) > 500


FOCUSED = "document.activeElement.querySelector('.hidden').textContent"


def test_a_cell_tells_its_figures_on_hover_and_on_focus_and_covers_no_neighbour(browser, reports) -> None:
    intervention = example().results.intervention
    first, below = (row[0] for row in intervention.samples[0].cells[:2])
    with Opened(browser, reports["digits"]) as opened:
        page, tip = opened.page, opened.page.locator("#tip")
        cell = page.locator("#sample-1 .cell").first
        assert tip.is_hidden()
        cell.hover()
        assert tip.is_visible()
        for text in (f"{first.measured:.2f}", first.predicted, f"{100 * first.confidence:.0f}", "as it is"):
            assert text in tip.inner_text()
        table = page.locator("#sample-1 table.grid").bounding_box()
        assert tip.bounding_box()["x"] >= table["x"] + table["width"]
        page.mouse.move(0, 0)
        assert tip.is_hidden()
        cell.focus()
        page.keyboard.press("ArrowDown")
        assert f"loss\n{below.measured:.2f}" in tip.inner_text()
        assert page.evaluate(FOCUSED).startswith("Row 2, column 1")
        page.mouse.move(0, 1)  # the pointer passes elsewhere: the tip stays with the keyboard's cell
        assert f"loss\n{below.measured:.2f}" in tip.inner_text()
        page.keyboard.press("End")
        page.keyboard.press("ArrowRight")
        assert page.evaluate(FOCUSED).startswith("Row 2, column 5")
        page.keyboard.press("Escape")
        assert tip.is_hidden()


def test_a_cell_is_seen_large_and_flickers_with_the_source_sample(browser, reports) -> None:
    with Opened(browser, reports["digits"]) as opened:
        page, zoom = opened.page, opened.page.locator("#zoom")
        page.locator("#sample-1 .cell").last.click()
        assert zoom.is_visible()
        assert "100" in zoom.locator("figcaption").last.inner_text()
        still = zoom.locator(".frame").last.screenshot()
        page.get_by_role("button", name="Flicker").click()
        page.locator("#zoom.swapped").wait_for()
        assert zoom.locator(".frame").last.screenshot() != still
        page.keyboard.press("Escape")
        assert zoom.is_hidden()
        page.locator("#sample-1 .cell").first.focus()
        page.keyboard.press("Enter")
        assert zoom.is_visible()


def test_sliders_change_the_sample_and_what_is_said_of_it(browser, reports) -> None:
    with Opened(browser, reports["digits"]) as opened:
        slider = opened.page.locator(".slider").first
        assert "stroke thickness" in slider.inner_text()
        shown = slider.locator(".step:visible")
        assert shown.count() == 1
        before = shown.locator(".frame").screenshot()
        slider.locator("input").fill("8")
        assert shown.count() == 1
        assert shown.locator(".frame").screenshot() != before
        assert "✕" in shown.inner_text()
        wipe = opened.page.locator(".wipe-pictures")
        half = wipe.screenshot()
        opened.page.locator(".wipe input").fill("0")
        assert wipe.screenshot() != half


def test_the_gallery_is_filtered_by_class_prediction_and_loss(browser, reports) -> None:
    worst = example().results.worst
    with Opened(browser, reports["digits"]) as opened:
        page, items = opened.page, opened.page.locator(".gallery li:visible")
        assert items.count() == len(worst)
        page.locator("[data-filter=actual]").select_option(worst[0].label)
        assert items.count() == sum(sample.label == worst[0].label for sample in worst)
        page.locator("[data-filter=actual]").select_option("")
        page.locator("[data-filter=loss]").fill(str(worst[0].loss + 1))
        assert items.count() <= 1


def test_a_pair_can_be_addressed_and_pages_are_turned(browser, reports) -> None:
    with Opened(browser, reports["digits"]) as opened:
        page = opened.page
        shown = page.locator(".pair:visible")
        assert [shown.count(), shown.get_attribute("id")] == [1, "pair-2"]  # pair 1 strays, and comes last
        page.get_by_role("button", name="Next pair").click()
        assert [shown.count(), shown.get_attribute("id")] == [1, "pair-3"]
        assert page.locator("#grid .pager select").input_value() == "1"
        page.locator("#grid .pager select").select_option("2")
        assert shown.get_attribute("id") == "pair-1"
        page.get_by_role("button", name="Next pair").click()
        assert shown.get_attribute("id") == "pair-2"
        page.locator("#pair-2 .cell").first.focus()
        page.keyboard.press("PageDown")
        assert shown.get_attribute("id") == "pair-3"
        assert page.evaluate("document.activeElement.closest('.pair').id") == "pair-3"
    with Opened(browser, reports["poor"]) as opened:
        opened.page.goto(f"{reports['poor'].as_uri()}#pair-3")
        assert opened.page.locator("#pair-3").is_visible()  # also where its section is folded
        assert opened.page.locator("#pair-1").is_hidden()


@pytest.mark.parametrize("name", ["digits", "series"])
def test_picture_and_table_are_written_to_files(browser, reports, name: str, tmp_path) -> None:
    from PIL import Image

    with Opened(browser, reports[name]) as opened:
        buttons = opened.page.locator("#intervention .exports button")
        with opened.page.expect_download() as picture:
            buttons.first.click()
        picture.value.save_as(tmp_path / "grid.png")
        with opened.page.expect_download() as table:
            buttons.last.click()
        table.value.save_as(tmp_path / "grid.csv")
        assert picture.value.suggested_filename == "sample-1.png"
        assert opened.complaints == []
    with Image.open(tmp_path / "grid.png") as image:
        assert min(image.size) > 200
        assert len(image.convert("RGB").getcolors(1 << 24)) > 10
    rows = (tmp_path / "grid.csv").read_text().splitlines()
    assert len(rows) == 1 + 25
    assert rows[0].startswith("row,column,loss")


@pytest.mark.parametrize("name", ["digits", "series", "table", "bare"])
@pytest.mark.parametrize("width", [1280, 375])
def test_axe_finds_no_rule_of_accessibility_broken(browser, reports, name: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python")
    source = (Path(axe.__file__).parent / "axe.min.js").read_text()
    with Opened(browser, reports[name], width=width) as opened:
        opened.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        opened.page.evaluate(source)
        broken = opened.page.evaluate("axe.run()")["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in broken] == []


@pytest.mark.parametrize("name", ["digits", "series", "table", "wide", "poor", "bare", "hostile"])
def test_nothing_overflows_on_a_phone(browser, reports, name: str) -> None:
    with Opened(browser, reports[name], width=320) as opened:
        page = opened.page
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        if name != "bare":
            last = page.locator(".pair:visible table.grid").first.locator(".cell").last
            last.scroll_into_view_if_needed()
            last.focus()
            box = page.locator("#tip").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 320


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
        wrong = opened.page.locator("#pair-2 .cell.wrong").first
        assert wrong.locator("svg.mark").is_visible()
        assert "✕" in wrong.inner_text()
        assert ", wrong," in wrong.locator(".hidden").text_content()


def test_without_scripts_all_pairs_stand_below_each_other(browser, reports) -> None:
    with Opened(browser, reports["digits"], scripts=False) as opened:
        assert opened.page.locator(".pair:visible").count() == 3
        assert opened.page.locator(".pager:visible").count() == 0
        assert opened.page.locator(".step:visible").count() == 18
        assert opened.page.locator("button:visible, .range:visible, .filters:visible").count() == 0


def test_prints(browser, reports) -> None:
    with Opened(browser, reports["digits"], scheme="dark") as opened:
        page = opened.page
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("nav").is_hidden()
        assert page.locator("#details").is_hidden()
        assert page.locator("#grid").is_hidden()
        assert page.locator("#sample-1").is_visible()
        assert 2 <= page.pdf(format="A4").count(b"/Type /Page\n") <= 3
