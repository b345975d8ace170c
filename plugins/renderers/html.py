"""report.html: one file for a person with two minutes (FIG. 10, FIG. 11).

It asks nothing of anybody: style, script and pictures stand in the file, and its Content-Security-Policy allows
exactly these and forbids every request.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection
from dataclasses import fields
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from shiftlens.core.results.report import Report
from shiftlens.core.results.results import Results
from shiftlens.plugins.renderers import SECTIONS
from shiftlens.plugins.renderers.page import Assets, page_of
from shiftlens.plugins.renderers.pictures import HEIGHT, WIDTH


def environment() -> Environment:
    """Jinja over the package's templates: everything is escaped, and an unknown variable is an error."""
    return Environment(
        loader=PackageLoader("shiftlens", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class HtmlRenderer:
    """Renders report.html: some of its sections, with so many pairs to page through at most."""

    def __init__(self, pairs: int, sections: Collection[str] = SECTIONS) -> None:
        self.pairs, self.sections = pairs, frozenset(sections)

    def __call__(self, report: Report) -> dict[str, bytes]:
        """``{"report.html": ...}``."""
        style, script = _asset("style.css") + _sizes(report.results), _asset("script.js")
        policy = (
            "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
            f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
        )
        # Both are the package's own files, so they may stand unescaped.
        page = page_of(report, self.pairs, self.sections, Assets(Markup(style), Markup(script), policy))
        html = (
            environment().get_template("report.html.j2").render({f.name: getattr(page, f.name) for f in fields(page)})
        )
        return {"report.html": html.encode("utf-8")}


def _asset(name: str) -> str:
    return resources.files("shiftlens.templates").joinpath(name).read_text(encoding="utf-8")


def _sizes(results: Results) -> str:
    """What the style sheet cannot know: columns of the grid, and the shape of a picture."""
    width, height = (results.sample_shape[2], results.sample_shape[1]) if results.kind == "image" else (WIDTH, HEIGHT)
    columns = max(results.grid.features, 1)  # the intervention grid has as many, or one
    return f":root {{ --columns: {columns}; --steps: {max(results.grid.losses, 1)}; --shape: {width} / {height}; }}\n"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
