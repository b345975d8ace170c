"""Every built-in generator, through its description: learns, comes back, is exported, and refuses what cannot work."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import generatordata
import numpy as np
import pytest
import realdata
import torch
from pydantic import ValidationError

from shiftlens.core.errors import TrainingError
from shiftlens.core.grid.fidelity import leak
from shiftlens.core.host.kinds import SOURCE, TRIAL, TrainedGenerator, TrainingData
from shiftlens.core.job import Job
from shiftlens.export.parity import check_parity
from shiftlens.export.to_onnx import on_numpy, to_onnx
from shiftlens.plugins import generators
from shiftlens.plugins.generators.assemble import settled
from shiftlens.plugins.generators.settings import AutoencoderSettings

BACKENDS = {generator.name: generator for generator in generators.shiftlens_generators()}
EASY, HARD = 0.05, 2.5  # nats
backends = pytest.mark.parametrize("name", BACKENDS)


def slow_but(*quick: tuple[str, str]):
    """Every backend on every kind of sample; all but the quick ones only where slow tests run."""
    return pytest.mark.parametrize(
        ("name", "kind"),
        [
            pytest.param(name, kind, marks=() if (name, kind) in quick else pytest.mark.slow)
            for name in BACKENDS
            for kind in ("image", "series", "tabular")
        ],
    )


def fit(name: str, data: TrainingData, folder: Path, **settings) -> TrainedGenerator:
    generator = BACKENDS[name]
    made = generator.settings(**{"latent": 8, "steps": 60, "batch": 32, **settings})
    return generator.build(made)(data, Job(folder, device="cpu"))


@cache
def folder_of(name: str) -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix=f"shiftlens-{name}-")  # removed when the test session ends


@cache
def on_digits(name: str, loss_axis: str) -> TrainedGenerator:
    """Fitted axes share one training: the second stage alone is done anew."""
    data = generatordata.digits("tabular")
    return fit(name, data, Path(folder_of(name).name), loss_axis=loss_axis, steps=200)


def moves(name: str, loss_axis: str) -> tuple[float, float]:
    """How far the loss axis, from easy to hard, moves source samples in the cause and in its harmless companion."""
    data, trained = generatordata.digits("tabular"), on_digits(name, loss_axis)
    rows = np.flatnonzero(data.role == SOURCE)
    z = generatordata.encode(data, trained, rows)
    easy, hard = (generatordata.decode(data, trained, z, loss, rows) for loss in (EASY, HARD))
    true_faintness = (HARD - EASY) / generatordata.LOSS_OF_FAINTNESS
    faint = np.median(generatordata.faintness(hard, easy)) / true_faintness
    return float(faint), float(np.median(generatordata.bar(hard) - generatordata.bar(easy)) / true_faintness)


@slow_but(*((name, "tabular") for name in BACKENDS), ("autoencoder", "image"), ("autoencoder", "series"))
def test_samples_come_back_in_their_own_units(tmp_path, name, kind):
    data = generatordata.digits(kind)
    if kind != "image":  # far from 0 and 1
        own = data.batch
        data = TrainingData(**{**data.__dict__, "batch": lambda rows: own(rows) * 100 + 7})
    trained = fit(name, data, tmp_path, steps=120)
    x = data.batch(np.arange(len(data)))
    assert trained.facts["reconstruction_mse"] < 0.55 * float(((x - x.mean(0)) ** 2).mean())
    z = generatordata.encode(data, trained, np.arange(50))
    assert z.shape == (50, trained.latent)
    if kind == "image":
        extreme = generatordata.decode(data, trained, 30 * z, 1.0, np.arange(50))
        assert 0 <= extreme.min() <= extreme.max() <= 1


@backends
def test_the_observed_axis_takes_the_loss_out_of_z_and_takes_its_companion_along(name):
    data = generatordata.digits("tabular")
    rows = np.flatnonzero(data.role != TRIAL)
    assert leak(generatordata.encode(data, on_digits(name, "observed"), rows), data.loss[rows]).r2 < 0.1
    faint, bar = moves(name, "observed")
    assert faint > 0.5
    assert bar > 0.5


def test_with_the_joint_axis_the_loss_stays_in_z():
    data = generatordata.digits("tabular")
    rows = np.flatnonzero(data.role != TRIAL)
    assert leak(generatordata.encode(data, on_digits("autoencoder", "joint"), rows), data.loss[rows]).r2 > 0.3


@backends
def test_the_randomised_axis_moves_the_cause_and_leaves_its_companion_alone(name):
    faint, bar = moves(name, "randomised")
    assert 0.5 < faint < 1.5
    assert abs(bar) < 0.2


@slow_but(("autoencoder", "series"), ("vae", "tabular"))  # images are exported by the demo's run
def test_encoder_and_decoder_are_exported_with_parity(tmp_path, name, kind):
    data = generatordata.digits(kind)
    trained = fit(name, data, tmp_path, loss_axis="joint" if kind == "series" else "observed")
    z = generatordata.encode(data, trained, np.arange(200, 240))
    for part, first in (("encoder", "x"), ("decoder", "z")):
        names = (first, "loss", "label")

        def inputs(count: int, first: str = first) -> dict[str, np.ndarray]:
            rows = np.arange(200, 200 + count)
            sample = data.batch(rows) if first == "x" else z[:count]
            return {first: sample, "loss": data.loss[rows].astype(np.float32), "label": data.label[rows]}

        module, path = getattr(trained, part), tmp_path / f"{part}.onnx"
        to_onnx(module, tuple(torch.from_numpy(v) for v in inputs(2).values()), names, ("out",), path, {})
        check_parity(path, on_numpy(module, ("out",)), inputs, batches=(1, 2, 40))


@backends
def test_a_second_call_returns_the_finished_generator(tmp_path, name):
    data = generatordata.digits("tabular")
    first, again = fit(name, data, tmp_path), fit(name, data, tmp_path)
    assert first.facts == again.facts
    assert first.history == again.history
    assert all(torch.equal(v, again.decoder.state_dict()[k]) for k, v in first.decoder.state_dict().items())


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((1, 17, 23), "image"),
        ((3, 16, 40), "image"),
        ((1, 8), "series"),
        ((2, 37), "series"),
        ((1, 1023), "series"),
        ((3,), "tabular"),
    ],
)
def test_odd_shapes(tmp_path, shape, kind):
    x = np.random.default_rng(0).uniform(0, 1, (60, *shape)).astype(np.float32)
    data = generatordata.shifted(x, np.zeros(60, np.int64), kind)
    trained = fit("autoencoder", data, tmp_path, latent=2, steps=3)
    with torch.no_grad():
        again = trained.decoder(torch.zeros(5, 2), torch.zeros(5), torch.zeros(5, dtype=torch.int64))
    assert again.shape == (5, *shape)
    assert torch.isfinite(again).all()


def test_a_constant_column_stays_what_it_is(tmp_path):
    data = generatordata.digits("tabular", 100)
    own = data.batch

    def with_constant(rows):
        x = own(rows).copy()
        x[:, 5] = 12345.0
        return x

    trained = fit("autoencoder", TrainingData(**{**data.__dict__, "batch": with_constant}), tmp_path, steps=100)
    z = np.zeros((3, 8), np.float32)
    out = generatordata.decode(data, trained, z, 1.0, np.arange(3))
    np.testing.assert_allclose(out[:, 5], 12345.0, atol=1.0)


@backends
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"latent": 100}, "latent is 100, more than the data holds .600 samples of 64 values."),
        ({"batch": 1000}, "there are 600 samples, 60 of them held out: too few for batches of 1000"),
    ],
)
def test_what_cannot_work_is_one_message(tmp_path, name, settings, message):
    with pytest.raises(TrainingError, match=message):
        fit(name, generatordata.digits("tabular"), tmp_path, **settings)


def test_randomised_without_a_trial_says_so(tmp_path):
    data = generatordata.digits("tabular")
    without = TrainingData(**{**data.__dict__, "role": np.full(len(data), SOURCE, np.int8)})
    with pytest.raises(TrainingError, match="randomised trial, and there are none"):
        fit("autoencoder", without, tmp_path, loss_axis="randomised")


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 15, 40), "too small"), ((1, 7), "too small"), ((3, 300, 40), "too large"), ((1, 2, 3, 16), "no network")],
)
def test_shapes_without_a_network(tmp_path, shape, message):
    data = generatordata.digits("tabular")
    with pytest.raises(TrainingError, match=message):
        fit("autoencoder", TrainingData(**{**data.__dict__, "sample_shape": shape}), tmp_path)


@pytest.mark.slow
def test_photographs_get_more_latents_and_are_compared_as_the_classifier_sees_them(tmp_path):
    """And what comes back is then nearer to what the classifier says of the real ones than without."""
    x, names = realdata.cifar(12)
    y = np.unique(names, return_inverse=True)[1].astype(np.int64)
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(max_iter=100).fit(x.reshape(len(x), -1), y)

    def predict(batch: np.ndarray) -> np.ndarray:
        return fitted.predict_proba(batch.reshape(len(batch), -1))

    data = TrainingData(**{**generatordata.shifted(x, y, "image").__dict__, "predict": predict})
    found = settled(AutoencoderSettings(), data)
    assert (found.latent, found.steps, found.perceptual) == (128, 1000, 1.0)
    assert settled(AutoencoderSettings(), generatordata.digits()).latent == 32
    distance = {}
    for perceptual in ("off", 10.0):
        folder = tmp_path / str(perceptual)
        folder.mkdir()
        trained = fit("autoencoder", data, folder, latent=None, steps=100, perceptual=perceptual)
        rows = np.flatnonzero(data.role == SOURCE)
        z = generatordata.encode(data, trained, rows)
        with torch.no_grad():
            again = trained.decoder(torch.from_numpy(z), *generatordata.conditions(data, rows)).numpy()
        distance[perceptual] = abs(predict(again) - predict(data.batch(rows))).sum(1).mean()
        assert ("student_agreement" in trained.facts) == (perceptual != "off")
    assert distance[10.0] < 0.9 * distance["off"]


@pytest.mark.parametrize("word", ["off", False, 0])
def test_the_perceptual_term_can_be_switched_off(word):
    assert AutoencoderSettings(perceptual=word).perceptual == 0


@pytest.mark.parametrize("value", ["maybe", True, -1, 1001, float("nan")])
def test_a_perceptual_weight_that_is_none_is_one_message(value):
    with pytest.raises(ValidationError, match="must be auto, off, or a weight from 0 to 1000") as caught:
        AutoencoderSettings(perceptual=value)
    assert caught.value.error_count() == 1


def test_the_perceptual_term_without_a_classifier_says_so(tmp_path):
    with pytest.raises(TrainingError, match="needs the classifier"):
        fit("autoencoder", generatordata.digits("tabular"), tmp_path, perceptual=1.0)
