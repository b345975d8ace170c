"""JPEG: what lossy compression in blocks of 8 × 8 pixels takes away.

The compression is computed here (ITU-T T.81: colours halved in size, cosine transform of the blocks, division by the
example tables of its annex K, rounding), without the coding that loses nothing, so that a whole batch is done at
once and the quality can be any number. Quality means what it means to libjpeg.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import pixels
from shiftlens.plugins.factors.pixels import cosines

BLOCK = 8
ASIDE = 2  # px that blocks are cut aside for comparison
BEST, WORST = 100.0, 3.0  # qualities
LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.float32,
)
CHROMA = np.full((BLOCK, BLOCK), 99, dtype=np.float32)
CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

TO_LUMA = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32)


@cache
def from_luma() -> FloatArray:
    return np.asarray(np.linalg.inv(TO_LUMA), dtype=np.float32)


def blocks(plane: FloatArray) -> FloatArray:
    """``(N, H, W)`` to cosine coefficients ``(N, H / 8, W / 8, 8, 8)``; H and W are multiples of 8."""
    count, height, width = plane.shape
    tiles = plane.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(2, 3)
    return np.asarray(cosines(BLOCK) @ tiles @ cosines(BLOCK).T, dtype=np.float32)


def joined(coefficients: FloatArray) -> FloatArray:
    """The inverse of `blocks`."""
    tiles = cosines(BLOCK).T @ coefficients @ cosines(BLOCK)
    count, rows, columns = tiles.shape[:3]
    whole = tiles.swapaxes(2, 3).reshape(count, rows * BLOCK, columns * BLOCK)
    return np.asarray(whole, dtype=np.float32)


def compressed(x: FloatArray, quality: Floats) -> FloatArray:
    """Each image as a JPEG file of that quality would give it back, ``(N, C, H, W)``; C is 1 or 3."""
    height, width = x.shape[2:]
    unit = BLOCK if x.shape[1] == 1 else 2 * BLOCK
    wide = np.pad(x, ((0, 0), (0, 0), (0, -height % unit), (0, -width % unit)), mode="edge") * np.float32(255)
    # libjpeg's scale of the tables, in per cent.
    scale = np.where(quality < 50, 5000 / np.maximum(quality, 1), 200 - 2 * quality).astype(np.float32)
    if x.shape[1] == 1:
        result = quantised(wide[:, 0], LUMA, scale)[:, None]
    else:
        luma, blue, red = np.einsum("kc,nchw->knhw", TO_LUMA, wide, optimize=True)
        planes = [quantised(luma, LUMA, scale)]
        for plane in (blue, red):
            small = (plane[:, ::2, ::2] + plane[:, 1::2, ::2] + plane[:, ::2, 1::2] + plane[:, 1::2, 1::2]) / 4
            planes.append(doubled(quantised(small + 128, CHROMA, scale) - 128))
        result = np.einsum("ck,knhw->nchw", from_luma(), np.stack(planes), optimize=True)
    return pixels.clipped(np.round(result[:, :, :height, :width]) / np.float32(255))


def quantised(plane: FloatArray, table: FloatArray, scale: FloatArray) -> FloatArray:
    """Through the quantisation and back: ``(N, H, W)`` in 0–255, with one scale of the table for each sample."""
    steps = np.clip(np.floor((table * scale[:, None, None] + 50) / 100), 1, 255)[:, None, None]  # (N, 1, 1, 8, 8)
    return joined(np.round(blocks(plane - 128) / steps) * steps) + 128


def doubled(plane: FloatArray) -> FloatArray:
    """Twice the size with libjpeg's triangle weights 3/4 and 1/4 along both axes."""
    for axis in (1, 2):
        ends = [(0, 0)] * 3
        ends[axis] = (1, 1)
        wide = np.pad(plane, ends, mode="edge")
        length = plane.shape[axis]
        before, after = (np.take(wide, range(first, first + length), axis=axis) for first in (0, 2))
        halves = np.stack([3 * plane + before, 3 * plane + after], axis=axis + 1) / 4
        shape = list(plane.shape)
        shape[axis] *= 2
        plane = halves.reshape(shape)
    return plane


