"""A grid as one picture: images as they are, series as lines, vectors as bars; each cell with its measured loss.

Drawn with Pillow, which is imported when a sheet is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shiftlens.core.arrays import BoolArray, FloatArray, Floats, Pixels
from shiftlens.core.grid.interpolate import PairGrid, ScoredGrid
from shiftlens.export.manifest import Manifest

if TYPE_CHECKING:
    from PIL.Image import Image

TILE = 96  # pixels a cell has at least; smaller images are scaled up by a whole factor, with hard pixels
LARGEST_TILE = 256
LARGEST_SHEET = 6000  # pixels a side, whatever the number of cells
GAP, CAPTION, MARGIN = 6, 28, 34
INK, PAPER, RIGHT, WRONG, REAL = "#1a1a1a", "#ffffff", "#c8c8c8", "#c2410c", "#1a1a1a"


@dataclass(frozen=True)
class Drawn:
    """A grid to be drawn.

    Attributes:
        cells: ``(rows, columns, *sample)``.
        kind: of sample.
        loss: ``(rows * columns,)`` measured.
        predicted: the class that the classifier says of each cell, in reading order.
        wrong: ``(rows * columns,)`` whether that is another class than the sample's.
        real: ``(rows * columns,)`` which cells are framed as real samples.
        right, down: what the axes are.
    """

    cells: FloatArray
    kind: str
    loss: Floats
    predicted: Sequence[str]
    wrong: BoolArray
    real: BoolArray
    right: str = "features: does not matter to the model"
    down: str = "loss: costs accuracy"


def draw(grid: PairGrid, manifest: Manifest) -> Image:
    """The sheet of a generated grid: columns are feature steps, rows loss steps."""
    return sheet(drawn_of(grid, manifest))


def drawn_of(grid: ScoredGrid, manifest: Manifest) -> Drawn:
    """A grid as it is drawn, with the axes of a generated one."""
    scores = grid.scores
    return Drawn(
        grid.cells,
        manifest.kind,
        scores.loss,
        [manifest.classes[int(k)] for k in scores.prediction],
        scores.prediction != scores.label,
        grid.real.ravel(),
        down=f"loss ({manifest.loss.name}): costs accuracy",
    )


def sheet(grid: Drawn) -> Image:
    """All cells as one picture, each with its measured loss; frames mark wrong predictions and real samples."""
    from PIL import Image, ImageDraw

    rows, columns = grid.cells.shape[:2]
    room = LARGEST_SHEET // max(rows, columns) - GAP - CAPTION
    tiles = _tiles(grid.cells.reshape(-1, *grid.cells.shape[2:]), grid.kind, room)
    width, height = tiles[0].size
    step_x, step_y = width + GAP, height + CAPTION + GAP
    drawn = Image.new("RGB", (MARGIN + columns * step_x + GAP, MARGIN + rows * step_y + GAP), PAPER)
    pen = ImageDraw.Draw(drawn)
    pen.text((MARGIN, 10), f"{grid.right} >", fill=INK)
    side = Image.new("RGB", (rows * step_y, 20), PAPER)
    ImageDraw.Draw(side).text((0, 4), f"< {grid.down}", fill=INK)
    drawn.paste(side.transpose(Image.Transpose.ROTATE_90), (8, MARGIN))
    for number, tile in enumerate(tiles):
        x, y = MARGIN + (number % columns) * step_x, MARGIN + (number // columns) * step_y
        drawn.paste(tile, (x, y))
        wrong = bool(grid.wrong[number])
        colour = WRONG if wrong else REAL if grid.real[number] else RIGHT
        pen.rectangle((x - 2, y - 2, x + width + 1, y + height + 1), outline=colour, width=2)
        pen.text((x, y + height + 2), f"{grid.loss[number]:.2f}", fill=INK)
        pen.text(
            (x, y + height + 14),
            f"{'x ' if wrong else ''}{grid.predicted[number]}"[: max(4, width // 6)],
            fill=colour if wrong else INK,
        )
    return drawn


def _tiles(samples: FloatArray, kind: str, room: int) -> list[Image]:
    """One picture a sample, all of one size, no side above ``room`` pixels."""
    from PIL import Image

    if kind == "image":
        pictures = [Image.fromarray(_pixels(x)) for x in samples]
        width, height = pictures[0].size
        longest = max(width, height)
        limit = max(8, min(room, LARGEST_TILE))
        if longest < TILE <= limit:
            factor = -(-TILE // longest)  # rounded up
            return [p.resize((width * factor, height * factor), Image.Resampling.NEAREST) for p in pictures]
        if longest > limit:
            size = max(1, width * limit // longest), max(1, height * limit // longest)
            return [p.resize(size, Image.Resampling.BOX) for p in pictures]
        return pictures
    side = max(24, min(room, 2 * TILE))
    low, high = float(samples.min()), float(samples.max())
    scaled = (samples - low) / (high - low if high > low else 1.0)
    return [_plot(x, kind, side) for x in scaled]


def _pixels(x: FloatArray) -> Pixels:
    """``(C, H, W)`` in [0, 1] as ``(H, W, 3)`` bytes: RGBA on white; of two or many channels the first."""
    values = np.clip(x, 0.0, 1.0)
    if len(values) == 4:
        values = values[:3] * values[3] + (1 - values[3])
    elif len(values) != 3:
        values = np.repeat(values[:1], 3, axis=0)
    return np.round(values.transpose(1, 2, 0) * 255).astype(np.uint8)


def _plot(x: FloatArray, kind: str, side: int) -> Image:
    """A sample with values in [0, 1] as lines (a series, one per channel) or bars (a vector)."""
    from PIL import Image, ImageDraw

    tile = Image.new("RGB", (side, side), PAPER)
    pen = ImageDraw.Draw(tile)
    if kind == "series":
        for channel in x:
            places = np.linspace(0, side - 1, len(channel))
            heights = (1 - channel) * (side - 1)
            pen.line(list(zip(places.tolist(), heights.tolist(), strict=True)), fill=INK, width=1)
    else:
        edges = np.linspace(0, side, len(x) + 1)
        for left, right, value in zip(edges[:-1], edges[1:], x, strict=True):
            pen.rectangle((left, (1 - float(value)) * (side - 1), max(left, right - 2), side - 1), fill=INK)
    return tile
