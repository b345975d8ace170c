"""Pitch and bandwidth of series: where the strongest frequencies lie, and up to where there are any.

No sampling rate is known here, so pitch is counted from one wave over the whole series, and bandwidth as a part of the
highest frequency that the series can hold.
"""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors.pixels import strength_reaching
from shiftlens.plugins.factors.series_parts import ground, per_sample, put_back, rest
from shiftlens.plugins.factors.series_vocoder import transposed

SHORTEST_TONE = 256  # values below which a series has too few frames for the vocoder
FEWEST_WAVES = 8  # over the whole series, below which a curve is a shape and not a tone
OCTAVE = 12.0  # semitones; pitch is moved by no more than one octave up or down

EDGE = 0.95  # part of the amplitude spectrum that lies below the edge of the band
SHORTEST_BAND = 16
STEEP = 6  # order of the low-pass (Butterworth)
LOWEST = 5.0  # octaves from twice the highest frequency down to the lowest cut
TILT = 3.0  # largest power of the frequency with which the high ones are raised


class Pitch:
    """The dominant frequency: the mean of log frequency, weighted with the squared power, so that only peaks count.

    Changed by a phase vocoder and resampling: all frequencies in proportion; lengths, rhythm and loudness stay.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in semitones above one wave over the whole series; NaN for constant series."""
        power = np.square(np.abs(np.fft.rfft(rest(x), axis=2))[:, :, 1:]).mean(1, dtype=np.float64)  # (N, T // 2)
        weight = power**2
        height = 12 * np.log2(np.arange(1, weight.shape[1] + 1))
        total = weight.sum(1)
        return np.where(total > 1e-30, weight @ height / np.maximum(total, 1e-30), np.nan)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        ratio = 2 ** (np.clip(delta, -OCTAVE, OCTAVE) / 12)
        quiet = ground(x)
        changed = quiet + transposed(x - quiet, ratio)
        return np.where(per_sample(delta) == 0, x, put_back(changed, x))

    def refuses(self, x: FloatArray) -> str:
        if x.shape[2] < SHORTEST_TONE:
            return f"series of {x.shape[2]} values are too short to have a pitch; it takes {SHORTEST_TONE}"
        height = self.measure(x)
        tones = height > 12 * np.log2(FEWEST_WAVES)  # False for NaN
        if tones.mean() < 0.5:
            return f"most samples swing fewer than {FEWEST_WAVES} times: they are curves, not tones"
        return ""


class Bandwidth:
    """The frequency below which 95 % of the amplitude spectrum lies.

    Less is a low-pass filter, more raises the high frequencies that are there; the loudness stays. Both in the cosine
    transform, which mirrors a series at its ends, so nothing leaks in from the other end.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in % of the highest frequency; NaN for constant series."""
        return edge(np.abs(_transform(rest(x))).mean(1))

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        around = rest(x)
        spectrum = _transform(around)
        size = np.abs(spectrum).mean(1)  # (N, T)
        frequency = (np.arange(x.shape[2]) / x.shape[2]).astype(np.float32)  # of the highest
        start = edge(size)
        middle = np.nan_to_num(start, nan=50)[:, None].astype(np.float32) / 400  # a quarter of the edge

        def gain(strength: Floats) -> FloatArray:
            """``(N, T)``; negative: octaves that the low-pass comes down, positive: the power of the tilt."""
            s = strength.astype(np.float32)[:, None]
            low_pass = 1 / np.sqrt(1 + (frequency / np.exp2(1 + np.minimum(s, 0))) ** (2 * STEEP))
            tilt = (1 + (frequency / middle) ** 2) ** (np.maximum(s, 0) / 2)
            return np.asarray(np.where(s < 0, low_pass, tilt), dtype=np.float32)

        limit = np.where(delta < 0, -LOWEST, TILT)
        strength = strength_reaching(start + delta, start, limit, lambda s: edge(size * gain(s)))
        changed = _restore(spectrum * gain(strength)[:, None])
        return np.where(per_sample(strength) == 0, x, put_back(changed, x))

    def refuses(self, x: FloatArray) -> str:
        if x.shape[2] < SHORTEST_BAND:
            return f"series of {x.shape[2]} values hold too few frequencies; it takes {SHORTEST_BAND} values"
        return ""


def edge(size: FloatArray) -> Floats:
    """Where the running sum of ``(N, T)`` magnitudes passes its `EDGE`, in % of ``T``, between the bins."""
    total = np.cumsum(size, axis=1, dtype=np.float64)
    goal = EDGE * total[:, -1:]
    place = np.argmax(total >= goal, axis=1)
    rows = np.arange(len(size))
    step = np.maximum(size[rows, place], 1e-30)
    part = 1 - (total[rows, place] - goal[:, 0]) / step
    return np.where(total[:, -1] > 1e-9, 100 * (place + part) / size.shape[1], np.nan)


def _transform(x: FloatArray) -> FloatArray:
    """Orthonormal cosine transform along time."""
    from scipy.fft import dct

    result: FloatArray = dct(x, axis=2, norm="ortho")
    return result


def _restore(spectrum: FloatArray) -> FloatArray:
    """The inverse of `_transform`."""
    from scipy.fft import idct

    result: FloatArray = idct(spectrum, axis=2, norm="ortho")
    return result


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="pitch",
        summary="dominant frequency, counted from one wave over the whole series",
        build=lambda settings: Pitch(),
        why_no_onnx="a phase vocoder works frame by frame, which ONNX cannot for strengths of their own",
        kinds=("series",),
        unit="semitones",
        span=3.0,
        noun=("A higher pitch", "A lower pitch"),
        confused_with=("noise",),
        reference="https://doi.org/10.1109/89.759041",
    ),
    Factor(
        name="bandwidth",
        summary="up to which frequency the series has content",
        build=lambda settings: Bandwidth(),
        why_no_onnx="nobody has written one for filters in the cosine transform of a series",
        kinds=("series",),
        unit="% of the highest frequency",
        span=-10.0,
        noun=("A wider band", "A narrower band"),
        confused_with=("noise", "pitch", "missing"),
    ),
)
