"""The intervention grid on real digits: what stays, what is asked for, what is shown, and what stands beside it."""

from __future__ import annotations

import numpy as np
import pytest
from realdata import digits
from smallfactors import Level, Spread, active, logistic, two_channels

from shiftlens.core.causes.changes import Change
from shiftlens.core.causes.outcomes import Rig
from shiftlens.core.data.scoring import Scores
from shiftlens.core.grid import intervention as grids
from shiftlens.core.grid.intervention_samples import Space, samples_to_show


class Grain(Spread):
    """Random noise of so many units."""

    def shift(self, x, delta, rng):
        noise = rng.standard_normal(x.shape).astype(np.float32)
        return (x + delta[:, None, None, None] * noise).astype(np.float32)


@pytest.fixture(scope="module")
def scene():
    x, y = digits()
    x = two_channels(x[:600])
    # It has seen digits whose second channel is anything, and none with stretched contrast.
    seen = x.copy()
    seen[:, 1] += np.random.default_rng(0).uniform(-1, 1, len(x)).astype(np.float32)[:, None, None]
    plan = (Change(active("level", Level(1)), 0.5), Change(active("spread", Spread()), -0.22))
    return x, y[:600], logistic(x, y[:600], seen), plan


def test_harmful_changes_go_down_and_all_others_right(scene):
    plan = scene[3]
    assert grids.sides_of(plan, {"level": "harmless", "spread": "harmful"}) == grids.Sides(("level",), ("spread",))
    assert grids.sides_of(plan, {"level": "unclear", "spread": "harmful"}) == grids.Sides(("level",), ("spread",))
    # Where nothing is surely harmful, what may be goes down.
    assert grids.sides_of(plan, {"level": "harmless", "spread": "unclear"}) == grids.Sides(("level",), ("spread",))
    assert grids.sides_of(plan, {"level": "harmless", "spread": "harmless"}).down == ()


def test_every_cell_is_the_sample_with_exactly_the_strengths_it_tells(scene):
    x, y, score, plan = scene
    found = grids.intervention_grid(Rig(x[3:4], y[3:4], score, 0), plan, grids.Sides(("level",), ("spread",)), 4, 5)
    assert found.cells.shape == (5, 4, *x.shape[1:])
    assert np.array_equal(found.cells[0, 0], x[3])
    for row in range(5):
        for column in range(4):
            cell = found.cells[row, column][None]
            parts = {"level": found.right[[column]], "spread": found.down[row, [column]]}
            assert np.array_equal(cell, grids.changed(plan, x[3:4], parts, 0))
            assert found.measured[row, column] == pytest.approx(score(cell, y[3:4]).loss[0], rel=1e-5)
    assert found.right.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert found.down[-1, -1] == 1.0  # the lower right is the whole fitted shift
    assert (found.down[0] == 0).all()
    assert (np.diff(found.down, axis=0) >= 0).all()


def test_the_measured_loss_is_the_requested_one_where_a_strength_has_it(scene):
    x, y, score, plan = scene
    found = grids.intervention_grid(Rig(x[3:4], y[3:4], score, 0), plan, grids.Sides(("level",), ("spread",)), 3, 6)
    assert np.diff(np.log(found.requested + 0.05)) == pytest.approx(np.diff(np.log(found.requested + 0.05))[0])
    assert found.requested[-1] == found.measured[-1, -1]
    assert found.reached[1:].mean() > 0.9
    assert (np.diff(found.measured[:, 0]) > 0).all()


def test_one_kind_of_change_alone_gives_one_row_or_one_column(scene):
    x, y, score, plan = scene
    right = grids.intervention_grid(Rig(x[0:1], y[0:1], score, 0), plan, grids.Sides(("level", "spread"), ()), 4, 5)
    assert right.cells.shape[:2] == (1, 4)
    assert np.array_equal(
        right.cells[0, -1], grids.changed(plan, x[:1], {"level": np.ones(1), "spread": np.ones(1)}, 0)[0]
    )
    down = grids.intervention_grid(Rig(x[0:1], y[0:1], score, 0), plan, grids.Sides((), ("level", "spread")), 4, 5)
    assert down.cells.shape[:2] == (5, 1)


