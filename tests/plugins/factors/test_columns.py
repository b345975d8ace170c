"""Columns of vectors as factors, on the daily power curves taken as vectors of 24 values."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from realdata import power

from shiftlens.plugins.factors.columns import FACTORS, ColumnSettings, ColumnWorker

(DESCRIPTION,) = FACTORS


def test_a_column_is_measured_and_moved_alone():
    x = power()[0][:, 0]
    worker = DESCRIPTION.build(DESCRIPTION.settings.model_validate({"column": 7}))
    delta = np.linspace(-2, 2, len(x))
    before = x.copy()
    changed = worker.shift(x, delta, np.random.default_rng(0))
    assert changed.dtype == np.float32
    np.testing.assert_allclose(worker.measure(changed) - worker.measure(x), delta, atol=1e-6)
    others = np.arange(24) != 7
    assert np.array_equal(changed[:, others], x[:, others])
    assert np.array_equal(x, before)


def test_it_is_for_vectors_one_per_column():
    assert DESCRIPTION.per_column
    assert DESCRIPTION.kinds == ("tabular",)


def test_a_column_that_is_not_there_is_refused():
    x = power()[0][:, 0]
    assert ColumnWorker(ColumnSettings(column=23)).refuses(x) == ""
    assert "there is no column 24" in ColumnWorker(ColumnSettings(column=24)).refuses(x)
    with pytest.raises(ValidationError):
        ColumnSettings(column=-1)
