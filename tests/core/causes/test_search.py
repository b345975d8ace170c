"""What shifted, found jointly: the planted set with its strengths, and nothing that is only its shadow."""

from __future__ import annotations

import numpy as np
import pytest
from realdata import digits
from smallfactors import Direction, Level, Spread, Tilt, active, two_channels

from shiftlens.core.causes import search as m
from shiftlens.core.causes.changes import Change
from shiftlens.core.causes.distance import Matcher, ToMatch, evened_halves
from shiftlens.core.causes.policy import FitPolicy
from shiftlens.core.causes.sample_statistics import broad_measures
from shiftlens.core.causes.strength_readings import reading_of
from shiftlens.core.causes.strengths import guess


@pytest.fixture(scope="module")
def data():
    x, y = digits()
    x = two_channels(x)
    return x[:600], y[:600], x[600:1200], y[600:1200]


def factors():
    return [active("first", Level(0)), active("second", Level(1)), active("spread", Spread())]


def find(data, target, wanted=None):
    x, y, _, target_class = data
    matcher = Matcher(ToMatch(x, y, target, target_class, wanted or factors(), "image", 120, 0))
    return matcher, m.find_changes(matcher, 5, 0, lambda change: False, lambda share: None)


def test_two_shifts_together_are_found_with_their_strengths(data):
    target = data[2].copy()
    own = np.random.default_rng(0).uniform(0.1, 0.5, len(target))
    target[:, 0] += own[:, None, None]  # 0.3 on average, each sample its own
    target[:, 1] += 0.2
    told = []
    matcher, match = find(data, target)
    match = m.find_changes(matcher, 5, 0, lambda change: False, told.append)
    found = {change.name: change for change in match.plan}
    assert {"first", "second"} <= set(found)
    assert found["first"].offset == pytest.approx(0.3, abs=0.04)
    assert found["first"].spread == pytest.approx(0.115, abs=0.05)
    assert found["second"].offset == pytest.approx(0.2, abs=0.04)
    assert match.after < 0.5 * match.before
    assert told[-1] == 1.0
    assert all(0 <= error < 0.3 for error in match.errors.values())


def test_a_shadow_is_not_added(data):
    """Stretching about the mean moves the spread alone; the levels' gradients and tails are its shadow."""
    stretched = Spread().shift(data[2], np.full(len(data[2]), 0.15), np.random.default_rng(0))
    _, match = find(data, stretched)
    assert [change.name for change in match.plan] == ["spread"]
    assert match.plan[0].offset == pytest.approx(0.15, abs=0.03)


def test_nothing_shifted_nothing_found(data):
    _, match = find(data, data[2])
    assert match.plan == ()
    assert match.rivals == {}


def test_two_names_for_one_change_are_rivals(data):
    target = data[2].copy()
    target[:, 0] += 0.3
    twins = [active("first", Level(0)), active("twin", Level(0))]
    _, match = find(data, target, twins)
    assert len(match.plan) == 1
    (change,) = match.plan
    assert match.rivals[change.name] == [{"first": "twin", "twin": "first"}[change.name]]


def test_a_first_guess_goes_the_short_way_round_and_matches_mean_and_spread():
    rng = np.random.default_rng(0)
    circular = active("direction", Direction(), period=360.0)
    change, unit = guess(circular, rng.normal(350, 5, 500) % 360, rng.normal(20, 13, 500) % 360, FitPolicy())
    assert change.offset == pytest.approx(30, abs=2)
    assert change.spread == pytest.approx(12, abs=1.5)
    assert unit == pytest.approx(30, abs=2)
    narrowed, _ = guess(active("level", Level(0)), rng.normal(0, 2, 500), rng.normal(1, 1, 500), FitPolicy())
    assert narrowed.slope == pytest.approx(-0.5, abs=0.1)
    assert narrowed.spread == 0


