"""Brightness, contrast and the level of a plain ground: what happens to the lightness of an image.

Each changes the channels as cameras and editors do (a gain, a spread about the mean, a lifted ground), so hue stays.
"""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import onnx_tone, pixels


class Brightness:
    """Mean lightness; changed by a gain, as an exposure is, so black stays black."""

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in [0, 1]."""
        return np.asarray(pixels.lightness(x).mean((1, 2)), dtype=np.float64)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        small = pixels.reduced(x)
        top, bottom = pixels.highest(small), pixels.lowest(small)

        def measured(strength: Floats) -> Floats:
            gain = pixels.per_sample(np.exp(strength), top)
            ends = np.minimum(top * gain, 1) + np.minimum(bottom * gain, 1)
            return np.asarray(ends.mean((1, 2)) / 2, dtype=np.float64)

        start = self.measure(small)
        limit = np.where(delta < 0, -2.5, 1.5)  # log of the gain: down to a twelfth, up to 4.5 times
        strength = pixels.strength_reaching(start + delta, start, limit, measured)
        return pixels.clipped(x * pixels.per_sample(np.exp(strength), x))

    def refuses(self, x: FloatArray) -> str:
        return ""


class Contrast:
    """Light minus dark parts over their sum (Michelson), which a brighter or darker exposure leaves alone.

    Changed by spreading all values about the mean lightness.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in [0, 1]; NaN for black images."""
        light, dark = pixels.light_and_dark(pixels.lightness(x))
        return np.where(light + dark > 0.01, (light - dark) / np.maximum(light + dark, 0.01), np.nan)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        small, middle = pixels.reduced(x), per_image(pixels.lightness(x).mean((1, 2)))

        def spread(y: FloatArray, strength: Floats) -> FloatArray:
            return pixels.clipped(middle + (y - middle) * pixels.per_sample(1 + strength, y))

        start = self.measure(small)
        limit = np.where(delta < 0, -0.97, 4.0)
        strength = pixels.strength_reaching(start + delta, start, limit, lambda s: self.measure(spread(small, s)), 6)
        return spread(x, strength)

    def refuses(self, x: FloatArray) -> str:
        return ""


class Background:
    """Lightness of the plain ground; the figure keeps its colour."""

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in [0, 1]; NaN where there is no plain ground."""
        figure = pixels.figure(x)
        level = (figure.ground.max(1) + figure.ground.min(1)).astype(np.float64) / 2
        return np.where(figure.plain, level, np.nan)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        figure = pixels.figure(x)
        lift = pixels.clipped(figure.ground + delta[:, None].astype(np.float32)) - figure.ground  # (N, C)
        lift[~figure.plain] = 0
        return pixels.clipped(x + (1 - figure.mask)[:, None] * lift[:, :, None, None])

    def refuses(self, x: FloatArray) -> str:
        return "most samples have no plain ground" if pixels.photographs(x) else ""


def per_image(values: FloatArray) -> FloatArray:
    """``(N,)`` with three axes of length one."""
    return values[:, None, None, None]


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="brightness",
        summary="mean lightness, as an exposure changes it",
        build=lambda settings: Brightness(),
        onnx=onnx_tone.brightness,
        unit="of full range",
        span=-0.05,
        noun=("Brighter images", "Darker images"),
        confused_with=("background", "stroke-thickness", "scale", "noise", "frequency-balance"),
    ),
    Factor(
        name="contrast",
        summary="distance between light and dark parts, relative to both",
        build=lambda settings: Contrast(),
        onnx=onnx_tone.contrast,
        unit="of full range",
        span=-0.15,
        noun=("More contrast", "Less contrast"),
        confused_with=("background", "noise", "frequency-balance"),
    ),
    Factor(
        name="background",
        summary="lightness of the plain ground",
        build=lambda settings: Background(),
        onnx=onnx_tone.background,
        unit="of full range",
        span=0.2,
        noun=("A lighter ground", "A darker ground"),
        confused_with=("contrast",),
    ),
)
