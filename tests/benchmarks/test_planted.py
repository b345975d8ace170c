"""The planting operations, the cases, and one whole case on scikit-learn's digits."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.planted import data as data
from benchmarks.planted import planting as planting
from benchmarks.planted.cases import NAMES, PLANTS, all_cases
from benchmarks.planted.causes_benchmark import run_benchmark
from realdata import cifar

from shiftlens.core.errors import InputError


@pytest.mark.parametrize("name", sorted(PLANTS))
def test_strength_nought_changes_nothing_and_one_changes_something(name):
    x, _ = data.samples_of("figures", 0, shipped_only=True)
    x, rng = x[:6], np.random.default_rng(0)
    plant = PLANTS[name]
    none, full = plant(x, np.zeros(6), rng), plant(x, np.ones(6), rng)
    assert np.abs(none - x).mean() < 1e-3
    assert np.abs(full - x).mean() > 5e-3
    assert full.shape == x.shape
    assert full.dtype == np.float32
    assert full.min() >= 0
    assert full.max() <= 1


def test_planted_photographs_stay_photographs():
    x, _ = cifar(1)
    for plant in (planting.zoom, planting.cover, planting.jpeg, planting.box_blur):
        assert np.isfinite(plant(x, np.linspace(0, 1, len(x)), np.random.default_rng(0))).all()


def test_the_full_benchmark_holds_what_was_promised():
    cases = all_cases(False, 0)
    pairs = {(c.data, c.unseen, c.seen) for c in cases if c.kind == "pair"}
    assert len(pairs) >= 8
    assert len([c for c in cases if c.kind == "pair"]) == len(pairs) * 3 * 2
    assert len([c for c in cases if c.kind == "null"]) >= 6
    assert len([c for c in cases if c.kind == "outside"]) >= 4
    assert all(c.unseen not in NAMES for c in cases if c.kind == "outside")


def test_photographs_without_a_data_folder_are_asked_for(monkeypatch):
    monkeypatch.delenv(data.DATA_FOLDER, raising=False)
    data._photographs.cache_clear()
    with pytest.raises(InputError, match=r"--quick"):
        data.samples_of("photographs", 0)


@pytest.mark.slow
def test_the_quick_benchmark_names_the_planted_cause(tmp_path):
    told = []
    table = run_benchmark(quick=True, progress=lambda done, total: told.append((done, total)), out=tmp_path)
    assert (tmp_path / "causes.md").read_text(encoding="utf-8") == table
    assert told[-1] == (4, 4)
    assert "| harmful and harmless, fixed | 1 | 1 of 1 |" in table
    assert "| nothing harmful | 1 | 1 of 1 |" in table
    assert "stroke-thickness" in table.split("What each factor")[1]
