"""The autoencoder on real digits, series and vectors: shapes, loss axes, export, and what it refuses."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import realdata
import torch

from shiftlens.core.errors import TrainingError
from shiftlens.core.fidelity import leak
from shiftlens.core.job import Job
from shiftlens.core.kinds import SOURCE, TARGET, TrainedGenerator, TrainingData
from shiftlens.core.training import one_core_free
from shiftlens.export.parity import check_parity
from shiftlens.export.to_onnx import on_numpy, to_onnx
from shiftlens.plugins.generators.autoencoder import Autoencoder
from shiftlens.plugins.generators.settings import AutoencoderSettings

INPUTS = {"encoder": ("x", "loss", "label"), "decoder": ("z", "loss", "label")}


def data_of(x: np.ndarray, y: np.ndarray, kind: str) -> TrainingData:
    """Source: the samples; target: darker or weaker ones. The stand-in for a loss rises with the change."""
    count = len(x)
    strength = np.random.default_rng(0).uniform(0.3, 0.8, count)
    changed = x * (1 - strength).reshape(-1, *[1] * (x.ndim - 1)).astype(np.float32)
    both = np.concatenate([x, changed])
    loss = np.r_[np.random.default_rng(1).exponential(0.05, count), 4 * strength]
    return TrainingData(
        batch=lambda rows: both[rows],
        loss=loss,
        label=np.r_[y, y],
        role=np.repeat(np.array([SOURCE, TARGET], np.int8), count),
        loss_before=loss,
        sample_shape=x.shape[1:],
        kind=kind,
        classes=10,
    )


def digits_of(height: int, width: int, count: int = 400) -> TrainingData:
    x, y = realdata.digits()
    rows, columns = (np.arange(side) * 8 // side for side in (height, width))
    return data_of(x[:count][:, :, rows][..., columns], y[:count], "image")


def sample_of(kind: str) -> TrainingData:
    if kind == "image":
        return digits_of(16, 16)
    x, y = realdata.digits()
    return data_of(x[:400].reshape((-1, 2, 32) if kind == "series" else (-1, 64)) * 100 + 7, y[:400], kind)


def fit(data: TrainingData, folder, **settings) -> TrainedGenerator:
    settings = {"latent": 8, "steps": 100, "batch": 32, **settings}
    return Autoencoder(AutoencoderSettings(**settings))(data, Job(folder, device="cpu"))


@cache
def trained_on_digits(loss_axis: str) -> tuple[TrainingData, TrainedGenerator]:
    import tempfile
    from pathlib import Path

    data = digits_of(16, 16)
    with tempfile.TemporaryDirectory() as folder:
        return data, fit(data, Path(folder), loss_axis=loss_axis, steps=200)


@pytest.fixture(autouse=True)
def _calm():
    with one_core_free():
        yield


def encode(data: TrainingData, trained: TrainedGenerator) -> np.ndarray:
    rows = np.arange(len(data))
    with torch.no_grad():
        return trained.encoder(torch.from_numpy(data.batch(rows)), *conditions(data, rows)).numpy()


def conditions(data: TrainingData, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(data.loss[rows].astype(np.float32)), torch.from_numpy(data.label[rows])


@pytest.mark.parametrize("kind", ["image", "series", "tabular"])
def test_samples_of_every_kind_come_back_in_their_own_units(tmp_path, kind):
    data = sample_of(kind)
    trained = fit(data, tmp_path, steps=300)
    x = data.batch(np.arange(len(data)))
    error = trained.facts["reconstruction_mse"]
    assert error < 0.5 * float(((x - x.mean(0)) ** 2).mean())
    assert encode(data, trained).shape == (800, 8)
    if kind == "image":
        far = torch.full((2, 8), 30.0)
        with torch.no_grad():
            out = trained.decoder(far, torch.zeros(2), torch.zeros(2, dtype=torch.int64))
        assert 0 <= float(out.min()) <= float(out.max()) <= 1


@pytest.mark.parametrize("loss_axis", ["observed", "joint"])
def test_encoder_and_decoder_are_each_others_inverse_where_the_loss_is_the_same(loss_axis):
    _, trained = trained_on_digits(loss_axis)
    assert trained.facts["loss_axis"] == loss_axis
    assert trained.facts["reconstruction_mse"] < 0.03
    assert trained.history[-1]["held_out"] < trained.history[0]["held_out"]


def test_the_observed_axis_takes_the_loss_out_of_z_and_the_decoder_puts_it_back():
    data, trained = trained_on_digits("observed")
    z = encode(data, trained)
    _, joint = trained_on_digits("joint")
    assert leak(z, data.loss).r2 < 0.1
    assert leak(encode(data, joint), data.loss).r2 > 0.3
    rows = np.arange(400)  # source samples, asked for at a small and at a large loss: these changes were dimming
    label = torch.from_numpy(data.label[rows])
    with torch.no_grad():
        easy, hard = (trained.decoder(torch.from_numpy(z[rows]), torch.full((400,), v), label) for v in (0.05, 3.0))
    assert float(hard.mean()) < 0.7 * float(easy.mean())


def test_a_second_call_returns_the_finished_generator(tmp_path):
    data = sample_of("tabular")
    first, again = fit(data, tmp_path), fit(data, tmp_path)
    assert first.facts == again.facts
    assert all(torch.equal(v, again.decoder.state_dict()[k]) for k, v in first.decoder.state_dict().items())


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((1, 17, 23), "image"), ((3, 16, 40), "image"), ((1, 8), "series"), ((2, 37), "series"), ((3,), "tabular")],
)
def test_odd_shapes(tmp_path, shape, kind):
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (60, *shape)).astype(np.float32)
    trained = fit(data_of(x, np.zeros(60, np.int64), kind), tmp_path, latent=2, steps=3)
    with torch.no_grad():
        again = trained.decoder(torch.zeros(5, 2), torch.zeros(5), torch.zeros(5, dtype=torch.int64))
    assert again.shape == (5, *shape)
    assert torch.isfinite(again).all()


def test_a_constant_column_stays_what_it_is(tmp_path):
    x, y = realdata.digits()
    x = x[:200].reshape(200, 64).copy()
    x[:, 5] = 0.0
    trained = fit(data_of(x, y[:200], "tabular"), tmp_path)
    assert np.isfinite(encode(data_of(x, y[:200], "tabular"), trained)).all()


@pytest.mark.parametrize("part", ["encoder", "decoder"])
@pytest.mark.parametrize("loss_axis", ["observed", "joint"])
def test_both_parts_are_exported_with_parity(tmp_path, loss_axis, part):
    data, trained = trained_on_digits(loss_axis)
    module, path = getattr(trained, part), tmp_path / f"{part}.onnx"
    z = encode(data, trained)

    def inputs(count: int) -> dict[str, np.ndarray]:
        rows = np.arange(380, 380 + count)
        first = data.batch(rows) if part == "encoder" else z[rows]
        return dict(zip(INPUTS[part], (first, data.loss[rows].astype(np.float32), data.label[rows]), strict=True))

    example = tuple(torch.from_numpy(value) for value in inputs(2).values())
    to_onnx(module, example, INPUTS[part], ("out",), path, {})
    check_parity(path, on_numpy(module, ("out",)), inputs, batches=(1, 2, 40))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"latent": 100}, "latent is 100, more than the data holds .800 samples of 64 values."),
        ({"batch": 1000}, "too few for batches of 1000"),
        ({"loss_axis": "randomised"}, "randomised trial, and there are none"),
    ],
)
def test_what_cannot_work_is_told_before_training(tmp_path, settings, message):
    with pytest.raises(TrainingError, match=message):
        fit(sample_of("tabular"), tmp_path, **settings)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 15, 40), "too small"), ((1, 7), "too small"), ((3, 300, 40), "too large"), ((1, 2, 3, 4), "no network")],
)
def test_shapes_without_a_network(tmp_path, shape, message):
    x = np.zeros((60, *shape), np.float32)
    with pytest.raises(TrainingError, match=message):
        fit(data_of(x, np.zeros(60, np.int64), "image"), tmp_path)
