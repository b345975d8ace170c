"""A phase vocoder: plays series faster or slower at the same pitch, and higher or lower at the same speed.

Laroche and Dolson, Improved phase vocoder time-scale modification of audio, 1999 (https://doi.org/10.1109/89.759041),
with identity phase locking: the bins around a peak of the spectrum turn together with it. The advance of a peak's
phase is measured between two frames exactly one hop apart, so nothing has to be unwrapped.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shiftlens.core.arrays import FloatArray, Floats, IntArray

CHUNK = 2**19  # values at once, so that the frames take some dozen megabytes
OVERLAP = 4  # frames over each value


def frame_size(length: int) -> int:
    """Values in a frame: about a sixteenth of the length, a power of two from 64 to 2048."""
    return int(2 ** np.clip(np.round(np.log2(length / 16)), 6, 11))


def stretched(x: FloatArray, ratio: Floats, anchor: Floats) -> FloatArray:
    """Each series ``(N, C, T)`` played ``ratio`` times as fast at the same pitch; the time ``anchor`` stays in place.

    What comes before the beginning or after the end is silent; what no longer fits is cut off.
    """
    _, channels, length = x.shape
    hop = frame_size(length) // OVERLAP
    result = np.empty_like(x)
    for rows in _chunks(x):
        flat = x[rows].reshape(-1, length)
        r, a = (np.repeat(v[rows], channels) for v in (ratio, anchor))
        frames = np.arange(-1, length // hop + 3)
        times = a[:, None] + (frames * hop - a[:, None]) * r[:, None]
        result[rows] = vocode(flat, times, np.ones(len(flat)))[:, :length].reshape(-1, channels, length)
    return result


def transposed(x: FloatArray, ratio: Floats) -> FloatArray:
    """Each series ``(N, C, T)`` with all its frequencies ``ratio`` times as high, at the same speed.

    What would rise above the highest frequency is left out.
    """
    _, channels, length = x.shape
    hop = frame_size(length) // OVERLAP
    result = np.empty_like(x)
    for rows in _chunks(x):
        flat = x[rows].reshape(-1, length)
        r = np.repeat(ratio[rows], channels)
        long = int(np.ceil(length * r.max())) + 4
        frames = np.arange(-1, long // hop + 3)
        slow = vocode(flat, frames * hop / r[:, None], r)  # as high as before, ratio times as long
        result[rows] = _at(slow, np.arange(length) * r[:, None]).reshape(-1, channels, length)
    return result


def _chunks(x: FloatArray) -> list[slice]:
    """Parts of ``(N, C, T)`` that are worked on at once."""
    size = max(1, CHUNK // max(1, x.shape[1] * x.shape[2]))
    return [slice(start, start + size) for start in range(0, len(x), size)]


def vocode(flat: FloatArray, times: Floats, ratio: Floats) -> FloatArray:
    """Series put together from the frames found at ``times``, one hop apart from now on.

    Args:
        flat: ``(n, T)``.
        times: ``(n, k)`` where in the series each frame is centred; the second one becomes time 0.
        ratio: ``(n,)`` frequencies above the highest over this are left out.

    Returns:
        ``(n, (k - 1) * hop)``.
    """
    size = frame_size(flat.shape[1])
    hop = size // OVERLAP
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    padded = np.pad(flat, ((0, 0), (2 * size, 2 * size)))
    views = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)
    first = np.clip(np.round(times).astype(np.int64) + 2 * size - size // 2, hop, views.shape[1] - 1)
    rows = np.arange(len(flat))[:, None]
    here = np.fft.rfft(views[rows, first] * window, axis=2)  # (n, k, size // 2 + 1)
    before = np.fft.rfft(views[rows, first - hop] * window, axis=2)
    advance = _unit(here * before.conj())
    bins = np.arange(size // 2 + 1)
    here *= (bins[None] <= bins[-1] / ratio[:, None])[:, None].astype(np.float32)
    peak = _peaks(np.abs(here))
    turn = np.ones_like(here[:, 0])  # (n, bins): by which the frame's phases are turned
    last = here[:, 0].copy()
    for k in range(1, here.shape[1]):
        # Each peak goes on from the phase that its bin had in the last frame, and takes its surroundings along.
        goal = _unit(turn * last) * advance[:, k]
        last = here[:, k].copy()
        turn = np.take_along_axis(goal * _unit(last).conj(), peak[:, k], axis=1)
        here[:, k] = turn * last
    pieces = np.fft.irfft(here, size, axis=2) * window  # (n, k, size)
    n, count = times.shape
    quarters = pieces.reshape(n, count, OVERLAP, hop)
    joined: FloatArray = np.zeros((n, count + OVERLAP - 1, hop), dtype=np.float32)
    for quarter in range(OVERLAP):
        joined[:, quarter : quarter + count] += quarters[:, :, quarter]
    # Hann windows squared, a quarter of their size apart, add up to 1.5. Frame 1 is centred on time 0.
    return joined.reshape(n, -1)[:, hop + size // 2 :] / np.float32(1.5)


def _unit(z: npt.NDArray[np.complexfloating]) -> npt.NDArray[np.complexfloating]:
    """The direction of complex numbers; 1 for zero."""
    size = np.abs(z)
    return np.where(size > 1e-20, z / np.maximum(size, 1e-20), np.complex64(1))


def _peaks(size: FloatArray) -> IntArray:
    """For each bin of ``(n, k, bins)`` magnitudes the nearest one that is larger than two on either side."""
    bins = size.shape[2]
    wide = np.pad(size, ((0, 0), (0, 0), (2, 2)), constant_values=-1)
    peak = np.ones(size.shape, dtype=bool)
    for offset in (0, 1, 3, 4):
        peak &= size >= wide[:, :, offset : offset + bins]
    places = np.arange(bins)
    below = np.maximum.accumulate(np.where(peak, places, -bins), axis=2)
    above = np.minimum.accumulate(np.where(peak, places, 2 * bins)[:, :, ::-1], axis=2)[:, :, ::-1]
    return np.where(places - below <= above - places, below, above)


def _at(series: FloatArray, times: Floats) -> FloatArray:
    """Values ``(n, T)`` of series ``(n, L)`` between their samples, by a cubic through four of them."""
    whole = np.floor(times).astype(np.int64)
    part = (times - whole).astype(np.float32)
    rows = np.arange(len(series))[:, None]
    a, b, c, d = (series[rows, np.clip(whole + k, 0, series.shape[1] - 1)] for k in (-1, 0, 1, 2))
    slope, bend = c - a, 2 * a - 5 * b + 4 * c - d
    result: FloatArray = b + part / 2 * (slope + part * (bend + part * (3 * (b - c) + d - a)))
    return result
