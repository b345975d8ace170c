"""ONNX forms of rotation, position and scale: one resampling as OpenCV's Lanczos warp does it, to its rounding.

OpenCV counts places in steps of 1/32 px and weighs 8 × 8 pixels by a table of 32 rows; so does this. A place that lies
between two steps to the last digit may be taken for the one or the other: a single pixel may then differ by what
1/32 px is worth, and `TOLERANCE` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from shiftlens.core.host.kinds import OnnxOperation
from shiftlens.export import traced as tr
from shiftlens.export.traced import Array
from shiftlens.plugins.factors import onnx_pixels as px
from shiftlens.plugins.factors.onnx_pixels import TracedFigure

Shape = tuple[int, ...]
STEPS = 32  # to a pixel
FINE = 1024  # parts of a pixel that OpenCV rounds its sums to
TAPS = 8
TOLERANCE = 0.06


def lanczos() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Weights ``(32, 8)`` of the pixels -3 to 4 from a place, for each step between two pixels; rows sum to 1."""
    away = np.arange(STEPS)[:, None] / STEPS + 3 - np.arange(TAPS)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = (-1.0) ** np.arange(TAPS) * np.sin(np.pi * away / 4) / away**2
    weights[0] = np.arange(TAPS) == 3
    return np.asarray(weights / weights.sum(1, keepdims=True), dtype=np.float32)


def steps_of(along: Array, across: Array) -> tuple[Array, Array]:
    """Whole pixels and 32nds of places that are sums of two parts, rounded as OpenCV rounds them; int64."""
    fine = tr.rint(along * FINE) + tr.rint(across * FINE) + FINE / STEPS / 2
    steps = tr.floor(fine / (FINE / STEPS))
    whole = tr.floor(steps / STEPS)
    return whole.astype(np.int64), (steps - whole * STEPS).astype(np.int64)


def moved(x: Array, shape: Shape, figure: TracedFigure, inverse: list[list[Array]], centre: list[Array]) -> Array:
    """Resample: the pixel at ``p`` becomes the value at ``inverse @ (p - centre) + centre``.

    ``inverse`` holds four ``(N,)`` float64 by (row, column), ``centre`` two: where the fixed point of the original
    comes to lie, and with ``inverse`` of whole numbers the move, see `shifted`.
    """
    starts = [centre[a] - inverse[a][0] * centre[0] - inverse[a][1] * centre[1] for a in (0, 1)]
    return resampled(x, shape, figure, inverse, starts)


def resampled(x: Array, shape: Shape, figure: TracedFigure, inverse: list[list[Array]], starts: list[Array]) -> Array:
    """The pixel at ``p`` becomes the value at ``inverse @ p + starts``."""
    channels, height, width = shape
    rows, columns = np.arange(height)[None, :, None], np.arange(width)[None, None, :]
    wide = [[part[:, None, None] for part in line] for line in inverse]
    places = [
        steps_of(
            wide[a][1] * columns.astype(np.float64), wide[a][0] * rows.astype(np.float64) + starts[a][:, None, None]
        )
        for a in (0, 1)
    ]
    table = x.graph.constant(lanczos(), np.float32)
    flat = x.reshape(0, channels, -1).transpose(0, 2, 1)  # (N, H W, C)
    ground = figure.ground[:, None]  # (N, 1, C)
    plain = figure.plain[:, None, None]
    taps = []  # of rows and of columns: 8 times the index and the weight, each (N, H, W)
    for (whole, part), length in zip(places, (height, width), strict=True):
        weights = tr.gather(table, part, 0)  # (N, H, W, 8)
        entries = []
        for tap in range(TAPS):
            place = whole + (tap - 3)
            inside = (place >= 0) & (place < length)
            weight = weights[:, :, :, tap]
            entries.append((mirrored(place, length), tr.where(plain & ~inside, 0.0, weight)))
        taps.append(entries)
    total = ground
    for row, row_weight in taps[0]:
        for column, column_weight in taps[1]:
            index = (row * width + column).reshape(0, -1, 1)
            values = x.graph.put("GatherND", [flat, index], np.float32, 3, batch_dims=1)
            total = total + (values - ground) * (row_weight * column_weight).reshape(0, -1, 1)
    return px.clipped(total.transpose(0, 2, 1).reshape(0, channels, height, width))


def mirrored(place: Array, length: int) -> Array:
    """Places outside as those inside that mirror them, the outermost pixel being the mirror."""
    if length == 1:
        return place * 0
    period = 2 * (length - 1)
    turned = place - tr.floor(place.astype(np.float64) / period).astype(np.int64) * period
    return tr.minimum(turned, period - turned)


def figure_centre(figure: TracedFigure, shape: Shape) -> tuple[list[Array], list[Array]]:
    """Centroid as (row, column), and row, column and mixed variance, each ``(N,)`` float64; see `geometry.moments`."""
    weight = tr.maximum(figure.calm - 0.2, 0).astype(np.float64)
    total = tr.maximum(weight.sum((1, 2)), 1e-9)
    rows, columns = np.arange(shape[1], dtype=np.float64), np.arange(shape[2], dtype=np.float64)
    along_rows, along_columns = weight.sum(2), weight.sum(1)
    row, column = (along_rows * rows).sum(1) / total, (along_columns * columns).sum(1) / total
    mixed = (weight * (rows[:, None] * columns)).sum((1, 2)) / total - row * column
    return [row, column], [
        (along_rows * rows**2).sum(1) / total - row * row - 1,
        (along_columns * columns**2).sum(1) / total - column * column - 1,
        mixed,
    ]


