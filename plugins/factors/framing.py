"""How an image was brought to its shape: with bars beside it, with a border, or stretched in one direction.

The ratios are those of cameras and screens; of the image's own there is no record.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor, Variant
from shiftlens.plugins.factors import onnx_discrete, pixels

RATIOS = {"4:3": 3 / 4, "3:2": 2 / 3, "16:9": 9 / 16, "2:1": 1 / 2}
COLOURS = {"black": 0.0, "grey": 0.5, "white": 1.0}
BORDERS = (0.9, 0.8, 0.7)
EVEN = 0.02  # spread of a row or column below which it may be part of a bar


@dataclass(frozen=True)
class Frame:
    """Parts of the height and width that the picture keeps, and the value around it."""

    height: float
    width: float
    value: float

    def inside(self, x: FloatArray) -> tuple[slice, slice]:
        """Rows and columns of the picture."""
        return tuple(  # type: ignore[return-value]
            slice((long - kept) // 2, (long - kept) // 2 + kept)
            for long, part in zip(x.shape[2:], (self.height, self.width), strict=True)
            for kept in (max(1, round(long * part)),)
        )


FRAMES: dict[str, Frame] = {
    **{f"letterbox-{r}-{c}": Frame(part, 1, v) for c, v in COLOURS.items() for r, part in RATIOS.items()},
    **{f"pillarbox-{r}-{c}": Frame(1, part, v) for c, v in COLOURS.items() for r, part in RATIOS.items()},
    **{f"border-{round(100 * p)}-{c}": Frame(p, p, v) for c, v in COLOURS.items() for p in BORDERS},
}


class Padding:
    """The whole image made smaller, with an even colour around it."""

    def signs(self, x: FloatArray) -> Floats:
        """``(N, 5)``: how far an even strip reaches in from each side, and how light the corners are."""
        light = x.mean(1)
        columns = []
        for lines in (light, light[:, ::-1], light.swapaxes(1, 2), light.swapaxes(1, 2)[:, ::-1]):
            even = (lines.std(2) < EVEN) & (np.abs(lines.mean(2) - lines[:, :1].mean(2)) < EVEN)
            columns.append(np.cumprod(even, axis=1).mean(1))
        corners = light[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean(1)
        return np.stack([*columns, corners], axis=1).astype(np.float64)

    def make(self, x: FloatArray, variant: str) -> FloatArray:
        frame = FRAMES[variant]
        rows, columns = frame.inside(x)
        made = np.full(x.shape, frame.value, dtype=np.float32)
        made[:, :, rows, columns] = pixels.resized(x, (rows.stop - rows.start, columns.stop - columns.start))
        return made

    def undo(self, x: FloatArray, variant: str) -> FloatArray:
        rows, columns = FRAMES[variant].inside(x)
        return pixels.resized(np.ascontiguousarray(x[:, :, rows, columns]), x.shape[2:])

    def refuses(self, x: FloatArray) -> str:
        return f"images of {min(x.shape[2:])} px are too small for bars" if min(x.shape[2:]) < 12 else ""


STRETCHES: dict[str, tuple[float, float]] = {  # of the height and of the width
    **{f"narrower-{r}": (1, RATIOS[r]) for r in ("4:3", "16:9")},
    **{f"flatter-{r}": (RATIOS[r], 1) for r in ("4:3", "16:9")},
    **{f"wider-{r}": (1, 1 / RATIOS[r]) for r in ("4:3", "16:9")},
    **{f"taller-{r}": (1 / RATIOS[r], 1) for r in ("4:3", "16:9")},
}


class AspectRatio:
    """What is shown, made narrower, flatter, wider or taller; the mirrored image stands where nothing is known."""

    def signs(self, x: FloatArray) -> Floats:
        """``(N, 3)``: coarse, middle and fine steps across against those down."""
        light = x.mean(1)
        columns = []
        for apart in (1, 2, 4):
            down = np.abs(light[:, apart:] - light[:, :-apart]).mean((1, 2)) + 1e-3
            across = np.abs(light[:, :, apart:] - light[:, :, :-apart]).mean((1, 2)) + 1e-3
            columns.append(np.log(across / down))
        return np.stack(columns, axis=1).astype(np.float64)

    def make(self, x: FloatArray, variant: str) -> FloatArray:
        return self._stretched(x, *STRETCHES[variant])

    def undo(self, x: FloatArray, variant: str) -> FloatArray:
        height, width = STRETCHES[variant]
        return self._stretched(x, 1 / height, 1 / width)

    def _stretched(self, x: FloatArray, height: float, width: float) -> FloatArray:
        """Made smaller where a part is below 1, with mirrored borders; cropped and made larger where above."""
        for axis, part in ((2, height), (3, width)):
            long = x.shape[axis]
            if part < 1:
                wanted = [*x.shape[2:]]
                wanted[axis - 2] = max(1, round(long * part))
                small = pixels.resized(x, (wanted[0], wanted[1]))
                missing = long - small.shape[axis]
                around = [(0, 0)] * 4
                around[axis] = (missing // 2, missing - missing // 2)
                x = np.pad(small, around, mode="symmetric")
            elif part > 1:
                kept = max(1, round(long / part))
                start = (long - kept) // 2
                x = pixels.resized(np.take(x, range(start, start + kept), axis), x.shape[2:])
        return np.ascontiguousarray(x, dtype=np.float32)

    def refuses(self, x: FloatArray) -> str:
        return f"images of {min(x.shape[2:])} px are too small to be stretched" if min(x.shape[2:]) < 12 else ""


def _padding(name: str) -> Variant:
    kind, part, colour = name.split("-")
    noun = {
        "letterbox": f"Letterboxed images ({part}, {colour} bars above and below)",
        "pillarbox": f"Pillarboxed images ({part}, {colour} bars at both sides)",
        "border": f"Images with a {colour} border (shrunk to {part} %)",
    }[kind]
    return Variant(
        name, noun, f"fill the whole image as in the source: no {colour} {'border' if kind == 'border' else 'bars'}"
    )


def _stretch(name: str) -> Variant:
    how, ratio = name.split("-")
    advice = {
        "narrower": f"keep the aspect ratio: these images are {ratio}; crop them, do not squeeze their width",
        "flatter": f"keep the aspect ratio: these images are {ratio} upright; crop them, do not squeeze their height",
        "wider": "bring the images to their shape as in the source's: they are cropped at the sides and stretched",
        "taller": "bring the images to their shape as in the source's: they are cropped above and below and stretched",
    }[how]
    return Variant(name, f"Images that show everything {how} ({ratio})", advice)


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="padding",
        summary="bars or a border around the image: letterbox, pillarbox",
        build=lambda settings: Padding(),
        onnx=onnx_discrete.padding,
        variants=tuple(map(_padding, FRAMES)),
    ),
    Factor(
        name="aspect-ratio",
        summary="stretched in one direction, as where an image is not cropped to its shape",
        build=lambda settings: AspectRatio(),
        onnx=onnx_discrete.aspect_ratio,
        variants=tuple(map(_stretch, STRETCHES)),
    ),
)
