"""Noise of images and of series: small independent errors of every value.

Measured as Immerkær does (Fast noise variance estimation, 1996, https://doi.org/10.1006/cviu.1996.0060): second
differences along every axis cancel smooth content; the median of their size, not the mean, keeps edges out.
"""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import onnx_detail, pixels

SHORTEST = 5  # values along an axis below which second differences say nothing


class Noise:
    """Standard deviation of the noise; more adds normal noise, less takes small fine detail away.

    Works on ``(N, C, H, W)`` images, kept within [0, 1], and on ``(N, C, T)`` series, which have no such bounds.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)``, 0 for noiseless samples; NaN where an axis is too short."""
        if min(x.shape[2:]) < SHORTEST:
            return np.full(len(x), np.nan)
        rough = np.abs(second_differences(x)).reshape(len(x), -1)
        return np.median(rough, axis=1).astype(np.float64) * pixels.MEDIAN_TO_SD

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        bounded = x.ndim == 4
        added = rng.standard_normal(x.shape, dtype=np.float32)
        fine = x - pixels.smoothed(x, first=2)
        raised = pixels.per_sample(delta, x) > 0

        def change(strength: Floats, channels: slice = slice(None)) -> FloatArray:
            size, y = pixels.per_sample(np.abs(strength), x), x[:, channels]
            # Less: fine detail is shrunk towards zero by at most ``size``, so that edges stay and noise goes.
            changed = np.where(raised, y + size * added[:, channels], y - np.clip(fine[:, channels], -size, size))
            return pixels.clipped(changed) if bounded else changed.astype(np.float32)

        middle = slice(x.shape[1] // 2, x.shape[1] // 2 + 1)  # of colours green; one channel is like another
        start = self.measure(x[:, middle])
        goal = start + delta
        most = np.full(len(x), pixels.MOST_NOISE) if bounded else 4 * np.abs(delta) + 4 * start
        limit = np.where(delta > 0, np.minimum(most, 4 * np.abs(delta) + 2 * start), 2 * start)
        strength = pixels.strength_reaching(goal, start, limit, lambda s: self.measure(change(s, middle)), 6)
        return change(strength)

    def refuses(self, x: FloatArray) -> str:
        if min(x.shape[2:]) < SHORTEST:
            return f"noise is measured along at least {SHORTEST} values, and an axis of these samples is shorter"
        return ""


def second_differences(x: FloatArray) -> FloatArray:
    """Second differences along every axis after the channels, scaled to keep the variance of independent noise."""
    for axis in range(2, x.ndim):
        x = np.diff(x, n=2, axis=axis) / np.float32(np.sqrt(6))
    return x


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="noise",
        summary="standard deviation of small independent errors",
        build=lambda settings: Noise(),
        onnx=onnx_detail.noise,
        kinds=("image", "series"),
        unit="sd",
        span=0.05,
        size="full",
        noun=("More noise", "Less noise"),
        reference="https://doi.org/10.1006/cviu.1996.0060",
    ),
)
