"""What happens to whole channels: another order of red, green and blue, grey in place of colour, inverted values."""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor, Variant
from shiftlens.plugins.factors import onnx_discrete, pixels

ORDERS = {"bgr": (2, 1, 0), "rbg": (0, 2, 1), "grb": (1, 0, 2), "gbr": (1, 2, 0), "brg": (2, 0, 1)}
"""Which channel of the source stands first, second and third."""
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Of red, green and blue, as cameras and image libraries make grey (ITU-R BT.601)."""


class ChannelOrder:
    """The three channels in another order."""

    def signs(self, x: FloatArray) -> Floats:
        """``(N, 8)``: the channels' means (over the whole) and spreads against each other, the colour of what is light,
        and how alike two channels are."""
        mean, spread = x.mean((2, 3)), x.std((2, 3)) + 0.02
        light = x.mean(1)[:, None]
        centred = x - mean[:, :, None, None]
        around = light - light.mean((2, 3), keepdims=True)
        lit = (centred * around).mean((2, 3)) / (around.std((1, 2, 3))[:, None] ** 2 + 1e-3)  # (N, 3)
        alike = [
            (centred[:, a] * centred[:, b]).mean((1, 2)) / (spread[:, a] * spread[:, b]) for a, b in ((0, 1), (1, 2))
        ]
        pairs = ((0, 1), (1, 2))
        exposure = mean.mean(1) + 0.02  # darker images have smaller differences
        columns = [(mean[:, a] - mean[:, b]) / exposure for a, b in pairs]
        columns += [np.log(spread[:, a] / spread[:, b]) for a, b in pairs]
        columns += [lit[:, a] - lit[:, b] for a, b in pairs]
        return np.stack([*columns, *alike], axis=1).astype(np.float64)

    def make(self, x: FloatArray, variant: str) -> FloatArray:
        return np.ascontiguousarray(x[:, list(ORDERS[variant])])

    def undo(self, x: FloatArray, variant: str) -> FloatArray:
        return np.ascontiguousarray(x[:, np.argsort(ORDERS[variant])])

    def refuses(self, x: FloatArray) -> str:
        return _no_colour(x, "order of channels")


class Greyness:
    """Grey in place of colour: three equal channels."""

    def signs(self, x: FloatArray) -> Floats:
        """``(N, 1)``: share of the pixels without any colour."""
        return np.asarray((pixels.chroma(x) < 1 / 255).mean((1, 2)), dtype=np.float64)[:, None]

    def make(self, x: FloatArray, variant: str) -> FloatArray:
        light = np.tensordot(x, LUMA, axes=([1], [0]))[:, None]
        return np.repeat(light, 3, axis=1).astype(np.float32)

    def undo(self, x: FloatArray, variant: str) -> FloatArray:
        return x

    def refuses(self, x: FloatArray) -> str:
        return "" if x.shape[1] == 3 else f"colour takes three channels, and these images have {x.shape[1]}"


class Inversion:
    """Light and dark exchanged: a negative."""

    def signs(self, x: FloatArray) -> Floats:
        """``(N, 0)``: levels of light show it."""
        return np.zeros((len(x), 0))

    def make(self, x: FloatArray, variant: str) -> FloatArray:
        return np.asarray(1 - x, dtype=np.float32)

    def undo(self, x: FloatArray, variant: str) -> FloatArray:
        return np.asarray(1 - x, dtype=np.float32)

    def refuses(self, x: FloatArray) -> str:
        return ""


def _no_colour(x: FloatArray, name: str) -> str:
    if x.shape[1] != 3:
        return f"an {name} takes three of them, and these images have {x.shape[1]}"
    grey = (pixels.chroma(x).mean((1, 2)) < pixels.GREY / 4).mean()
    return f"{grey:.0%} of the samples are grey, and grey images have no {name}" if grey > 0.5 else ""


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="channel-order",
        summary="red, green and blue in another order, such as BGR",
        build=lambda settings: ChannelOrder(),
        onnx=onnx_discrete.channel_order,
        variants=tuple(
            Variant(
                name,
                f"Images whose channels are in the order {name.upper()} instead of RGB",
                f"read the images as RGB (they come as {name.upper()})",
            )
            for name in ORDERS
        ),
    ),
    Factor(
        name="grey-images",
        summary="grey images in place of colour ones",
        build=lambda settings: Greyness(),
        onnx=onnx_discrete.grey_images,
        variants=(Variant("grey", "Grey images in place of colour ones", "read the images in colour", undoable=False),),
    ),
    Factor(
        name="inversion",
        summary="light and dark exchanged, as in a negative",
        build=lambda settings: Inversion(),
        onnx=onnx_discrete.inversion,
        variants=(Variant("inverted", "Images with inverted values", "invert the values (1 - x)"),),
    ),
)
