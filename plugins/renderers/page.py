"""Fills the page: results and pictures in, the template's context out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml
from markupsafe import Markup

from shiftlens.core.results.report import Report
from shiftlens.core.results.results import Results
from shiftlens.plugins.renderers import charts
from shiftlens.plugins.renderers.answer_section import answer_section, remedy_section
from shiftlens.plugins.renderers.causes_section import causes_section
from shiftlens.plugins.renderers.context import LossSteps, Page, TrainingCurves
from shiftlens.plugins.renderers.converter_section import converter_section
from shiftlens.plugins.renderers.gallery import Gallery
from shiftlens.plugins.renderers.grid_section import grid_section
from shiftlens.plugins.renderers.intervention_section import intervention_section, tryit_section
from shiftlens.plugins.renderers.trust_section import trust_section
from shiftlens.plugins.renderers.where_section import where_section
from shiftlens.plugins.renderers.words import number

S = TypeVar("S")


@dataclass(frozen=True)
class Assets:
    """The page's own style sheet and script, as they stand in it, and the policy that allows these two alone."""

    style: Markup
    script: Markup
    policy: str


def page_of(report: Report, most_pairs: int, sections: frozenset[str], assets: Assets) -> Page:
    """The page of one report: some of its sections, with at most so many pairs."""
    results = report.results
    gallery = Gallery(report, most_pairs)
    scale = charts.loss_scale(_losses(results))

    def wanted(name: str, section: Callable[[], S]) -> S | None:
        """A section that is left out draws no pictures either."""
        return section() if name in sections else None

    answer = answer_section(results, report.settings, gallery, scale)
    tryit = wanted("tryit", lambda: tryit_section(results, gallery))
    intervention = wanted("intervention", lambda: intervention_section(results, gallery, scale))
    causes = wanted("causes", lambda: causes_section(results, gallery, scale))
    where = wanted("where", lambda: where_section(results, gallery))
    grid = wanted("grid", lambda: grid_section(results, gallery, scale))
    return Page(
        title=results.name,
        policy=assets.policy,
        style=assets.style,
        script=assets.script,
        sections=sections,
        answer=answer,
        warnings=tuple(results.warnings),
        tryit=tryit,
        intervention=intervention,
        causes=causes,
        where=where,
        remedy=remedy_section(results),
        converter=converter_section(results, grid),
        grid=grid,
        scale=LossSteps(
            ends=(number(scale.loss(0.0)), number(scale.loss(0.5)), number(scale.loss(1.0))),
            levels=charts.LEVELS,
            loss_name=results.loss_name,
            loss_unit=results.loss_unit,
        ),
        trust=trust_section(results),
        training=tuple(
            TrainingCurves(curve.name, tuple(drawn))
            for curve in results.curves
            if (drawn := charts.curve_charts(curve))
        ),
        provenance=_provenance(results),
        settings=yaml.safe_dump(json.loads(json.dumps(dict(report.settings), default=str)), sort_keys=False),
        sheets=tuple(gallery.sheets),
    )


def _losses(results: Results) -> list[float]:
    """All that is drawn in the colours of the losses."""
    generated = [cell for pair in results.pairs for row in (*pair.cells, pair.series) for cell in row]
    found = [loss for cell in generated for loss in (cell.measured, cell.requested)]
    found += [cell.loss for cause in results.causes for cell in cause.strip]
    shown = results.intervention.samples if results.intervention else []
    found += [cell.measured for sample in shown for row in sample.cells for cell in row]
    return found + [sample.nearest.loss for sample in shown if sample.nearest]


def _provenance(results: Results) -> tuple[tuple[str, str], ...]:
    origin = results.provenance
    rows = [
        ("shiftlens", results.shiftlens),
        ("seed", str(origin.seed)),
        ("device", origin.device),
        ("ONNX Runtime", ", ".join(origin.providers)),
        ("settings", f"sha256 {origin.settings_sha256}"),
        ("classifier", f"sha256 {origin.classifier_sha256}"),
        *((f"{role} data", f"sha256 {digest}") for role, digest in origin.data_sha256.items()),
        *((f"generator: {name.replace('_', ' ')}", _plain(value)) for name, value in results.generator.items()),
        *(_versions(origin.versions)),
    ]
    return tuple((name, value) for name, value in rows if value)


def _versions(versions: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, version) for name, version in sorted(versions.items()) if name != "shiftlens"]


def _plain(value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | float):
        return number(float(value))
    return json.dumps(value, ensure_ascii=False, default=str)
