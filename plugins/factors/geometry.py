"""Rotation, position and scale: where and how the figure stands.

All three move pixels by one resampling with OpenCV's Lanczos kernel over 8 × 8 pixels, which leaves an image as it is
when nothing moves. Of OpenCV's kernels it comes closest to cubic B-splines (0.002 on average, of 1), keeps more detail,
and takes a third of their time in scipy (benchmarks/warp.md). What comes in from
outside is the ground where there is a plain one, else the mirrored image.
"""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import onnx_geometry, pixels

ROUND = 0.1  # figures less elongated than this, and photographs with less of a grid, have no direction
AT_ONCE = 4  # channels that OpenCV moves in one call
SMALLEST = 16  # px of a photograph's shorter side
FAINT = 0.2  # part of the figure's distance from the ground below which a pixel does not count
PER_DOUBLING = 0.036  # of the image's size: what a zoom to double size moves the spread of detail by, on CIFAR-10


def moved(x: FloatArray, figure: pixels.Figure, inverse: Floats, centre: Floats, offset: Floats) -> FloatArray:
    """Resample: the pixel at ``p`` becomes the value at ``inverse @ (p - centre - offset) + centre``.

    Args:
        x: ``(N, C, H, W)``; ``figure`` tells its plain grounds.
        inverse: ``(N, 2, 2)`` maps (row, column) in the result to the original.
        centre: ``(N, 2)`` (row, column) of the fixed point.
        offset: ``(N, 2)`` the move in px.
    """
    import cv2

    start = centre - np.einsum("nij,nj->ni", inverse, centre + offset)
    matrices = np.concatenate([inverse[:, ::-1, ::-1], start[:, ::-1, None]], axis=2)  # OpenCV counts (column, row)
    still = (inverse == np.eye(2)).all((1, 2)) & (offset == 0).all(1)
    height, width = x.shape[2:]
    made = x.astype(np.float32)  # a copy, in which what stays where it is stays as it is
    for sample in np.flatnonzero(~still):
        border = cv2.BORDER_CONSTANT if figure.plain[sample] else cv2.BORDER_REFLECT_101
        for first in range(0, x.shape[1], AT_ONCE):
            channels = slice(first, first + AT_ONCE)
            made[sample, channels] = cv2.warpAffine(
                np.ascontiguousarray(x[sample, channels].transpose(1, 2, 0)),
                matrices[sample],
                (width, height),
                flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP,
                borderMode=border,
                borderValue=figure.ground[sample, channels].tolist(),
            ).reshape(height, width, -1).transpose(2, 0, 1)  # fmt: skip
    return pixels.clipped(made)


def unturned(count: int) -> Floats:
    """``(N, 2, 2)`` identities."""
    return np.tile(np.eye(2), (count, 1, 1))


def middle(x: FloatArray) -> Floats:
    """``(N, 2)`` centre of the image (row, column)."""
    return np.tile((np.array(x.shape[2:]) - 1) / 2, (len(x), 1))


def moments(figure: pixels.Figure) -> tuple[Floats, Floats]:
    """Centroid ``(N, 2)`` as (row, column) and covariance ``(N, 2, 2)`` in px² of the figure."""
    weight = np.maximum(figure.calm - FAINT, 0).astype(np.float64)
    total = np.maximum(weight.sum((1, 2)), 1e-9)
    rows, columns = np.arange(weight.shape[1]), np.arange(weight.shape[2])
    along_rows, along_columns = weight.sum(2), weight.sum(1)  # (N, H), (N, W)
    centre = np.stack([along_rows @ rows, along_columns @ columns], axis=1) / total[:, None]
    mixed = np.einsum("nhw,h,w->n", weight, rows, columns, optimize=True) / total - centre[:, 0] * centre[:, 1]
    # The smoothing behind `calm` has itself spread the figure by a variance of 1 px² along both axes.
    row_spread = along_rows @ rows**2 / total - centre[:, 0] ** 2 - 1
    column_spread = along_columns @ columns**2 / total - centre[:, 1] ** 2 - 1
    covariance = np.stack([row_spread, mixed, mixed, column_spread], axis=1).reshape(-1, 2, 2)
    return centre, covariance


class Rotation:
    """Tilt in degrees, anticlockwise, 0 is upright.

    On a plain ground the direction of the figure's longer axis, in [-90, 90); in photographs, where most edges are
    level or plumb, the turn of that grid of edges, in [-45, 45), which repeats after 90 degrees already.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)``; NaN for round figures and for photographs without a grid of edges."""
        figure = pixels.figure(x)
        _, covariance = moments(figure)
        rows, columns, mixed = covariance[:, 0, 0], covariance[:, 1, 1], covariance[:, 0, 1]
        # A tilt to the left (anticlockwise) leads up and left: rows and columns then grow together.
        longer = np.rad2deg(np.arctan2(2 * mixed, rows - columns)) / 2
        stretch = np.hypot(rows - columns, 2 * mixed) / np.maximum(rows + columns, 1e-9)
        grid, clear = edge_grid(pixels.lightness(x))
        return np.where(figure.plain, np.where(stretch < ROUND, np.nan, longer), np.where(clear < ROUND, np.nan, grid))

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        figure = pixels.figure(x)
        centroid, _ = moments(figure)
        centre = np.where(figure.plain[:, None], centroid, middle(x))
        angle = np.deg2rad(delta)
        # Rows grow downwards: an anticlockwise turn takes (row, column) from there.
        inverse = np.stack([np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)], axis=1).reshape(-1, 2, 2)
        return moved(x, figure, inverse, centre, np.zeros_like(centre))

    def refuses(self, x: FloatArray) -> str:
        return "most samples are round or without edges, so no direction can be told" if _mostly_nan(self, x) else ""


