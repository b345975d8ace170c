"""All pictures of one report, drawn by the kind of its samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shiftlens.core.arrays import FloatArray
from shiftlens.core.results.report import Report
from shiftlens.core.results.results import StripCell
from shiftlens.plugins.renderers import pictures
from shiftlens.plugins.renderers.pictures import Picture, Sheet

REAL, GENERATED = 85, 75
"""Quality of pictures of real samples, and of those that a network draws, whose last bits are noise."""
AXES = {"cells": 3, "series": 2, "given-back": 2, "intervention-cells": 3, "intervention-sliders": 3}
"""Axes before the sample's own, of the arrays that have more than one."""


class Gallery:
    """All pictures of a report, drawn by the kind of sample; collects the sheets that image tiles stand on."""

    def __init__(self, report: Report, most_pairs: int) -> None:
        self.kind, self.arrays = report.results.kind, report.arrays
        self.count = min(most_pairs, len(report.results.pairs))
        self.sheets: list[Sheet] = []
        self.side = pictures.largest_side(sum(self._tiles(name) for name in (*AXES, "strips", "worst")))
        if self.kind != "image":
            self.scale = pictures.range_of(self._everything())
        self.drawn: dict[str, list[Picture]] = {}

    def pair(self, index: int) -> tuple[list[Picture], list[Picture], list[Picture]]:
        """Pictures of one pair: the grid's cells in reading order, the plain series, and both samples as given back."""
        cells, series = np.asarray(self.arrays["cells"][index]), np.asarray(self.arrays["series"][index])
        flat = cells.reshape(-1, *cells.shape[2:])  # (losses * features, *sample)
        given_back = np.asarray(self.arrays["given-back"][index]) if "given-back" in self.arrays else flat[:0]
        drawn = self._draw(f"pair-{index + 1}-sheet", np.concatenate([flat, series, given_back]), GENERATED)
        both = len(flat) + len(series)
        return drawn[: len(flat)], drawn[len(flat) : both], drawn[both:]

    def intervention(self, index: int) -> tuple[list[Picture], Picture]:
        """Cells of one source sample in reading order, and the nearest target sample."""
        cells = np.asarray(self.arrays["intervention-cells"][index])
        flat = cells.reshape(-1, *cells.shape[2:])  # (rows * columns, *sample)
        target = np.asarray(self.arrays["intervention-targets"][index])[None]
        drawn = self._draw(f"sample-{index + 1}-sheet", np.concatenate([flat, target]), REAL)
        return drawn[:-1], drawn[-1]

    def sliders(self, index: int) -> list[list[Picture]]:
        """For each change its steps on one source sample."""
        steps = np.asarray(self.arrays["intervention-sliders"][index])  # (changes, steps, *sample)
        drawn = self._draw(f"slider-{index + 1}-sheet", steps.reshape(-1, *steps.shape[2:]), REAL)
        return [drawn[i * steps.shape[1] : (i + 1) * steps.shape[1]] for i in range(steps.shape[0])]

    def worst(self) -> list[Picture]:
        """The target samples of large loss."""
        if "worst" not in self.arrays:
            return []
        return self._draw("worst-sheet", np.asarray(self.arrays["worst"]), REAL)

    def strip(self, cells: Sequence[StripCell]) -> list[Picture]:
        """Pictures of one factor's strip; lines and bars are compared with its first picture."""
        strips = self.arrays.get("strips")
        if strips is None or not len(strips) or not cells:
            return []
        if self.kind == "image":
            if "strips" not in self.drawn:
                self.drawn["strips"] = self._draw("strips", np.asarray(strips), None)
            return [self.drawn["strips"][cell.index] for cell in cells]
        return self._draw("", np.asarray(strips)[[cell.index for cell in cells]], None)

    def _draw(self, name: str, samples: FloatArray, quality: int | None) -> list[Picture]:
        if self.kind == "image":
            sheet, windows = pictures.image_sheet(name, samples, self.side, quality)
            self.sheets.append(sheet)
            return windows
        draw = pictures.series_pictures if self.kind == "series" else pictures.vector_pictures
        return draw(samples, samples[0], self.scale)

    def _tiles(self, name: str) -> int:
        """Pictures that one array gives."""
        array = self._shown(name)
        return int(np.prod(array.shape[: AXES.get(name, 1)])) if array is not None else 0

    def _shown(self, name: str) -> FloatArray | None:
        """One array, without the pairs that are not shown; None where there is none."""
        array = self.arrays.get(name)
        return array[: self.count] if array is not None and name in ("cells", "series", "given-back") else array

    def _everything(self) -> FloatArray:
        """All samples shown, ``(n, *sample)``: lines and bars share one scale over the whole page."""
        parts = []
        for name in (*AXES, "intervention-targets", "strips", "worst"):
            array = self._shown(name)
            if array is not None and array.size:
                parts.append(np.asarray(array).reshape(-1, *array.shape[AXES.get(name, 1) :]))
        return np.concatenate(parts) if parts else np.zeros((1, 1), dtype=np.float32)
