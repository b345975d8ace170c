"""Keep a run in MLflow: settings, losses while models are trained, figures and verdicts, the report and the bundle.

The tracking server is the one that ``MLFLOW_TRACKING_URI`` or the setting names. One run directory is one MLflow run:
its id stands in ``mlflow.json``, so that a run that is cut off and goes on, or is done again, is no second one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "MLFLOW_DISABLE_TELEMETRY", "true"
)  # read when mlflow is imported: nothing is sent home from here

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from shiftlens.core.errors import InputError
from shiftlens.core.files import write_text
from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.results.results import Results
from shiftlens.core.run.directory import Run

STARTED = "mlflow.json"  # in the run directory
LONGEST_VALUE = 500  # characters of a parameter; older servers take no more
STEPS_AT_ONCE = 50


class MLflow:
    """One run in MLflow.

    Args:
        tracking_uri: as of MLflow; "" for what ``MLFLOW_TRACKING_URI`` says.
        experiment: it is made where it does not exist.
        bundle: whether the exported models are artifacts, too.
    """

    def __init__(self, tracking_uri: str, experiment: str, bundle: bool) -> None:
        self.uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI", "")
        if not self.uri:
            raise InputError("the observer mlflow needs tracking_uri, or MLFLOW_TRACKING_URI in the environment")
        self.experiment, self.bundle = experiment, bundle
        self.client = MlflowClient(tracking_uri=self.uri)
        self.run_id = ""
        self.results_are_new = False
        self.finished = False
        self.waiting: list[Metric] = []

    @hookimpl
    def shiftlens_run_started(self, run: Run) -> None:
        known = _started(run.path / STARTED, self.uri)
        self.results_are_new = known is None
        self.run_id = known if known is not None and self._is_there(known) else self._begun(run)
        self.client.update_run(self.run_id, status="RUNNING")

    @hookimpl
    def shiftlens_step(self, stage: str, done: int, values: Mapping[str, float]) -> None:
        self.waiting += [Metric(f"{stage}/{name}", float(value), _now(), done) for name, value in values.items()]
        if len(self.waiting) >= STEPS_AT_ONCE:
            self._send()

    @hookimpl
    def shiftlens_stage_finished(self, stage: str) -> None:
        self._send()
        self.results_are_new |= stage == "explain"

    @hookimpl
    def shiftlens_run_finished(self, run: Run) -> None:
        self.finished = True
        if not self.results_are_new or not (run.path / "results.json").is_file():  # left out by --until
            return
        results = run.results
        self.client.log_batch(self.run_id, params=_params(run.settings), metrics=_figures(results))
        self.client.set_tag(self.run_id, "mlflow.note.content", results.headline)
        for cause in results.causes:
            self.client.set_tag(self.run_id, f"verdict.{cause.factor}", cause.verdict)
        for path in [*sorted(run.path.glob("report*")), run.path / "results.json", run.path / "settings.yaml"]:
            if path.is_file():
                self.client.log_artifact(self.run_id, str(path))
        if self.bundle and run.bundle.is_dir():
            self.client.log_artifacts(self.run_id, str(run.bundle), "bundle")

    def close(self) -> None:
        """Send what is waiting, and say whether the run came to its end."""
        if self.run_id:
            self._send()
            self.client.set_terminated(self.run_id, "FINISHED" if self.finished else "KILLED")

    def _begun(self, run: Run) -> str:
        found = self.client.get_experiment_by_name(self.experiment)
        experiment = found.experiment_id if found else self.client.create_experiment(self.experiment)
        begun: str = self.client.create_run(experiment, run_name=run.path.name).info.run_id
        write_text(run.path / STARTED, json.dumps({"tracking_uri": self.uri, "run_id": begun}) + "\n")
        return begun

    def _is_there(self, run_id: str) -> bool:
        try:
            return bool(self.client.get_run(run_id).info.lifecycle_stage == "active")
        except MlflowException:  # deleted meanwhile
            return False

    def _send(self) -> None:
        if self.waiting:
            self.client.log_batch(self.run_id, metrics=self.waiting)
            self.waiting = []


def _now() -> int:
    return int(1000 * time.time())


def _started(path: Path, uri: str) -> str | None:
    """The MLflow run that this directory belongs to; None where it belongs to none on that server."""
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        return str(noted["run_id"]) if noted["tracking_uri"] == uri else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _params(settings: Mapping[str, Any], before: str = "") -> list[Param]:
    """Settings as flat names, ``generator.steps``."""
    found: list[Param] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found += _params(value, f"{before}{key}.")
        else:
            found.append(Param(f"{before}{key}", str(value)[:LONGEST_VALUE]))
    return found


def _figures(results: Results) -> list[Metric]:
    figures = {
        "accuracy.source": results.accuracy.source,
        "accuracy.target": results.accuracy.target,
        "loss.source": results.loss.source,
        "loss.target": results.loss.target,
        "fidelity": results.fidelity.spearman,
        "unexplained": results.unexplained.share if results.unexplained else None,
        **{f"effect.{cause.factor}": cause.effect for cause in results.causes},
        **{f"share.{cause.factor}": cause.share for cause in results.causes},
    }
    return [Metric(name, float(value), _now(), 0) for name, value in figures.items() if value is not None]
