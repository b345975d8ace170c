"""Occlusion of photographs: something without detail covers a part.

Measured as the share of the image that is perfectly flat, which photographs hardly are by nature.
"""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import pixels

WINDOW = 3  # px
SMALLEST = 16  # px of the shorter side
SAME = 2.5 / 255  # values this close count as the same
MOST = 0.6  # share of an image that is covered at most


class Occlusion:
    """Share of flat area; more covers a rectangle at a random place with the image's mean colour.

    The mean colour leaves brightness and hue where they were. It cannot be undone: a negative delta leaves images as
    they are.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in [0, 1]."""
        if min(x.shape[2:]) < WINDOW:
            return np.full(len(x), np.nan)
        return share(flat(x))

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        count, _, height, width = x.shape
        turn = np.exp(rng.uniform(-0.4, 0.4, count))  # height over width
        where = rng.random((2, count))
        before = flat(x)
        start = share(before)

        def patch(area: Floats) -> pixels.Mask:
            """``(N, H, W)`` a rectangle that covers the share ``area`` of the image."""
            tall = np.minimum(np.rint(height * np.sqrt(area * turn)), height)
            broad = np.minimum(np.rint(area * height * width / np.maximum(tall, 1)), width)
            first_row, first_column = np.floor(where[0] * (height - tall + 1)), np.floor(where[1] * (width - broad + 1))
            rows, columns = np.arange(height)[None], np.arange(width)[None]
            in_rows = (rows >= first_row[:, None]) & (rows < (first_row + tall)[:, None])
            in_columns = (columns >= first_column[:, None]) & (columns < (first_column + broad)[:, None])
            return np.asarray(in_rows[:, :, None] & in_columns[:, None])

        def measured(area: Floats) -> Floats:
            return share(before | patch(area))

        limit = np.where(delta > 0, MOST, 0.0)
        area = pixels.strength_reaching(start + delta, start, limit, measured)
        colour = x.mean((2, 3), keepdims=True)
        return np.where(patch(area)[:, None], colour, x)

    def refuses(self, x: FloatArray) -> str:
        if min(x.shape[2:]) < SMALLEST:
            return f"images of less than {SMALLEST} px have too few pixels for a cover of a given share"
        if not pixels.photographs(x) or np.median(self.measure(x)) > 0.5:
            return "the ground of most samples is itself flat, so a cover cannot be told from it"
        return ""


def share(mask: pixels.Mask) -> Floats:
    """Part of the area that a mask ``(N, H, W)`` covers, ``(N,)``."""
    return np.asarray(mask.mean((1, 2)), dtype=np.float64)


def flat(x: FloatArray) -> pixels.Mask:
    """Which pixels lie in a window that is the same all over in every channel, ``(N, H, W)``."""
    highest, lowest = x, x
    for axis in (2, 3):
        highest, lowest = windows(highest, axis, np.maximum), windows(lowest, axis, np.minimum)
    same = pixels.highest(highest - lowest) < SAME  # (N, H - 2, W - 2), by the window's first corner
    covered = np.zeros((len(x), *x.shape[2:]), dtype=bool)
    for row in range(WINDOW):
        for column in range(WINDOW):
            covered[:, row : row + same.shape[1], column : column + same.shape[2]] |= same
    return covered


def windows(x: FloatArray, axis: int, end: np.ufunc) -> FloatArray:
    """Largest or smallest value of each run of `WINDOW` values along an axis."""
    length = x.shape[axis] - WINDOW + 1
    result = np.take(x, range(length), axis=axis)
    for first in range(1, WINDOW):
        result = end(result, np.take(x, range(first, first + length), axis=axis))
    return result


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="occlusion",
        summary="share of a photograph that is covered by something flat",
        build=lambda settings: Occlusion(),
        unit="of the area",
        span=0.15,
        noun=("More covered area", "Less covered area"),
    ),
)