def test_more_of_a_noise_is_more_of_the_same_noise(scene):
    x = scene[0]
    grain = (Change(active("grain", Grain()), 0.2),)
    made = grids.changed(grain, np.repeat(x[:1], 3, axis=0), {"grain": np.array([0.0, 0.5, 1.0])}, 0)
    assert np.array_equal(made[0], x[0])
    assert made[2] - x[0] == pytest.approx(2 * (made[1] - x[0]), abs=1e-5)


def test_a_noise_that_begins_late_is_the_same_noise_all_the_same(scene):
    class Late(Grain):
        """None below a fifth: what is too weak to be measured is not made."""

        def shift(self, x, delta, rng):
            return super().shift(x, np.where(delta < 0.2, 0, delta), rng)

    x = scene[0]
    late = (Change(active("late", Late()), 1.0),)
    made = grids.changed(late, np.repeat(x[:1], 3, axis=0), {"late": np.array([0.1, 0.5, 1.0])}, 0)
    assert made[2] - x[0] == pytest.approx(2 * (made[1] - x[0]), abs=1e-5)


def test_the_choice_never_goes_back_even_where_the_loss_does():
    falls_again = np.array([0.0, 0.5, 2.0, 0.6, 0.1, 0.4])
    assert grids.rising_choice(falls_again, np.array([0.0, 0.5, 2.0])).tolist() == [0, 1, 2]
    assert grids.rising_choice(falls_again, np.array([0.0, 2.0, 0.1])).tolist() == [0, 2, 4]
    assert (np.diff(grids.rising_choice(falls_again, np.array([0.0, 2.0, 0.0, 2.0]))) >= 0).all()


def test_a_change_that_only_scatters_is_shown_one_spread_aside():
    level = active("level", Level(0))
    assert grids.typical(Change(level, 0.5, spread=0.2)) == 0
    assert grids.typical(Change(level, 0.0, spread=0.2)) == 1
    assert grids.typical(Change(level, -0.01, spread=0.2)) == -1


def test_samples_are_shown_on_which_the_finding_shows(scene):
    x, y, score, plan = scene
    before = score(x, y)
    after = score(grids.changed(plan, x, {"level": np.ones(len(x)), "spread": np.ones(len(x))}, 0), y)
    shown = samples_to_show(before, after, harmful=True, count=10)
    alike = before.correct & (after.prediction != before.prediction)
    assert alike[shown.places].all()
    assert shown.alike == alike.sum()
    assert shown.looked_at == before.correct.sum()
    assert len(np.unique(y[shown.places])) >= 5  # of several classes
    kept = samples_to_show(before, after, harmful=False, count=10)
    assert (before.correct & ~alike)[kept.places].all()


def test_the_most_usual_samples_are_shown_first():
    """Those whose loss after the change is nearest to the median of its like, as a ratio."""
    zero, one = np.zeros(5, np.int64), np.ones(5, np.int64)
    before = Scores(np.full(5, 0.1), zero, zero, np.ones(5))
    after = Scores(np.array([0.1, 1.0, 1.1, 1.2, 5.0]), zero, one, np.ones(5))
    assert samples_to_show(before, after, harmful=True, count=5).places.tolist() == [2, 3, 1, 4, 0]


def test_the_whole_shift_brings_samples_near_to_the_target_that_has_it(scene):
    x, y, score, plan = scene
    whole = {"level": np.ones(300), "spread": np.ones(300)}
    target = grids.changed(plan, x[300:], whole, 0)

    def probabilities(samples):
        scores = [score(samples, np.full(len(samples), k)).loss for k in range(10)]
        return np.exp(-np.stack(scores, axis=1))

    space = Space.of("image", target, probabilities(target), y[300:])
    near = space.nearest(
        grids.changed(plan, x[:300], whole, 0), probabilities(grids.changed(plan, x[:300], whole, 0)), y[:300]
    )
    far = space.nearest(x[:300], probabilities(x[:300]), y[:300])
    assert (y[300:][near[0]] == y[:300]).all()
    assert 0.7 < np.median(near[1]) < 1.4  # as far as target samples usually are from each other
    assert np.median(far[1]) > 1.5 * np.median(near[1])
