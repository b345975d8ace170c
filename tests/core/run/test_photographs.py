"""Two folders of real photographs and a brought-along ONNX classifier, from the command line to the report."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
import yaml
from PIL import Image, ImageEnhance
from realdata import whole_data_file

from shiftlens import load_run
from shiftlens.core import cli

CLASSES = ("airplane", "frog", "ship", "truck")
PER_CLASS = 500


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """before/ and after/ by class; half of the photographs each, those of after/ much darker."""
    root = tmp_path_factory.mktemp("photographs")
    with zipfile.ZipFile(whole_data_file("cifar10-small.zip")) as archive:
        for name in CLASSES:
            for number in range(PER_CLASS):
                side = "before" if number % 2 else "after"
                path = root / side / name / f"{number:04d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(f"{name}/{number:04d}.jpg") as stream, Image.open(stream) as image:
                    (image if number % 2 else ImageEnhance.Brightness(image).enhance(0.3)).save(path)
    return root


@pytest.mark.slow
def test_a_brightness_change_on_photographs(trees, capsys):
    make = {
        "source": {"path": "before"},
        "target": {"path": "after"},
        "classifier": {"train": {"architecture": "small-cnn", "epochs": 6}},
    }
    (trees / "make.yaml").write_text(yaml.safe_dump(make))
    made = trees / "made"
    assert (
        cli._run_command_line(["run", str(trees / "make.yaml"), "--out", str(made), "--until", "score", "--quiet"]) == 0
    )
    (trees / "classifier.onnx").write_bytes((made / "bundle" / "classifier.onnx").read_bytes())

    command = ["init", trees / "analysis", "--source", trees / "before", "--target", trees / "after"]
    command += ["--classifier", trees / "classifier.onnx"]
    assert cli._run_command_line([str(word) for word in command]) == 0
    config = capsys.readouterr().out.splitlines()[-1]
    changes = ["generator.steps=300", "selector.pairs=6", "trial.samples=500"]
    words = [word for change in changes for word in ("--set", change)]
    out = trees / "run"
    assert cli._run_command_line(["run", config, "--out", str(out), "--quiet", *words]) == 0
    results = load_run(out).results
    assert results.samples.source == len(CLASSES) * PER_CLASS // 2
    assert results.classes == sorted(CLASSES)
    assert results.accuracy.target < results.accuracy.source - 0.05
    verdicts = {cause.factor: cause.verdict for cause in results.causes}
    harmful = {name for name, verdict in verdicts.items() if verdict == "harmful"}
    assert harmful <= {"brightness", "contrast"}, verdicts  # a darkening multiplies: it is both
    assert harmful, verdicts
    assert "data:image/" in (out / "report.html").read_text()
    assert json.loads((out / "bundle" / "manifest.json").read_text())["sample_shape"] == [3, 32, 32]
    assert np.asarray(load_run(out).arrays["cells"]).shape[1:] == (5, 5, 3, 32, 32)
