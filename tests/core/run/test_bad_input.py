"""Wrong input: one message on stderr with the place and the next step, exit code 2, no traceback, nothing lost."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from realdata import digits

from shiftlens.core import cli


@pytest.fixture(scope="module")
def samples():
    x, y = digits()
    return np.repeat(np.repeat(x[:300], 2, axis=2), 2, axis=3), y[:300]  # (300, 1, 16, 16)


def linear_onnx(path, classes=10, features=256, value=None):
    """A real ONNX classifier on (N, 1, 16, 16): flatten, then random weights."""
    from onnx import TensorProto, helper, numpy_helper, save

    weights = np.random.default_rng(0).normal(size=(features, classes)).astype(np.float32)
    if value is not None:
        weights[:] = value
    side = int(features**0.5)
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, side, side])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(weights, "w")],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.fixture
def analysis(tmp_path, samples):
    """Write an analysis of two halves of the digits, spoilt as asked; returns the settings file."""
    x, y = samples

    def write(source=None, target=None, classifier=None, **more):
        halves = {"source": {"x": x[:150], "y": y[:150]}, "target": {"x": x[150:], "y": y[150:]}}
        for role, change in (("source", source), ("target", target)):
            if change is not None:
                halves[role] = {key: value for key, value in change(**halves[role]).items() if value is not None}
            np.savez(tmp_path / f"{role}.npz", **halves[role])
        if classifier is None:
            linear_onnx(tmp_path / "classifier.onnx")
        settings = {
            "source": {"path": "source.npz"},
            "target": {"path": "target.npz"},
            "classifier": classifier or {"path": "classifier.onnx"},
            **more,
        }
        path = tmp_path / "analysis.yaml"
        path.write_text(yaml.safe_dump(settings))
        return path

    return write


def refused(capsys, *command):
    """Run a command that must be refused; returns its one message."""
    code = cli._run_command_line([str(word) for word in command])
    told = capsys.readouterr()
    assert code == 2, told.err
    assert told.out == ""
    assert "Traceback" not in told.err
    message = [line for line in told.err.splitlines() if line.startswith("error: ")]
    assert len(message) == 1, told.err
    return told.err[told.err.index("error: ") :]


def only(**arrays):
    return lambda x, y: {"x": x, "y": y, **{key: value for key, value in arrays.items()}}


def spoilt(index, value):
    def change(x, y):
        x = x.copy()
        x[index] = value
        return {"x": x, "y": y}

    return change


def test_missing_settings_file(capsys, tmp_path):
    assert "shiftlens init" in refused(capsys, "run", tmp_path / "nothing.yaml")


def test_missing_data_file(capsys, analysis):
    path = analysis()
    (path.parent / "target.npz").unlink()
    message = refused(capsys, "run", path, "--quiet")
    assert "target" in message
    assert "target.npz" in message


def test_empty_folder(capsys, analysis, tmp_path):
    (tmp_path / "photos").mkdir()
    message = refused(capsys, "run", analysis(), "--set", "source.path=photos", "--set", "source.reader=image-folder")
    assert "photos" in message


def test_a_class_with_one_sample_cannot_be_trained_on(capsys, analysis):
    def one_nine(x, y):
        keep = (y != 9) | (np.cumsum(y == 9) == 1)
        return {"x": x[keep], "y": y[keep]}

    message = refused(capsys, "run", analysis(source=one_nine, classifier={"train": {"epochs": 1}}), "--quiet")
    assert "9" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (spoilt(slice(None), 0.5), "constant"),
        (spoilt(7, np.nan), "7"),
        (lambda x, y: {"x": x[:0], "y": y[:0]}, "source"),
        (lambda x, y: {"x": x, "y": y[:10]}, "150"),
        (lambda x, y: {"y": y}, "x"),
        (lambda x, y: {"x": x * 255, "y": y}, "255"),
    ],
    ids=["constant", "nan", "empty", "labels-of-another-length", "no-x", "range"],
)
def test_samples_that_cannot_be_used(capsys, analysis, change, words):
    message = refused(capsys, "run", analysis(source=change), "--quiet")
    assert "source" in message
    assert words in message


def test_labels_out_of_range(capsys, analysis):
    message = refused(capsys, "run", analysis(target=lambda x, y: {"x": x, "y": y + 50}), "--quiet")
    assert "target" in message
    assert '"50"' in message


def test_domains_of_different_shape(capsys, analysis):
    message = refused(capsys, "run", analysis(target=lambda x, y: {"x": x[:, :, :, :12], "y": y}), "--quiet")
    assert "16" in message
    assert "12" in message


def test_a_classifier_for_other_samples(capsys, analysis, tmp_path):
    linear_onnx(tmp_path / "other.onnx", features=64)
    message = refused(capsys, "run", analysis(classifier={"path": "other.onnx"}), "--quiet")
    assert "8" in message
    assert "16" in message


def test_a_classifier_with_too_few_classes(capsys, analysis, tmp_path):
    linear_onnx(tmp_path / "three.onnx", classes=3)
    message = refused(capsys, "run", analysis(classifier={"path": "three.onnx"}), "--quiet")
    assert "3" in message


def test_a_classifier_that_gives_no_numbers(capsys, analysis, tmp_path):
    linear_onnx(tmp_path / "nan.onnx", value=np.nan)
    assert "finite" in refused(capsys, "run", analysis(classifier={"path": "nan.onnx"}), "--quiet")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a model", b"\x08\x01" * 50])
def test_a_corrupt_classifier_file(capsys, analysis, tmp_path, content):
    (tmp_path / "broken.onnx").write_bytes(content)
    assert "broken.onnx" in refused(capsys, "run", analysis(classifier={"path": "broken.onnx"}), "--quiet")


def test_several_mistakes_in_the_settings_come_together(capsys, analysis):
    message = refused(capsys, "run", analysis(sead=1, grid={"features": 1}, selector={"name": "treshold"}))
    assert "3 mistakes" in message
    assert 'did you mean "seed"?' in message
    assert 'did you mean "threshold"?' in message


def test_an_unlabelled_source_needs_a_label_free_loss(capsys, analysis):
    message = refused(capsys, "run", analysis(source=lambda x, y: {"x": x}), "--quiet", "--until", "score")
    assert "entropy" in message


@pytest.mark.parametrize("gate", ["harm", "drop=lots"])
def test_a_gate_that_is_none_is_told_before_the_work(capsys, analysis, gate):
    path = analysis()
    assert "--fail-on" in refused(capsys, "run", path, "--fail-on", gate)
    assert not (path.parent / "runs").exists()


def test_what_an_earlier_run_wrote_is_not_lost(capsys, analysis, tmp_path):
    out = tmp_path / "out"
    assert cli._run_command_line(["run", str(analysis()), "--out", str(out), "--until", "score", "--quiet"]) == 0
    capsys.readouterr()
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "log.txt"}
    refused(capsys, "run", analysis(target=spoilt(3, np.nan)), "--out", out, "--quiet")
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "log.txt"}
    for path in ("arrays/scores-source.npy", "settings.yaml", "bundle/classifier.onnx", "stages/score.json"):
        assert before[out / path] == after[out / path]


def test_an_unknown_command_and_an_unknown_run(capsys, tmp_path):
    assert cli._run_command_line(["analyse"]) == 2
    capsys.readouterr()
    assert "settings.yaml" in refused(capsys, "report", tmp_path)


def test_a_target_that_is_not_worse_is_told_and_the_work_goes_on(capsys, analysis):
    path = analysis(source=lambda x, y: {"x": x, "y": y}, target=lambda x, y: {"x": x, "y": y})
    code = cli._run_command_line(["run", str(path), "--quiet", "--until", "score", "--set", "source.path=target.npz"])
    assert code == 0
    from shiftlens import load_run

    warnings = load_run(path.parent / "runs" / "analysis").record("score").facts["warnings"]
    assert any("not worse on the target" in warning for warning in warnings)
