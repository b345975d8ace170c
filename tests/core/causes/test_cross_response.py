"""The table of what each factor's change does to every measure, on factors whose answer is worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from smallfactors import active

from shiftlens.core.causes.cross_response import cross_response


class Column:
    """One column of a vector; its measure may read a part of the next column too."""

    def __init__(self, column: int, reads_next: float = 0.0, turn: float | None = None):
        self.column, self.reads_next, self.turn = column, reads_next, turn

    def measure(self, x):
        value = x[:, self.column] + self.reads_next * x[:, (self.column + 1) % x.shape[1]]
        return np.asarray(value if self.turn is None else value % self.turn, dtype=np.float64)

    def shift(self, x, delta, rng):
        changed = x.copy()
        changed[:, self.column] += delta
        return changed

    def refuses(self, x):
        return ""


def samples() -> np.ndarray:
    x = np.random.default_rng(0).standard_normal((200, 2))
    return ((x - x.mean(0)) / x.std(0)).astype(np.float32)  # both columns have a spread of exactly one


def test_a_clean_measure_reads_nothing_and_an_unclean_one_is_told():
    factors = [active("a", Column(0, reads_next=0.5)), active("b", Column(1))]
    table = cross_response(factors, samples(), np.random.default_rng(0))
    spread = np.hypot(1, 0.5)  # about: the columns are nearly independent
    assert table.response[0, 0] == pytest.approx(1, abs=1e-4)
    assert table.response[1, 1] == pytest.approx(1, abs=1e-4)
    assert table.response[0, 1] == pytest.approx(0, abs=1e-6)
    assert table.response[1, 0] == pytest.approx(0.5 / spread, abs=0.05)
    assert table.readers("a") == ("b",)
    assert table.readers("b") == ()


def test_a_named_span_is_the_step():
    table = cross_response([active("a", Column(0), span=-3.0)], samples(), np.random.default_rng(0))
    assert table.steps.tolist() == [-3.0]
    assert table.response[0, 0] == pytest.approx(1, abs=1e-5)


def test_a_measure_that_goes_in_circles_is_compared_the_short_way_round():
    turning = active("a", Column(0, turn=4.0), span=1.0, period=4.0)
    table = cross_response([turning], samples(), np.random.default_rng(0))
    assert table.response[0, 0] == pytest.approx(1, abs=1e-5)


def test_a_measure_without_numbers_leaves_a_gap_not_an_error():
    class Silent(Column):
        def measure(self, x):
            return np.full(len(x), np.nan)

    table = cross_response([active("a", Column(0)), active("silent", Silent(1))], samples(), np.random.default_rng(0))
    assert np.isnan(table.response[0, 1])
    assert np.isnan(table.response[1]).all()
    assert "silent" in str(table)
    assert len(str(table).splitlines()) == 3


def test_what_a_worker_says_of_itself_still_counts_and_is_warned_of():
    class Old(Column):
        period, span = 4.0, 1.0

    factor = active("old", Old(0, turn=4.0))
    with pytest.warns(DeprecationWarning, match=r"factor old .* Factor\(period=4\)"):
        assert factor.period == 4.0
    with pytest.warns(DeprecationWarning, match=r"Factor\(span=1\)"):
        assert factor.span == 1.0


def test_what_the_description_says_comes_first_and_nothing_is_warned_of(recwarn):
    class Old(Column):
        period, span = 5.0, 2.0

    factor = active("new", Old(0), period=4.0, span=1.0)
    assert (factor.period, factor.span) == (4.0, 1.0)
    assert not recwarn.list
