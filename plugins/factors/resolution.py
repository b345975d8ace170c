"""Images of a lower resolution, enlarged: smoothly or with every pixel repeated."""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor, Variant
from shiftlens.plugins.factors import onnx_discrete, pixels

PARTS = {2: "half", 4: "a quarter of", 8: "an eighth of"}


class Resolution:
    """Shrunk by averaging, then brought back to the old size."""

    def signs(self, x: FloatArray) -> Floats:
        """``(N, 3)``: by how much steps to the right are smaller inside of blocks of 2, 4 and 8 px than there
        between them, in the logarithm."""
        light = x.mean(1)
        across = np.abs(np.diff(light, axis=2)).mean(1)  # (N, W - 1)
        columns = []
        for part in PARTS:
            at_edges = np.arange(across.shape[1]) % part == part - 1
            edge = across[:, at_edges].mean(1) if at_edges.any() else across.mean(1)
            columns.append(np.log((across[:, ~at_edges].mean(1) + 1e-3) / (edge + 1e-3)))
        return np.stack(columns, axis=1).astype(np.float64)

    def make(self, x: FloatArray, variant: str) -> FloatArray:
        part, how = variant.split("-")
        height, width = x.shape[2:]
        small = pixels.resized(x, (max(1, height // int(part)), max(1, width // int(part))))
        return pixels.resized(small, (height, width), nearest=how == "repeated")

    def undo(self, x: FloatArray, variant: str) -> FloatArray:
        return x

    def refuses(self, x: FloatArray) -> str:
        return f"images of {min(x.shape[2:])} px have no resolution to lose" if min(x.shape[2:]) < 16 else ""


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="resolution",
        summary="a lower resolution, enlarged to the old size",
        build=lambda settings: Resolution(),
        onnx=onnx_discrete.resolution,
        variants=tuple(
            Variant(
                f"{part}-{how}",
                f"Images of {words} the resolution, {'enlarged' if how == 'smooth' else 'with every pixel repeated'}",
                "load the images at their full resolution, and make them smaller only once",
                undoable=False,
            )
            for part, words in PARTS.items()
            for how in ("smooth", "repeated")
        ),
    ),
)
