"""ONNX files as other tools leave them come into one form, with the answers that they gave before."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from foundonnx import FLATTEN, KINDS, fitted, graph
from realdata import digits

from shiftlens import Host
from shiftlens.core.cli import cli
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.scoring import probabilities_of, read_outputs
from shiftlens.core.errors import ClassifierError
from shiftlens.core.host.kinds import Classifier
from shiftlens.core.job import Job
from shiftlens.export.session import Session

HOST = Host()


def provide(path, source, folder, **settings):
    component = HOST.find(Classifier, "onnx")
    return component.build(component.settings(path=path, **settings))(source, Job(folder))


def answers(provided, x):
    """Probabilities of the provided file, run on all of ``x`` at once."""
    session = Session(provided.onnx, device="cpu")
    (entry,), (result,) = session.inputs, session.outputs
    assert entry.dtype == result.dtype == np.float32
    assert entry.shape[1:] in (x.shape[1:], (None, None, None), ("d1", "d2", "d3"))
    assert not isinstance(entry.shape[0], int)
    outputs = session.run(**{entry.name: x})[result.name]
    output = read_outputs(outputs).output if provided.output == "auto" else provided.output
    return probabilities_of(outputs, output)


@pytest.mark.parametrize("name", KINDS)
def test_every_usual_form_is_taken_and_answers_as_it_did(name, tmp_path):
    if name.startswith("scikit-learn"):
        pytest.importorskip("skl2onnx")
    if name.endswith("column"):
        pytest.importorskip("pandas")
    path = KINDS[name](tmp_path / "model.onnx")
    x, y = digits()
    binary = name.endswith("binary")
    y = y % 2 if binary else y
    columns = tuple(f"p{i}" for i in range(64))
    flat = name.startswith("scikit-learn") and name != "scikit-learn, a forest"
    source = (
        Domain(x.reshape(len(x), -1), (64,), "tabular", y.astype(str), columns=columns)
        if flat
        else Domain(x, (1, 8, 8), "image", y.astype(str))
    )
    folder = tmp_path / "job"
    folder.mkdir()
    provided = provide(path, source, folder)
    probabilities = answers(provided, source.batch(slice(0, 57)))
    assert probabilities.shape == (57, 2 if binary else 10)
    accuracy = (probabilities.argmax(axis=1) == y[:57]).mean()
    assert accuracy > 0.9
    if not name.startswith("scikit-learn"):
        reference = fitted(binary).predict_proba(x[:57].reshape(57, -1))
        tolerance = 0.05 if "int8" in name else 5e-3
        np.testing.assert_allclose(probabilities, reference, atol=tolerance)


@pytest.fixture
def source():
    x, y = digits()
    return Domain(x[:200], (1, 8, 8), "image", y[:200].astype(str))


def test_there_are_enough_kinds():
    assert len(KINDS) >= 34


@pytest.mark.parametrize("name", ["scikit-learn, ZipMap of names", "class names in the metadata"])
def test_class_names_come_out_of_the_file(name, tmp_path, source):
    if name.startswith("scikit"):
        pytest.importorskip("skl2onnx")
    path = KINDS[name](tmp_path / "model.onnx")
    if name.startswith("scikit"):
        named = np.array([f"digit {label}" for label in source.labels])
        source = Domain(source.stored, source.sample_shape, source.kind, named)
    provided = provide(path, source, tmp_path, layout="auto")
    assert provided.classes in (tuple(f"digit {i}" for i in range(10)), tuple("0123456789"))


def test_weights_outside_the_folder_are_not_read(tmp_path, source):
    inner = tmp_path / "inner"
    inner.mkdir()
    path = KINDS["weights in model.onnx_data"](inner / "model.onnx")
    (inner / "model.onnx_data").rename(tmp_path / "model.onnx_data")
    model = onnx.load(path, load_external_data=False)
    for place in ("../model.onnx_data", str(tmp_path / "model.onnx_data"), "..\\model.onnx_data"):
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = place
        path.write_bytes(model.SerializeToString())
        with pytest.raises(ClassifierError, match="outside its own folder"):
            provide(path, source, tmp_path)
    (inner / "link").symlink_to(tmp_path / "model.onnx_data")
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "link"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ClassifierError, match="outside its own folder"):
        provide(path, source, tmp_path)


def test_missing_weights_are_named(tmp_path, source):
    path = KINDS["weights in model.onnx_data"](tmp_path / "model.onnx")
    (tmp_path / "model.onnx_data").unlink()
    with pytest.raises(ClassifierError, match=r"model\.onnx_data, which is not there"):
        provide(path, source, tmp_path)


def test_changed_weights_beside_the_file_make_a_run_new(tmp_path):
    path = KINDS["weights in model.onnx_data"](tmp_path / "model.onnx")
    component = HOST.find(Classifier, "onnx")
    files = component.build(component.settings(path=path)).files()
    assert [file.name for file in files] == ["model.onnx", "model.onnx_data"]


def test_dynamic_int8_is_told_with_how_much(tmp_path, source):
    provided = provide(KINDS["dynamic int8"](tmp_path / "model.onnx"), source, tmp_path)
    (note,) = provided.notes
    assert "dynamic int8" in note
    assert re.search(r"by up to 0\.\d+ on 16 samples", note)


def test_the_output_that_is_used_is_named_and_can_be_chosen(tmp_path, source):
    path = KINDS["logits twice, under two names"](tmp_path / "model.onnx")
    (note,) = provide(path, source, tmp_path).notes
    assert "p is used, and y could be meant, too" in note
    chosen = answers(provide(path, source, tmp_path, output="y"), source.batch(slice(0, 20)))
    np.testing.assert_allclose(chosen, answers(provide(path, source, tmp_path), source.batch(slice(0, 20))), atol=1e-5)
    with pytest.raises(ClassifierError, match=r'no output "yy".*did you mean "y"\? .*name one of p, y'):
        provide(path, source, tmp_path, output="yy")


def test_a_batch_can_be_set(tmp_path, source):
    path = KINDS["dynamic int8"](tmp_path / "model.onnx")
    provided = provide(path, source, tmp_path, batch=1)
    x = source.batch(slice(0, 20))
    session = Session(provided.onnx, device="cpu")
    entry, result = session.inputs[0].name, session.outputs[0].name
    alone = np.concatenate([session.run(**{entry: x[i : i + 1]})[result] for i in range(20)])
    np.testing.assert_array_equal(session.run(**{entry: x})[result], alone)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (["N", 1, 9, 9], r"takes samples of shape \(1, 9, 9\); the source has \(1, 8, 8\).*set size: \[9, 9\]"),
        (["N", 65], r"takes samples of shape \(65,\); the source has \(1, 8, 8\) \(64 values\)"),
    ],
)
def test_a_shape_that_does_not_fit_is_told_with_the_setting(tmp_path, source, shape, told):
    with pytest.raises(ClassifierError, match=told):
        provide(graph(tmp_path / "model.onnx", shape, FLATTEN), source, tmp_path)


def test_inspect_shows_what_was_understood(tmp_path):
    path = KINDS["bytes, channels last, batch of 1"](tmp_path / "model.onnx")
    told = CliRunner().invoke(cli, ["inspect", str(path), "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.output)
    assert found["sample_shape"] == [1, 8, 8]
    assert found["layout"] == "channels-last"
    assert found["batch"] == "any (exported for 1)"
    assert found["count"] == 10
    assert found["inputs"] == ["x (1, 8, 8, 1) uint8"]
    text = CliRunner().invoke(cli, ["inspect", str(path)]).output
    assert "channels-last" in text
    assert str(Path(path.name)) in text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.txt", "\n".join("9876543210")),
        ("classes.txt", "\n".join(f"{i} {name}" for i, name in enumerate("9876543210"))),
        ("model.json", json.dumps(list("9876543210"))),
        ("class_to_idx.json", json.dumps({name: i for i, name in enumerate("9876543210")})),
        ("config.json", json.dumps({"model_type": "vit", "id2label": dict(enumerate("9876543210"))})),
    ],
)
def test_class_names_in_a_file_beside_the_model(tmp_path, source, name, text):
    path = KINDS["plain"](tmp_path / "model.onnx")
    (tmp_path / name).write_text(text)
    provided = provide(path, source, tmp_path)
    assert provided.classes == tuple("9876543210")
    assert name in provided.notes[0]


def test_class_names_that_are_not_the_labels_are_left_aside(tmp_path, source):
    path = KINDS["plain"](tmp_path / "model.onnx")
    (tmp_path / "labels.txt").write_text("\n".join(f"thing {i}" for i in range(10)))
    provided = provide(path, source, tmp_path)
    assert provided.classes is None
    assert "thing 0" in provided.notes[0]
