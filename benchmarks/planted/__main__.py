"""Planted causes on real images: right verdicts, false alarms, coverage, time, beside two naive answers.

python -m benchmarks.planted --quick
SHIFTLENS_DATA=FOLDER python -m benchmarks.planted --out benchmarks
"""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.planted.causes_benchmark import run_benchmark
from benchmarks.planted.grid import run_grid_benchmark
from benchmarks.planted.intervention import run_intervention_benchmark
from shiftlens.core.commands.options import quiet
from shiftlens.core.commands.shown import shown
from shiftlens.core.host.host import Host


@click.command()
@click.option("--grid", is_flag=True, help="Does the loss axis move what costs accuracy? Every generator and axis.")
@click.option("--intervention", is_flag=True, help="The same of the fitted changes, made on real samples.")
@click.option("--quick", is_flag=True, help="Few cases, on the digits that ship with scikit-learn.")
@click.option("--seed", default=0, show_default=True, help="Of the first repeat.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the table and the figures behind it.")
@quiet
def main(grid: bool, intervention: bool, quick: bool, seed: int, workers: int, out: Path | None, quiet: bool) -> None:
    """Run the planted-cause benchmark, or with --grid or --intervention that of the grids, and print its table."""
    run = run_intervention_benchmark if intervention else run_grid_benchmark if grid else run_benchmark
    host = Host()
    with shown(host, quiet):
        host.notify("stage_started", stage="benchmark")
        table = run(
            quick,
            seed,
            lambda done, total, **values: host.notify("step", stage="benchmark", done=done, total=total, values=values),
            out,
            workers=workers,
        )
    click.echo(table)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.planted")
