"""Vignetting: the light of a lens falls off from the middle of the picture to its corners.

Measured as ``1 - corners / middle``, of the mean light there: 0 for an even picture, 0.5 where the corners get half
the light. Changed by a factor ``1 - a r²`` on every pixel, with r = 0 in the middle and 1 in the corners; the ``a``
that moves the measure by the wanted amount follows in closed form.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from shiftlens import ComponentSettings

Images = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

DARK = 0.02  # mean light of a middle too dark to be compared with
STRONGEST = 0.98  # at a = 1 the very corners would be black


class Settings(ComponentSettings):
    """Settings of the factor."""

    inner: float = Field(0.5, gt=0, lt=1, description="the middle reaches so far, as a share of the way to the corners")
    outer: float = Field(0.75, gt=0, lt=1, description="the corners begin there")


class Vignette:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def refuses(self, x: Images) -> str:
        """``x`` is ``(N, C, H, W)``."""
        middle, _ = self._lights(x, np.ones(x.shape[-2:]))
        return "the middle of most samples is dark" if (middle < DARK).mean() > 0.5 else ""

    def measure(self, x: Images) -> Values:
        """``(N,)``; NaN where the middle is dark."""
        middle, corners = self._lights(x, np.ones(x.shape[-2:]))
        return np.where(middle < DARK, np.nan, 1 - corners / np.maximum(middle, DARK))

    def shift(self, x: Images, delta: Values, rng: np.random.Generator) -> Images:
        """Corners darkened by ``delta`` ``(N,)`` of the middle, brightened where it is negative."""
        squared = _radius(x.shape[-2:]) ** 2
        middle, corners = self._lights(x, np.ones(x.shape[-2:]))
        falling_middle, falling_corners = self._lights(x, squared)
        # (corners - a falling_corners) / (middle - a falling_middle) = ratio, solved for a
        ratio = np.clip(corners / np.maximum(middle, DARK) - delta, 0, None)
        slope = falling_corners - ratio * falling_middle
        strength = np.where(slope > 1e-6, (corners - ratio * middle) / np.maximum(slope, 1e-6), 0)
        strength = np.where(middle < DARK, 0, np.minimum(strength, STRONGEST))
        gain = 1 - strength[:, None, None, None] * squared  # (N, 1, H, W)
        return np.clip(x * gain, 0, 1).astype(np.float32)

    def _lights(self, x: Images, weight: Values) -> tuple[Values, Values]:
        """Mean weighted light of the middle and of the corners, each ``(N,)``."""
        radius = _radius(x.shape[-2:])
        light = x.mean(axis=1, dtype=np.float64) * weight  # (N, H, W)
        return light[:, radius <= self.settings.inner].mean(1), light[:, radius >= self.settings.outer].mean(1)


def _radius(size: tuple[int, int]) -> Values:
    """``(H, W)`` distance from the middle, 1 in the corners."""
    down, across = (np.linspace(-1, 1, side) for side in size)
    return np.sqrt((down[:, None] ** 2 + across**2) / 2)
