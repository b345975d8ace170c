"""Bootstrap, corrected tests, circular means, partial correlation and Shapley values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.core.causes import statistics as s


def test_the_bootstrap_interval_of_a_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    low, high = s.percentile_interval(s.resampled_means(values, 2000, np.random.default_rng(1)))
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.12)


def test_strata_keep_their_size_so_constant_strata_give_no_spread():
    strata = np.repeat([0, 1], [30, 70])
    draws = s.resampled_means(strata.astype(float), 50, np.random.default_rng(0), strata)
    assert np.allclose(draws, 0.7)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_value_and_keeps_the_order(p):
    adjusted = s.holm(p)
    assert (adjusted >= np.array(p) - 1e-12).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


def test_holm_by_hand():
    assert s.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_the_circular_mean_goes_the_short_way_round():
    assert s.centre(np.array([350.0, 20.0, np.nan]), 360.0) == pytest.approx(5.0)
    assert float(s.wrapped(350.0, 360.0)) == -10.0


def test_a_changed_class_mix_alone_is_no_shift():
    rng = np.random.default_rng(0)
    a, b = np.repeat([0, 1], [300, 100]), np.repeat([0, 1], [100, 300])
    p = s.shift_test(5.0 * a + rng.normal(size=400), 5.0 * b + rng.normal(size=400), a, b)
    assert p > 0.05
    assert s.class_mix_test(a, b, 2) < 1e-6
    moved = s.shift_test(5.0 * a + rng.normal(size=400), 5.0 * b + 0.5 + rng.normal(size=400), a, b)
    assert moved < 1e-4


def test_a_shift_of_shape_alone_is_seen():
    rng = np.random.default_rng(0)
    same = np.zeros(500, dtype=np.int64)
    assert s.shift_test(rng.normal(0, 1, 500), rng.normal(0, 2, 500), same, same) < 1e-3


def test_holding_the_common_cause_takes_a_correlation_away():
    rng = np.random.default_rng(0)
    cause = rng.normal(size=600)
    x, y = cause + 0.3 * rng.normal(size=600), cause + 0.3 * rng.normal(size=600)
    strata = np.zeros(600, dtype=np.int64)
    plain, (low, _) = s.partial_rank_correlation(x, y, np.zeros((600, 0)), strata, 60, rng)
    held, interval = s.partial_rank_correlation(x, y, cause[:, None], strata, 60, rng)
    assert plain > 0.8
    assert low > 0.7
    assert abs(held) < 0.15
    assert interval[0] < 0 < interval[1]


def test_shapley_of_an_additive_game_is_what_each_brings():
    players = ["a", "b", "c"]
    worth = {"a": 1.0, "b": -2.0, "c": 0.5}
    value = {c: np.array(sum(worth[p] for p in c)) for c in s.coalitions(players)}
    assert {p: float(v) for p, v in s.shapley(players, value).items()} == pytest.approx(worth)


def test_shapley_shares_an_interaction_evenly():
    value = {c: np.array(1.0 if len(c) == 2 else 0.0) for c in s.coalitions(["a", "b"])}
    assert [float(v) for v in s.shapley(["a", "b"], value).values()] == [0.5, 0.5]


@given(st.lists(st.floats(-5, 5), min_size=16, max_size=16))
def test_shapley_values_add_up_and_sampled_orders_agree_when_all_are_taken(values):
    from itertools import permutations

    players = ["a", "b", "c", "d"]
    value = dict(zip(s.coalitions(players), map(np.array, values), strict=True))
    exact = s.shapley(players, value)
    assert float(sum(exact.values())) == pytest.approx(values[-1] - values[0], abs=1e-9)
    sampled = s.shapley_of_orders(permutations(players), value.__getitem__)
    assert {p: float(v) for p, v in sampled.items()} == pytest.approx({p: float(v) for p, v in exact.items()}, abs=1e-9)


def test_sampled_orders_come_with_their_reverse():
    orders = s.sampled_orders(list("abcdef"), 6, np.random.default_rng(0))
    assert len(orders) == 6
    assert orders[1] == orders[0][::-1]
