"""ONNX form of stroke-thickness: follows `strokes` line by line."""

from __future__ import annotations

from typing import Any

import numpy as np

from shiftlens.core.host.kinds import OnnxOperation
from shiftlens.export import traced as tr
from shiftlens.export.traced import Array
from shiftlens.plugins.factors import onnx_pixels as px

Shape = tuple[int, ...]
WIDEST = 4.0  # px that the edge of a stroke may move outwards
ROUNDING = 1e-3  # of the way from ground to figure
THINNEST = 1.5  # px to which strokes may be thinned; below, they fade and break rather than narrow


def stroke_thickness(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """Edges moved in or out by fractions of a pixel, found by the thickness."""
    height, width = shape[1:]

    def thickness(mask: Array) -> Array:
        smooth = px.smoothed(tr.pad(mask, ((0, 0), (1, 1), (1, 1))), 1)
        peak = tr.maximum(px.peak_of(smooth, (height + 2) * (width + 2)), 1e-6)
        firm = tr.clip(2 * (smooth / peak[:, None, None]) - 0.5, 0, 1)
        down = (firm[:, 1:] - firm[:, :-1])[:, :, :-1]
        across = (firm[:, :, 1:] - firm[:, :, :-1])[:, :-1]
        outline = tr.sqrt(down**2 + across**2).astype(np.float64).sum((1, 2))
        return 2 * firm.astype(np.float64).sum((1, 2)) / tr.maximum(outline, 1e-6)

    def measure(x: Array) -> Array:
        figure = px.figure(x, shape)
        return tr.where(figure.plain, thickness(figure.mask), np.nan)

    def shift(x: Array, delta: Array) -> Array:
        delta = delta.astype(np.float64)
        figure = px.figure(x, shape)
        start = thickness(figure.mask)
        wider = tr.minimum(tr.absolute(delta) * 1.5 + 0.2, WIDEST)
        narrower = tr.minimum(wider, tr.maximum(start - THINNEST, 0) / 2)
        limit = tr.where(delta < 0, -narrower, wider)
        rise = tr.absolute(figure.colour - figure.ground).max(1) / tr.maximum(figure.peak, 1e-6)
        inside = depth(figure.mask)
        before = tr.clip(inside, 0, 1)

        def added(strength: Array) -> Array:
            return tr.clip(inside + px.per_sample(strength, 3), 0, 1) - before

        def measured(strength: Array) -> Array:
            return thickness(tr.maximum(figure.mask + added(strength) * rise[:, None, None], 0))

        strength = px.strength_reaching(start + delta, start, limit, measured, 6)
        strength = tr.where(figure.plain, strength, 0)
        colours = (figure.colour - figure.ground)[:, :, None, None]
        return px.clipped(x + added(strength)[:, None] * colours)

    return px.operation(shape, measure, shift)


def depth(mask: Array) -> Array:
    """How deep each pixel lies inside the strokes, ``(N, H, W)`` in px."""
    near = _highest_near(mask)
    solid = tr.where(near < 0.5, 0, mask)
    solid = tr.where(-_highest_near(-mask) >= 0.5, 1, solid)
    solid = tr.where(solid < ROUNDING, 0, tr.where(solid > 1 - ROUNDING, 1, solid))
    return tr.where(solid > 0, 1 - sloping(1 - solid), sloping(solid))


def _highest_near(x: Array) -> Array:
    """Largest value of the 3 × 3 pixels around each."""
    wide = x[:, None]
    found = x.graph.put("MaxPool", [wide], x.dtype, 4, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    return found[:, 0]


def sloping(solid: Array) -> Array:
    """Where ``solid`` is 0, the value that falls by one a pixel from the highest near it."""
    lowest = solid * 0.0 - 2 * WIDEST
    inner = tr.where(solid > 0, solid, lowest)
    for _ in range(int(WIDEST) + 1):
        before = tr.pad(inner + 2 * WIDEST, ((0, 0), (1, 1), (1, 1))) - 2 * WIDEST
        for row in (0, 1, 2):
            for column in (0, 1, 2):
                rows, columns = (slice(place, place - 2 or None) for place in (row, column))
                inner = tr.maximum(inner, before[:, rows, columns] - float(np.hypot(row - 1, column - 1)))
    return tr.where(solid > 0, solid, inner)
