"""Built-in renderers: the report for people, the same as JSON for scripts, and a short page of Markdown.

Nothing here needs torch; jinja2, Pillow and numpy are imported when a report is rendered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from pydantic import Field

from shiftlens.core.errors import InputError
from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.host.kinds import ComponentSettings, Renderer, RendererWorker

Section = Literal["answer", "tryit", "intervention", "causes", "where", "remedy", "converter", "grid", "details"]
SECTIONS: tuple[Section, ...] = get_args(Section)


class HtmlSettings(ComponentSettings):
    """Settings of the HTML report."""

    pairs: int = Field(30, ge=1, description="pairs of samples to page through; results.json always holds all")
    sections: tuple[Section, ...] = Field(SECTIONS, min_length=1, description="what the page holds, in its own order")


def build_html(settings: HtmlSettings) -> RendererWorker:
    """The HTML report."""
    from shiftlens.plugins.renderers.html import HtmlRenderer

    return HtmlRenderer(settings.pairs, settings.sections)


def build_json(settings: ComponentSettings) -> RendererWorker:
    """results.json."""
    from shiftlens.plugins.renderers.json_file import render

    return render


def build_markdown(settings: ComponentSettings) -> RendererWorker:
    """report.md."""
    from shiftlens.plugins.renderers.markdown import render

    return render


def build_prometheus(settings: ComponentSettings) -> RendererWorker:
    """metrics.prom.

    Raises:
        InputError: prometheus-client is not installed.
    """
    try:
        from shiftlens.plugins.renderers.prometheus import render
    except ImportError:
        raise InputError(
            "the renderer prometheus needs prometheus-client: pip install 'shiftlens[prometheus]'"
        ) from None
    return render


@hookimpl
def shiftlens_renderers() -> Iterator[Renderer]:
    """The built-in renderers."""
    yield Renderer(
        name="html",
        summary="one self-contained page for people: report.html",
        settings=HtmlSettings,
        build=build_html,
        reference="FIG. 10, FIG. 11",
    )
    yield Renderer(name="json", summary="everything, for scripts: results.json", build=build_json)
    yield Renderer(name="markdown", summary="the findings in one short page: report.md", build=build_markdown)
    yield Renderer(
        name="prometheus",
        summary="accuracies, losses and verdicts for Prometheus: metrics.prom",
        build=build_prometheus,
        reference="the text format of Prometheus",
    )
