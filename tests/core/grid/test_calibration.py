"""Calibration on decoders whose answer can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.core.data.scoring import Scores
from shiftlens.core.grid.calibration import CANDIDATES, NEAR, calibrate

REQUESTED = np.tile(np.linspace(0.05, 4.0, 5), 3)  # three columns of five losses
Z = np.repeat(np.array([[0.5], [1.0], [1.5]], np.float32), 5, axis=0)
LABEL = np.zeros(15, np.int64)


def decode(z, loss, label):
    """Samples of two values: the column's own gain, and the loss asked for."""
    return np.column_stack([z[:, 0], loss]).astype(np.float32)


def scores_of(loss: np.ndarray) -> Scores:
    whole = np.zeros(len(loss), np.int64)
    return Scores(loss, whole, whole, np.ones(len(loss)))


def with_gain(x, label) -> Scores:
    """The measured loss is a power of the one asked for, another in each column."""
    return scores_of((np.maximum(x[:, 1], 0) + 0.05) ** x[:, 0])


@given(st.floats(0.6, 1.6))
def test_the_measured_loss_becomes_the_requested_one(gain):
    z = np.full((5, 1), gain, np.float32)
    requested = np.linspace(0.2, 2.0, 5)
    asked, reached = calibrate(z, requested, LABEL[:5], decode, with_gain)
    measured = with_gain(decode(z, asked, LABEL[:5]), LABEL[:5]).loss
    assert reached.all()
    np.testing.assert_allclose(measured, requested, atol=NEAR * 1.8 + 0.01)


def test_no_cell_is_driven_far_for_a_hairs_breadth_of_loss():
    """The loss hardly falls below 0.02, however far one goes; 0.01 was asked for, and 0.03 is near enough."""

    def levelling_off(x, label):
        return scores_of(0.02 + np.maximum(x[:, 1], 0))

    requested = np.array([0.01, 1.0, 2.0])
    asked, reached = calibrate(Z[:3], requested, LABEL[:3], decode, levelling_off)
    assert reached.all()
    np.testing.assert_allclose(asked, requested, atol=0.03)


def test_a_decoder_that_is_right_already_is_left_alone():
    asked, reached = calibrate(Z, REQUESTED, LABEL, decode, lambda x, y: scores_of(x[:, 1].astype(float)))
    assert reached.all()
    np.testing.assert_allclose(asked, REQUESTED, rtol=1e-3)


def test_every_column_is_decoded_once_and_every_crossing_looked_at_again():
    calls: list[int] = []

    def counting(z, loss, label):
        calls.append(len(z))
        return decode(z, loss, label)

    calibrate(Z, REQUESTED, LABEL, counting, with_gain)
    first, second = calls
    assert first == 3 * CANDIDATES
    assert len(Z) - 3 <= second <= len(Z)  # of a cell that no place crosses, there is no second look


def test_a_decoder_that_ignores_the_loss_does_not_reach_what_it_is_asked_for():
    _, reached = calibrate(Z, REQUESTED, LABEL, decode, lambda x, y: scores_of(np.full(len(x), 0.05)))
    assert reached.tolist() == [True, False, False, False, False] * 3


def test_out_of_reach_the_closest_place_is_taken():
    def half_way(x, y):
        return scores_of(np.minimum(x[:, 1].astype(float), 1.0))

    asked, reached = calibrate(Z[:5], REQUESTED[:5], LABEL[:5], decode, half_way)
    assert reached.tolist() == [True, True, False, False, False]  # 1.04 is close enough to 1
    assert asked[4] > 0.9


def test_it_goes_three_times_the_distance_of_the_losses_below_the_smallest_and_no_further():
    """A sample whose loss stays above all that is asked for, and falls for ever: the last place tried."""
    requested = np.linspace(0.1, 3.0, 5)
    asked, reached = calibrate(Z[:5], requested, LABEL[:5], decode, lambda x, y: scores_of(9.0 + x[:, 1].astype(float)))
    span = np.log(3.05) - np.log(0.15)
    np.testing.assert_allclose(asked, 0.15 * np.exp(-3 * span) - 0.05)
    assert not reached.any()


def test_where_the_loss_crosses_twice_it_is_the_rise_nearest_to_the_request():
    """A loss that is high again far below, such as on a broken sample: falling towards the request does not count."""

    def valley(x, y):
        return scores_of(np.abs(x[:, 1].astype(float) - 0.3))

    asked, reached = calibrate(Z[:5], np.linspace(0.1, 3.0, 5), LABEL[:5], decode, valley)
    assert reached.all()
    np.testing.assert_allclose(asked, np.linspace(0.1, 3.0, 5) + 0.3, rtol=0.15)


@pytest.mark.parametrize("loss", [0.0, 2.0])
def test_pairs_of_equal_losses_are_calibrated_too(loss):
    asked, reached = calibrate(Z[:5], np.full(5, loss), LABEL[:5], decode, lambda x, y: scores_of(abs(x[:, 1])))
    assert reached.all()
    np.testing.assert_allclose(asked, loss, atol=0.02)
