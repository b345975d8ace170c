"""The mathematics of the transport between Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.core.errors import TrainingError
from shiftlens.plugins.converters.latent_transport import transport_maps

seeds = st.integers(0, 2**32 - 1)


def gaussian(rng: np.random.Generator, count: int, latent: int) -> np.ndarray:
    return rng.normal(size=(count, latent)) @ rng.normal(size=(latent, latent)) + rng.normal(size=latent)


@given(seeds, st.integers(2, 6))
def test_mean_and_covariance_of_the_target_become_those_of_the_source(seed, latent):
    rng = np.random.default_rng(seed)
    target, source = gaussian(rng, 4000, latent), gaussian(rng, 4000, latent)
    one = np.zeros(4000, dtype=np.int64)
    matrix, of_target, of_source = transport_maps(target, one, source, one, 1)
    moved = of_source[0] + (target - of_target[0]) @ matrix[0].T
    np.testing.assert_allclose(moved.mean(0), source.mean(0), atol=1e-6)
    np.testing.assert_allclose(np.cov(moved.T), np.cov(source.T), atol=2e-3 * np.cov(source.T).max())
    np.testing.assert_allclose(matrix[0], matrix[0].T, atol=1e-8 * np.abs(matrix).max())
    assert np.linalg.eigvalsh(matrix[0]).min() > 0, "the optimal map is the gradient of a convex function"


@given(seeds)
def test_without_a_shift_nothing_moves(seed):
    z = gaussian(np.random.default_rng(seed), 60, 4)
    label = np.arange(60) % 3
    matrix, of_target, of_source = transport_maps(z, label, z, label, 3)
    np.testing.assert_allclose(matrix, np.broadcast_to(np.eye(4), (3, 4, 4)), atol=1e-5)
    np.testing.assert_allclose(of_target, of_source)


def test_a_class_that_one_domain_lacks_moves_as_the_others_do():
    rng = np.random.default_rng(0)
    z, label = rng.normal(size=(300, 3)) + 5.0 * (np.arange(300) % 3)[:, None], np.arange(300) % 3
    shift = np.array([2.0, -1.0, 0.5])
    there = label < 2
    _, of_target, of_source = transport_maps(z + shift, label, z[there], label[there], 3)
    np.testing.assert_allclose((of_source - of_target)[2], -shift, atol=1e-9)


def test_domains_without_a_common_class_are_told():
    z = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(TrainingError, match="no class in common"):
        transport_maps(z, np.zeros(20, dtype=np.int64), z, np.ones(20, dtype=np.int64), 2)
