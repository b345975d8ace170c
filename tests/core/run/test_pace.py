"""The time that a whole run is said to take still."""

from __future__ import annotations

import io

import pytest
from smallanalysis import write_analysis

from shiftlens import Host, load_settings, run
from shiftlens.core.run.pace import USUAL, Pace
from shiftlens.core.run.pipeline import NAMES
from shiftlens.core.run.progress import Bar, Lines, pace_of


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


def did(pace, clock, stage, seconds):
    pace.start(stage)
    clock.seconds += seconds
    pace.finish(seconds)


def test_as_long_as_last_time_and_twice_that_on_a_machine_half_as_fast():
    clock = Clock()
    pace = Pace(["a", "b", "c"], {"a": 10.0, "b": 20.0, "c": 30.0}, clock)
    pace.start("a")
    assert pace.left() == 60
    did(pace, clock, "a", 20.0)
    pace.start("b")
    assert pace.left() == 100


def test_stages_that_are_up_to_date_cost_nothing():
    pace = Pace(["a", "b", "c"], {"a": 10.0, "b": 20.0, "c": 30.0}, Clock())
    pace.start("c")
    assert pace.left() == 30


def test_a_slow_first_step_of_very_many_is_not_taken_for_the_pace():
    """A trial's first of a thousand steps took 100 s, and 1,793 minutes were foretold."""
    clock = Clock()
    pace = Pace(NAMES, dict(USUAL), clock)
    pace.start("trial")
    clock.seconds = 20
    pace.step(1, 1000)
    assert pace.left() < 2 * 100
    pace.step(500, 1000)
    half = pace.left()
    pace.step(500, 4000)  # rounds were added
    assert pace.left() == half


def test_a_stage_s_own_steps_count_more_and_more():
    clock = Clock()
    pace = Pace(["a"], {"a": 10.0}, clock)
    pace.start("a")
    said = []
    for done in range(10, 100, 10):  # it takes 100 s, ten times as long as last time
        clock.seconds = done
        pace.step(done, 100)
        said.append(pace.left() / (100 - done))  # of what is true
    assert said == sorted(said)
    assert said[-1] == pytest.approx(0.91)


def test_without_a_last_run_nothing_is_foretold_until_enough_is_done():
    clock = Clock()
    pace = Pace(NAMES, {}, clock)
    pace.start("data")
    assert pace.left() is None
    for stage in ("data", "classifier", "score"):
        did(pace, clock, stage, 2 * USUAL[stage])
    pace.start("trial")
    rest = sum(USUAL[name] for name in NAMES[NAMES.index("trial") :])
    assert pace.left() == pytest.approx(2 * rest)


def test_every_stage_has_its_usual_share():
    assert set(USUAL) == set(NAMES)


@pytest.mark.parametrize("make", [Lines, Bar])
def test_a_run_is_followed_from_its_records(tmp_path, monkeypatch, make):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    config, observer = write_analysis(tmp_path), make()
    host = Host([observer])
    finished = run(load_settings(config, host), tmp_path / "run", until="score", host=host)
    if hasattr(observer, "close"):
        observer.close()
    assert list(observer.pace.took) == ["data", "classifier", "score"]
    assert set(pace_of(finished).last) == {"data", "classifier", "score"}
    assert not host.problems
