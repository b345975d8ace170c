"""Every series factor keeps its promise on real series: spoken digits (sound) and daily power curves (24 values)."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from realdata import power, spoken

from shiftlens.core.causes.changes import ActiveFactor
from shiftlens.core.causes.cross_response import cross_response
from shiftlens.core.causes.statistics import wrapped
from shiftlens.core.host.kinds import FactorWorker
from shiftlens.plugins.factors import series

DESCRIPTIONS = {factor.name: factor for factor in series.FACTORS}
WORKERS: dict[str, FactorWorker] = {name: f.build(f.settings()) for name, f in DESCRIPTIONS.items()}

# The working range of each factor, in its unit.
SOUND = {
    "level": (-0.5, 0.1),
    "amplitude": (-12, 6, 12),
    "trend": (-0.5, 0.5),
    "pitch": (-6, -2, 2, 6),
    "bandwidth": (-40, -10, 5),
    "speed": (-0.5, 0.25, 0.8),
    "delay": (-5, 2.5, 20),
    "missing": (0.05, 0.4),
}
CURVES = {
    "level": (-0.5, 0.1),
    "amplitude": (-12, 6),
    "trend": (-0.5, 2),
    "bandwidth": (-40, -10, 5),
    "delay": (-8, -3, 4, 12),
    "missing": (0.1, 0.4),
}
# What another factor's change may do to a measure, in steps of that measure; more, where the description says so.
QUIET = 0.2


@cache
def sounds() -> np.ndarray:
    return spoken(20)[0][::2]  # (100, 1, 4096)


@cache
def curves() -> np.ndarray:
    return power()[0][:400]  # (400, 1, 24)


CASES = [(name, kind) for kind, ranges in (("sound", SOUND), ("curves", CURVES)) for name in ranges]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_measure_follows_the_shift(name, kind):
    x, ranges = (sounds(), SOUND) if kind == "sound" else (curves(), CURVES)
    worker = WORKERS[name]
    assert worker.refuses(x) == ""
    before, original = worker.measure(x), x.copy()
    assert before.dtype == np.float64
    for delta in ranges[name]:
        changed = worker.shift(x, np.full(len(x), float(delta)), np.random.default_rng(0))
        assert changed.shape == x.shape
        assert changed.dtype == np.float32
        assert np.isfinite(changed).all()
        moved = wrapped(worker.measure(changed) - before, DESCRIPTIONS[name].period)
        assert 0.8 <= np.nanmean(moved) / delta <= 1.2, f"asked for {delta}, moved {np.nanmean(moved):.3f}"
    assert np.array_equal(x, original), "shift must not change what it is given"


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_each_sample_is_moved_by_its_own_delta(name, kind):
    x, ranges = (sounds(), SOUND) if kind == "sound" else (curves(), CURVES)
    worker = WORKERS[name]
    delta = np.zeros(len(x))
    delta[1::2] = ranges[name][-1]
    changed = worker.shift(x, delta, np.random.default_rng(0))
    np.testing.assert_allclose(changed[::2], x[::2], atol=1e-6)
    moved = wrapped(worker.measure(changed) - worker.measure(x), DESCRIPTIONS[name].period)[1::2]
    assert np.nanmean(moved) / ranges[name][-1] > 0.8


@pytest.mark.parametrize("kind", ["sound", "curves"])
def test_a_measure_reads_no_factor_that_it_does_not_name(kind):
    x = sounds() if kind == "sound" else curves()
    factors = [ActiveFactor(name, DESCRIPTIONS[name], worker) for name, worker in WORKERS.items()]
    table = cross_response([factor for factor in factors if not factor.refuses(x)], x, np.random.default_rng(0))
    for name in table.names:
        if name == "level" and kind == "curves":
            continue  # every curve has mean 0 here: there is no step to compare with
        strangers = set(table.readers(name, QUIET)) - set(DESCRIPTIONS[name].confused_with)
        assert not strangers, f"{name} also reads {strangers}:\n{table}"


@pytest.mark.parametrize(
    ("name", "why"), [("pitch", "too short to have a pitch"), ("speed", "too short to be stretched")]
)
def test_daily_curves_have_no_pitch_and_no_speed(name, why):
    assert why in WORKERS[name].refuses(curves())


def test_a_drift_is_no_tone_and_steady_noise_no_event():
    slow = np.cumsum(np.random.default_rng(0).normal(size=(20, 1, 512)), axis=2).astype(np.float32)
    assert "curves, not tones" in WORKERS["pitch"].refuses(slow)
    steady = np.random.default_rng(0).normal(size=(20, 1, 512)).astype(np.float32)
    assert "fill their whole length" in WORKERS["speed"].refuses(steady)


def test_constant_series_are_refused_or_measured_as_absent():
    flat = np.full((6, 2, 300), 3.0, dtype=np.float32)
    for name in ("amplitude", "pitch", "bandwidth", "speed", "delay", "missing"):
        assert np.isnan(WORKERS[name].measure(flat)).all(), name
        changed = WORKERS[name].shift(flat, np.full(6, 0.1), np.random.default_rng(0))
        np.testing.assert_allclose(changed, flat, atol=1e-5)
    assert WORKERS["amplitude"].refuses(flat)
    assert WORKERS["missing"].refuses(flat)


def test_several_channels_are_changed_alike():
    x = np.concatenate([sounds()[:20], 0.5 * sounds()[:20]], axis=1)  # (20, 2, 4096)
    for name, worker in WORKERS.items():
        delta = np.full(20, float(SOUND[name][-1]))
        changed = worker.shift(x, delta, np.random.default_rng(0))
        moved = wrapped(worker.measure(changed) - worker.measure(x), DESCRIPTIONS[name].period)
        assert 0.7 <= np.nanmean(moved) / delta[0] <= 1.3, name
