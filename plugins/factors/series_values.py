"""Level, trend and amplitude of series: the three exact ones.

A series is its level, its rise and the rest (see `series_parts`). Level and trend are moved without touching the other
two. A gain, like that of a real sensor, makes the rise as much steeper as the swings stronger; its measure does not see
the rise.
"""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import onnx_series
from shiftlens.plugins.factors.series_parts import line, loudness, per_sample, ramp


class Level:
    """Mean of all values; changed by adding the same to each, as an offset of the sensor does."""

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in the samples' own unit."""
        return np.asarray(line(x)[0].mean(1))

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        return x + per_sample(delta)

    def refuses(self, x: FloatArray) -> str:
        return ""


class Trend:
    """Rise of the least-squares line from the first to the last value; changed by adding a ramp around the middle."""

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in the samples' own unit; mean of the channels."""
        return np.asarray(line(x)[1].mean(1))

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        return x + per_sample(delta) * ramp(x.shape[2])

    def refuses(self, x: FloatArray) -> str:
        return "a series of fewer than 3 values has no trend" if x.shape[2] < 3 else ""


class Amplitude:
    """Loudness of the loud parts about the line through the series; changed by a gain around the level.

    The mean power is weighted with the power itself, so the silence around a sound hardly counts.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in dB, 0 for a power of one squared unit of the samples; NaN for constant series."""
        power = loudness(x)
        return np.where(power > 0, 10 * np.log10(np.where(power > 0, power, 1)), np.nan)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        around: FloatArray = x - x.mean(2, keepdims=True)
        return x + per_sample(10 ** (delta / 20) - 1) * around

    def refuses(self, x: FloatArray) -> str:
        return "most samples are straight lines: nothing swings" if np.mean(loudness(x) == 0) > 0.5 else ""


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="level",
        summary="mean of all values",
        build=lambda settings: Level(),
        onnx=onnx_series.level,
        kinds=("series",),
        unit="raw units",
        noun=("A higher level", "A lower level"),
        confused_with=("missing", "delay"),
    ),
    Factor(
        name="amplitude",
        summary="how strongly the series swings: the loudness of a sound",
        build=lambda settings: Amplitude(),
        onnx=onnx_series.amplitude,
        kinds=("series",),
        unit="dB",
        span=6.0,  # twice as loud
        noun=("Stronger swings", "Weaker swings"),
        confused_with=("noise",),
    ),
    Factor(
        name="trend",
        summary="steady rise or fall from the first to the last value",
        build=lambda settings: Trend(),
        onnx=onnx_series.trend,
        kinds=("series",),
        unit="raw units",
        noun=("A steeper rise", "A steeper fall"),
        confused_with=("amplitude", "delay", "missing"),
    ),
)
