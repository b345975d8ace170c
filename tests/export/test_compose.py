"""The fused grid: equal to the grid made step by step, for every loss it can measure."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from shiftlens import Host
from shiftlens.core.errors import ExportError
from shiftlens.core.kinds import Loss
from shiftlens.export import compose
from shiftlens.export.bundle import Bundle, grid_for_pair
from shiftlens.export.session import Session


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "bundle")


def with_manifest(folder, **values):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return Bundle.open(folder, device="cpu")


def run(folder, pair, loss, features, losses, label=7):
    return Session(folder / "grid.onnx", device="cpu").run(
        samples=np.stack(pair),
        loss=loss,
        label=np.array([label]),
        n_features=np.array([features]),
        n_losses=np.array([losses]),
    )


@pytest.mark.parametrize("name", ["cross-entropy", "brier", "entropy", "margin"])
def test_it_equals_the_grid_made_step_by_step(copy, pair, name):
    settings = Host().find(Loss, name).settings().model_dump()
    bundle = with_manifest(copy, loss={"name": name, "settings": settings})
    facts = compose.add_grid(bundle, np.stack(pair), label=7)
    assert max(facts["largest_difference"].values()) < 1e-5
    reopened = Bundle.open(copy)
    assert "grid.onnx" in reopened.manifest.files
    expected = grid_for_pair(reopened, *pair, label="7", features=6, losses=4)
    got = run(copy, pair, expected.requested[[0, -1], [0, -1]], 6, 4)
    np.testing.assert_allclose(got["cells"], expected.cells, atol=1e-5)
    np.testing.assert_allclose(got["requested"], expected.requested, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got["measured"], expected.measured, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(got["probabilities"].argmax(-1).ravel(), expected.scores.prediction)
    np.testing.assert_array_equal(got["cells"][0, 0], pair[0])
    np.testing.assert_array_equal(got["cells"][-1, -1], pair[1])


def test_every_built_in_loss_can_be_measured_in_the_graph():
    built_in = {offer.component.name for offer in Host().offers(Loss) if offer.distribution == "shiftlens"}
    assert built_in == set(compose.MEASURED)


def test_a_classifier_of_probabilities_is_composed_too(copy, pair):
    import onnx

    model = onnx.load(copy / "classifier.onnx")
    result = model.graph.output[0].name
    model.graph.node.append(onnx.helper.make_node("Softmax", [result], ["p"], axis=-1))
    model.graph.output[0].name = "p"
    onnx.save(model, copy / "classifier.onnx")
    from shiftlens.core.files import sha256_of

    files = json.loads((copy / "manifest.json").read_text())["files"]
    files["classifier.onnx"] = sha256_of(copy / "classifier.onnx")
    bundle = with_manifest(copy, classifier_output="probabilities", files=files)
    assert compose.add_grid(bundle, np.stack(pair), label=7)["largest_difference"]["measured"] < 1e-5


def test_an_older_opset_is_converted(copy, pair):
    import onnx

    from shiftlens.core.files import sha256_of

    model = onnx.load(copy / "classifier.onnx")
    model.opset_import[0].version = 17  # the operators of this classifier are the same in both
    onnx.save(model, copy / "classifier.onnx")
    files = json.loads((copy / "manifest.json").read_text())["files"]
    files["classifier.onnx"] = sha256_of(copy / "classifier.onnx")
    compose.add_grid(with_manifest(copy, files=files), np.stack(pair), label=7)


def test_what_cannot_be_composed_is_told(copy):
    with pytest.raises(ExportError, match="because of the loss doubt"):
        compose.compose(with_manifest(copy, loss={"name": "doubt"}))


def test_a_graph_that_disagrees_is_not_put_into_the_manifest(copy, pair, monkeypatch):
    wrong = compose.MEASURED["cross-entropy"].replace("Neg (", "Exp (")
    monkeypatch.setitem(compose.MEASURED, "cross-entropy", wrong)
    with pytest.raises(ExportError, match="output measured differs from the original"):
        compose.add_grid(Bundle.open(copy, device="cpu"), np.stack(pair), label=7)
    assert "grid.onnx" not in Bundle.open(copy).manifest.files