def fixed_point(figure: TracedFigure, shape: Shape) -> list[Array]:
    """The figure's centroid on a plain ground, else the middle of the image."""
    centroid, _ = figure_centre(figure, shape)
    return [tr.where(figure.plain, centroid[a], (shape[1 + a] - 1) / 2) for a in (0, 1)]


def rotation(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """A turn about the figure's centroid, or the middle of a photograph."""

    def measure(x: Array) -> Array:
        figure = px.figure(x, shape)
        _, (rows, columns, mixed) = figure_centre(figure, shape)
        longer = tr.arctan2(2 * mixed, rows - columns) * (90 / np.pi)
        stretch = tr.sqrt((rows - columns) ** 2 + (2 * mixed) ** 2) / tr.maximum(rows + columns, 1e-9)
        light = px.lightness(x)
        down = (light[:, 2:, 1:-1] - light[:, :-2, 1:-1]).astype(np.float64)
        across = (light[:, 1:-1, 2:] - light[:, 1:-1, :-2]).astype(np.float64)
        squared = across**2 + down**2
        real, imaginary = across**2 - down**2, -2 * (across * down)
        size = tr.maximum(tr.sqrt(squared), 1e-9) ** 2
        east = ((real**2 - imaginary**2) / size).sum((1, 2))
        north = (2 * (real * imaginary) / size).sum((1, 2))
        clear = tr.sqrt(east**2 + north**2) / tr.maximum(squared.sum((1, 2)), 1e-12)
        grid = tr.arctan2(north, east) * (45 / np.pi)
        return tr.where(figure.plain, tr.where(stretch < 0.1, np.nan, longer), tr.where(clear < 0.1, np.nan, grid))

    def shift(x: Array, delta: Array) -> Array:
        figure = px.figure(x, shape)
        angle = delta.astype(np.float64) * (np.pi / 180)
        cosine, sine = tr.cos(angle), tr.sin(angle)
        made = moved(x, shape, figure, [[cosine, sine], [-sine, cosine]], fixed_point(figure, shape))
        return tr.where(px.per_sample(delta, 4).equals(0.0), x, made)

    return px.operation(shape, measure, shift, TOLERANCE)


def position(axis: int) -> Callable[[Any, Shape, np.random.Generator], OnnxOperation]:
    """A move along rows (0) or columns (1)."""

    def form(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
        def measure(x: Array) -> Array:
            figure = px.figure(x, shape)
            centre, _ = figure_centre(figure, shape)
            return tr.where(figure.plain, centre[axis] - (shape[1 + axis] - 1) / 2, np.nan)

        def shift(x: Array, delta: Array) -> Array:
            figure = px.figure(x, shape)
            by = tr.clip(delta.astype(np.float64), -shape[1 + axis] / 2, shape[1 + axis] / 2)
            none, one = by * 0.0, by * 0.0 + 1.0
            starts = [none, none]
            starts[axis] = -by
            made = resampled(x, shape, figure, [[one, none], [none, one]], starts)
            return tr.where(px.per_sample(delta, 4).equals(0.0), x, made)

        return px.operation(shape, measure, shift, TOLERANCE)

    return form


def scale(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """A zoom about the figure's centroid; of photographs about the middle, and closer only."""
    from shiftlens.plugins.factors.geometry import PER_DOUBLING

    def spread(light: Array) -> Array:
        calm = px.smoothed(px.smoothed(light, 1), 1)
        down = (calm[:, 1:] - calm[:, :-1])[:, :, :-1]
        across = (calm[:, :, 1:] - calm[:, :, :-1])[:, :-1]
        size = tr.sqrt(down**2 + across**2)
        rows, columns = (np.arange(length - 1) - (length - 2) / 2 for length in shape[1:])
        total = size.astype(np.float64).sum((1, 2))
        squared = (size.sum(2).astype(np.float64) * rows**2).sum(1) + (size.sum(1).astype(np.float64) * columns**2).sum(
            1
        )
        enough = total > 1e-3 * (shape[1] - 1) * (shape[2] - 1)
        return tr.where(enough, 2 * tr.sqrt(squared / tr.maximum(total, 1e-9)), np.nan)

    def size_of(x: Array, figure: TracedFigure) -> Array:
        _, (rows, columns, _) = figure_centre(figure, shape)
        size = 2 * tr.sqrt(tr.maximum(rows + columns, 0))
        return tr.where(figure.plain, size, spread(px.lightness(x)))

    def shift(x: Array, delta: Array) -> Array:
        delta = delta.astype(np.float64)
        figure = px.figure(x, shape)
        start = size_of(x, figure)
        grown = (start + delta) / start
        grown = tr.clip(tr.where(tr.isnan(grown) | tr.isinf(grown), 2, grown), 0.5, 2)
        doublings = delta / (min(shape[1:]) * PER_DOUBLING)
        closer = tr.clip(tr.exp(doublings * np.log(2)), 1, 2)
        zoom = tr.where(figure.plain, grown, closer)
        zoom = tr.where(tr.isnan(start), 1, zoom)
        part, none = 1 / zoom, zoom * 0.0
        made = moved(x, shape, figure, [[part, none], [none, part]], fixed_point(figure, shape))
        return tr.where(px.per_sample(zoom, 4).equals(1.0), x, made)

    return px.operation(shape, lambda x: size_of(x, px.figure(x, shape)), shift, TOLERANCE)
