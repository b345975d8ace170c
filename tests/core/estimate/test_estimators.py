"""Accuracy without labels: each estimator by hand, and what is made of them all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.core.estimate.combine import KnownSet, combined, regression
from shiftlens.core.estimate.estimators import estimates, reference, transport_costs


def calibrated(count, sharpness, seed):
    """Predictions of two classes and labels drawn from them: the confidence is the chance of being right."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-sharpness * rng.normal(size=count)))
    return np.column_stack([1 - p, p]), (rng.random(count) < p).astype(np.int64)


def test_on_the_source_itself_every_estimator_gives_its_accuracy():
    p, y = calibrated(600, 2.0, 0)
    known = reference(p, y)
    assert known.accuracy == (p.argmax(1) == y).mean()
    for name, values in estimates(p, known).items():
        assert values.mean() == pytest.approx(known.accuracy, abs=0.01), name


def test_a_classifier_that_knows_its_doubts_is_estimated_well_where_it_doubts_more():
    p, y = calibrated(1000, 4.0, 0)
    known = reference(p, y)
    q, truth = calibrated(1000, 1.0, 1)
    assert known.accuracy - (q.argmax(1) == truth).mean() > 0.15
    said = {name: float(values.mean()) for name, values in estimates(q, known).items()}
    assert said["confidence"] == pytest.approx((q.argmax(1) == truth).mean(), abs=0.03)
    assert max(said["threshold"], said["transport"]) < known.accuracy - 0.15  # thresholds see the fall, and overdo it


def test_transport_sees_a_collapse_that_confidence_does_not():
    p, y = calibrated(400, 6.0, 0)
    known = reference(p, y)
    collapsed = np.tile([0.01, 0.99], (400, 1))  # sure of the same class for all, while the classes are half and half
    said = {name: float(values.mean()) for name, values in estimates(collapsed, known).items()}
    assert said["confidence"] > 0.9
    assert said["threshold"] > 0.9
    assert said["transport"] == pytest.approx(0.5, abs=0.06)


def test_transport_costs_by_hand():
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2]])
    # Two of class 0 and one of class 1: the least sure one is moved to class 1.
    assert sorted(transport_costs(p, np.array([0, 0, 1]))) == pytest.approx([0.1, 0.2, 0.6])


@given(st.lists(st.floats(-0.5, 0.0), min_size=6, max_size=20))
def test_sets_whose_estimators_are_right_teach_to_believe_them(falls):
    sets = [KnownSet(str(i % 3), np.full(3, 0.9 + fall), 0.9 + fall) for i, fall in enumerate(falls)]
    learned = regression(sets, KnownSet("as it is", np.full(3, 0.9), 0.9))
    assert learned.moved(np.full(3, -0.2)) == pytest.approx(-0.2, abs=1e-6)


def test_sets_whose_estimators_see_half_of_the_fall_teach_to_double_it():
    rng = np.random.default_rng(0)
    falls = rng.uniform(-0.5, 0, 40)
    sets = [KnownSet(str(i % 4), 0.9 + fall / 2 * np.ones(3), 0.9 + fall) for i, fall in enumerate(falls)]
    learned = regression(sets, KnownSet("as it is", np.full(3, 0.9), 0.9))
    assert learned.moved(np.full(3, -0.1)) == pytest.approx(-0.2, abs=0.02)
    assert learned.error < 0.2


def test_estimators_that_are_wrong_about_an_unknown_kind_of_change_widen_the_interval():
    rng = np.random.default_rng(0)
    falls = rng.uniform(-0.4, -0.1, 40)
    gains = np.where(np.arange(40) % 4 == 0, 0.3, 1.0)  # one kind of four is not seen as the others are
    begun = KnownSet("as it is", np.full(3, 0.9), 0.9)
    sets = [KnownSet(str(i % 4), 0.9 + fall * gains[i] * np.ones(3), 0.9 + fall) for i, fall in enumerate(falls)]
    even = [KnownSet(str(i % 4), 0.9 + fall * np.ones(3), 0.9 + fall) for i, fall in enumerate(falls)]
    widths = []
    for learned in (regression(sets, begun), regression(even, begun)):
        found = combined(0.8, 0.01, np.full(3, -0.2), learned, 0.01, 0.9)
        assert found.ci[0] <= found.value <= found.ci[1]
        widths.append(found.ci[1] - found.ci[0])
    assert widths[0] > 1.5 * widths[1]


def test_without_predictions_that_say_anything_the_changed_source_stands_alone():
    found = combined(0.6, 0.02, np.zeros(0), None, 0.01, 0.9)
    assert found.value == 0.6
    assert found.ci[1] - found.ci[0] > 0.5