class Jpeg:
    """Share of the detail inside 8 × 8 blocks that is missing, against blocks cut two pixels aside.

    Compression rounds small coefficients of its own blocks to zero; blocks cut elsewhere still see detail, and the
    seams. Blur, noise or contrast change both alike. It cannot be undone: a negative delta leaves images as they are.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)``: about 0 where there was no compression, towards 1 where little is left; NaN without detail."""
        return missing_detail(luma_of(x))

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        def quality(strength: Floats) -> Floats:
            return BEST * (WORST / BEST) ** strength

        luma = luma_of(x)[:, None]  # all that the measure sees

        def measured(strength: Floats) -> Floats:
            return missing_detail(compressed(luma, quality(strength))[:, 0])

        start = missing_detail(luma[:, 0])
        limit = np.where(delta > 0, 1.0, 0.0)
        strength = pixels.strength_reaching(start + delta, start, limit, measured, 7)
        return np.where(pixels.per_sample(strength, x) > 0, compressed(x, quality(strength)), x)

    def refuses(self, x: FloatArray) -> str:
        if x.shape[1] not in (1, 3):
            return f"JPEG has one or three channels, and these images have {x.shape[1]}"
        if min(x.shape[2:]) < 2 * BLOCK:
            return f"JPEG blocks show from {2 * BLOCK} px on, and these images are {x.shape[2]} × {x.shape[3]}"
        return ""


def luma_of(x: FloatArray) -> FloatArray:
    """What JPEG keeps best, ``(N, H, W)`` in [0, 1]."""
    weights = TO_LUMA[0] if x.shape[1] == 3 else np.full(x.shape[1], 1 / x.shape[1], dtype=np.float32)
    return np.asarray(np.einsum("c,nchw->nhw", weights, x, optimize=True))


def missing_detail(luma: FloatArray) -> Floats:
    """One minus the detail in the blocks over the detail in blocks cut a little aside, ``(N,)``."""
    rows, columns = (size // BLOCK * BLOCK for size in luma.shape[1:])
    if min(rows, columns) < 2 * BLOCK:
        return np.full(len(luma), np.nan)
    aligned = detail(luma[:, :rows, :columns])
    # Blocks cut aside see all but the border: count half of those along it, so that both see the same area.
    weights = [np.r_[0.5, np.ones(length - 2), 0.5] / (length - 1) for length in aligned.shape[1:]]
    inside = np.einsum("nrc,r,c->n", aligned, *weights, optimize=True)
    # To all sides alike, so that a figure that lies well or badly on the blocks makes no difference.
    beside = np.mean(
        [
            detail(luma[:, row : rows - BLOCK + row, column : columns - BLOCK + column]).mean((1, 2))
            for row in (ASIDE, BLOCK - ASIDE)
            for column in (ASIDE, BLOCK - ASIDE)
        ],
        axis=0,
    )
    return np.where(beside > 1e-4, 1 - inside / np.maximum(beside, 1e-4), np.nan)


def detail(luma: FloatArray) -> Floats:
    """Mean size of the finer cosine coefficients of each 8 × 8 block, ``(N, H / 8, W / 8)``."""
    fine = np.add.outer(np.arange(BLOCK), np.arange(BLOCK)) >= 4
    return np.asarray(np.abs(blocks(luma))[..., fine].mean(-1), dtype=np.float64)


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="jpeg",
        summary="detail lost to compression in blocks of 8 pixels",
        build=lambda settings: Jpeg(),
        unit="of detail",
        span=0.2,
        size="full",
        noun=("Stronger JPEG compression", "Weaker JPEG compression"),
        confused_with=("scale", "rotation", "position-x", "noise", "sharpness", "occlusion"),
        reference="https://www.w3.org/Graphics/JPEG/itu-t81.pdf",
    ),
)
