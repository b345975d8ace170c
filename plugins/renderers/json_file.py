"""results.json: the results as they are."""

from __future__ import annotations

from shiftlens.core.results.report import Report


def render(report: Report) -> dict[str, bytes]:
    """``{"results.json": ...}``, the same bytes that the pipeline writes."""
    return {"results.json": report.results.to_json().encode("utf-8")}
