"""Samples to retrain with: one in two changed in full, the others by a random part, each change for itself."""

from __future__ import annotations

import numpy as np
from smallfactors import Level, active

from shiftlens.core.causes.augmentation import augment, augmentation_of, augmented
from shiftlens.core.causes.changes import Change

FIRST, SECOND = active("first", Level(0)), active("second", Level(1))
PLAN = (Change(FIRST, 2.0), Change(SECOND, -1.0))
X = np.zeros((4000, 2, 2, 2), np.float32)


def parts(x: np.ndarray) -> np.ndarray:
    """``(n, 2)``: how much of each change the samples got."""
    return x.mean((2, 3)) / np.array([2.0, -1.0])


def test_one_sample_in_two_is_changed_in_full_and_the_rest_by_any_part() -> None:
    found = parts(augmented(PLAN, X, 3))
    full = np.isclose(found, 1.0, atol=1e-5)
    np.testing.assert_allclose(full.mean(0), 0.5, atol=0.03)
    for part, whole in zip(found.T, full.T, strict=True):
        rest = part[~whole]
        np.testing.assert_allclose(np.quantile(rest, [0, 0.25, 0.5, 0.75, 1]), [0, 0.25, 0.5, 0.75, 1], atol=0.04)
        assert rest.min() >= 0
        assert rest.max() <= 1
    both = full.all(1).mean()
    np.testing.assert_allclose(both, 0.25, atol=0.03)  # each change has parts of its own


def test_another_seed_makes_other_parts_and_the_file_says_the_same_as_the_plan() -> None:
    made = augmented(PLAN, X[:50], 3)
    assert np.array_equal(made, augment(augmentation_of(PLAN, 3), [FIRST, SECOND], X[:50], 3))
    assert not np.array_equal(made, augmented(PLAN, X[:50], 4))
