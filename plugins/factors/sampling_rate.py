"""Sampling rate: recordings of one rate, read as if they had another, so that they play too fast or too slowly.

Pitch, tempo and length change together by one ratio, which is that of two rates in use.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor, Variant

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000)
MOST = 6  # times too fast or too slow
SHORTEST = 64


def _ratios() -> dict[str, Fraction]:
    """Each ratio of two rates other than 1, the simplest first, by its name."""
    found = {Fraction(a, b) for a in RATES for b in RATES if a != b}
    simple = sorted(found, key=lambda r: (max(r.numerator, r.denominator), -r))
    return {
        f"{'faster' if r > 1 else 'slower'}-{float(max(r, 1 / r)):.4g}": r
        for r in simple
        if Fraction(1, MOST) <= r <= MOST
    }


RATIOS = _ratios()


class SamplingRate:
    """Played too fast or too slowly from the beginning on; silence follows what ends too early."""

    def signs(self, x: FloatArray) -> Floats:
        """``(N, 0)``: times and frequencies of the series show it."""
        return np.zeros((len(x), 0))

    def make(self, x: FloatArray, variant: str) -> FloatArray:
        return played(x, RATIOS[variant])

    def undo(self, x: FloatArray, variant: str) -> FloatArray:
        return played(x, 1 / RATIOS[variant])

    def refuses(self, x: FloatArray) -> str:
        if x.shape[2] < SHORTEST:
            return f"series of {x.shape[2]} values are too short to be resampled; it takes {SHORTEST}"
        return ""


def played(x: FloatArray, ratio: Fraction) -> FloatArray:
    """Series ``(N, C, T)`` played ``ratio`` times as fast, of the same length."""
    from scipy.signal import resample_poly

    length = x.shape[2]
    needed = min(length, int(np.ceil(length * ratio)) + 64)  # what still falls into the length
    made = resample_poly(x[..., :needed], ratio.denominator, ratio.numerator, axis=2).astype(np.float32)[..., :length]
    return np.pad(made, ((0, 0), (0, 0), (0, length - made.shape[2])))


def _variant(name: str, ratio: Fraction) -> Variant:
    times = f"{float(max(ratio, 1 / ratio)):.4g}"
    if ratio > 1:
        return Variant(
            name,
            f"Recordings that play {times} times too fast (read at {times} times their sampling rate)",
            f"resample the recordings to the source's rate: they have 1/{times} of it",
        )
    return Variant(
        name,
        f"Recordings that play {times} times too slowly (read at 1/{times} of their sampling rate)",
        f"resample the recordings to the source's rate: they have {times} times as much",
    )


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="sampling-rate",
        summary="recordings read at a sampling rate that is not theirs",
        build=lambda settings: SamplingRate(),
        why_no_onnx="nobody has written one for filters between two sampling rates",
        kinds=("series",),
        variants=tuple(_variant(name, ratio) for name, ratio in RATIOS.items()),
    ),
)
