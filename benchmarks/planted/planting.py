"""Changes planted by the benchmark, written apart from the factors: nothing here may call their code.

Every operation takes samples ``(n, 3, H, W)`` float32 in [0, 1] and a strength per sample ``(n,)`` in [0, 1], and gives
samples of the same shape. Strength 0 changes nothing (or next to nothing), 1 is the full change.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats

Plant = Callable[[FloatArray, Floats, np.random.Generator], FloatArray]


def _each(x: FloatArray, s: Floats, one: Callable[[FloatArray, float], FloatArray]) -> FloatArray:
    changed = np.stack([one(image, float(part)) for image, part in zip(x, s, strict=True)])
    return np.asarray(np.clip(changed, 0, 1), dtype=np.float32)


def _warped(x: FloatArray, matrices: Floats) -> FloatArray:
    """Bicubic sampling by Pillow at ``matrices`` ``(n, 2, 3)`` of centred (column, row) places; mirrored borders."""
    from PIL import Image

    height, width = x.shape[2:]
    pad = max(height, width) // 2
    wide = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode="symmetric")
    middle = np.array([(width - 1) / 2 + pad + 0.5, (height - 1) / 2 + pad + 0.5])
    result = np.empty_like(x)
    for i, matrix in enumerate(matrices):
        turn = matrix[:, :2]
        offset = middle + matrix[:, 2] - turn @ middle
        terms = (*turn[0], offset[0], *turn[1], offset[1])
        for c in range(x.shape[1]):
            image = Image.fromarray(wide[i, c])
            moved = image.transform(image.size, Image.Transform.AFFINE, terms, Image.Resampling.BICUBIC)
            result[i, c] = np.asarray(moved)[pad : pad + height, pad : pad + width]
    return np.clip(result, 0, 1)


def rotate(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 40.0) -> FloatArray:
    """Turn by up to ``full`` degrees."""
    angle = np.radians(full * s)
    zero = np.zeros_like(angle)
    rows = [[np.cos(angle), -np.sin(angle), zero], [np.sin(angle), np.cos(angle), zero]]
    return _warped(x, np.stack(rows).transpose(2, 0, 1))


def zoom(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 0.6) -> FloatArray:
    """Enlarge up to ``1 + full`` times about the middle."""
    inverse = 1 / (1 + full * s)
    zero = np.zeros_like(inverse)
    return _warped(x, np.stack([[inverse, zero, zero], [zero, inverse, zero]]).transpose(2, 0, 1))


def slide(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 6.0) -> FloatArray:
    """Move to the right by up to ``full`` pixels."""
    one, zero = np.ones_like(s), np.zeros_like(s)
    return _warped(x, np.stack([[one, zero, -full * s], [zero, one, zero]]).transpose(2, 0, 1))


def thicken(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 2.0) -> FloatArray:
    """Grow what differs from the corner's colour: a maximum over shifted copies, pixel after pixel."""
    ground = x[:, :, :1, :1]
    away = np.abs(x - ground).max(1)  # (n, H, W)
    result = x.copy()
    ring = [(0, 1), (0, -1), (1, 0), (-1, 0)]
    for radius in range(int(np.ceil(full))):
        part = np.clip(full * s - radius, 0, 1)[:, None, None, None].astype(np.float32)
        best, colour = away.copy(), result.copy()
        for dy, dx in ring:
            other = np.roll(away, (dy, dx), (1, 2))
            take = other > best
            best = np.where(take, other, best)
            colour = np.where(take[:, None], np.roll(result, (dy, dx), (2, 3)), colour)
        result = result * (1 - part) + colour * part
        away = away * (1 - part[:, 0]) + best * part[:, 0]
    return result


def turn_hue(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 160.0) -> FloatArray:
    """Turn colours about the grey diagonal of the RGB cube by up to ``full`` degrees (Rodrigues' formula)."""
    angle = np.radians(full * s)
    k = np.full(3, 1 / np.sqrt(3))
    cross = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    c, n = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    matrix = np.eye(3) * c + cross * n + np.outer(k, k) * (1 - c)  # (n, 3, 3)
    return np.asarray(np.clip(np.einsum("nij,njhw->nihw", matrix, x), 0, 1), dtype=np.float32)


def fade_colour(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 0.9) -> FloatArray:
    """Mix with the grey of equal lightness."""
    grey = (x * np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)[:, None, None]).sum(1, keepdims=True)
    part = (full * s)[:, None, None, None].astype(np.float32)
    return np.asarray(x * (1 - part) + grey * part, dtype=np.float32)


def darken(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 0.5) -> FloatArray:
    """Less light: all values times ``1 - full``."""
    return np.asarray(x * (1 - full * s)[:, None, None, None], dtype=np.float32)


