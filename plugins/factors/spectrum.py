"""Sharpness and the balance of low and high frequencies, changed in the cosine transform of the image.

The cosine transform mirrors an image at its borders, so nothing leaks in from the other side, and a Gaussian blur of
any width, different for each sample, is one multiplication.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from shiftlens.core.domain import FloatArray
from shiftlens.core.kinds import Factor
from shiftlens.plugins.factors import pixels
from shiftlens.plugins.factors.pixels import Values
from shiftlens.plugins.factors.tone import light_and_dark


@cache
def cosines(size: int) -> FloatArray:
    """The orthonormal cosine transform as a matrix, ``(size, size)``, rows are frequencies."""
    place, frequency = np.arange(size) + 0.5, np.arange(size)[:, None]
    rows = np.cos(np.pi * frequency * place / size) * np.sqrt(2 / size)
    rows[0] /= np.sqrt(2)
    return np.asarray(rows, dtype=np.float32)


def transform(x: FloatArray) -> FloatArray:
    """Cosine transform over the last two axes."""
    return cosines(x.shape[-2]) @ x @ cosines(x.shape[-1]).T


def restore(spectrum: FloatArray) -> FloatArray:
    """The inverse of `transform`."""
    return cosines(spectrum.shape[-2]).T @ spectrum @ cosines(spectrum.shape[-1])


def frequencies(height: int, width: int) -> FloatArray:
    """Radial frequency of each coefficient in radians per pixel, ``(height, width)``, 0 to pi on each axis."""
    rows, columns = np.arange(height) / height, np.arange(width) / width
    return np.asarray(np.pi * np.hypot(rows[:, None], columns), dtype=np.float32)


class Sharpness:
    """How steep the steepest edges are: the part of the contrast that an edge climbs from one pixel to the next.

    Gradients are averaged with their own squares as weights, so that edges count and flat parts and small noise do
    not. Less is a Gaussian blur, more an unsharp mask.
    """

    period: float | None = None

    def measure(self, x: FloatArray) -> Values:
        """``(N,)`` in units of contrast per pixel; NaN for flat images."""
        return edge_steepness(pixels.lightness(x))

    def shift(self, x: FloatArray, delta: Values, rng: np.random.Generator) -> FloatArray:
        spectrum = transform(x)
        squared = frequencies(*x.shape[-2:]) ** 2

        def change(strength: Values) -> FloatArray:
            """Negative: blur with that sigma in px; positive: that share of the fine detail is added once more."""
            sigma = pixels.per_sample(np.maximum(-strength, 0), x)
            more = pixels.per_sample(np.maximum(strength, 0), x)
            gain = np.exp(-(sigma**2) * squared / 2) + more * (1 - np.exp(-squared / 2))
            return pixels.clipped(restore(spectrum * gain))

        start = self.measure(x)
        limit = np.where(delta < 0, -4.0, 3.0)
        strength = pixels.strength_reaching(start + delta, start, limit, lambda s: self.measure(change(s)), 6)
        return np.where(pixels.per_sample(strength, x) == 0, x, change(strength))

    def refuses(self, x: FloatArray) -> str:
        return "the samples are flat: they have no edges" if np.isnan(self.measure(x)).mean() > 0.5 else ""


def edge_steepness(light: FloatArray) -> Values:
    """``(N,)``: gradients of lightness weighted with their squares, over the contrast; NaN for flat images."""
    down, across = np.diff(light, axis=1)[:, :, :-1], np.diff(light, axis=2)[:, :-1]
    squared = (down**2 + across**2).reshape(len(light), -1)
    steep = np.sqrt(np.einsum("np,np->n", squared, squared) / np.maximum(squared.sum(1, dtype=np.float64), 1e-12))
    contrast = light_and_dark(light)
    return np.where(contrast > 0.01, steep / np.maximum(contrast, 0.01), np.nan)


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="sharpness",
        summary="steepness of the edges; less is a blur",
        build=lambda settings: Sharpness(),
        unit="of contrast per px",
        noun=("Sharper images", "Blurrier images"),
        confused_with=("scale", "jpeg", "noise", "stroke-thickness"),
    ),
)
