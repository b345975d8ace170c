"""The range of the values: normalised once too often, a video range read as the full one, gamma, too few bits.

Each variant is one fixed curve from value to value, with the constants that image libraries use. Where it leaves
[0, 1], values are cut, as they are where images are stored; what was cut does not come back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor, Variant
from shiftlens.plugins.factors import onnx_discrete, pixels

MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)[:, None, None]
SPREAD = np.array([0.229, 0.224, 0.225], dtype=np.float32)[:, None, None]
"""Of ImageNet's channels: what most published classifiers normalise with."""
BLACK, WHITE = 16 / 255, 235 / 255
"""Ends of the video range (ITU-R BT.601)."""
GAMMA = 2.2
BITS = (1, 2, 3, 4)


@dataclass(frozen=True)
class Line:
    """``x -> x * gain + offset``, numbers or one per channel ``(C, 1, 1)``."""

    gain: FloatArray | float
    offset: FloatArray | float

    def __call__(self, x: FloatArray) -> FloatArray:
        return pixels.clipped(np.asarray(x * self.gain + self.offset, dtype=np.float32))

    def back(self, x: FloatArray) -> FloatArray:
        return pixels.clipped(np.asarray((x - self.offset) / self.gain, dtype=np.float32))


def lines(channels: int) -> dict[str, Line]:
    """The line of each variant, for images of so many channels."""
    mean, spread = MEAN, SPREAD
    if channels != 3:
        mean, spread = mean.mean(0), spread.mean(0)
    stretch = WHITE - BLACK
    return {
        "normalised-twice": Line(np.asarray(1 / spread), np.asarray(-mean / spread)),
        "normalised-twice-by-half": Line(2.0, -1.0),
        "denormalised-twice": Line(spread, mean),
        "denormalised-twice-by-half": Line(0.5, 0.5),
        "video-range": Line(stretch, BLACK),
        "video-range-expanded": Line(1 / stretch, -BLACK / stretch),
        "divided-twice": Line(1 / 255, 0.0),
    }


class ValueRange:
    """A range that is not the source's."""

    def signs(self, x: FloatArray) -> Floats:
        """``(N, 2)``: the darkest and the lightest value that is not rare."""
        flat = x.reshape(len(x), -1)
        return np.quantile(flat, [0.01, 0.99], axis=1).T.astype(np.float64)

    def make(self, x: FloatArray, variant: str) -> FloatArray:
        return lines(x.shape[1])[variant](x)

    def undo(self, x: FloatArray, variant: str) -> FloatArray:
        return lines(x.shape[1])[variant].back(x)

    def refuses(self, x: FloatArray) -> str:
        return ""


class Gamma:
    """The tone curve of a screen, applied once more or not at all."""

    def signs(self, x: FloatArray) -> Floats:
        """``(N, 0)``: levels of light show it."""
        return np.zeros((len(x), 0))

    def make(self, x: FloatArray, variant: str) -> FloatArray:
        return np.asarray(
            pixels.clipped(x) ** np.float32(GAMMA if variant == "linear" else 1 / GAMMA), dtype=np.float32
        )

    def undo(self, x: FloatArray, variant: str) -> FloatArray:
        return np.asarray(
            pixels.clipped(x) ** np.float32(1 / GAMMA if variant == "linear" else GAMMA), dtype=np.float32
        )

    def refuses(self, x: FloatArray) -> str:
        return ""


class BitDepth:
    """Values of fewer bits: the lower ones are nought."""

    def signs(self, x: FloatArray) -> Floats:
        """``(N, 1)``: log of how many of 256 levels occur."""
        levels = np.rint(x * 255).astype(np.int64).reshape(len(x), -1)
        rows = np.arange(len(x))[:, None] * 256
        seen = np.bincount((np.clip(levels, 0, 255) + rows).ravel(), minlength=256 * len(x)) > 0
        count = seen.reshape(len(x), 256).sum(1)
        return np.asarray(np.log(count), dtype=np.float64)[:, None]

    def make(self, x: FloatArray, variant: str) -> FloatArray:
        step = 2 ** (8 - int(variant.removesuffix("-bit")))
        return pixels.clipped(np.floor(np.rint(x * 255) / step) * step / 255)

    def undo(self, x: FloatArray, variant: str) -> FloatArray:
        return x

    def refuses(self, x: FloatArray) -> str:
        return ""


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="value-range",
        summary="values normalised once too often or too seldom, or of another range",
        build=lambda settings: ValueRange(),
        onnx=onnx_discrete.value_range,
        variants=(
            Variant(
                "normalised-twice",
                "Images normalised twice (the mean taken off and divided by the spread of ImageNet once too often)",
                "normalise once: leave out one (x - mean) / std",
                undoable=False,
            ),
            Variant(
                "normalised-twice-by-half",
                "Images normalised twice (2x - 1 once too often)",
                "normalise once: leave out one 2x - 1",
                undoable=False,
            ),
            Variant(
                "denormalised-twice",
                "Images whose normalisation was taken back once too often (x * std + mean of ImageNet)",
                "take the normalisation back once: leave out one x * std + mean",
            ),
            Variant(
                "denormalised-twice-by-half",
                "Images read as values from -1 to 1 that are values from 0 to 1",
                "leave out the (x + 1) / 2",
            ),
            Variant(
                "video-range",
                "Images of the video range (16 to 235) read as the full range",
                "stretch the values from 16-235 to 0-255",
            ),
            Variant(
                "video-range-expanded",
                "Images of the full range read as the video range (16 to 235)",
                "leave the values as they are: do not stretch 16-235 to 0-255",
            ),
            Variant("divided-twice", "Images divided by 255 twice", "divide by 255 once", undoable=False),
        ),
    ),
    Factor(
        name="gamma",
        summary="a tone curve applied twice or not at all",
        build=lambda settings: Gamma(),
        onnx=onnx_discrete.gamma,
        variants=(
            Variant("linear", "Images of linear light (gamma not applied)", "apply the gamma of 2.2 (x ** (1 / 2.2))"),
            Variant("gamma-twice", "Images to which gamma was applied twice", "apply the gamma of 2.2 once (x ** 2.2)"),
        ),
    ),
    Factor(
        name="bit-depth",
        summary="values of fewer bits",
        build=lambda settings: BitDepth(),
        onnx=onnx_discrete.bit_depth,
        variants=tuple(
            Variant(
                f"{bits}-bit",
                f"Images of {bits} bit{'s' if bits > 1 else ''} per value",
                "read the images with all 8 bits of a value",
                undoable=False,
            )
            for bits in reversed(BITS)
        ),
    ),
)
