"""What only the variational autoencoder has: a latent space near the standard normal, and a way to collapse."""

from __future__ import annotations

import generatordata
import numpy as np
import pytest
import torch

from shiftlens.core.errors import TrainingError
from shiftlens.core.job import Job
from shiftlens.plugins.generators.settings import VaeSettings
from shiftlens.plugins.generators.vae import VariationalAutoencoder


def fit(folder, **settings):
    made = VaeSettings(**{"latent": 8, "steps": 100, "batch": 32, **settings})
    return VariationalAutoencoder(made)(generatordata.digits("tabular"), Job(folder, device="cpu"))


def test_a_larger_beta_pulls_the_latents_towards_the_normal(tmp_path):
    spreads = {}
    for beta in (0.003, 30.0):
        folder = tmp_path / str(beta)
        folder.mkdir()
        trained = fit(folder, beta=beta, free_bits=0.0)
        spreads[beta] = float(trained.encoder.spread.mean())
        assert 1 <= trained.facts["active_latents"] <= 8
    assert spreads[30.0] < 0.7 * spreads[0.003]


def test_a_beta_that_leaves_nothing_in_z_is_a_collapse_and_told(tmp_path):
    with pytest.raises(TrainingError, match=r"collapsed.*Set generator.beta below 1e\+06"):
        fit(tmp_path, beta=1e6, warmup=0.0, free_bits=0.0, steps=200)


def test_it_tells_how_closely_it_knows_each_dimension_in_the_units_of_z(tmp_path):
    data, trained = generatordata.digits("tabular"), fit(tmp_path)
    rows = np.arange(100)
    x, given = torch.from_numpy(data.batch(rows)), generatordata.conditions(data, rows)
    with torch.no_grad():
        z, log_variance = trained.posterior(x, *given)
        assert torch.equal(z, trained.encoder(x, *given))
        assert log_variance.shape == z.shape
        assert float(log_variance.exp().mean(0).min()) < 0.5  # a prior's would be about the spread of z itself, 1

        def off(part: float) -> float:
            drawn = z + part * (0.5 * log_variance).exp() * torch.randn(z.shape, generator=torch.manual_seed(0))
            return float((trained.decoder(drawn, *given) - x).square().mean())

        assert off(0.0) < off(1.0) < 1.1 * off(0.0)  # what is drawn inside the posterior is still the sample,
        assert off(10.0) > 1.5 * off(0.0)  # and what lies well outside is not


def test_there_is_no_randomness_in_what_is_exported(tmp_path):
    data, trained = generatordata.digits("tabular"), fit(tmp_path)
    first, again = (generatordata.encode(data, trained, np.arange(5)) for _ in range(2))
    assert np.array_equal(first, again)
    assert not any(isinstance(part, torch.nn.Dropout) for part in trained.encoder.modules())
