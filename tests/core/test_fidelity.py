"""Fidelity and leak on data whose answer is known."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.core.fidelity import fidelity, leak


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
