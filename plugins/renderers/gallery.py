"""All pictures of one report, drawn by the kind of its samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shiftlens.core.arrays import BoolArray, FloatArray
from shiftlens.core.results.report import Report
from shiftlens.core.results.results import StripCell
from shiftlens.plugins.renderers import pictures
from shiftlens.plugins.renderers.pictures import Picture, Sheet


class Gallery:
    """All pictures of a report, drawn by the kind of sample; collects the sheets that image tiles stand on."""

    def __init__(self, report: Report, most_pairs: int) -> None:
        self.kind, self.arrays = report.results.kind, report.arrays
        self.count = min(most_pairs, len(report.results.pairs))
        self.sheets: list[Sheet] = []
        strips = self.arrays.get("strips")
        size = report.results.grid
        tiles = self.count * (size.features * size.losses + size.losses + 2) + (0 if strips is None else len(strips))
        self.side = pictures.largest_side(tiles)
        if self.kind != "image":
            self.scale = pictures.range_of(self._everything())
        self.strips = None if strips is None or not len(strips) else np.asarray(strips)
        if self.strips is not None and self.kind == "image":
            self.windows = self._draw("strips", self.strips)

    def pair(self, index: int) -> tuple[list[Picture], list[Picture], list[Picture]]:
        """Pictures of one pair: the grid's cells in reading order, the plain series, and both samples as given back."""
        cells, series = np.asarray(self.arrays["cells"][index]), np.asarray(self.arrays["series"][index])
        flat = cells.reshape(-1, *cells.shape[2:])  # (losses * features, *sample)
        given_back = np.asarray(self.arrays["given-back"][index]) if "given-back" in self.arrays else flat[:0]
        shown = np.concatenate([flat, series, given_back])
        generated = np.ones(len(shown), dtype=bool)
        both = len(flat) + len(series)
        generated[[0, len(flat) - 1, len(flat), both - 1]] = False  # the real samples stand at both ends of each
        drawn = self._draw(f"pair-{index + 1}-sheet", shown, generated)
        return drawn[: len(flat)], drawn[len(flat) : both], drawn[both:]

    def strip(self, cells: Sequence[StripCell]) -> list[Picture]:
        """Pictures of one factor's strip; lines and bars are compared with its first picture."""
        if self.strips is None or not cells:
            return []
        if self.kind == "image":
            return [self.windows[cell.index] for cell in cells]
        return self._draw("", self.strips[[cell.index for cell in cells]])

    def _draw(self, name: str, samples: FloatArray, generated: BoolArray | None = None) -> list[Picture]:
        if self.kind == "image":
            sheet, windows = pictures.image_sheet(name, samples, self.side, generated)
            self.sheets.append(sheet)
            return windows
        draw = pictures.series_pictures if self.kind == "series" else pictures.vector_pictures
        return draw(samples, samples[0], self.scale)

    def _everything(self) -> FloatArray:
        """All samples shown, ``(n, *sample)``: lines and bars share one scale over the whole page."""
        parts = []
        for name, axes in (("cells", 3), ("series", 2), ("given-back", 2), ("strips", 1)):
            if name in self.arrays:
                array = np.asarray(self.arrays[name])
                array = array if name == "strips" else array[: self.count]
                if array.size:
                    parts.append(array.reshape(-1, *array.shape[axes:]))
        return np.concatenate(parts) if parts else np.zeros((1, 1), dtype=np.float32)
