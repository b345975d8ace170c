"""The grid benchmark: its cases, the ruler that moves are read with, going on where it stopped, and one quick run."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from functools import cache

import numpy as np
import pytest
from benchmarks.planted import grid as grid
from benchmarks.planted.cases import PLANTS, Case
from benchmarks.planted.causes_benchmark import strengths
from benchmarks.planted.data import samples_of
from benchmarks.planted.grid_case import GridRow
from benchmarks.planted.grid_table import table_of
from benchmarks.planted.scenarios import Ruler, as_float, rounded
from hypothesis import given, settings
from hypothesis import strategies as st
from realdata import ROOT

CASE = Case("figures", "pair", "rotate", "turn_hue", "independent", 0)


def told(*command):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.planted", *map(str, command)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def row(axis: str = "randomised", harmful=(0.8, 0.7, 0.9), harmless=(0.1, 0.0, 0.2), **changes) -> GridRow:
    other = {"harmful": (0.1, 0.0, 0.2), "harmless": (0.9, 0.8, 1.0)}
    found = GridRow(
        CASE, "autoencoder", axis, grid.setup_of(True), 60, (0.9, 0.6), (0.5, 0.0), ["rotation"],
        {"loss": harmful, "feature": other["harmful"]}, {"loss": harmless, "feature": other["harmless"]}, {},
        0.95, 0.6, 1.0, 0.3, 0.05, 0.004, 20.0, 4.0,
    )  # fmt: skip
    return replace(found, **changes)


def test_the_full_benchmark_holds_what_was_promised():
    wanted = {(task.case, *pair) for task in grid.tasks_of(False, 0) for pair in task.wanted}
    cases = {case for case, *_ in wanted}
    assert len({(case.data, case.unseen, case.seen) for case in cases}) >= 8
    assert {case.data for case in cases} == {"figures", "photographs"}
    assert len(cases) == len(grid.PAIRS) * 2 * 2  # independent and confounded, two seeds
    assert len(wanted) == len(cases) * 3 * 3  # generators, loss axes


def test_fitted_axes_of_one_generator_are_run_together():
    """They share one training of the networks."""
    for task in grid.tasks_of(False, 0):
        for backend, axis in task.wanted:
            assert axis == "joint" or {(backend, fitted) for fitted in grid.FITTED} <= set(task.wanted)


@cache
def digits():
    return rounded(samples_of("figures", 0, shipped_only=True)[0][:3])


@settings(max_examples=4, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(["rotate", "slide", "raise_ground", "thicken"]))
def test_the_ruler_reads_what_was_planted(harmful, harmless, name):
    case = replace(CASE, unseen=name)
    once = PLANTS[name](as_float(digits()), np.full(3, harmful), np.random.default_rng(1))
    both = PLANTS["turn_hue"](once, np.full(3, harmless), np.random.default_rng(1))
    found = Ruler.of(case, digits()).read(both.astype(np.float32))
    np.testing.assert_allclose(found.mean(0), [harmful, harmless], atol=0.12)


def test_the_ruler_reads_nothing_in_untouched_samples():
    for name in ("thicken", "rotate"):  # one of them cannot be made less than none
        found = Ruler.of(replace(CASE, unseen=name), digits()).read(as_float(digits()))
        np.testing.assert_allclose(found, 0, atol=0.05)


def test_confounded_strengths_are_common_and_independent_ones_are_not():
    rng = np.random.default_rng(0)
    first, second = strengths("confounded", 500, rng)
    assert np.array_equal(first, second)
    first, second = strengths("independent", 500, rng)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.2


def test_ranked_and_solved_by_hand():
    assert row().ranked
    assert row().solved
    assert not row(harmful=(0.15, 0.12, 0.18)).ranked  # not clearly more
    assert not row(harmful=(0.8, 0.05, 1.5)).ranked  # not surely more
    assert not row(harmless=(-0.9, -1.0, -0.8)).ranked  # the harmless one moves too, the other way
    mixed = row(harmful=(0.3, 0.25, 0.35))
    assert replace(mixed, harmful={**mixed.harmful, "feature": (0.6, 0.5, 0.7)}).ranked
    assert not replace(mixed, harmful={**mixed.harmful, "feature": (0.6, 0.5, 0.7)}).solved
    assert not row(harmful=(0.0, 0.0, 0.0), failure="collapsed").ranked


def test_a_case_whose_harmless_change_costs_in_company_is_counted_apart():
    costly = row(company=(0.5, 0.3, 0.02))
    assert row(company=(0.5, 0.04, 0.01)).clean
    assert row(company=(0.2, 0.05, 0.02)).clean  # as far as can be told
    assert not costly.clean
    table = table_of([row(), costly, replace(costly, harmless=row(harmless=(0.9, 0.8, 1.0)).harmless)], 9)
    assert "| digits | autoencoder | randomised | 1 + 2 | 1 + 1 | 1 + 1 |" in table
    assert "2 of them (not clean)" in table


def test_the_table_counts_cases_and_tells_failures():
    lost = row("joint", harmful=(0.0, 0.0, 0.0), reconstruction=None, fidelity=None, failure="it collapsed")
    table = table_of([row(), row("observed", harmless=(0.9, 0.8, 1.0)), lost], 9)
    assert "3 of 9 cases" in table
    assert "| digits | autoencoder | randomised | 1 | 1 | 1 |" in table
    assert "| digits | autoencoder | observed | 1 | 0 | 0 |" in table
    assert "- autoencoder, joint: it collapsed" in table


def store(found: GridRow, folder, case: Case) -> None:
    path = grid._path(case, (found.backend, found.axis), folder / "work")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(replace(found, case=case))))


def test_stored_cases_are_not_run_again(tmp_path, monkeypatch):
    tasks = grid.tasks_of(True, 0)
    for task in tasks:
        for _, axis in task.wanted:
            store(row(axis), tmp_path, task.case)
    monkeypatch.setattr(grid, "run_task", lambda *_: pytest.fail("a finished case was run again"))
    steps: list[tuple[int, int]] = []
    table = grid.run_grid_benchmark(True, 0, lambda done, total: steps.append((done, total)), tmp_path)
    assert steps == [(4, 4)]
    assert (tmp_path / "grid.md").read_text(encoding="utf-8") == table
    assert len(json.loads((tmp_path / "grid.json").read_text(encoding="utf-8"))) == 4


def test_cases_of_another_setup_or_half_written_are_run_again(tmp_path):
    first, second = grid.tasks_of(True, 0)
    store(row(setup="with other digits"), tmp_path, first.case)
    store(row(), tmp_path, second.case)
    grid._path(second.case, ("autoencoder", "observed"), tmp_path / "work").write_text("{")
    assert grid._left(first, True, tmp_path / "work").wanted == first.wanted
    assert grid._left(second, True, tmp_path / "work").wanted == (("autoencoder", "observed"),)


def test_the_command_line_offers_it():
    out = told("--help")
    assert "--grid" in out
    assert "--workers" in out


@pytest.mark.slow
def test_the_quick_benchmark_ranks_the_planted_cause(tmp_path):
    out = told("--grid", "--quick", "--quiet", "--out", tmp_path)
    rows = {(r["case"]["mode"], r["axis"]): r for r in json.loads((tmp_path / "grid.json").read_text())}
    assert len(rows) == 4
    assert out.strip() == (tmp_path / "grid.md").read_text(encoding="utf-8").strip()
    randomised, observed = rows["confounded", "randomised"], rows["confounded", "observed"]
    assert randomised["ranked"]
    assert randomised["fidelity"] > randomised["fidelity_plain"] + 0.1  # what calibration brings
    assert observed["harmless"]["loss"][0] > randomised["harmless"]["loss"][0] + 0.1  # it takes the other one along
