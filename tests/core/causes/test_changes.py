"""Changes, plans, coalitions, dose-response, undoing, and augmentation that can be read back."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from realdata import digits
from smallfactors import Direction, Level, Spread, active, logistic, two_channels

from shiftlens.core.causes import augmentation as a
from shiftlens.core.causes import changes as t
from shiftlens.core.causes import outcomes as o
from shiftlens.core.causes import plan_file as p
from shiftlens.core.errors import InputError


@pytest.fixture(scope="module")
def samples():
    x, y = digits()
    return two_channels(x[:400]), y[:400]


def test_a_change_moves_by_offset_slope_and_spread(samples):
    x, _ = samples
    level = active("level", Level(1))
    u = t.individual_parts(["level"], len(x), 0)["level"]
    assert abs(u.mean()) < 0.15
    assert u.std() == pytest.approx(1, abs=0.1)
    middle = float(level.measure(x).mean())
    change = t.Change(level, 0.3, slope=-1.0, spread=0.1, middle=middle)
    moved = level.measure(t.apply([change], x, {"level": u}, 0))
    # A slope of -1 brings every sample to the middle first.
    assert moved == pytest.approx(middle + 0.3 + 0.1 * u, abs=1e-5)
    assert change.scaled(0.5).offset == 0.15


def test_the_same_seed_gives_the_same_numbers_whatever_else_is_in_the_plan():
    alone = t.individual_parts(["b"], 10, 3)["b"]
    assert np.array_equal(t.individual_parts(["a", "b"], 10, 3)["b"], alone)
    assert not np.array_equal(t.individual_parts(["b"], 10, 4)["b"], alone)


def test_every_coalition_is_the_changes_in_the_order_of_the_plan(samples):
    x, y = samples
    score = logistic(x, y)
    plan = (t.Change(active("spread", Spread()), 0.1), t.Change(active("level", Level(0)), 0.4))
    wanted = [frozenset(), frozenset(["level"]), frozenset(["spread"]), frozenset(["level", "spread"])]
    found = o.measure_coalitions(o.Rig(x, y, score, 0), plan, wanted)
    by_hand = score(t.apply(plan, x, t.individual_parts(["spread", "level"], len(x), 0), 0), y)
    assert np.array_equal(found[wanted[3]].loss, by_hand.loss)
    assert np.array_equal(found[wanted[0]].loss, score(x, y).loss)


def test_dose_response_starts_at_nothing_and_reaches_the_full_value(samples):
    x, y = samples
    score = logistic(x, y)
    change = t.Change(active("level", Level(0)), 0.5)
    before = score(x, y)
    dosed = o.measure_dose(o.Rig(x, y, score, 0), "image", change, before, np.array([0.0, 0.5, 1.0]))
    dose = dosed.dose
    assert dose.value - dose.value[0] == pytest.approx([0, 0.25, 0.5], abs=1e-5)
    assert np.array_equal(dose.loss[0], before.loss)
    assert dosed.prediction.shape == (3, len(x))
    assert dosed.reached == pytest.approx(1, abs=1e-4)
    again = np.stack([dosed.again(2, place) for place in (0, len(x) - 1)])
    assert np.array_equal(score(again, y[[0, -1]]).loss, dose.loss[2, [0, -1]])


def test_what_a_turn_reached_is_told_for_turns_beyond_half_round_too(samples):
    x, _ = samples
    change = t.Change(active("direction", Direction(), period=360.0), 170.0, spread=25.0)
    own = t.individual_parts(["direction"], len(x), 0)
    delta = change.deltas(x, own["direction"])
    assert (delta > 180).mean() > 0.2
    assert t.reached_share(change, x, t.apply([change], x, own, 0), delta) == pytest.approx(1, abs=1e-3)
    assert t.reached_share(change, x, x, delta) == pytest.approx(0, abs=1e-3)


def test_undoing_brings_the_measure_back_to_the_reference(samples):
    x, _ = samples
    for factor, delta in ((active("level", Level(0)), 0.6), (active("direction", Direction(), period=360.0), 200.0)):
        change = t.Change(factor, delta)
        target = t.apply([change], x, t.individual_parts([factor.name], len(x), 0), 0)
        back = t.undo(change, target, factor.measure(x), 0)
        assert np.abs(back - x).mean() < 0.02 * np.abs(target - x).mean()


def test_clipped_share_counts_values_driven_to_the_end_of_the_range():
    before = np.full((1, 1, 2, 2), 0.5, dtype=np.float32)
    after = np.array([[[[0.0, 1.0], [0.4, 0.6]]]], dtype=np.float32)
    assert t.clipped_share("image", before, after) == 0.5
    assert t.clipped_share("tabular", before, after) is None


def test_rows_vary_each_factor_on_its_own(samples):
    x, y = samples
    score = logistic(x, y)
    factors = active("level", Level(0)), active("other", Level(1))
    plan = tuple(t.Change(f, 1.0) for f in factors)
    rows = o.randomised_rows(o.Rig(x, y, score, 0), score(x, y), plan, 700)
    assert rows.x.shape == (700, 2, 8, 8)
    a, b = (f.measure(rows.x) for f in factors)
    moved = np.corrcoef(a - a.mean(), b - b.mean())[0, 1]
    assert abs(moved) < 0.35  # the digits' own ink ties the two a little
    assert a.max() - a.min() > 0.9
    assert rows.loss.mean() > rows.loss_before.mean()
    assert len(o.randomised_rows(o.Rig(x, y, score, 0), score(x, y), (), 700).loss) == 0


def test_an_augmentation_is_read_back(samples):
    x, _ = samples
    factor = active("level", Level(0))
    text = a.augmentation_of((t.Change(factor, 0.8, spread=0.1),), 5)
    changed = a.augment(text, [factor], x, 1)
    moved = factor.measure(changed) - factor.measure(x)
    assert moved.min() >= 0
    assert moved.max() > 0.6
    with pytest.raises(InputError, match="level"):
        a.augment(text, [], x, 1)


def test_a_plan_is_read_back_with_every_number_and_its_verdicts():
    plan = (
        t.Change(active("spread", Spread()), -0.1, slope=-0.5, middle=0.25),
        t.Change(active("level", Level(0)), 3.25e-9, spread=1e-9, skew=0.1),  # a column of very small values
    )
    verdicts = {"spread": "harmless", "level": "harmful"}
    values = yaml.safe_load(yaml.safe_dump(p.plan_as_values(plan, verdicts)))
    assert p.plan_of_values(values, [change.factor for change in plan], "plan.yaml") == plan
    assert [change["verdict"] for change in values["changes"]] == ["harmless", "harmful"]
    with pytest.raises(InputError, match=r"plan.yaml names factors that are not installed here: level"):
        p.plan_of_values(values, [plan[0].factor], "plan.yaml")


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda x: 1 / 0, "raised"),
        (lambda x: np.zeros(3), "shape"),
        (lambda x: np.full(len(x), np.nan), "finite"),
        (lambda x: np.full(len(x), np.inf), "finite"),
    ],
)
def test_a_wrong_measure_is_told(samples, broken, says):
    worker = Level(0)
    worker.measure = broken
    with pytest.raises(t.FactorFault, match=says):
        active("broken", worker).measure(samples[0])


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda x, delta, rng: x[:, :1], "shape"),
        (lambda x, delta, rng: x * np.nan, "finite"),
        (lambda x, delta, rng: {}["x"], "raised"),
    ],
)
def test_a_wrong_shift_is_told(samples, broken, says):
    worker = Level(0)
    worker.shift = broken
    with pytest.raises(t.FactorFault, match=says):
        active("broken", worker).shift(samples[0], np.zeros(len(samples[0])), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("delta", "moved", "period", "share"),
    [
        ([0.1, 0.1], [0.05, 0.05], None, 0.5),  # small units count as large ones do
        ([2.0, 4.0], [2.0, 2.0], None, (2 * 2 + 2 * 4) / (4 + 16)),
        ([0.0, 0.0], [1.0, -1.0], None, 1.0),  # nothing was asked for
        ([np.nan, 2.0], [5.0, 1.0], None, 0.5),
        ([90.0, 90.0], [45.0 + 360, 45.0 - 360], 360.0, 0.5),  # whole turns do not count
        ([10.0, 300.0], [5.0, 300.0], 360.0, 0.5),  # of more than half round nothing can be read
        ([300.0, 200.0], [300.0, 200.0], 360.0, 1.0),  # unless all went as far
    ],
)
def test_the_share_reached_is_the_slope_of_what_was_done_on_what_was_asked(delta, moved, period, share):
    before = np.array([30.0, 200.0])
    after = before + np.array(moved)
    assert t.share_reached(before, after, np.array(delta), period) == pytest.approx(share)
