"""`pixels` as ONNX: what the ONNX forms of the image factors share, in the same words.

A served request holds whatever samples it holds, so every sample is judged alone here: whether its own ground is plain,
and not whether that of most samples of the batch is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shiftlens.core.host.kinds import OnnxOperation
from shiftlens.export import traced as tr
from shiftlens.export.traced import Array
from shiftlens.plugins.factors import pixels

Measure = Callable[[Array], Array]
Shift = Callable[[Array, Array], Array]


def operation(shape: tuple[int, ...], measure: Measure | None, shift: Shift, tolerance: float = 1e-4) -> OnnxOperation:
    """The ONNX form made of a measure of samples, and of a shift of samples by strengths."""
    samples, each = ("x", np.float32, ["n", *shape]), ["n"]
    return OnnxOperation(
        shift=tr.model("shift", [samples, ("delta", np.float64, each)], shift, [("changed", *samples[1:])]),
        measure=None if measure is None else tr.model("measure", [samples], measure, [("measured", np.float64, each)]),
        tolerance=tolerance,
    )


def per_sample(values: Array, ndim: int) -> Array:
    """``(N,)`` as float32 with axes of length one behind."""
    return values.astype(np.float32).reshape(-1, *[1] * (ndim - 1))


def lightness(x: Array) -> Array:
    """``(N, H, W)``."""
    return (x.max(1) + x.min(1)) / 2


def clipped(x: Array) -> Array:
    """Within [0, 1]."""
    return tr.clip(x, 0, 1)


def smoothed(x: Array, first: int) -> Array:
    """Weights 1, 2, 1 along every axis from ``first`` on, ends repeated."""
    for axis in range(first, x.ndim):
        ends = [(0, 0)] * x.ndim
        ends[axis] = (1, 1)
        wide = tr.pad(x, ends, "edge")
        before, here, after = (
            wide[(*[slice(None)] * axis, part)] for part in (slice(0, -2), slice(1, -1), slice(2, None))
        )
        x = (before + 2 * here + after) * 0.25
    return x


@dataclass(frozen=True)
class TracedFigure:
    """As `pixels.TracedFigure`, of each sample alone."""

    plain: Array
    ground: Array
    colour: Array
    mask: Array
    peak: Array
    calm: Array


def figure(x: Array, shape: tuple[int, ...]) -> TracedFigure:
    """Tell figure from ground."""
    height, width = shape[1:]
    ring = tr.concatenate([x[:, :, 0], x[:, :, -1], x[:, :, :, 0], x[:, :, :, -1]], axis=2)
    ground = median(ring, 2 * (height + width))  # (N, C)
    beside = ground[:, :, None, None]
    away = tr.absolute(x - beside).max(1)  # (N, H, W)
    peak = peak_of(away, height * width)
    unit = tr.maximum(peak, 1e-6)[:, None, None]
    calm = tr.absolute(smoothed(smoothed(x, 2), 2) - beside).max(1) / unit
    on_ground, between = calm < 0.15, (calm >= 0.2) & (calm < 0.5)
    border = [on_ground[:, 0], on_ground[:, -1], on_ground[:, :, 0], on_ground[:, :, -1]]
    along = tr.concatenate(border, axis=1).mean(1)
    plain = (peak > 0.1) & (along > 0.6) & (on_ground.mean((1, 2)) > 0.25) & (between.mean((1, 2)) < 0.3)
    mask = clipped(away / unit)
    weight = mask**8
    total = tr.maximum(weight.sum((1, 2)), 1e-6)
    colour = (x * weight[:, None]).sum((2, 3)) / total[:, None]
    return TracedFigure(plain, ground, colour, mask, peak, calm)


def median(x: Array, count: int) -> Array:
    """Along the last axis, which holds ``count`` values."""
    top = tr.largest(x, count // 2 + 1)
    lower = top[(*[slice(None)] * (x.ndim - 1), count // 2)]
    if count % 2:
        return lower
    return (lower + top[(*[slice(None)] * (x.ndim - 1), count // 2 - 1)]) / 2


def peak_of(away: Array, count: int) -> Array:
    """Mean of the largest fiftieth of each sample's ``count`` values, ``(N,)``."""
    return tr.largest(away.reshape(0, -1), max(1, count // 50)).mean(1)


def light_and_dark(light: Array) -> tuple[Array, Array]:
    """Lightness of the light and of the dark parts, each ``(N,)`` float64."""
    flat = light.reshape(0, -1)
    threshold = flat.mean(1, keepdims=True)
    for _ in range(4):
        above = flat > threshold
        share = above.astype(np.float64).sum(1, keepdims=True)
        rest = (~above).astype(np.float64).sum(1, keepdims=True)
        high = tr.where(above, flat, 0).astype(np.float64).sum(1, keepdims=True) / tr.maximum(share, 1)
        low = tr.where(above, 0, flat).astype(np.float64).sum(1, keepdims=True) / tr.maximum(rest, 1)
        threshold = ((high + low) / 2).astype(np.float32)
    away = flat - threshold
    ends = []
    for side in (tr.maximum(away, 0), tr.maximum(-away, 0)):
        ends.append((side * side).astype(np.float64).sum(1) / tr.maximum(side.astype(np.float64).sum(1), 1e-9))
    middle = threshold[:, 0].astype(np.float64)
    return middle + ends[0], middle - ends[1]


def reduced(x: Array, shape: tuple[int, ...]) -> Array:
    """Large images as means over squares of pixels, as `pixels.reduced`."""
    side = min(shape[-2:]) // 64
    if side < 2:
        return x
    height, width = (length // side for length in shape[-2:])
    squares = x[:, :, : height * side, : width * side].reshape(0, shape[0], height, side, width * side)
    rows = squares.sum(3)  # (N, C, height, width * side)
    return rows.reshape(0, shape[0], height, width, side).sum(4) * (1 / side**2)


def strength_reaching(
    goal: Array, start: Array, limit: Array, measured: Callable[[Array], Array], evaluations: int = 7
) -> Array:
    """As `pixels.strength_reaching`, in float64: false position on all samples at once."""
    near, near_miss = limit * 0.0, start - goal
    far, far_miss = limit, measured(limit) - goal
    best, best_miss = near, tr.absolute(near_miss)
    for evaluation in range(evaluations):
        if evaluation == 0:
            tried, miss = far, far_miss
        else:
            part = near_miss / (near_miss - far_miss)
            usable = ~tr.isnan(part) & ~tr.isinf(part) & (part > 0) & (part < 1)
            part = tr.where(usable, tr.clip(part, 0.03, 0.97), 0.5)
            tried = near + part * (far - near)
            miss = measured(tried) - goal
        better = tr.absolute(miss) < best_miss * pixels.CLEARLY
        best, best_miss = tr.where(better, tried, best), tr.where(better, tr.absolute(miss), best_miss)
        if evaluation == 0:
            continue
        beyond = ~(miss * near_miss > 0)
        far_miss = tr.where(beyond, miss, far_miss / 2)
        near_miss = tr.where(beyond, near_miss / 2, miss)
        far, near = tr.where(beyond, tried, far), tr.where(beyond, near, tried)
    return best
