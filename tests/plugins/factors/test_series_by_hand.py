"""The measures of series on signals whose answer can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.plugins.factors import series
from shiftlens.plugins.factors.series_vocoder import stretched, transposed

WORKERS = {factor.name: factor.build(factor.settings()) for factor in series.FACTORS}
TIME = np.arange(4096)


def tone(waves: float, start: int = 0, end: int = 4096, length: int = 4096) -> np.ndarray:
    """A sine with ``waves`` over the whole length, silent outside start..end: (1, 1, length)."""
    time = np.arange(length)
    return (np.sin(2 * np.pi * waves * time / length) * ((time >= start) & (time < end))).astype(np.float32)[None, None]


def value(name: str, x: np.ndarray) -> float:
    return float(WORKERS[name].measure(x)[0])


def shifted(name: str, x: np.ndarray, delta: float) -> np.ndarray:
    return np.asarray(WORKERS[name].shift(x, np.full(len(x), delta), np.random.default_rng(0)))


@given(level=st.floats(-5, 5), rise=st.floats(-5, 5), gain=st.floats(0.1, 10))
def test_level_trend_and_amplitude_of_a_line_with_a_wave(level, rise, gain):
    wave = tone(32)
    x = (level + rise * np.linspace(-0.5, 0.5, 4096) + gain * wave).astype(np.float32)
    assert value("level", x) == pytest.approx(level, abs=1e-4)
    assert value("trend", x) == pytest.approx(rise + gain * value("trend", wave), abs=1e-3)
    assert value("amplitude", x) == pytest.approx(value("amplitude", wave) + 20 * np.log10(gain), abs=0.01)


@pytest.mark.parametrize("waves", [64, 200, 777])
def test_a_tone_has_its_own_pitch_and_an_octave_is_twelve_semitones(waves):
    assert value("pitch", tone(waves)) == pytest.approx(12 * np.log2(waves), abs=0.05)
    higher = shifted("pitch", tone(waves), 12)
    assert value("pitch", higher) == pytest.approx(12 * np.log2(2 * waves), abs=0.1)


def test_what_would_rise_above_the_highest_frequency_is_left_out_not_folded_down():
    both = tone(200) + tone(1500)
    higher = transposed(both, np.array([2.0]))
    power = np.abs(np.fft.rfft(higher[0, 0])) ** 2
    assert np.argmax(power) == 400
    assert power[1000:].max() < 0.01 * power[400]


def test_twice_as_fast_takes_half_as_long_at_the_same_pitch():
    x = tone(400, 500, 2500)
    faster = stretched(x, np.array([2.0]), np.array([500.0]))
    loud = np.flatnonzero(np.abs(faster[0, 0]) > 0.3)
    assert loud[0] == pytest.approx(500, abs=100)
    assert loud[-1] == pytest.approx(1500, abs=150)
    assert value("pitch", faster) == pytest.approx(value("pitch", x), abs=0.3)
    assert value("speed", x) == pytest.approx(np.log2(4096 / 2000), abs=0.1)
    assert value("speed", faster) - value("speed", x) == pytest.approx(1, abs=0.1)


@given(steps=st.integers(-800, 800))
def test_a_delay_is_a_move_along_the_time_axis(steps):
    x = tone(300, 1000, 2000)
    moved = np.roll(x, steps, axis=2)
    assert value("delay", moved) - value("delay", x) == pytest.approx(100 * steps / 4096, abs=0.3)


def test_delays_between_two_steps_are_right_on_average():
    x = np.repeat(tone(8, 4, 20, 32), 4000, axis=0)
    moved = shifted("delay", x, 100 * 0.25 / 32)
    assert {tuple(row) for row in moved[:, 0]} == {tuple(x[0, 0]), tuple(np.r_[x[0, 0, 0], x[0, 0, :-1]])}


def test_a_band_is_as_wide_as_its_noise():
    from scipy.fft import idct

    rng = np.random.default_rng(0)
    spectrum = np.abs(rng.normal(1, 0.1, 4096)) * rng.choice([-1, 1], 4096)
    spectrum[2048:] = 0  # nothing in the upper half: 95 % of the amplitudes lie below 0.95 * 50 %
    x = idct(spectrum, norm="ortho").astype(np.float32)[None, None]
    assert value("bandwidth", x) == pytest.approx(47.5, abs=0.5)
    assert value("bandwidth", shifted("bandwidth", x, -20)) == pytest.approx(27.5, abs=1)


@pytest.mark.parametrize("hole", ["zero", "held", "interpolated"])
def test_missing_counts_flat_held_and_interpolated_stretches_but_no_silence_around(hole):
    x = tone(331.7, 1000, 3000)
    assert value("missing", x) == 0
    inside = slice(1500, 1700)
    x[0, 0, inside] = {
        "zero": 0.0,
        "held": x[0, 0, 1499],
        "interpolated": np.linspace(x[0, 0, 1499], x[0, 0, 1700], 202)[1:-1],
    }[hole]
    assert value("missing", x) == pytest.approx(200 / 2000, abs=0.002)
    assert value("missing", x + 40 + np.linspace(0, 3, 4096, dtype=np.float32)) == pytest.approx(0.1, abs=0.003)
    assert value("missing", shifted("missing", x, -0.1)) == 0
    assert np.array_equal(shifted("missing", x, -0.1)[0, 0, :1499], x[0, 0, :1499])


def test_dropouts_lie_at_random_places_and_nothing_else_is_touched():
    x = np.repeat(tone(331.7), 200, axis=0)
    holed = shifted("missing", x, 0.05)
    gone = holed[:, 0] != x[:, 0]
    assert gone.any(axis=0).mean() > 0.9  # somewhere in every part
    assert gone.sum(axis=1) == pytest.approx(0.05 * 4096, abs=4)
    np.testing.assert_allclose(holed[:, 0][gone], 0, atol=0.01)