def flatten_contrast(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 0.7) -> FloatArray:
    """Squeeze all values towards the image's own mean grey."""
    mean = x.mean((1, 2, 3), keepdims=True)
    return np.asarray(mean + (x - mean) * (1 - full * s)[:, None, None, None], dtype=np.float32)


def raise_ground(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 0.6) -> FloatArray:
    """Lighten what is near the corner's colour, and leave what differs from it."""
    ground = x[:, :, :1, :1]
    near = np.exp(-(((x - ground) / 0.25) ** 2).sum(1, keepdims=True))
    return np.asarray(np.clip(x + near * (full * s)[:, None, None, None], 0, 1), dtype=np.float32)


def box_blur(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 2.0) -> FloatArray:
    """Moving averages of fractional width, twice along each axis."""
    radius = (full * s)[:, None, None, None].astype(np.float32)

    def along(values: FloatArray, axis: int) -> FloatArray:
        total, weight = values.copy(), np.ones_like(radius)
        for step in range(1, int(np.ceil(full)) + 1):
            part = np.clip(radius - (step - 1), 0, 1) * 0.5 + 0.0
            pad = [(0, 0)] * 4
            pad[axis] = (step, step)
            wide = np.pad(values, pad, mode="edge")
            length = values.shape[axis]
            total = total + part * (
                np.take(wide, range(length), axis) + np.take(wide, range(2 * step, 2 * step + length), axis)
            )
            weight = weight + 2 * part
        return total / weight

    for axis in (2, 3, 2, 3):
        x = along(x, axis)
    return x.astype(np.float32)


def speckle(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 0.25) -> FloatArray:
    """Even (not Gaussian) noise on every value, up to ``± full``."""
    noise = rng.uniform(-1, 1, x.shape).astype(np.float32)
    return np.asarray(np.clip(x + (full * s)[:, None, None, None] * noise, 0, 1), dtype=np.float32)


def jpeg(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 85.0) -> FloatArray:
    """Store as JPEG at quality ``95 - full * s`` and read again, by Pillow."""
    from PIL import Image

    def one(image: FloatArray, part: float) -> FloatArray:
        if part <= 0:
            return image
        stream = io.BytesIO()
        pixels = (image.transpose(1, 2, 0) * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(stream, "JPEG", quality=round(95 - full * part))
        with Image.open(stream) as stored:
            pixels = np.asarray(stored)
        return np.asarray(pixels.transpose(2, 0, 1) / 255, dtype=np.float32)

    return _each(x, s, one)


def cover(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 0.4) -> FloatArray:
    """A grey square over up to ``full`` of the area, at a random place."""
    count, _, height, width = x.shape
    result = x.copy()
    for i in range(count):
        side = round(float(np.sqrt(full * s[i]) * min(height, width)))
        top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        result[i, :, top : top + side, left : left + side] = 0.5
    return result


def mirror(x: FloatArray, s: Floats, rng: np.random.Generator) -> FloatArray:
    """Left for right, on a share ``s`` of the samples. On no list of factors."""
    flip = rng.uniform(size=len(x)) < s
    return np.where(flip[:, None, None, None], x[..., ::-1], x)


def swirl(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 2.5) -> FloatArray:
    """Turn the middle against the rim. On no list of factors."""
    from scipy.ndimage import map_coordinates

    height, width = x.shape[2:]
    rows, columns = np.indices((height, width)) - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    reach = np.clip(1 - np.hypot(rows, columns) / (0.5 * height), 0, 1)

    def one(image: FloatArray, part: float) -> FloatArray:
        angle = full * part * reach
        r = np.cos(angle) * rows - np.sin(angle) * columns + (height - 1) / 2
        c = np.sin(angle) * rows + np.cos(angle) * columns + (width - 1) / 2
        return np.stack([map_coordinates(channel, [r, c], order=1, mode="nearest") for channel in image])

    return _each(x, s, one)


def stripes(x: FloatArray, s: Floats, rng: np.random.Generator, full: float = 0.7) -> FloatArray:
    """Every fourth row pulled towards white, at a random phase. On no list of factors."""
    count, _, height, _ = x.shape
    phase = np.asarray(rng.integers(0, 4, count))
    on = (np.arange(height)[None] + phase[:, None]) % 4 == 0
    part = (full * s[:, None] * on)[:, None, :, None].astype(np.float32)
    return np.asarray(x * (1 - part) + part, dtype=np.float32)


def shuffle_quarters(x: FloatArray, s: Floats, rng: np.random.Generator) -> FloatArray:
    """The two upper quarters change places, on a share ``s`` of the samples. On no list of factors."""
    half = x.shape[3] // 2
    swapped = x.copy()
    swapped[:, :, : x.shape[2] // 2] = np.roll(x[:, :, : x.shape[2] // 2], half, axis=3)
    chosen = rng.uniform(size=len(x)) < s
    return np.where(chosen[:, None, None, None], swapped, x)