def test_a_guess_without_any_finite_value_changes_nothing():
    change, _ = guess(active("level", Level(0)), np.full(5, np.nan), np.ones(5), FitPolicy())
    assert change == Change(change.factor, 0.0)


def test_halves_have_the_same_class_mix_in_both_domains():
    rng = np.random.default_rng(0)
    source, target = rng.choice(3, 900, p=[0.6, 0.3, 0.1]), rng.choice(3, 900, p=[0.1, 0.3, 0.6])
    fit_s, fit_t, check_s, check_t = evened_halves(source, target, len(target), 100, rng)
    counts = [np.bincount(c, minlength=3) for c in (source[fit_s], target[fit_t], source[check_s], target[check_t])]
    assert all(np.array_equal(c, counts[0]) for c in counts)
    assert not set(fit_s) & set(check_s)
    unlabelled = evened_halves(source, None, 300, 100, rng)
    assert [len(rows) for rows in unlabelled] == [100, 100, 100, 100]


@pytest.mark.parametrize(
    ("kind", "shape"), [("image", (3, 32, 32)), ("image", (1, 7, 9)), ("series", (2, 64)), ("tabular", (5,))]
)
def test_broad_measures_are_finite_even_on_flat_samples(kind, shape):
    x = np.stack([np.zeros(shape), np.ones(shape), np.random.default_rng(0).uniform(size=shape)]).astype(np.float32)
    measured = broad_measures(kind, x)
    assert measured.shape[0] == 3
    assert measured.shape[1] >= min(5, np.prod(shape))
    assert np.isfinite(measured).all()
    assert np.isfinite(broad_measures(kind, np.where(x == x.flat[-1], np.nan, x).astype(np.float32))).all()


def test_an_unknown_kind_is_matched_by_the_factors_own_measures(data):
    assert broad_measures("graph", np.zeros((4, 3), dtype=np.float32)).shape == (4, 0)
    target = data[2].copy()
    target[:, 0] += 0.3
    matcher = Matcher(ToMatch(data[0], data[1], target, data[3], factors()[:2], "graph", 100, 0))
    match = m.find_changes(matcher, 3, 0, lambda change: False, lambda share: None)
    assert [change.name for change in match.plan] == ["first"]


def test_readings_tell_how_strongly_each_sample_was_changed(data):
    """Two channels raised by strengths that nobody told: the readings follow each, and not the other."""
    x, y, target, target_class = data
    matcher = Matcher(ToMatch(x, y, target, target_class, factors(), "image", 100, 0))
    first, second, _ = factors()
    plan = (Change(first, 0.3, spread=0.1), Change(second, 0.3))
    reading = reading_of(matcher, plan, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    strengths = rng.uniform(0, 0.5, (len(target), 2))
    changed = target.copy()
    changed[:, 0] += strengths[:, :1, None]
    changed[:, 1] += strengths[:, 1:, None]
    read = reading(matcher.measure(changed, ["first", "second"]))
    tied = np.corrcoef(np.column_stack([read, strengths]).T)[:2, 2:]
    assert tied[0, 0] > 0.9
    assert tied[1, 1] > 0.9
    assert abs(tied[0, 1]) < 0.2
    assert abs(tied[1, 0]) < 0.2


def test_the_longer_way_round_is_found_where_the_own_measure_cannot_tell():
    """A turn by 130 degrees looks, to a measure that repeats after 180, like one by 50 the other way."""
    x, y = digits()
    half_turns = active("tilt", Tilt(), period=180.0)
    source, target = two_channels(x[:500]), two_channels(x[500:1000])
    target = half_turns.shift(target, np.full(len(target), 130.0), np.random.default_rng(0))
    matcher = Matcher(ToMatch(source, y[:500], target, y[500:1000], [half_turns], "image", 100, 0))
    match = m.find_changes(matcher, 1, 0, lambda change: False, lambda share: None)
    (change,) = match.plan
    assert change.offset == pytest.approx(130, abs=15)
