"""The built-in losses: values worked out by hand, bounds, and what they say without labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens import Host
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import Loss

HALF = np.array([[0.5, 0.25, 0.25]])
SURE = np.array([[1.0, 0.0, 0.0]])
FLAT = np.full((1, 3), 1 / 3)
NAMES = ("cross-entropy", "brier", "entropy", "margin")


HOST = Host()


def loss(name, **settings):
    component = HOST.find(Loss, name)
    return component.build(component.settings.model_validate(settings))


@pytest.mark.parametrize(
    ("name", "probabilities", "label", "expected"),
    [
        ("cross-entropy", HALF, 0, np.log(2)),
        ("cross-entropy", HALF, 1, np.log(4)),
        ("cross-entropy", SURE, 0, 0.0),
        ("cross-entropy", SURE, 2, -np.log(1e-7)),
        ("brier", HALF, 0, 0.25 + 2 / 16),
        ("brier", SURE, 0, 0.0),
        ("brier", SURE, 1, 2.0),
        ("entropy", HALF, 2, 1.5 * np.log(2)),
        ("entropy", SURE, 2, 0.0),
        ("entropy", FLAT, 2, np.log(3)),
        ("margin", HALF, 2, 0.75),
        ("margin", SURE, 2, 0.0),
        ("margin", FLAT, 2, 1.0),
    ],
)
def test_values_worked_out_by_hand(name, probabilities, label, expected):
    assert loss(name)(probabilities, np.array([label])) == pytest.approx(expected)


@given(st.integers(2, 6), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_every_loss_is_finite_not_negative_and_small_where_right(classes, count, seed):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.3), size=count)
    labels = rng.integers(0, classes, count)
    sure = np.eye(classes)[labels]
    for name in NAMES:
        values = loss(name)(probabilities, labels)
        assert values.shape == (count,)
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
        assert (values >= 0).all()
        np.testing.assert_allclose(loss(name)(sure, labels), 0.0, atol=1e-9)


def test_the_floor_of_the_probability_can_be_set():
    assert loss("cross-entropy", eps=1e-3)(SURE, np.array([1])) == pytest.approx(np.log(1000))


@pytest.mark.parametrize("name", ["cross-entropy", "brier"])
def test_losses_that_need_labels_say_which_do_not(name):
    assert HOST.find(Loss, name).needs_labels
    with pytest.raises(InputError, match="set loss: entropy or margin"):
        loss(name)(HALF, None)


@pytest.mark.parametrize("name", ["entropy", "margin"])
def test_losses_that_need_no_labels_do_not_look_at_them(name):
    assert not HOST.find(Loss, name).needs_labels
    np.testing.assert_array_equal(loss(name)(HALF, None), loss(name)(HALF, np.array([2])))
