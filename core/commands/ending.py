"""How `shiftlens run` ends: the sentence, the verdicts, the warnings, the report."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Collection, Iterable
from pathlib import Path

import click

from shiftlens.core.commands.options import GATE_TRIPPED
from shiftlens.core.errors import InputError
from shiftlens.core.results.gates import Gate
from shiftlens.core.results.results import Cause, Results
from shiftlens.core.run.directory import Run

PAGE = "report.html"
ORDER = ("harmful", "unclear", "harmless")


def tell(finished: Run, told: Collection[str], gates: Iterable[Gate]) -> int:
    """Print what a run found; returns the exit code.

    stdout begins with the headline and ends with the report's path; warnings and gates go to stderr.

    Args:
        told: warnings that stand on stderr already.
    """
    results = finished.results
    click.echo(results.headline)
    for line in table(results):
        click.echo(line)
    for warning in results.warnings:
        if warning not in told:
            click.echo(f"warning: {warning}", err=True)
    record = finished.record("render")
    for name in sorted(record.outputs if record else (), key=lambda name: (name == PAGE, name)):
        click.echo(_linked(finished.path / name))
    tripped = [reason for gate in gates if (reason := gate.trips(results))]
    for reason in tripped:
        click.echo(f"gate tripped - {reason}", err=True)
    return GATE_TRIPPED if tripped else 0


def _linked(path: Path) -> str:
    """The path; on a terminal as a link, which those that know no links show as it is (OSC 8)."""
    if not sys.stdout.isatty():
        return str(path)
    return f"\x1b]8;;{path.resolve().as_uri()}\x1b\\{path}\x1b]8;;\x1b\\"


def table(results: Results) -> list[str]:
    """One line per factor that changed, the harmful ones first, and one for those that did not."""
    changed = sorted(
        (cause for cause in results.causes if cause.verdict in ORDER),
        key=lambda cause: (ORDER.index(cause.verdict), -(cause.effect or 0.0)),
    )
    rows = [(cause.verdict, cause.factor, _cost(cause, results.loss_unit)) for cause in changed]
    unchanged = [cause.factor for cause in results.causes if cause.verdict == "unchanged"]
    width = max((len(factor) for _, factor, _ in rows), default=0)
    lines = [f"  {verdict:<9}  {factor:<{width}}  {cost}".rstrip() for verdict, factor, cost in rows]
    return [*lines, f"  {'unchanged':<9}  {', '.join(unchanged)}"] if unchanged else lines


def _cost(cause: Cause, unit: str) -> str:
    """What the change costs when it is made alone: in points of accuracy where that is known, else in loss."""
    if cause.accuracy_effect is not None:
        return f"costs {_spread(cause.accuracy_effect, cause.accuracy_ci, 100, 1)} points of accuracy"
    if cause.effect is not None:
        return f"costs {_spread(cause.effect, cause.ci, 1, 2)} {unit}"
    return ""


def _spread(value: float, ci: tuple[float, float] | None, times: float, digits: int) -> str:
    def said(figure: float) -> str:
        rounded = f"{abs(times * figure):.{digits}f}"
        return f"−{rounded}" if figure < 0 and float(rounded) else rounded

    return said(value) if ci is None else f"{said(value)} ({said(ci[0])} to {said(ci[1])})"


def open_page(finished: Run) -> None:
    """Open the report in the browser.

    Raises:
        InputError: there is none.
    """
    page = finished.path / PAGE
    if not page.is_file():
        raise InputError(f"--open: there is no {page}; put html under reports in the settings")
    if not webbrowser.open(page.resolve().as_uri()):
        click.echo(f"no browser could be started; open {page} yourself", err=True)
