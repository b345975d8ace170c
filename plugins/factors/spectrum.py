"""Sharpness and the balance of low and high frequencies, changed in the cosine transform of the image.

The cosine transform mirrors an image at its borders, so nothing leaks in from the other side, and a Gaussian blur of
any width, different for each sample, is one multiplication.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import onnx_detail, pixels


def transform(x: FloatArray) -> FloatArray:
    """Cosine transform over the last two axes."""
    return np.asarray(pixels.cosines(x.shape[-2]) @ x @ pixels.cosines(x.shape[-1]).T, dtype=np.float32)


def restore(spectrum: FloatArray) -> FloatArray:
    """The inverse of `transform`."""
    return np.asarray(
        pixels.cosines(spectrum.shape[-2]).T @ spectrum @ pixels.cosines(spectrum.shape[-1]), dtype=np.float32
    )


class Sharpness:
    """How steep the steepest edges are: the part of the contrast that an edge climbs from one pixel to the next.

    Gradients are averaged with their own fourth powers as weights, so that edges count, flat parts and small noise do
    not. Less is a Gaussian blur, more an unsharp mask.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in units of contrast per pixel; NaN for flat images."""
        return edge_steepness(pixels.lightness(x))

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        squared = pixels.frequencies(*x.shape[-2:]) ** 2

        def change(spectrum: FloatArray, strength: Floats) -> FloatArray:
            """Negative: blur with that sigma in px; positive: that share of the fine detail is added once more."""
            sigma = pixels.per_sample(np.maximum(-strength, 0), spectrum)
            more = pixels.per_sample(np.maximum(strength, 0), spectrum)
            gain = np.exp(-(sigma**2) * squared / 2) + more * (1 - np.exp(-squared / 2))
            return pixels.clipped(restore(spectrum * gain))

        light = pixels.lightness(x)
        of_light = transform(light)  # the strength is found on lightness alone, a third of the work
        start = edge_steepness(light)
        # An edge of width w blurred with sigma is steep as 1 / sqrt(w² + sigma²): no more sigma than twice that.
        fall = np.nan_to_num(start / np.maximum(start + delta, 0.05), nan=1)
        limit = np.where(delta < 0, -np.minimum(2.5 * np.sqrt(np.maximum(fall**2 - 1, 0)), 4), 3.0)
        strength = pixels.strength_reaching(
            start + delta, start, limit, lambda s: edge_steepness(change(of_light, s)), 6
        )
        return np.where(pixels.per_sample(strength, x) == 0, x, change(transform(x), strength))

    def refuses(self, x: FloatArray) -> str:
        return "the samples are flat: they have no edges" if np.isnan(self.measure(x)).mean() > 0.5 else ""


def edge_steepness(light: FloatArray) -> Floats:
    """``(N,)``: gradients of lightness weighted with their fourth powers, over the contrast; NaN for flat images."""
    down, across = np.diff(light, axis=1)[:, :, :-1], np.diff(light, axis=2)[:, :-1]
    squared = (down**2 + across**2).reshape(len(light), -1)
    weight = squared * squared
    steep = np.sqrt(np.einsum("np,np->n", squared, weight) / np.maximum(weight.sum(1, dtype=np.float64), 1e-12))
    lightest, darkest = pixels.light_and_dark(light)
    contrast = lightest - darkest
    return np.where(contrast > 0.01, steep / np.maximum(contrast, 0.01), np.nan)


class FrequencyBalance:
    """Coarse against fine structure: variance in the low over that in the middle frequencies, in decibels.

    Low means up to 2.5 waves across the image, middle up to 6. Finer detail, where blur and noise live, is neither
    measured nor changed, and the variance of the two bands together, and so the contrast, stays.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in dB; NaN for flat images."""
        return band_ratio(transform(pixels.lightness(x)))

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        spectrum = transform(x)
        waves = waves_across(*x.shape[-2:])
        # From low to middle, and from middle to fine, over half an octave, so that no edge of a filter rings.
        below_low, below_middle = (
            np.clip(0.5 + 2 * np.log2(edge / np.maximum(waves, 0.1)), 0, 1) for edge in (LOW, MIDDLE)
        )
        low = np.asarray(below_low * (waves > 0), dtype=np.float32)  # (H, W)
        middle = np.asarray(below_middle - below_low, dtype=np.float32)
        energy = (spectrum**2).sum(1)  # (N, H, W)
        of_low, of_middle = (energy * low).sum((1, 2)), (energy * middle).sum((1, 2))

        def change(decibels: Floats) -> FloatArray:
            # Low is raised by the ratio, then both are scaled so that their energy together stays.
            ratio = 10 ** (decibels / 10)
            scale = (of_low + of_middle) / np.maximum(ratio * of_low + of_middle, 1e-12)
            more_low = pixels.per_sample(np.sqrt(ratio * scale) - 1, spectrum)
            more_middle = pixels.per_sample(np.sqrt(scale) - 1, spectrum)
            return pixels.clipped(restore(spectrum * (1 + more_low * low + more_middle * middle)))

        start = self.measure(x)
        limit = np.clip(2 * delta, -12, 12)
        strength = pixels.strength_reaching(start + delta, start, limit, lambda s: self.measure(change(s)), 5)
        return np.where(pixels.per_sample(strength, x) == 0, x, change(strength))

    def refuses(self, x: FloatArray) -> str:
        if min(x.shape[2:]) < 2 * MIDDLE:
            return f"the bands of frequencies need {2 * MIDDLE} px, and these images are smaller"
        return "the samples are flat: they have no structure" if np.isnan(self.measure(x)).mean() > 0.5 else ""


LOW, MIDDLE = 2.5, 6  # waves across the image up to which frequencies are low, and middle


@cache
def waves_across(height: int, width: int) -> FloatArray:
    """Waves across the image of each coefficient of `transform`, ``(height, width)``."""
    rows, columns = np.arange(height) / 2, np.arange(width) / 2
    return np.asarray(np.hypot(rows[:, None], columns), dtype=np.float32)


def bands(height: int, width: int) -> tuple[pixels.Mask, pixels.Mask]:
    """Which coefficients are of low and which of middle frequency, each ``(height, width)``."""
    waves = waves_across(height, width)
    return (waves > 0) & (waves <= LOW), (waves > LOW) & (waves <= MIDDLE)


def band_ratio(spectrum: FloatArray) -> Floats:
    """Low over middle energy of transformed lightness ``(N, H, W)``, in dB ``(N,)``; NaN where there is none."""
    low, middle = ((spectrum[:, band] ** 2).sum(1, dtype=np.float64) for band in bands(*spectrum.shape[1:]))
    seen = (low > 1e-6) & (middle > 1e-6)
    return np.where(seen, 10 * np.log10(np.where(seen, low, 1) / np.where(seen, middle, 1)), np.nan)


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="sharpness",
        summary="steepness of the edges; less is a blur",
        build=lambda settings: Sharpness(),
        onnx=onnx_detail.sharpness,
        unit="of contrast per px",
        span=-0.2,
        size="full",
        noun=("Sharper images", "Blurrier images"),
        confused_with=("stroke-thickness", "scale", "rotation", "jpeg", "occlusion"),
    ),
    Factor(
        name="frequency-balance",
        summary="coarse against fine structure",
        build=lambda settings: FrequencyBalance(),
        onnx=onnx_detail.frequency_balance,
        unit="dB",
        span=3.0,
        size="whole",
        noun=("Coarser structure", "Finer structure"),
        confused_with=("stroke-thickness", "scale", "sharpness"),
    ),
)
