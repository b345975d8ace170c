"""The closed-form loss axis on latents whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.core.grid.fidelity import leak
from shiftlens.core.grid.loss_axis import REACH, LossScale, fit_observed, fit_randomised

SCALE = LossScale.of(np.linspace(0, 5, 1000))


@given(st.floats(*REACH))
def test_positions_and_losses_are_inverse_inside_the_reach(position):
    assert SCALE.position(SCALE.loss(np.array([position])))[0] == pytest.approx(position, abs=1e-9)


@given(st.floats(0, 50), st.floats(0, 50))
def test_a_larger_loss_never_has_a_smaller_position(a, b):
    low, high = SCALE.position(np.array(sorted((a, b))))
    assert low <= high


def test_half_a_percent_of_the_losses_lies_beyond_each_end():
    loss = np.random.default_rng(0).exponential(1, 10_000)
    position = LossScale.of(loss).position(loss)
    assert (position < 0).mean() == pytest.approx(0.005, abs=1e-3)
    assert (position > 1).mean() == pytest.approx(0.005, abs=1e-3)


def test_equal_losses_make_no_axis_and_no_failure():
    loss = np.full(50, 0.3)
    scale = LossScale.of(loss)
    axis = fit_observed(np.random.default_rng(0).normal(size=(50, 3)), loss, np.zeros(50, int), 1, scale)
    assert np.isfinite(axis(loss, np.zeros(50, int))).all()
    assert abs(axis.slope).max() < 1e-6


@pytest.mark.parametrize("bent", [False, True])
def test_the_observed_axis_takes_out_all_that_z_tells_of_the_loss(bent):
    rng = np.random.default_rng(1)
    label = rng.integers(0, 5, 4000)
    loss = rng.exponential(0.5 + 0.3 * label)
    position = SCALE.position(loss)
    if bent:
        position = position**2
    latent = rng.normal(size=(4000, 6)) + np.outer(position, [3, -2, 0, 1, 0, 0])
    latent[:, 4] += label
    axis = fit_observed(latent, loss, label, 5, SCALE)
    assert leak(latent, loss).r2 > 0.4
    assert leak(latent - axis(loss, label), loss).r2 < 0.02


@pytest.mark.parametrize(
    ("positions", "bends"),
    [
        (np.linspace(0, 1, 401), [0.25, 0.5, 0.75]),
        (np.linspace(0.35, 0.65, 401), [0.425, 0.5, 0.575]),
        (np.linspace(0.49, 0.51, 401), [0.495]),  # the next two are less than a twentieth away
        (np.linspace(-0.1, 0.3, 401), [0.1, 0.2]),  # none within a twentieth of an end
    ],
)
def test_the_observed_axis_bends_at_quarters_that_lie_apart(positions, bends):
    loss, label = SCALE.loss(positions), np.zeros(401, int)
    axis = fit_observed(positions[:, None], loss, label, 1, SCALE)
    np.testing.assert_allclose(axis.bends, bends, atol=1e-6)


def test_the_observed_axis_finds_slopes_that_differ_by_class():
    rng = np.random.default_rng(2)
    label = rng.integers(0, 2, 2000)
    loss = rng.exponential(1, 2000)
    latent = (SCALE.position(loss) * np.where(label == 1, 2.0, -1.0))[:, None] + 0.01 * rng.normal(size=(2000, 1))
    axis = fit_observed(latent, loss, label, 2, SCALE)
    ends = np.array(SCALE.ends)
    for name, slope in ((0, -1.0), (1, 2.0)):
        low, high = axis(ends, np.full(2, name))[:, 0]
        assert high - low == pytest.approx(slope, abs=0.1)


def test_a_class_with_few_rows_borrows_the_slope_of_all():
    rng = np.random.default_rng(3)
    label = np.r_[np.zeros(1000, int), np.ones(3, int)]
    loss = rng.exponential(1, 1003)
    latent = SCALE.position(loss)[:, None] + np.where(label == 1, 1.0, 0.0)[:, None] * rng.normal(size=(1003, 1))
    axis = fit_randomised(latent, loss, np.zeros(1003), label, 3, SCALE)
    own = np.polyfit(SCALE.position(loss[1000:]), latent[1000:, 0], 1)[0]
    assert abs(own - 1.0) > 0.5
    assert abs(axis.slope[1, 0, 0] - 1.0) < 0.6 * abs(own - 1.0)
    assert axis.slope[2, 0, 0] == pytest.approx(axis.slope[:, 0, 0].mean(), abs=0.3)  # no row at all


def test_the_randomised_axis_leaves_out_what_merely_travels_with_the_loss():
    """A cause is changed at random; hard samples look different to begin with; the axis must be the cause alone."""
    rng = np.random.default_rng(4)
    count = 5000
    hardness, strength = rng.normal(size=count), rng.uniform(0, 1, count)
    before = SCALE.loss(0.2 + 0.05 * hardness)
    after = SCALE.loss(0.2 + 0.05 * hardness + 0.5 * strength)
    latent = np.column_stack([2 * strength, 3 * hardness, rng.normal(size=count)])
    label = rng.integers(0, 3, count)
    axis = fit_randomised(latent, after, before, label, 3, SCALE)
    observed = fit_observed(latent, after, label, 3, SCALE)
    cause, companion, nothing = axis.slope[:, 0].mean(0)
    assert cause == pytest.approx(4.0, rel=0.05)
    assert abs(companion) < 0.2
    assert abs(nothing) < 0.2
    assert abs(observed.slope[:, 0].mean(0)[1]) > 1.0  # what the plain fit takes along


def test_a_randomised_axis_moves_nothing_at_position_zero():
    rng = np.random.default_rng(5)
    loss, before = rng.exponential(1, (2, 400))
    axis = fit_randomised(rng.normal(5, 1, (400, 2)), loss, before, np.zeros(400, int), 1, SCALE)
    assert abs(axis(np.array([SCALE.ends[0]]), np.zeros(1, int))).max() < 1e-9


@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-5, 5))
def test_the_axis_follows_the_latents_units(seed, unit, shift):
    rng = np.random.default_rng(seed)
    loss, before = rng.exponential(1, (2, 300))
    latent, label = rng.normal(size=(300, 4)), rng.integers(0, 3, 300)
    fits = (
        lambda x: fit_randomised(x, loss, before, label, 3, SCALE),
        lambda x: fit_observed(x, loss, label, 3, SCALE),
    )
    for fit in fits:
        np.testing.assert_allclose(fit(unit * latent + shift).slope, unit * fit(latent).slope, atol=2e-3 * max(unit, 1))


@given(st.integers(0, 10_000))
def test_what_the_axis_has_taken_out_is_not_found_again(seed):
    rng = np.random.default_rng(seed)
    count = 2000
    label, before = rng.integers(0, 2, count), rng.exponential(1, count)
    loss = before + rng.exponential(1, count)
    latent = rng.normal(size=(count, 3)) + np.outer(SCALE.position(loss), rng.normal(size=3))
    axis = fit_randomised(latent, loss, before, label, 2, SCALE)
    again = fit_randomised(latent - axis(loss, label), loss, before, label, 2, SCALE)
    assert abs(again.slope).max() < 0.05 * max(1.0, abs(axis.slope).max())
