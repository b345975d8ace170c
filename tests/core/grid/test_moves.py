"""Moves of factors in the grid, on cells of one pixel and two channels whose measures can be read off."""

from __future__ import annotations

import numpy as np
import pytest
from smallfactors import Direction, Level, active

from shiftlens.core.grid.moves import grid_moves, pair_moves

LEVEL = active("level", Level(0))
TURN = active("turn", Direction(), period=360.0)


def levels(start, end, down, right, low=None, high=None):
    """Cells ``(pairs, 2, 2, 2, 1, 1)`` and samples given back ``(pairs, 2, 2, 1, 1)`` with these levels."""
    values = [np.asarray(v, np.float32) for v in (start, right, down, end)]
    cells = np.zeros((len(values[0]), 4, 2, 1, 1), np.float32)
    cells[:, :, 0, 0, 0] = np.stack(values, axis=1)
    back = np.zeros((len(values[0]), 2, 2, 1, 1), np.float32)
    back[:, 0, 0, 0, 0], back[:, 1, 0, 0, 0] = (
        start if low is None else np.asarray(low),
        end if high is None else np.asarray(high),
    )
    return cells.reshape(-1, 2, 2, 2, 1, 1), back


def angles(*degrees):
    """The same of angles: start, end, down, right, for each pair."""
    start, end, down, right = (np.deg2rad(np.asarray(v, np.float64)) for v in degrees)
    points = np.stack([start, right, down, end], axis=1)
    cells = np.stack([np.cos(points), np.sin(points)], axis=2).astype(np.float32)[..., None, None]
    cells = cells.reshape(-1, 2, 2, 2, 1, 1)
    return cells, np.stack([cells[:, 0, 0], cells[:, 1, 1]], axis=1)


def test_moves_are_parts_of_the_gap_and_a_pair_weighs_by_its_own():
    found = grid_moves([LEVEL], *levels([0, 0], [2, 4], [1, 1], [1, 3]))["level"]
    assert found.loss_axis == pytest.approx((1 * 2 + 1 * 4) / (2**2 + 4**2))
    assert found.feature_axis == pytest.approx((1 * 2 + 3 * 4) / (2**2 + 4**2))
    assert found.loss_axis_ci == pytest.approx((1 / 4, 1 / 2))  # either pair alone
    assert found.feature_axis_ci == pytest.approx((1 / 2, 3 / 4))


def test_what_encoding_alone_does_is_no_move():
    cells, back = levels([0, 0], [2, 4], [1, 1], [1, 3], low=[0.25, 0.5], high=[1.5, 4.5])
    found = grid_moves([LEVEL], cells, back)["level"]
    assert found.loss_axis == pytest.approx((0.75 * 2 + 0.5 * 4) / 20)
    assert found.feature_axis == pytest.approx(((2 - 0.5) * 2 + (4 - 1.5) * 4) / 20)
    (first,), (second,) = pair_moves([LEVEL], cells, back)
    assert (first.down, first.right, first.gap) == pytest.approx((0.75, 1.5, 2))
    assert (second.down, second.right, second.gap) == pytest.approx((0.5, 2.5, 4))


@pytest.mark.parametrize(("end", "measured"), [([10, 30], True), ([3, -1.2], False), ([1, -1], False)])
def test_pairs_without_a_direction_in_common_have_no_moves(end, measured):
    """Their mean gap is more than half of its spread, or there is nothing to count moves in."""
    assert bool(grid_moves([LEVEL], *levels([0, 0], end, [1, 1], [1, 1]))) == measured


def test_angles_go_the_short_way_round_and_may_differ_in_direction():
    cells, back = angles([350, 10], [50, 310], [10, 350], [20, 340])
    found = grid_moves([TURN], cells, back)["turn"]
    assert found.loss_axis == pytest.approx(20 / 60)  # 350 to 10 is 20 degrees of 60, and back
    assert found.feature_axis == pytest.approx(30 / 60)
    for (move,) in pair_moves([TURN], cells, back):
        assert (move.down, move.right, move.gap) == pytest.approx((20, 30, 60), abs=1e-3)


def test_without_pairs_there_are_none():
    cells, back = levels([], [], [], [])
    assert grid_moves([LEVEL], cells, back) == {}
    assert pair_moves([LEVEL], cells, back) == []
