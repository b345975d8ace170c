"""A nightly analysis as one function: a task of Airflow, Prefect or Dagster, or a line in a crontab.

    python examples/nightly.py analysis.yaml runs/2026-11-25

Airflow:  PythonOperator(task_id="why", python_callable=why_it_fails, op_args=["analysis.yaml", "runs/{{ ds }}"])
Prefect:  why = prefect.task(why_it_fails, retries=2)
Dagster:  why = dagster.op(why_it_fails)

A task that is retried goes on where the killed one stopped, as its run directory is the same.
"""

from __future__ import annotations

import sys

from shiftlens import run


def why_it_fails(config: str, out: str, most_lost: float = 0.05) -> dict[str, object]:
    """The findings of an analysis, small enough to be handed from task to task.

    Raises:
        RuntimeError: the accuracy fell by more than ``most_lost``; the message says why.
    """
    finished = run(config, out)
    results = finished.results
    before, after = results.accuracy.source, results.accuracy.target
    if after is not None and before - after > most_lost:
        raise RuntimeError(f"{results.headline} See {finished.path / 'report.html'}")
    return {"headline": results.headline, "accuracy": after, "report": str(finished.path / "report.html")}


if __name__ == "__main__":
    print(why_it_fails(*sys.argv[1:3])["headline"])
