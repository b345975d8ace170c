"""What the MLflow observer keeps, read back from a real tracking store in a file."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import shiftlens
from shiftlens import Host


@pytest.fixture(autouse=True, scope="module")
def mlflow():
    """Imported by the process that runs these tests alone: it takes seconds."""
    pytest.importorskip("sqlalchemy", reason="the store in a file needs it")
    return pytest.importorskip("mlflow", reason="comes with the extra `mlflow`")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An empty store, made in a process of its own: it is slow, and opens files in the current folder."""
    folder = tmp_path_factory.mktemp("mlflow")
    return folder, f"sqlite:///{folder / 'mlflow.db'}"


def followed(demo_run, uri, **settings):
    named = ", ".join(f"{key}: {value}" for key, value in {"tracking_uri": uri, **settings}.items())
    overrides = [*demo_run.overrides, f"observers=[{{name: mlflow, {named}}}]"]
    return shiftlens.run(shiftlens.load_settings(demo_run.config, overrides=overrides), demo_run.run.path)


@pytest.mark.slow
def test_a_run_is_kept_once_with_figures_verdicts_and_files(demo_run, store, monkeypatch, mlflow):
    folder, uri = store
    monkeypatch.chdir(folder)
    (demo_run.run.path / "mlflow.json").unlink(missing_ok=True)
    for _ in range(2):
        finished = followed(demo_run, uri, experiment="digits")
    results = finished.results
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("digits")
    (kept,) = client.search_runs([experiment.experiment_id])
    assert kept.info.status == "FINISHED"
    assert kept.data.metrics["accuracy.target"] == pytest.approx(results.accuracy.target)
    assert kept.data.metrics["effect.stroke-thickness"] == pytest.approx(
        next(c.effect for c in results.causes if c.factor == "stroke-thickness")
    )
    assert kept.data.params["generator.steps"] == "150"
    assert kept.data.tags["mlflow.note.content"] == results.headline
    assert {c.factor: c.verdict for c in results.causes} == {
        key.removeprefix("verdict."): value for key, value in kept.data.tags.items() if key.startswith("verdict.")
    }
    names = {entry.path for entry in client.list_artifacts(kept.info.run_id)}
    assert {"report.html", "results.json", "settings.yaml", "bundle"} <= names
    models = {entry.path for entry in client.list_artifacts(kept.info.run_id, "bundle")}
    assert "bundle/classifier.onnx" in models
    local = client.download_artifacts(kept.info.run_id, "bundle/classifier.onnx", str(folder))
    with open(local, "rb") as a:
        assert a.read() == (finished.path / "bundle" / "classifier.onnx").read_bytes()


@pytest.mark.slow
def test_a_run_that_was_cut_off_says_so(tmp_path, store, monkeypatch, mlflow):
    folder, uri = store
    monkeypatch.chdir(folder)
    component = Host().find(shiftlens.Observer, "mlflow")
    host = Host()
    settings = component.settings(tracking_uri=uri, experiment="cut")
    with host.watched_by({"mlflow": lambda: component.build(settings)}):
        host.notify("run_started", run=shiftlens.Run(tmp_path))
        host.notify("step", stage="generator", done=1, total=3, values={"loss": 0.5})
    assert not host.problems
    client = mlflow.MlflowClient(tracking_uri=uri)
    (kept,) = client.search_runs([client.get_experiment_by_name("cut").experiment_id])
    assert kept.info.status == "KILLED"
    assert kept.data.metrics == {"generator/loss": 0.5}


def test_without_an_address_it_says_what_is_missing(demo_run, monkeypatch, caplog):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    host = Host()
    settings = shiftlens.load_settings(demo_run.config, host, [*demo_run.overrides, "observers=mlflow"])
    assert shiftlens.run(settings, demo_run.run.path, host=host).results.headline
    assert "needs tracking_uri, or MLFLOW_TRACKING_URI" in caplog.text


def test_nothing_is_sent_home():
    code = (
        "import shiftlens.plugins.observers.mlflow, os\n"
        "from mlflow.telemetry.utils import is_telemetry_disabled\nprint(is_telemetry_disabled())"
    )
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "True", done.stderr
