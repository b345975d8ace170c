"""The example for the browser, opened in headless Chromium from a server on loopback."""

from __future__ import annotations

import os
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from inferenceservers import exported, needed


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *arguments):
        pass


@pytest.mark.server
def test_the_browser_example_draws_a_grid_and_asks_nobody_else(demo_run, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    modules = needed("browser") / "node_modules"
    chromium = os.environ.get("SHIFTLENS_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on the path")
    out = exported(demo_run.run.path, tmp_path / "out", "--target", "directory")
    (out / "examples" / "browser" / "node_modules").symlink_to(modules)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(out)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}/"
    try:
        with playwright.sync_playwright() as tool:
            browser = tool.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page()
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            page.goto(f"{origin}examples/browser/")
            page.wait_for_function("window.ready === true", timeout=120_000)
            assert page.locator("canvas").count() == 25
            assert page.locator("#state").inner_text().startswith("1 × 5 × 5 × 3 × 32 × 32 cells")
            page.screenshot(path=str(tmp_path / "grid.png"))
            browser.close()
        assert all(url.startswith((origin, "blob:", "data:")) for url in asked)
    finally:
        server.shutdown()
        server.server_close()
