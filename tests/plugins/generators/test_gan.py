"""What only the adversarial generator has: two players, a moving average, and a way to collapse."""

from __future__ import annotations

import generatordata
import pytest
import torch

from shiftlens.core.errors import TrainingError
from shiftlens.core.job import Job
from shiftlens.core.learning.training import CHECKPOINT
from shiftlens.plugins.generators.gan import AdversarialGenerator
from shiftlens.plugins.generators.settings import GanSettings


def fit(folder, **settings):
    made = GanSettings(**{"latent": 8, "steps": 150, "batch": 32, **settings})
    return AdversarialGenerator(made)(generatordata.digits("tabular"), Job(folder, device="cpu"))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A generator and the folder that it was trained in."""
    folder = tmp_path_factory.mktemp("gan")
    return fit(folder), folder


def test_what_it_makes_is_about_as_varied_as_the_samples_are(fitted):
    diversity = fitted[0].facts["diversity"]
    assert 0.5 < diversity["reconstructed"] < 1.2
    assert 0.3 < diversity["drawn"] < 3.0


def test_the_moving_average_is_what_is_exported_and_differs_from_the_last_weights(fitted):
    trained, folder = fitted
    kept = torch.load(folder / CHECKPOINT, weights_only=True)["best"]
    exported = trained.encoder.network.state_dict()
    assert all(torch.equal(value, kept[f"average.0.{name}"]) for name, value in exported.items())
    assert not all(torch.equal(value, kept[f"encoder.{name}"]) for name, value in exported.items())


def test_a_discriminator_with_all_the_say_is_told_as_a_collapse(tmp_path):
    with pytest.raises(TrainingError, match=r"collapsed.*Set generator.adversarial below 10000"):
        fit(tmp_path, adversarial=1e4)
