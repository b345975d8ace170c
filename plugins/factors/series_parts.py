"""What the series factors share: the straight line through a series, its loudness, its envelope.

A series is taken apart into its level, its rise and the rest, which are orthogonal: changing one leaves the other two
exactly as they were. All series are ``(N, C, T)`` float32 of any range; what comes out of them is one number a sample.
"""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats, Reals

PIECES = 64  # an envelope follows changes as short as this part of the length


def per_sample(values: Reals) -> FloatArray:
    """``(N,)`` as float32 ``(N, 1, 1)``, to be broadcast over series."""
    return values.astype(np.float32)[:, None, None]


def ramp(length: int) -> FloatArray:
    """From -0.5 to 0.5, ``(T,)``."""
    return np.linspace(-0.5, 0.5, length, dtype=np.float32)


def line(x: FloatArray) -> tuple[Floats, Floats]:
    """Level and rise from end to end of the least-squares line through each channel, each ``(N, C)``."""
    time = ramp(x.shape[2]).astype(np.float64)
    return x.mean(2, dtype=np.float64), x @ (time / (time @ time))


def rest(x: FloatArray) -> FloatArray:
    """The series without their lines, ``(N, C, T)``."""
    level, rise = line(x)
    return x - level.astype(np.float32)[:, :, None] - rise.astype(np.float32)[:, :, None] * ramp(x.shape[2])


def loudness(x: FloatArray) -> Floats:
    """``(N,)`` power of the loud parts: the mean power, weighted with the power itself, so silence hardly counts.

    0 for straight lines.
    """
    power = np.square(rest(x), dtype=np.float64).mean(1)  # (N, T)
    total = power.sum(1)
    return np.where(total > 1e-12, np.einsum("nt,nt->n", power, power) / np.maximum(total, 1e-12), 0.0)


def put_back(changed: FloatArray, x: FloatArray) -> FloatArray:
    """``changed`` on the line of ``x``, and as loud as ``x``."""
    around = rest(changed)
    now = loudness(changed)
    gain = np.sqrt(loudness(x) / np.where(now > 0, now, 1))
    return x - rest(x) + per_sample(np.clip(gain, 0.1, 10)) * around


def envelope(x: FloatArray) -> FloatArray:
    """``(N, T)``: root mean square of the rest in a window that slides along; the ends see shorter windows."""
    power = np.square(rest(x)).mean(1)  # (N, T)
    return np.sqrt(np.maximum(_sliding_mean(power, max(1, x.shape[2] // PIECES)), 0))


def _sliding_mean(values: FloatArray, width: int) -> FloatArray:
    """Mean over ``width`` values around each, ``(N, T)``."""
    length = values.shape[1]
    total = np.zeros((len(values), length + 1))
    np.cumsum(values, axis=1, out=total[:, 1:])
    begin = np.arange(length) - width // 2
    first, last = np.maximum(begin, 0), np.minimum(begin + width, length)
    mean: FloatArray = ((total[:, last] - total[:, first]) / (last - first)).astype(np.float32)
    return mean


def highest(x: FloatArray) -> FloatArray:
    """``(N, T)``: the highest value around each time, mean of the channels.

    An oscillation becomes its upper envelope; a slow curve, or a short series, stays what it is.
    """
    from scipy.ndimage import maximum_filter1d

    width = max(1, x.shape[2] // PIECES)
    result: FloatArray = maximum_filter1d(x, width, axis=2, mode="nearest").mean(1)
    return result


def ground(x: FloatArray) -> FloatArray:
    """Median of each channel, ``(N, C, 1)``: where a sound rests, whatever the length of the silence around it."""
    return np.asarray(np.median(x, axis=2, keepdims=True))
