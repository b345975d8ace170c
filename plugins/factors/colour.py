"""Hue and saturation of colour images.

Both work in the HSL double cone (see `pixels`): turning the hue leaves lightness and chroma of every pixel alone and
never leaves the colour solid; changing the chroma leaves lightness and hue alone. There is no factor "greyness"
beside saturation: it is the same property read backwards.
"""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import onnx_tone, pixels


def hue_of(x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Hue in sixths of a turn [0, 6), largest channel, chroma; each ``(N, H, W)``. Hue is 0 where there is none."""
    red, green, blue = x[:, 0], x[:, 1], x[:, 2]
    top = pixels.highest(x)
    spread = top - pixels.lowest(x)
    safe = np.where(spread > 0, spread, 1)
    sixths = np.where(
        top == red, (green - blue) / safe, np.where(top == green, (blue - red) / safe + 2, (red - green) / safe + 4)
    )
    return np.mod(sixths, 6), top, spread


def turned(x: FloatArray, degrees: Floats) -> FloatArray:
    """Every pixel's hue turned by its sample's angle; lightness and chroma stay."""
    hue, top, spread = hue_of(x)
    hue = hue + pixels.per_sample(degrees / 60, hue)
    changed = np.empty_like(x)
    for channel, offset in enumerate((5, 3, 1)):
        place = np.mod(hue + offset, 6)
        changed[:, channel] = top - spread * np.clip(np.minimum(place, 4 - place), 0, 1)
    return changed


class Hue:
    """Mean direction of the colour, weighted with its strength, in degrees: 0 red, 120 green, 240 blue.

    On a plain ground only the figure counts and only the figure is turned.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in [0, 360); NaN for images without colour."""
        if x.shape[1] != 3:
            return np.full(len(x), np.nan)
        hue, _, spread = hue_of(x)
        figure = pixels.figure(x)
        weight = np.where(figure.plain[:, None, None], pixels.firm(figure.mask), 1)
        angle = hue * np.float32(np.pi / 3)
        area = np.maximum(weight.sum((1, 2), dtype=np.float64), 1)
        weight = weight * spread
        east = (weight * np.cos(angle)).sum((1, 2), dtype=np.float64) / area
        north = (weight * np.sin(angle)).sum((1, 2), dtype=np.float64) / area
        degrees = np.mod(np.rad2deg(np.arctan2(north, east)), 360)
        return np.where(np.hypot(east, north) < pixels.GREY / 2, np.nan, degrees)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        figure = pixels.figure(x)
        ground = figure.ground[:, :, None, None]
        # The ground's part of every pixel is put back: (1 - mask) of the turned ground becomes the old ground again.
        part = np.where(figure.plain[:, None, None], 1 - figure.mask, 0)[:, None]
        return pixels.clipped(turned(x, delta) + part * (ground - turned(ground, delta)))

    def refuses(self, x: FloatArray) -> str:
        return _no_colour(x, "hue")


class Coloured:
    """Images taken apart so that their colours can be made stronger by any factor."""

    def __init__(self, x: FloatArray) -> None:
        self.x, self.light = x, pixels.lightness(x)
        # What the colour solid allows: full chroma is reached where the nearer end of lightness is.
        self.room = np.maximum(2 * np.minimum(self.light, 1 - self.light) / np.maximum(pixels.chroma(x), 1e-6), 1)
        self.away = x - self.light[:, None]

    def stronger(self, strength: Floats) -> FloatArray:
        """Chroma times ``1 + strength`` ``(N,)``, as far as there is room."""
        factor = np.minimum(pixels.per_sample(1 + strength, self.light), self.room)
        return pixels.clipped(self.light[:, None] + self.away * factor[:, None])


class Saturation:
    """How far colours lie from grey, as a share of the largest channel; strong colours count most.

    ``sum(chroma²) / sum(chroma * largest channel)``: a brighter or darker exposure and a grey ground leave it alone.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in [0, 1]; 0 for grey images."""
        # Smoothed first, for noise has colours of its own.
        calm = pixels.smoothed(x, first=2)
        top = pixels.highest(calm)
        spread = top - pixels.lowest(calm)
        strong = (spread * spread).sum((1, 2), dtype=np.float64)
        weight = (spread * top).sum((1, 2), dtype=np.float64)
        return np.where(weight > 1e-9, strong / np.maximum(weight, 1e-9), 0)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        small = Coloured(pixels.reduced(x))
        start = self.measure(small.x)
        limit = np.where(delta < 0, -1.0, 5.0)  # grey, or six times the colour
        strength = pixels.strength_reaching(start + delta, start, limit, lambda s: self.measure(small.stronger(s)), 6)
        return Coloured(x).stronger(strength)

    def refuses(self, x: FloatArray) -> str:
        return _no_colour(x, "saturation")


def _no_colour(x: FloatArray, name: str) -> str:
    if x.shape[1] != 3:
        return f"{name} needs images of three colour channels, and these have {x.shape[1]}"
    grey = (pixels.chroma(x).mean((1, 2)) < pixels.GREY / 4).mean()
    return f"{grey:.0%} of the samples are grey, and grey images have no {name}" if grey > 0.5 else ""


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="hue",
        summary="direction of the colour; on a plain ground, of the figure",
        build=lambda settings: Hue(),
        onnx=onnx_tone.hue,
        unit="degrees",
        period=360.0,
        span=60.0,
        noun=("A changed colour", "A changed colour"),
    ),
    Factor(
        name="saturation",
        summary="strength of the colours, from grey to pure",
        build=lambda settings: Saturation(),
        onnx=onnx_tone.saturation,
        unit="of pure colour",
        span=-0.2,
        noun=("Stronger colours", "Paler colours"),
        confused_with=("contrast", "background", "jpeg"),
    ),
)
