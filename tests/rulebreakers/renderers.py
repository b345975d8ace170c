"""Renderers that break one rule each, and one that keeps them all."""

from __future__ import annotations

import time

from rulebreakers.tried import Tried
from shiftlens.core.host.kinds import (
    Renderer,
)


def headline(report):
    return {"headline.txt": report.results.headline.encode()}


def renderer(function):
    return Tried(Renderer(name="broken", summary="a renderer", build=lambda settings: function))


def html(report):
    return {"a.html": f"<h1>{report.results.headline}</h1>".encode()}


def linked(report):
    return {"a.html": b'<script src="https://cdn.example.org/plot.js"></script>'}


def of_images(report):
    return {"size.txt": f"{report.results.sample_shape[2]} px".encode()}


def of_causes(report):
    return {"worst.txt": report.results.causes[0].factor.encode()}


GOOD = renderer(headline)

BREAKERS = {
    "renderer-gives-files": renderer(lambda report: {"headline.txt": report.results.headline}),
    "renderer-names-files-of-its-own": renderer(lambda report: {"../headline.txt": b"up"}),
    "renderer-the-same-each-time": renderer(lambda report: {"t.txt": str(time.perf_counter_ns()).encode()}),
    "renderer-escapes-markup": renderer(html),
    "renderer-opens-offline": renderer(linked),
    "renderer-does-without": renderer(of_causes),
    "renderer-renders-series-and-vectors": renderer(of_images),
}
