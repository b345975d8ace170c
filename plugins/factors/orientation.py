"""Orientation: images turned by quarter turns, or mirrored, as where an EXIF flag is not followed or axes are swapped.

A turn leaves the brightness, the colours and the frequencies of a photograph as they are. What tells it is where things
are: light comes from above, the sky is blue, a digit has its own side. So its signs are the light and the colour of
parts of the image, relative to the whole.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor, Variant
from shiftlens.plugins.factors import onnx_discrete, pixels

PARTS = 4  # blocks along each side whose light is compared

Turn = Callable[[FloatArray], FloatArray]
TURNS: dict[str, tuple[Turn, Turn]] = {  # each with the one that takes it back
    "turned-left": (lambda x: np.rot90(x, 1, (2, 3)), lambda x: np.rot90(x, -1, (2, 3))),
    "turned-right": (lambda x: np.rot90(x, -1, (2, 3)), lambda x: np.rot90(x, 1, (2, 3))),
    "upside-down": (lambda x: x[:, :, ::-1, ::-1], lambda x: x[:, :, ::-1, ::-1]),
    "axes-swapped": (lambda x: x.swapaxes(2, 3), lambda x: x.swapaxes(2, 3)),
    "axes-swapped-and-turned": (
        lambda x: x.swapaxes(2, 3)[:, :, ::-1, ::-1],
        lambda x: x[:, :, ::-1, ::-1].swapaxes(2, 3),
    ),
    "flipped": (lambda x: x[:, :, ::-1], lambda x: x[:, :, ::-1]),
    "mirrored": (lambda x: x[..., ::-1], lambda x: x[..., ::-1]),
}


class Orientation:
    """Turns and mirrorings; images that are not square are stretched back to their shape after a quarter turn."""

    def signs(self, x: FloatArray) -> Floats:
        """``(N, 18)``, of three channels ``(N, 20)``: light of 4 × 4 blocks over the image's own spread; how it rises
        downwards and to the right; of colours, by how much yellow outweighs blue above and at the left."""
        light = x.mean(1)
        spread = light.std((1, 2)) + 0.02
        blocks = pixels.blocks(light, PARTS) - light.mean((1, 2))[:, None, None]  # (N, 4, 4)
        steps = [np.abs(np.diff(light, axis=axis)).mean((1, 2)) + 1e-3 for axis in (1, 2)]
        columns = [
            (blocks / spread[:, None, None]).reshape(len(x), -1),
            np.log(steps[0] / steps[1])[:, None],
            ((blocks[:, :2].mean((1, 2)) - blocks[:, 2:].mean((1, 2))) / spread)[:, None],
        ]
        if x.shape[1] == 3:
            yellow = pixels.blocks(np.asarray((x[:, 0] + x[:, 1]) / 2 - x[:, 2], dtype=np.float32), 2)
            columns += [
                (yellow[:, 0] - yellow[:, 1]).mean(1)[:, None],
                (yellow[..., 0] - yellow[..., 1]).mean(1)[:, None],
            ]
        return np.concatenate(columns, axis=1).astype(np.float64)

    def make(self, x: FloatArray, variant: str) -> FloatArray:
        return pixels.resized(TURNS[variant][0](x), x.shape[2:])

    def undo(self, x: FloatArray, variant: str) -> FloatArray:
        return pixels.resized(TURNS[variant][1](x), x.shape[2:])

    def refuses(self, x: FloatArray) -> str:
        return f"images of {min(x.shape[2:])} px have no parts to compare" if min(x.shape[2:]) < 2 * PARTS else ""


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="orientation",
        summary="quarter turns and mirrorings, such as an EXIF flag that is not followed",
        build=lambda settings: Orientation(),
        onnx=onnx_discrete.orientation,
        variants=(
            Variant("turned-left", "Images turned by 90° to the left", "turn the images by 90° to the right"),
            Variant("turned-right", "Images turned by 90° to the right", "turn the images by 90° to the left"),
            Variant("upside-down", "Images that stand upside down", "turn the images by 180°"),
            Variant("axes-swapped", "Images whose rows and columns are swapped", "swap rows and columns of the images"),
            Variant(
                "axes-swapped-and-turned",
                "Images whose rows and columns are swapped and reversed",
                "swap rows and columns of the images, and turn them by 180°",
            ),
            Variant("flipped", "Images mirrored top to bottom", "mirror the images top to bottom"),
            Variant("mirrored", "Images mirrored left to right", "mirror the images left to right"),
        ),
    ),
)
