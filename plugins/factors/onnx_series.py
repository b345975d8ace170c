"""ONNX forms of level, trend, amplitude and of columns: the exact ones among the factors of series and tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from shiftlens.core.host.kinds import OnnxOperation
from shiftlens.export import traced as tr
from shiftlens.export.traced import Array
from shiftlens.plugins.factors.onnx_pixels import operation, per_sample
from shiftlens.plugins.factors.series_parts import ramp

Shape = tuple[int, ...]


def level(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """The same added to all values."""
    return operation(shape, lambda x: x.astype(np.float64).mean((1, 2)), lambda x, delta: x + per_sample(delta, 3))


def trend(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """A ramp added around the middle."""
    time = ramp(shape[1]).astype(np.float64)
    slope = time / (time @ time)
    return operation(
        shape,
        lambda x: (x.astype(np.float64) * slope).sum(2).mean(1),
        lambda x, delta: x + per_sample(delta, 3) * ramp(shape[1]),
    )


def amplitude(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """A gain around the level."""
    time = ramp(shape[1]).astype(np.float64)
    slope = time / (time @ time)

    def measure(x: Array) -> Array:
        wide = x.astype(np.float64)
        middle, rise = wide.mean(2, keepdims=True), (wide * slope).sum(2, keepdims=True)
        power = ((wide - middle - rise * time) ** 2).mean(1)  # (N, T)
        total = power.sum(1)
        loud = tr.where(total > 1e-12, (power**2).sum(1) / tr.maximum(total, 1e-12), 0)
        decibels = tr.log(tr.where(loud > 0, loud, 1)) * (10 / np.log(10))
        return tr.where(loud > 0, decibels, np.nan)

    def shift(x: Array, delta: Array) -> Array:
        gain = tr.exp(delta.astype(np.float64) * (np.log(10) / 20)) - 1
        return x + per_sample(gain, 3) * (x - x.mean(2, keepdims=True))

    return operation(shape, measure, shift)


def column(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """One column moved by adding."""
    chosen = np.zeros((1, *shape), dtype=np.float32)
    chosen[0, settings.column] = 1
    return operation(
        shape, lambda x: x[:, settings.column], lambda x, delta: x + delta.astype(np.float32)[:, None] * chosen
    )
