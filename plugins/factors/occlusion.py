"""Occlusion of photographs: something without detail covers a part.

Measured as the share of the image that is perfectly flat, which photographs hardly are by nature.
"""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import onnx_detail, pixels

WINDOW = 3  # px
SMALLEST = 16  # px of the shorter side
SAME = 2.5 / 255  # values this close count as the same
Box = tuple[float, float, float, float]
"""Top, left, bottom and right of a part, as shares of the image's sides."""

MOST = 0.6  # share of an image that is covered at most


class Patches:
    """A rectangle at a random place for each of ``count`` images, of any area."""

    def __init__(self, count: int, sides: tuple[int, ...], rng: np.random.Generator) -> None:
        self.sides = sides
        self.turn = np.exp(rng.uniform(-0.4, 0.4, count))  # height over width
        self.where = rng.random((2, count))

    def mask(self, area: Floats, pixels_of: tuple[int, ...] | None = None, box: Box = (0, 0, 1, 1)) -> pixels.Mask:
        """``(N, H, W)`` which pixels are covered, where the rectangles cover the share ``area`` ``(N,)``.

        ``pixels_of`` and ``box``: of a part of the images, its sides in px and where it lies.
        """
        height, width = self.sides
        tall = np.minimum(np.rint(height * np.sqrt(area * self.turn)), height)
        broad = np.minimum(np.rint(area * height * width / np.maximum(tall, 1)), width)
        covered = []
        for place, length, side, first, last, count in zip(
            self.where, (tall, broad), self.sides, box[:2], box[2:], pixels_of or self.sides, strict=True
        ):
            start = np.floor(place * (side - length + 1))[:, None]
            middles = side * (first + (last - first) * (np.arange(count) + 0.5) / count)
            covered.append((middles > start) & (middles < start + length[:, None]))
        return np.asarray(covered[0][:, :, None] & covered[1][:, None])


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
        patches, area = self._patches(x, delta, rng)
        return np.where(patches.mask(area)[:, None], x.mean((2, 3), keepdims=True), x)

    def shift_cut(
        self, x: FloatArray, cut: FloatArray, box: Box, delta: Floats, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """As `shift`, and the same cover on a part that was cut out of each image; see `FactorWorker`."""
        patches, area = self._patches(x, delta, rng)
        colour = x.mean((2, 3), keepdims=True)
        return (
            np.where(patches.mask(area)[:, None], colour, x),
            np.where(patches.mask(area, cut.shape[2:], box)[:, None], colour, cut),
        )

    def _patches(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> tuple[Patches, Floats]:
        """Places of the covers, and the share of the area that each covers."""
        patches = Patches(len(x), x.shape[2:], rng)
        before = flat(x)
        start = share(before)
        limit = np.where(delta > 0, MOST, 0.0)
        return patches, pixels.strength_reaching(
            start + delta, start, limit, lambda area: share(before | patches.mask(area))
        )

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
        onnx=onnx_detail.occlusion,
        unit="of the area",
        span=0.15,
        size="whole",
        noun=("More covered area", "Less covered area"),
    ),
)
