"""What the TensorBoard observer writes, read back from the event files."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import shiftlens
from shiftlens import Host
from shiftlens.core.host.kinds import Observer
from shiftlens.core.run.directory import Run
from shiftlens.plugins.observers.mosaic import FRAME, LINE, mosaic

pytest.importorskip("tensorboard", reason="comes with the extra `tensorboard`")


def written(folder: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0, "tensors": 0}).Reload()


def scalars(events, tag):
    return [(event.step, pytest.approx(event.value)) for event in events.Scalars(tag)]


def build(**settings):
    component = Host().find(Observer, "tensorboard")
    return lambda: component.build(component.settings(**settings))


def test_losses_are_there_step_by_step(tmp_path):
    host = Host()
    with host.watched_by({"tensorboard": build()}):
        host.notify("run_started", run=Run(tmp_path))
        for step in range(1, 4):
            host.notify("step", stage="generator", done=step, total=3, values={"loss": 1 / step})
        host.notify("step", stage="score", done=1, total=3, values={})
    assert not host.problems
    events = written(tmp_path / "tensorboard")
    assert events.Tags()["scalars"] == ["generator/loss"]
    assert scalars(events, "generator/loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3)]


def test_a_finished_run_shows_its_curves_grids_and_verdicts_once(demo_run):
    settings = shiftlens.load_settings(demo_run.config, overrides=[*demo_run.overrides, "observers=tensorboard"])
    for _ in range(2):
        finished = shiftlens.run(settings, demo_run.run.path)
    results = finished.results
    events = written(finished.path / "tensorboard")

    generator = next(curve for curve in results.curves if curve.name == "generator")
    assert scalars(events, "generator/loss") == [(row["step"], row["loss"]) for row in generator.rows]
    assert scalars(events, "result/accuracy target") == [(0, results.accuracy.target)]

    (text,) = events.Tensors("verdicts")
    markdown = text.tensor_proto.string_val[0].decode()
    assert results.headline in markdown
    assert all(cause.sentence in markdown for cause in results.causes if cause.verdict != "unchanged")

    tags = events.Tags()["images"]
    assert tags == [f"grid/{number:02d}" for number in range(1, len(results.pairs) + 1)]
    (picture,) = events.Images(tags[0])
    shown = np.asarray(Image.open(io.BytesIO(picture.encoded_image_string)))
    assert shown.shape == (picture.height, picture.width, 3)
    real = (np.asarray(finished.arrays["cells"][0, 0, 0]) * 255).round().astype(np.uint8).transpose(1, 2, 0)
    assert np.array_equal(shown[FRAME : FRAME + 64 : 2, FRAME : FRAME + 64 : 2], real)


def test_series_and_vectors_are_lines():
    rng = np.random.default_rng(0)
    correct = [[True, False, True]] * 2
    for shape in ((1, 50), (3, 50), (6,)):
        png, width, height = mosaic(rng.normal(size=(2, 3, *shape)), correct)
        assert (width, height) == (3 * (LINE[0] + 2 * FRAME), 2 * (LINE[1] + 2 * FRAME))
        tile = np.asarray(Image.open(io.BytesIO(png)))[FRAME : FRAME + LINE[1], FRAME : FRAME + LINE[0]]
        assert (tile < 100).any(axis=2).any(axis=0).mean() > 0.9, "a line from left to right"


def test_it_needs_no_torch(tmp_path):
    code = (
        "import sys; from shiftlens import Host, Run; from shiftlens.core.host.kinds import Observer\n"
        "host = Host(); kind = host.find(Observer, 'tensorboard')\n"
        f"with host.watched_by({{'tensorboard': lambda: kind.build(kind.settings())}}):\n"
        f"    host.notify('run_started', run=Run({str(tmp_path)!r}))\n"
        "print('torch' in sys.modules, host.problems)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "[]"], done.stderr


def test_a_missing_library_is_told_and_the_run_goes_on(demo_run, monkeypatch, caplog):
    for name in [
        name for name in sys.modules if name.startswith(("tensorboard", "shiftlens.plugins.observers.tensorboard"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    host = Host()
    settings = shiftlens.load_settings(demo_run.config, host, [*demo_run.overrides, "observers=tensorboard"])
    finished = shiftlens.run(settings, demo_run.run.path, host=host)
    assert finished.results.headline
    assert "pip install 'shiftlens[tensorboard]'" in caplog.text
