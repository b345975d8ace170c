"""Thickness of strokes: of writing, lines, outlines on a plain ground.

Measured as twice the area over the outline of the figure, so that length, place, angle and colour of the strokes do
not matter. Changed by growing or shrinking the figure's soft mask with a disc whose radius goes by fractions of a
pixel; the colour of figure and ground, and whatever lies on them, stay.
"""

from __future__ import annotations

import numpy as np

from shiftlens.core.domain import FloatArray
from shiftlens.core.kinds import Factor
from shiftlens.plugins.factors import pixels
from shiftlens.plugins.factors.pixels import Values

WIDEST = 4.0  # px that a stroke's edge may move outwards
NARROWEST = 1.2  # px that it may move inwards


class StrokeThickness:
    """Thickness in px."""

    period: float | None = None
    span: float = 1.0

    def measure(self, x: FloatArray) -> Values:
        """``(N,)`` in px; NaN where there is no plain ground."""
        figure = pixels.figure(x)
        return np.where(figure.plain, thickness(figure.mask), np.nan)

    def shift(self, x: FloatArray, delta: Values, rng: np.random.Generator) -> FloatArray:
        figure = pixels.figure(x)
        start = thickness(figure.mask)
        # What one unit of mask adds to the distance from the ground, in units of the peak: just under 1.
        height = np.abs(figure.colour - figure.ground).max(1) / np.maximum(figure.peak, 1e-6)
        # An edge moved by one pixel adds up to two pixels of thickness, less where strokes grow together.
        limit = np.where(delta < 0, -NARROWEST, np.minimum(np.abs(delta) * 1.5 + 0.2, WIDEST))

        def measured(strength: Values) -> Values:
            mask = figure.mask + (grown(figure.mask, strength) - figure.mask) * height[:, None, None]
            return thickness(np.clip(mask / np.maximum(pixels.peak_of(mask), 1e-6)[:, None, None], 0, 1))

        strength = np.where(figure.plain, pixels.strength_reaching(start + delta, start, limit, measured, 6), 0)
        change = grown(figure.mask, strength) - figure.mask  # (N, H, W)
        return pixels.clipped(x + change[:, None] * (figure.colour - figure.ground)[:, :, None, None])

    def refuses(self, x: FloatArray) -> str:
        return "most samples have no plain ground on which strokes could stand" if pixels.photographs(x) else ""


def thickness(mask: FloatArray) -> Values:
    """Twice the area over the length of the outline, ``(N,)`` in px; 0 where there is no figure.

    A light smoothing keeps noise from roughening the outline.
    """
    smooth = pixels.smoothed(np.pad(mask, ((0, 0), (1, 1), (1, 1))))
    firm = pixels.firm(smooth / np.maximum(pixels.peak_of(smooth), 1e-6)[:, None, None])
    down, across = np.diff(firm, axis=1)[:, :, :-1], np.diff(firm, axis=2)[:, :-1]
    outline = np.sqrt(down**2 + across**2).sum((1, 2), dtype=np.float64)
    return 2 * firm.sum((1, 2), dtype=np.float64) / np.maximum(outline, 1e-6)


def grown(mask: FloatArray, radius: Values) -> FloatArray:
    """The mask grown (or, with a negative radius, shrunk) by that many px, ``(N, H, W)`` in [0, 1]."""
    outwards = per_mask(radius) >= 0
    # Shrinking the figure is growing the ground.
    grows = np.where(outwards, mask, 1 - mask)
    size = per_mask(np.abs(radius))
    reach = int(np.ceil(np.abs(radius).max(initial=0)))
    wide = np.pad(grows, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    height, width = mask.shape[1:]
    result = grows
    for row in range(-reach, reach + 1):
        for column in range(-reach, reach + 1):
            # A point counts in full within the radius and fades over one pixel beyond it. Taken off, not multiplied:
            # so an edge moves outwards as it is and keeps its steepness.
            beyond = np.maximum(np.hypot(row, column) - size, 0)
            if (row, column) == (0, 0) or (beyond >= 1).all():
                continue
            moved = wide[:, reach + row : reach + row + height, reach + column : reach + column + width]
            result = np.maximum(result, moved - beyond)
    return np.where(outwards, result, 1 - result)


def per_mask(values: Values) -> FloatArray:
    """``(N,)`` as float32 ``(N, 1, 1)``."""
    return values.astype(np.float32)[:, None, None]


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="stroke-thickness",
        summary="thickness of strokes on a plain ground",
        build=lambda settings: StrokeThickness(),
        unit="px",
        noun=("Thicker strokes", "Thinner strokes"),
        confused_with=("scale", "sharpness"),
    ),
)
