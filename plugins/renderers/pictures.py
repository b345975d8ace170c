"""Samples as pictures: images as tiles of one sheet per pair, series as lines, vectors as bars.

An image tile is a window (an SVG view box) onto a sheet that stands once in the page as a data URI (WebP). Lines and
bars are SVG paths that take their colour from the page, so they work on dark and light. With each stands the *ghost*:
the sample that the row of pictures began with, so that a change can be seen.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlens.core.arrays import BoolArray, Floats, Pixels, Reals

LARGEST_TILE = 128  # pixels a side; more than a cell of the grid shows on a dense screen
PIXEL_BUDGET = 6_000_000  # of all tiles together: keeps a page of fifty pairs of large photographs openable
EDGE = 2  # pixels around each tile
PIXELATED_BELOW = 96  # smaller images are scaled up with hard pixels, so that nothing is shown that is not there
WIDTH, HEIGHT = 200, 120  # of lines and bars
VIEW = f"0 0 {WIDTH} {HEIGHT}"
LONGEST_LINE = 150  # values; a longer series is drawn as the band between its smallest and largest values
BINS = 100
MOST_LANES = 6  # channels of a series drawn below each other
MOST_BARS = 60
CHANGED = 0.1  # part of its column's range by which a bar differs from the ghost before it is marked


@dataclass(frozen=True)
class Picture:
    """One sample, ready to be drawn: a window onto a sheet, or paths.

    Attributes:
        view_box: of the SVG.
        sheet: id of the sheet that the window looks at; empty for paths.
        paths: (class of the style sheet, path data), from back to front; empty for images.
    """

    view_box: str
    sheet: str = ""
    paths: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Sheet:
    """Tiles of one pair as one image; ``pixelated`` tells to scale it with hard pixels."""

    id: str
    uri: str
    width: int
    height: int
    pixelated: bool


def largest_side(tiles: int) -> int:
    """Longest side in pixels that each of so many tiles may have."""
    return int(min(LARGEST_TILE, max(24.0, (PIXEL_BUDGET / max(tiles, 1)) ** 0.5)))


def image_sheet(name: str, samples: Reals, side: int, quality: int | None = None) -> tuple[Sheet, list[Picture]]:
    """Images ``(n, C, H, W)`` in [0, 1] as one sheet and a window for each; equal images share a tile.

    One channel is grey, three are colours; of any other number the mean is shown. ``side`` bounds the tiles' size.
    Every pixel is kept where ``quality`` is left out, and where that takes no more room; else it is WebP's, 0 to 100.
    """
    from PIL import Image

    pixels = _pixels(samples)  # (n, H, W) or (n, H, W, 3) uint8
    if max(pixels.shape[1:3]) > side:
        scale = side / max(pixels.shape[1:3])
        size = tuple(max(1, round(n * scale)) for n in (pixels.shape[2], pixels.shape[1]))
        resized = [np.asarray(Image.fromarray(tile).resize(size, Image.Resampling.LANCZOS)) for tile in pixels]
        pixels = np.stack(resized)
    pixelated = max(pixels.shape[1:3]) < PIXELATED_BELOW
    canvas, windows = _laid_out(pixels)
    content = _webp(canvas, lossless=True)
    if quality is not None:
        # Small tiles are enlarged first, since WebP keeps colours at half the resolution only.
        tiles = pixels.repeat(2, axis=1).repeat(2, axis=2) if pixelated else pixels
        large, places = _laid_out(tiles)
        lossy = _webp(large, quality=quality)
        if len(lossy) < len(content):
            canvas, windows, content = large, places, lossy
    uri = "data:image/webp;base64," + base64.b64encode(content).decode("ascii")
    sheet = Sheet(name, uri, canvas.shape[1], canvas.shape[0], pixelated)
    return sheet, [Picture(window, sheet=name) for window in windows]


def _laid_out(pixels: Pixels) -> tuple[Pixels, list[str]]:
    """Tiles ``(n, H, W[, 3])`` side by side in one image, equal ones once, and the view box of each."""
    height, width = pixels.shape[1:3]
    tiles: dict[bytes, int] = {}
    places = [tiles.setdefault(tile.tobytes(), len(tiles)) for tile in pixels]
    first = [places.index(place) for place in range(len(tiles))]
    # The margin repeats each tile's edge: a browser that samples just outside a window finds no neighbour.
    margin = [(0, 0), (EDGE, EDGE), (EDGE, EDGE), (0, 0)][: pixels.ndim]
    framed = np.pad(pixels[first], margin, mode="edge")
    tall, wide = framed.shape[1:3]
    columns = int(np.ceil(len(framed) ** 0.5))
    rows = -(-len(framed) // columns)
    canvas = np.zeros((rows * tall, columns * wide, *pixels.shape[3:]), dtype=np.uint8)
    corners = []
    for place, tile in enumerate(framed):
        y, x = place // columns * tall, place % columns * wide
        canvas[y : y + tall, x : x + wide] = tile
        corners.append((x + EDGE, y + EDGE))
    return canvas, [f"{corners[place][0]} {corners[place][1]} {width} {height}" for place in places]


def _webp(canvas: Pixels, **how: Any) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(canvas).save(stream, format="WEBP", **how)
    return stream.getvalue()


def _pixels(samples: Reals) -> Pixels:
    """``(n, C, H, W)`` in [0, 1] to ``(n, H, W)`` or ``(n, H, W, 3)`` uint8."""
    channels = samples.shape[1]
    if channels == 3:
        shown = np.moveaxis(samples, 1, -1)  # (n, H, W, 3)
    else:
        shown = samples.mean(axis=1)  # (n, H, W)
    return (np.clip(np.nan_to_num(shown, nan=0.5), 0, 1) * 255).round().astype(np.uint8)


@dataclass(frozen=True)
class Range:
    """Smallest and largest value, by channel of a series or by column of a vector: ``(C,)`` or ``(F,)`` each."""

    low: Floats
    high: Floats

    def scaled(self, sample: Reals) -> Floats:
        """A sample with every value in [0, 1]; a constant channel lies in the middle."""
        shape = (-1,) + (1,) * (sample.ndim - 1)
        low, width = self.low.reshape(shape), (self.high - self.low).reshape(shape)
        flat = width <= 0
        scaled = np.where(flat, 0.5, (np.nan_to_num(sample) - low) / np.where(flat, 1.0, width))
        return np.asarray(np.clip(scaled, 0.0, 1.0), dtype=np.float64)


def range_of(samples: Reals) -> Range:
    """The range of samples ``(n, C, T)`` by channel, or of vectors ``(n, F)`` by column."""
    axes = (0, *range(2, samples.ndim))
    finite = np.nan_to_num(np.asarray(samples, dtype=np.float64))
    return Range(finite.min(axis=axes), finite.max(axis=axes))


def series_pictures(samples: Reals, ghost: Reals, scale: Range) -> list[Picture]:
    """Series ``(n, C, T)`` as lines, with the series ``ghost`` ``(C, T)`` faintly behind each."""
    long = samples.shape[-1] > LONGEST_LINE
    path, style = (_band, "area") if long else (_polyline, "line")
    behind = (f"ghost-{style}", path(scale.scaled(ghost)))
    return [Picture(VIEW, paths=(behind, (style, path(scale.scaled(sample))))) for sample in samples]


def _lanes(sample: Floats) -> Floats:
    """Channels ``(C, T)`` in [0, 1] as heights in the view box, each in a lane of its own."""
    shown = sample[:MOST_LANES]
    lane = HEIGHT / len(shown)
    tops = np.arange(len(shown))[:, None] * lane
    return np.asarray(tops + lane * (0.06 + 0.88 * (1 - shown)), dtype=np.float64)


def _polyline(sample: Floats) -> str:
    lanes = _lanes(sample)
    x = np.linspace(0, WIDTH, lanes.shape[1])
    return "".join("M" + "L".join(f"{a:.0f} {b:.0f}" for a, b in zip(x, lane, strict=True)) for lane in lanes)


def _band(sample: Floats) -> str:
    """The band between the smallest and the largest value of each of BINS stretches, at least a hairline high."""
    lanes = _lanes(sample)
    starts = np.linspace(0, lanes.shape[1], BINS, endpoint=False).astype(int)
    top = np.minimum.reduceat(lanes, starts, axis=1)  # (C, BINS)
    bottom = np.maximum(np.maximum.reduceat(lanes, starts, axis=1), top + 1)
    x = np.linspace(0, WIDTH, BINS)
    parts = []
    for above, below in zip(top, bottom, strict=True):
        there = [f"{a:.0f} {b:.0f}" for a, b in zip(x, above, strict=True)]
        back = [f"{a:.0f} {b:.0f}" for a, b in zip(x[::-1], below[::-1], strict=True)]
        parts.append("M" + "L".join(there + back) + "Z")
    return "".join(parts)


def vector_pictures(samples: Reals, ghost: Reals, scale: Range) -> list[Picture]:
    """Vectors ``(n, F)`` as bars, one a column, each scaled to its column's range; the ghost ``(F,)`` as ticks.

    Bars that differ from the ghost are drawn in a class of their own.
    """
    shown = min(samples.shape[1], MOST_BARS)
    step = WIDTH / shown
    width = max(1.0, 0.72 * step)
    left = (np.arange(shown) + 0.5) * step - width / 2
    start = scale.scaled(ghost)[:shown]

    def top(value: float) -> float:
        return HEIGHT * (0.95 - 0.89 * value)

    def bars(values: Floats, chosen: BoolArray) -> str:
        return "".join(
            f"M{left[i]:.1f} {HEIGHT}V{top(values[i]):.0f}h{width:.1f}V{HEIGHT}z" for i in np.flatnonzero(chosen)
        )

    ticks = "".join(f"M{left[i] - 0.1 * step:.1f} {top(start[i]):.0f}h{width + 0.2 * step:.1f}" for i in range(shown))
    drawn = []
    for sample in samples:
        values = scale.scaled(sample)[:shown]
        changed = np.abs(values - start) > CHANGED
        paths = (("area", bars(values, ~changed)), ("changed", bars(values, changed)), ("ghost-tick", ticks))
        drawn.append(Picture(VIEW, paths=paths))
    return drawn
