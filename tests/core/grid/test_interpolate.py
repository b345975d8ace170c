"""Interpolation and the grid of a pair, on numbers that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shiftlens.core.data.scoring import Scores
from shiftlens.core.grid.interpolate import (
    GridNetworks,
    GridShape,
    grid_of_pair,
    interpolate_grid,
    interpolate_linear,
    interpolate_spherical,
    steps,
)

latents = arrays(np.float64, 4, elements=st.floats(-10, 10))
counts = st.integers(2, 9)


@given(st.floats(-100, 100), st.floats(-100, 100), counts)
def test_steps_are_even_and_end_exactly(start, stop, count):
    values = steps(start, stop, count)
    assert values[0] == start
    assert values[-1] == stop
    assert np.allclose(np.diff(values), (stop - start) / (count - 1))


@given(latents, latents, counts)
def test_linear_interpolation_is_straight_and_ends_exactly(a, b, count):
    points = interpolate_linear(a, b, count)
    assert np.array_equal(points[0], a)
    assert np.array_equal(points[-1], b)
    assert np.allclose(points, points[::-1][::-1])
    assert np.allclose(np.diff(points, axis=0), (b - a) / (count - 1), atol=1e-9)


@given(latents, latents, counts)
def test_spherical_interpolation_ends_exactly_and_turns_back(a, b, count):
    there, back = interpolate_spherical(a, b, count), interpolate_spherical(b, a, count)
    assert np.array_equal(there[0], a)
    assert np.array_equal(there[-1], b)
    assert np.allclose(there, back[::-1], atol=1e-6)


@given(st.integers(0, 2**32 - 1), counts)
def test_on_the_sphere_it_stays_on_the_sphere(seed, count):
    a, b = (v / np.linalg.norm(v) for v in np.random.default_rng(seed).normal(size=(2, 5)))
    assert np.allclose(np.linalg.norm(interpolate_spherical(a, b, count), axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("count", [1, 0, 65])
def test_a_grid_has_a_sane_size(count):
    with pytest.raises(ValueError, match="2 to 64 steps"):
        steps(0.0, 1.0, count)


def test_all_combinations_of_figure_9():
    z, requested = interpolate_grid(np.array([[2.7, 0.3], [1.1, 3.1]]), np.array([0.1, 0.9]), GridShape())
    assert z.shape == (5, 5, 2)
    assert np.allclose(z[3, 1], [2.3, 1.0])
    assert np.allclose(requested[:, 2], [0.1, 0.3, 0.5, 0.7, 0.9])


def decoded_loss(z, loss, label):
    return np.stack([z[:, 0], loss], axis=1).astype(np.float32)  # a sample is (feature, loss)


def score_by_eye(x, label):
    return Scores(x[:, 1].astype(float), label, (x[:, 1] > 0.5).astype(int), np.ones(len(x)))


def test_the_real_samples_stand_unaltered_in_their_corners():
    samples = np.array([[7.0, 0.1], [9.0, 0.9]], dtype=np.float32)
    decoded = []

    def decode(z, loss, label):
        decoded.append(len(z))
        return decoded_loss(z, loss, label)

    networks = GridNetworks(lambda x, loss, label: x[:, :1], decode, score_by_eye)
    grid = grid_of_pair(samples, np.array([0.1, 0.9]), 0, networks, GridShape(features=3, losses=4))
    assert grid.cells.shape == (4, 3, 2)
    assert decoded == [10, 2]  # the cells; then both samples, to be shown as the networks give them back
    assert np.array_equal(grid.cells[0, 0], samples[0])
    assert np.array_equal(grid.cells[-1, -1], samples[1])
    assert grid.real.sum() == 2
    assert np.allclose(grid.measured, grid.requested)
    assert np.allclose(grid.cells[1:, 0, 0], 7.0)
    assert grid.reached.all()


def test_calibration_changes_what_the_decoder_is_asked_and_not_what_was_requested():
    samples = np.array([[7.0, 0.1], [9.0, 0.9]], dtype=np.float32)
    networks = GridNetworks(
        lambda x, loss, label: x[:, :1],
        lambda z, loss, label: decoded_loss(z, loss / 2, label),
        score_by_eye,
        lambda z, requested, label: (requested * 2, requested < 0.8),
    )
    grid = grid_of_pair(samples, np.array([0.1, 0.9]), 0, networks, GridShape())
    assert np.allclose(grid.measured, grid.requested)
    assert not grid.reached[-1, 0]
    assert grid.reached[-1, -1]
