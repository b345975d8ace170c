"""Thickness of strokes: of writing, lines, outlines on a plain ground.

Measured as twice the area over the outline of the figure, so that length, place, angle and colour of the strokes do
not matter. Changed by moving the edges in or out by fractions of a pixel; the sharpness of the edges, the colours of
figure and ground, and whatever lies on them, stay.
"""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import onnx_strokes, pixels
from shiftlens.plugins.factors.onnx_strokes import ROUNDING, THINNEST, WIDEST


class StrokeThickness:
    """Thickness in px."""

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in px; NaN where there is no plain ground."""
        figure = pixels.figure(x)
        return np.where(figure.plain, thickness(figure.mask), np.nan)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        figure = pixels.figure(x)
        start = thickness(figure.mask)
        # An edge moved by one pixel adds up to two pixels of thickness, less where strokes grow together.
        wider = np.minimum(np.abs(delta) * 1.5 + 0.2, WIDEST)
        narrower = np.minimum(wider, np.maximum(start - THINNEST, 0) / 2)
        limit = np.where(delta < 0, -narrower, wider)
        # What one unit of mask adds to the distance from the ground, in units of the peak: just under 1.
        height = np.abs(figure.colour - figure.ground).max(1) / np.maximum(figure.peak, 1e-6)
        inside = depth(figure.mask)

        def added(strength: Floats) -> FloatArray:
            """What moving the edges outwards by ``strength`` px adds to the mask, ``(N, H, W)``."""
            moved = np.clip(inside + strength[:, None, None].astype(np.float32), 0, 1)
            return np.asarray(moved - np.clip(inside, 0, 1), dtype=np.float32)

        def measured(strength: Floats) -> Floats:
            return thickness(np.clip(figure.mask + added(strength) * height[:, None, None], 0, None))

        strength = np.where(figure.plain, pixels.strength_reaching(start + delta, start, limit, measured, 6), 0)
        colours = (figure.colour - figure.ground)[:, :, None, None]
        return pixels.clipped(x + added(strength)[:, None] * colours)

    def refuses(self, x: FloatArray) -> str:
        return "most samples have no plain ground on which strokes could stand" if pixels.photographs(x) else ""


def thickness(mask: FloatArray) -> Floats:
    """Twice the area over the length of the outline, ``(N,)`` in px; 0 where there is no figure.

    A light smoothing keeps noise from roughening the outline.
    """
    smooth = pixels.smoothed(np.pad(mask, ((0, 0), (1, 1), (1, 1))), first=1)
    peak = np.maximum(pixels.peak_of(smooth), np.float32(1e-6))
    firm = pixels.firm(np.asarray(smooth / peak[:, None, None], dtype=np.float32))
    down, across = np.diff(firm, axis=1)[:, :, :-1], np.diff(firm, axis=2)[:, :-1]
    outline = np.sqrt(down**2 + across**2).sum((1, 2), dtype=np.float64)
    area = firm.sum((1, 2), dtype=np.float64)
    return np.asarray(2 * area / np.maximum(outline, 1e-6))


def depth(mask: FloatArray) -> FloatArray:
    """How deep each pixel lies inside the strokes, ``(N, H, W)`` in px.

    On an edge it is the share of the pixel that is covered, 0 to 1; it grows by one each pixel inwards and falls
    outwards. So ``clip(depth + r, 0, 1)`` is the figure with its edges moved out by ``r`` px, as sharp as before.
    """
    from scipy import ndimage

    # Only edges count: faint spots on the ground and pale ones inside a stroke are noise or texture.
    near = (1, 3, 3)
    solid = np.where(ndimage.maximum_filter(mask, near) < 0.5, 0, mask)
    solid = np.where(ndimage.minimum_filter(mask, near) >= 0.5, 1, solid)
    # A stroke of one colour is 1 but for rounding, which must not make its pixels the edge.
    solid = np.where(solid < ROUNDING, 0, np.where(solid > 1 - ROUNDING, 1, solid))
    # Seen from the ground the same holds, with 1 - depth.
    return np.where(solid > 0, 1 - sloping(1 - solid), sloping(solid))


def sloping(solid: FloatArray) -> FloatArray:
    """Where ``solid`` is 0, the value that falls by one a pixel from the highest near it, down to -`WIDEST`."""
    count, height, width = solid.shape
    wide = np.full((count, height + 2, width + 2), -2 * WIDEST, dtype=np.float32)
    inner = wide[:, 1:-1, 1:-1]
    inner[:] = np.where(solid > 0, solid, -2 * WIDEST)
    for _ in range(int(WIDEST) + 1):  # each round reaches one pixel further
        before = wide.copy()
        for row in (0, 1, 2):
            for column in (0, 1, 2):
                fallen = before[:, row : row + height, column : column + width] - np.hypot(row - 1, column - 1)
                np.maximum(inner, fallen, out=inner)
    return np.where(solid > 0, solid, inner).astype(np.float32, copy=False)


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="stroke-thickness",
        summary="thickness of strokes on a plain ground",
        build=lambda settings: StrokeThickness(),
        onnx=onnx_strokes.stroke_thickness,
        unit="px",
        span=1.0,
        noun=("Thicker strokes", "Thinner strokes"),
        confused_with=("scale", "frequency-balance", "jpeg"),
    ),
)
