"""A grid of cells as one PNG: images as they are, series and vectors as lines; a frame tells right from wrong."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from shiftlens.core.arrays import AnyArray, Floats

RIGHT, WRONG, GROUND, INK = (46, 125, 50), (198, 40, 40), (255, 255, 255), (30, 60, 120)
FRAME = 3  # px around a cell
SMALLEST, LARGEST = 64, 160  # px, the longer side of a cell
LINE = (120, 72)  # px, width and height of a cell that is drawn as a line


def mosaic(cells: AnyArray, correct: Sequence[Sequence[bool]]) -> tuple[bytes, int, int]:
    """One pair's grid as ``(png, width, height)``.

    Args:
        cells: ``(losses, features, *sample)``.
        correct: for each cell, whether the classifier is right; a green frame, or a red one.
    """
    draw = _image if cells.ndim == 5 else _line
    low, high = float(np.nanmin(cells)), float(np.nanmax(cells))
    tiles = [[draw(np.asarray(cell, dtype=np.float64), low, high) for cell in row] for row in cells]
    width, height = tiles[0][0].width + 2 * FRAME, tiles[0][0].height + 2 * FRAME
    sheet = Image.new("RGB", (width * len(tiles[0]), height * len(tiles)), GROUND)
    for y, row in enumerate(tiles):
        for x, tile in enumerate(row):
            framed = Image.new("RGB", (width - 1, height - 1), RIGHT if correct[y][x] else WRONG)
            framed.paste(tile, (FRAME, FRAME))
            sheet.paste(framed, (x * width, y * height))
    stream = io.BytesIO()
    sheet.save(stream, format="PNG")
    return stream.getvalue(), sheet.width, sheet.height


def _image(cell: Floats, low: float, high: float) -> Image.Image:
    """``(C, H, W)`` in [0, 1]: three channels are colours, of any other number the mean is shown."""
    shown = cell if len(cell) == 3 else np.repeat(cell.mean(axis=0, keepdims=True), 3, axis=0)
    tile = Image.fromarray((np.clip(np.nan_to_num(shown), 0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0))
    longest = max(tile.size)
    if longest < SMALLEST:  # hard pixels, so that nothing is shown that is not there
        times = -(-SMALLEST // longest)
        return tile.resize((tile.width * times, tile.height * times), Image.Resampling.NEAREST)
    if longest > LARGEST:
        size = tuple(max(1, round(side * LARGEST / longest)) for side in tile.size)
        return tile.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    return tile


def _line(cell: Floats, low: float, high: float) -> Image.Image:
    """``(C, T)`` or ``(F,)``: one line per channel, on the scale of the whole grid."""
    width, height = LINE
    tile = Image.new("RGB", LINE, GROUND)
    pen = ImageDraw.Draw(tile)
    for channel in np.nan_to_num(np.atleast_2d(cell)):
        x = np.linspace(0, width - 1, len(channel))
        y = (height - 1) * (1 - (channel - low) / max(high - low, 1e-12))
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        pen.line(points if len(points) > 1 else points * 2, fill=INK)
    return tile
