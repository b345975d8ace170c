"""Fidelity and leak on data whose answer is known."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.core.grid.fidelity import axis_leak, fidelity, fidelity_of_grids, leak, plain_realism, realism


@given(st.integers(0, 2**32 - 1))
def test_a_monotone_answer_has_full_rank_correlation(seed):
    requested = np.random.default_rng(seed).permutation(50).astype(float)
    found = fidelity(requested, np.exp(requested / 10))
    assert found.spearman > 0.999
    assert found.pearson < found.spearman
    assert found.cells == 50


def test_an_axis_that_does_nothing_is_told():
    requested = np.tile(np.linspace(0, 4, 5), 40)
    measured = np.random.default_rng(0).exponential(size=200)
    assert abs(fidelity(requested, measured).spearman) < 0.2


def test_constant_cells_have_no_correlation():
    assert fidelity(np.arange(9.0), np.zeros(9)).spearman is None


def test_leak_reads_a_loss_that_is_in_z_and_none_that_is_not():
    rng = np.random.default_rng(0)
    loss = rng.exponential(size=600)
    noise = rng.normal(size=(600, 6))
    assert leak(noise, loss).r2 < 0.05
    with_loss = np.concatenate([noise, np.log(loss + 0.05)[:, None]], axis=1)
    assert leak(with_loss, loss).r2 > 0.8


def test_too_few_samples_give_no_leak():
    assert leak(np.zeros((5, 4)), np.arange(5.0)).r2 is None


def test_fidelity_of_each_domain_is_that_of_its_column():
    requested = np.broadcast_to(np.linspace(0, 4, 5)[None, :, None], (30, 5, 4))
    noise = np.random.default_rng(0).exponential(size=requested.shape)
    measured = np.concatenate([requested[..., :3], noise[..., 3:]], axis=2)
    generated = np.ones(requested.shape, bool)
    generated[:, 0, 0] = generated[:, -1, -1] = False
    found = fidelity_of_grids(requested, measured, generated)
    assert found.source > 0.99
    assert abs(found.target) < 0.3
    assert 0.3 < found.spearman < 0.99
    assert found.cells == 30 * 18


def trial(own_part: float, rows: int = 1200):
    """Latents that hold what made a sample hard before, and more or less of what the trial's change did to it."""
    rng = np.random.default_rng(1)
    label, before = rng.integers(0, 5, rows), rng.exponential(0.3, rows)
    change = rng.uniform(0, 2, rows)
    z = rng.normal(size=(rows, 6))
    z[:, 0] += 2 * np.log(before + 0.05)
    z[:, 1] += label
    z[:, 2] += own_part * change
    return z, np.exp(np.log(before + 0.05) + change) - 0.05, before, label


def test_what_made_a_sample_hard_before_is_no_leak_of_the_axis():
    assert leak(trial(0.0)[0], trial(0.0)[1]).r2 > 0.3
    assert axis_leak(*trial(0.0)) < 0.05
    assert axis_leak(*trial(3.0)) > 0.6


def test_cells_among_the_samples_are_real_and_cells_beside_them_are_not():
    rng = np.random.default_rng(2)
    samples = rng.normal(size=(400, 8)).astype(np.float32)
    among = realism(rng.normal(size=(300, 8)).astype(np.float32), samples)
    assert among.near > 0.88
    assert 0.9 < among.ratio < 1.1
    beside = realism(samples[:100] + 6, samples)
    assert beside.near < 0.05
    assert beside.ratio > 2
    assert realism(samples[:10], samples[:10]) is None


def test_plain_realism_tells_the_row_that_looks_like_nothing_real():
    rng = np.random.default_rng(0)
    real, cells, row = rng.normal(size=(300, 6)), rng.normal(size=(90, 6)), np.repeat([0, 1, 2], 30)
    cells[row == 2] += 6
    scales = np.array([1, 1e-3, 1e3, 1, 1, 1])  # units do not matter, nor what never varies
    real, cells = (np.hstack([x * scales, np.ones((len(x), 1))]) for x in (real, cells))
    found = plain_realism(cells, real, row)
    assert found["plain_lowest"] < 0.1
    assert 0.5 < found["plain_near"] < 0.75
    assert plain_realism(cells, real[:10], row) == {}
    assert plain_realism(cells[:, :0], real[:, :0], row) == {}
