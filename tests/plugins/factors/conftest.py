"""Real images for the tests of the image factors: digits in colour, grey digits, photographs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import realdata

SETS = ("mnist", "digits", "demo", "grey", "photographs")


def coloured(grey: np.ndarray, seed: int = 0, ground: float = 0.05) -> np.ndarray:
    """Grey digits (N, 1, H, W) as strokes of any hue on a near-black ground, (N, 3, H, W) float32."""
    rng = np.random.default_rng(seed)
    hue, value, saturation = (
        rng.random(len(grey)) * 6,
        rng.uniform(0.6, 0.9, len(grey)),
        rng.uniform(0.6, 0.95, len(grey)),
    )
    place = (np.array([5, 3, 1]) + hue[:, None]) % 6
    colour = value[:, None] * (1 - saturation[:, None] * np.clip(np.minimum(place, 4 - place), 0, 1))
    return (ground + grey * (colour[:, :, None, None] - ground)).astype(np.float32)


def images(name: str, count: int) -> np.ndarray:
    """The first samples of a set, (count, C, 32, 32) float32 in [0, 1]; grey digits are (count, 1, 28, 28)."""
    if name == "grey":
        return realdata.mnist(count)[0]
    if name == "mnist":
        return coloured(np.pad(realdata.mnist(count)[0], ((0, 0), (0, 0), (2, 2), (2, 2))))
    if name == "digits":
        from scipy.ndimage import zoom

        large = zoom(realdata.digits()[0][:count], (1, 1, 3, 3), order=3, grid_mode=True, mode="grid-constant")
        return coloured(np.pad(np.clip(large, 0, 1), ((0, 0), (0, 0), (4, 4), (4, 4))))
    if name == "demo":
        from shiftlens.core.data.demo import demo_domains

        x = demo_domains(0)[0][0][:count].transpose(0, 3, 1, 2)
        return np.ascontiguousarray(x, dtype=np.float32) / np.float32(255)
    x = realdata.cifar()[0]
    return np.ascontiguousarray(x[np.random.default_rng(0).permutation(len(x))[:count]])


@pytest.fixture(scope="session")
def image_set() -> Callable[[str, int], np.ndarray]:
    """``image_set(name, count)``: a set of `SETS`, kept for the whole session; do not write to it."""
    kept: dict[tuple[str, int], np.ndarray] = {}

    def find(name: str, count: int = 60) -> np.ndarray:
        if (name, count) not in kept:
            kept[name, count] = images(name, count)
            kept[name, count].flags.writeable = False
        return kept[name, count]

    return find