def edge_grid(light: FloatArray) -> tuple[Floats, Floats]:
    """Turn of the level and plumb edges in degrees [-45, 45), anticlockwise, and how clear it is in [0, 1]."""
    down = (light[:, 2:, 1:-1] - light[:, :-2, 1:-1]).astype(np.float64)
    across = (light[:, 1:-1, 2:] - light[:, 1:-1, :-2]).astype(np.float64)
    slope = across - 1j * down  # rows grow downwards
    fourfold = slope**4
    size = np.abs(slope)
    # Weighted with the square of the gradient: (slope / size)⁴ size².
    direction = (fourfold / np.maximum(size, 1e-9) ** 2).sum((1, 2))
    clear = np.abs(direction) / np.maximum((size**2).sum((1, 2)), 1e-12)
    return np.rad2deg(np.angle(direction)) / 4, clear


class FigurePosition:
    """Centroid of the figure along one axis, in px from the centre of the image; to the right and down is more."""

    def __init__(self, axis: int) -> None:
        self.axis = axis  # 0: rows, 1: columns

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)``; NaN where there is no plain ground."""
        figure = pixels.figure(x)
        centre, _ = moments(figure)
        return np.where(figure.plain, (centre - middle(x))[:, self.axis], np.nan)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        offset = np.zeros((len(x), 2))
        offset[:, self.axis] = np.clip(delta, -x.shape[2 + self.axis] / 2, x.shape[2 + self.axis] / 2)
        return moved(x, pixels.figure(x), unturned(len(x)), middle(x), offset)

    def refuses(self, x: FloatArray) -> str:
        return "most samples have no plain ground on which a figure could move" if pixels.photographs(x) else ""


class FigureSize:
    """Size of what is shown, in px.

    On a plain ground twice the figure's mean distance from its centre (root mean square). In photographs twice the
    mean distance of the detail from the centre of the image: what photographs show stands in the middle, with less
    detail around it, and grows towards the borders in a zoom, while a blur or noise leaves it where it is. That
    measure is weak, sample for sample, so photographs are zoomed by what it is known to move on average
    (`PER_DOUBLING`), not until their own measure has moved. They can only be zoomed in: what lies beyond their
    borders is not known, and mirrored borders are read wrongly.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)``; NaN for flat images."""
        return self._size(x, pixels.figure(x))

    def _size(self, x: FloatArray, figure: pixels.Figure) -> Floats:
        _, covariance = moments(figure)
        size = 2 * np.sqrt(np.maximum(covariance[:, 0, 0] + covariance[:, 1, 1], 0))
        return np.where(figure.plain, size, detail_spread(pixels.lightness(x)))

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        figure = pixels.figure(x)
        centroid, _ = moments(figure)
        centre = np.where(figure.plain[:, None], centroid, middle(x))
        start = self._size(x, figure)
        with np.errstate(invalid="ignore", divide="ignore"):
            grown = np.clip((start + delta) / start, 0.5, 2)
        closer = np.clip(2 ** (delta / (min(x.shape[2:]) * PER_DOUBLING)), 1, 2)
        zoom = np.where(figure.plain, grown, closer)
        zoom = np.where(np.isnan(start), 1, zoom)
        return moved(x, figure, unturned(len(x)) / zoom[:, None, None], centre, np.zeros_like(centre))

    def refuses(self, x: FloatArray) -> str:
        if min(x.shape[2:]) < SMALLEST and pixels.photographs(x):
            return f"in photographs of less than {SMALLEST} px the spread of detail says nothing about size"
        return "the samples are flat: nothing in them has a size" if _mostly_nan(self, x) else ""


def detail_spread(light: FloatArray) -> Floats:
    """Twice the root mean square distance of the gradients from the centre, ``(N,)`` in px; NaN for flat images."""
    calm = pixels.noise_free(light, first=1)
    down, across = np.diff(calm, axis=1)[:, :, :-1], np.diff(calm, axis=2)[:, :-1]
    size = np.hypot(down, across)
    rows, columns = (np.arange(length) - (length - 1) / 2 for length in size.shape[1:])
    total = size.sum((1, 2), dtype=np.float64)
    squared = size.sum(2) @ rows**2 + size.sum(1) @ columns**2
    return np.where(total > 1e-3 * size[0].size, 2 * np.sqrt(squared / np.maximum(total, 1e-9)), np.nan)


def _mostly_nan(worker: Rotation | FigureSize, x: FloatArray) -> bool:
    return bool(np.isnan(worker.measure(x)).mean() > 0.5)


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="rotation",
        summary="tilt of the figure, or of a photograph's level and plumb edges",
        build=lambda settings: Rotation(),
        onnx=onnx_geometry.rotation,
        unit="degrees",
        period=180.0,
        span=15.0,
        noun=("A tilt to the left", "A tilt to the right"),
    ),
    Factor(
        name="position-x",
        summary="horizontal place of the figure on a plain ground",
        build=lambda settings: FigurePosition(1),
        onnx=onnx_geometry.position(1),
        unit="px",
        span=2.0,
        noun=("A place further right", "A place further left"),
    ),
    Factor(
        name="position-y",
        summary="vertical place of the figure on a plain ground",
        build=lambda settings: FigurePosition(0),
        onnx=onnx_geometry.position(0),
        unit="px",
        span=2.0,
        noun=("A lower place", "A higher place"),
    ),
    Factor(
        name="scale",
        summary="size of the figure, or of what a photograph shows in its middle",
        build=lambda settings: FigureSize(),
        onnx=onnx_geometry.scale,
        unit="px",
        span=1.0,
        noun=("Larger objects", "Smaller objects"),
        confused_with=("stroke-thickness", "occlusion", "frequency-balance"),
    ),
)
