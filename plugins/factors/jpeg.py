"""JPEG: what lossy compression in blocks of 8 × 8 pixels takes away.

Images are changed by being written as JPEG and read again, by OpenCV: to the bit what Pillow gives, in a quarter of its
time. Qualities are whole numbers: each sample is given the one that comes closest to what is asked, so that the mean of
the samples follows it more finely than any one does.
"""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import pixels
from shiftlens.plugins.factors.pixels import cosines

BLOCK = 8
ASIDE = 2  # px that blocks are cut aside for comparison
BEST, WORST = 100.0, 3.0  # qualities
LOOKS = 10  # at a sample, in the search for its quality
TO_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def compressed(x: FloatArray, quality: Floats) -> FloatArray:
    """Each image as a JPEG file of the nearest whole quality gives it back, ``(N, C, H, W)``; C is 1 or 3."""
    import cv2

    levels = np.round(x[:, ::-1] * 255).astype(np.uint8).transpose(0, 2, 3, 1)  # OpenCV counts blue, green, red
    made = np.empty(levels.shape, dtype=np.uint8)
    for number, (image, wanted) in enumerate(zip(levels, np.rint(quality).astype(int), strict=True)):
        _, file = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(wanted)])
        made[number] = np.asarray(cv2.imdecode(file, cv2.IMREAD_UNCHANGED)).reshape(image.shape)
    return made.transpose(0, 3, 1, 2)[:, ::-1].astype(np.float32) / np.float32(255)


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
        strength = pixels.strength_reaching(start + delta, start, limit, measured, LOOKS)
        return np.where(pixels.per_sample(strength, x) > 0, compressed(x, quality(strength)), x)

    def refuses(self, x: FloatArray) -> str:
        if x.shape[1] not in (1, 3):
            return f"JPEG has one or three channels, and these images have {x.shape[1]}"
        if min(x.shape[2:]) < 2 * BLOCK:
            return f"JPEG blocks show from {2 * BLOCK} px on, and these images are {x.shape[2]} × {x.shape[3]}"
        return ""


def luma_of(x: FloatArray) -> FloatArray:
    """What JPEG keeps best, ``(N, H, W)`` in [0, 1]."""
    weights = TO_LUMA if x.shape[1] == 3 else np.full(x.shape[1], 1 / x.shape[1], dtype=np.float32)
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
    """Mean size of the finer cosine coefficients of each 8 × 8 block, ``(N, H / 8, W / 8)``; H and W fit blocks."""
    count, height, width = luma.shape
    rows, columns, transform = height // BLOCK, width // BLOCK, cosines(BLOCK)
    along_rows = transform @ luma.reshape(count, rows, BLOCK, width)
    coefficients = along_rows.reshape(-1, BLOCK) @ transform.T
    sizes = np.abs(coefficients, out=coefficients).reshape(count, rows, BLOCK, columns, BLOCK)
    fine = np.add.outer(np.arange(BLOCK), np.arange(BLOCK)) >= 4
    weights = (fine / fine.sum()).astype(np.float32)
    return np.asarray(np.einsum("nrick,ik->nrc", sizes, weights), dtype=np.float64)


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="jpeg",
        summary="detail lost to compression in blocks of 8 pixels",
        build=lambda settings: Jpeg(),
        why_no_onnx="no ONNX operator writes JPEG files",
        unit="of detail",
        span=0.2,
        size="full",
        noun=("Stronger JPEG compression", "Weaker JPEG compression"),
        confused_with=("scale", "rotation", "position-x", "noise", "sharpness", "occlusion"),
        reference="https://www.w3.org/Graphics/JPEG/itu-t81.pdf",
    ),
)
