"""Bundles: what is served, and what is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from realdata import digits

from shiftlens.core.errors import BundleError, InputError
from shiftlens.export.bundle import CHUNK, Bundle, grid_for_pair
from shiftlens.export.manifest import LossFacts, write_manifest


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "bundle")


def change(folder, **values):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_it_encodes_and_decodes_in_chunks_as_in_one_piece(exported, modules):
    from shiftlens.export.to_onnx import on_numpy

    count = 2 * CHUNK + 7
    x, y = digits()[0][:count], digits()[1][:count]
    loss = np.linspace(0, 5, count)
    bundle = Bundle.open(exported, device="cpu")
    feed = {"x": x, "loss": loss.astype(np.float32), "label": y}
    z = bundle.encode(x, loss, y)
    np.testing.assert_allclose(z, on_numpy(modules[0], ["z"])(feed)["z"], atol=1e-5)
    again = bundle.decode(z, loss, y)
    expected = on_numpy(modules[1], ["x"])({"z": z, "loss": feed["loss"], "label": y})["x"]
    np.testing.assert_allclose(again, expected, atol=1e-5)


def test_an_encoder_without_a_distribution_says_so(exported):
    x, y = digits()[0][:2], digits()[1][:2]
    with pytest.raises(BundleError, match="log_variance"):
        Bundle.open(exported, device="cpu").log_variance(x, np.ones(2), y)


def test_nothing_in_nothing_out(exported):
    bundle = Bundle.open(exported, device="cpu")
    none = np.zeros(0)
    assert bundle.decode(np.zeros((0, 6), np.float32), none, none.astype(np.int64)).shape == (0, 1, 8, 8)


def test_it_predicts_and_scores(exported):
    x, y = digits()
    bundle = Bundle.open(exported, device="cpu")
    probabilities = bundle.predict(x[:130])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    scores = bundle.score(x[:130], y[:130])
    assert scores.accuracy > 0.9
    np.testing.assert_allclose(scores.loss, -np.log(probabilities[np.arange(130), y[:130]]))
    assert bundle.providers == ["CPUExecutionProvider"]


def test_the_bundle_of_a_run_is_found(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "run" / "bundle")
    assert Bundle.open(tmp_path / "run").manifest.name == "digits"


def test_a_grid_of_a_new_pair(exported, pair):
    grid = grid_for_pair(Bundle.open(exported), *pair, label="7", features=4, losses=3)
    assert grid.cells.shape == (3, 4, 1, 8, 8)
    np.testing.assert_array_equal(grid.cells[0, 0], pair[0])
    np.testing.assert_array_equal(grid.cells[-1, -1], pair[1])
    assert grid.measured[-1, -1] == pytest.approx(grid.requested[-1, -1])
    assert grid.requested[-1, 0] > grid.requested[0, 0], "the faded seven must cost more"
    assert set(grid.scores.label) == {7}


def test_the_class_is_the_prediction_of_the_source_where_none_is_given(exported, pair):
    assert set(grid_for_pair(Bundle.open(exported), *pair).scores.label) == {7}


def test_a_pair_the_wrong_way_round_is_told(exported, pair, caplog):
    grid_for_pair(Bundle.open(exported), pair[1], pair[0], "7")
    assert "is not above the source sample's" in caplog.text


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"source": np.zeros((1, 8, 9), np.float32)}, r"source: the sample has shape \(1, 8, 9\)"),
        ({"target": np.full((1, 8, 8), np.nan, np.float32)}, "target: the sample has values that are not finite"),
        ({"label": "seven"}, 'there is no class "seven"; there are: 0, 1'),
    ],
)
def test_pairs_that_do_not_fit_are_told(exported, pair, values, told):
    arguments = {"source": pair[0], "target": pair[1], **values}
    with pytest.raises(InputError, match=told):
        grid_for_pair(Bundle.open(exported), **arguments)


def test_an_altered_file_is_named(copy):
    model = copy / "decoder.onnx"
    content = bytearray(model.read_bytes())
    content[-10] ^= 1
    model.write_bytes(bytes(content))
    with pytest.raises(BundleError, match=r"decoder\.onnx is not the file that manifest\.json describes"):
        Bundle.open(copy)


def test_a_foreign_model_is_named(copy):
    shutil.copy(copy / "encoder.onnx", copy / "grid.onnx")
    shutil.copy(copy / "encoder.onnx", copy / "other.onnx")
    with pytest.raises(BundleError, match=r"files that do not belong there: other\.onnx, grid\.onnx; remove them"):
        Bundle.open(copy)


def test_a_missing_file_is_named(copy):
    (copy / "encoder.onnx").unlink()
    with pytest.raises(BundleError, match=r"lacks encoder\.onnx"):
        Bundle.open(copy)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"format": 3, "shiftlens": "9.0"}, r"written by shiftlens 9\.0 in format 3; .* reads format 2"),
        ({"latent": "many"}, "latent: "),
        (
            {"files": {"../secret.onnx": "00", "encoder.onnx": "0", "decoder.onnx": "0"}},
            r"do not belong there: \.\./sec",
        ),
        ({"files": {}}, r"files that do not belong there: classifier\.onnx, decoder\.onnx, encoder\.onnx"),
    ],
)
def test_a_manifest_that_is_wrong_is_told(copy, values, told):
    change(copy, **values)
    with pytest.raises(BundleError, match=told):
        Bundle.open(copy)


@pytest.mark.parametrize("text", ["{", "[1]", "\xff"])
def test_a_manifest_that_is_no_manifest_is_told(copy, text):
    (copy / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BundleError, match=r"manifest\.json"):
        Bundle.open(copy)


def test_a_folder_that_is_no_bundle_is_told(tmp_path):
    with pytest.raises(BundleError, match=r"is no bundle: it has no manifest\.json"):
        Bundle.open(tmp_path / "nowhere")


def test_models_that_do_not_fit_the_manifest_are_told(copy):
    change(copy, latent=7)
    with pytest.raises(BundleError, match=r"decoder\.onnx takes z .*does not fit manifest\.json"):
        Bundle.open(copy).decode(np.zeros((1, 7), np.float32), np.zeros(1), np.zeros(1, np.int64))


def test_a_loss_that_is_not_installed_is_named(copy):
    change(copy, loss={"name": "cross-entropi"})
    with pytest.raises(BundleError, match=r'needs the loss cross-entropi: .*did you mean "cross-entropy"'):
        Bundle.open(copy).score(digits()[0][:1], digits()[1][:1])


def test_a_bundle_without_classifier_serves_the_generator_and_says_what_it_lacks(copy, pair):
    arguments = {
        "name": "d",
        "kind": "image",
        "sample_shape": (1, 8, 8),
        "classes": "ab",
        "latent": 6,
        "provenance": {},
    }
    (copy / "classifier.onnx").unlink()
    why = "the layer head uses aten.fft_fft2"
    write_manifest(copy, **arguments, loss=LossFacts(name="brier"), classifier_output=None, why_no_classifier=why)
    bundle = Bundle.open(copy)
    assert sorted(bundle.manifest.files) == ["decoder.onnx", "encoder.onnx"]
    assert bundle.decode(np.zeros((1, 6), np.float32), np.zeros(1), np.zeros(1, np.int64)).shape == (1, 1, 8, 8)
    with pytest.raises(BundleError, match=r"holds no classifier, .* \(the layer head uses aten\.fft_fft2\)"):
        grid_for_pair(bundle, *pair)


def test_a_manifest_needs_its_models(tmp_path):
    arguments = {
        "name": "d",
        "kind": "image",
        "sample_shape": (1, 8, 8),
        "classes": "ab",
        "latent": 6,
        "provenance": {},
    }
    with pytest.raises(BundleError, match=r"lacks encoder\.onnx, decoder\.onnx, classifier\.onnx"):
        write_manifest(tmp_path, **arguments, loss=LossFacts(name="brier"), classifier_output="logits")
