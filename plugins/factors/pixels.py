"""What the image factors share: lightness and chroma, figure and ground, and the search for a strength.

Colours are taken apart as in the HSL double cone: with the largest and smallest channel of a pixel, lightness is
their mean and chroma their difference. Turning the hue keeps both, changing the chroma keeps lightness and hue, and
adding grey keeps chroma and hue, so that colour and tone need not read each other.

All images are ``(N, C, H, W)`` float32 in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, reduce

import numpy as np

from shiftlens.core.arrays import BoolArray, FloatArray, Floats, Reals
from shiftlens.core.causes.views import averaging

Mask = BoolArray

GREY = 0.02  # mean chroma below which an image counts as grey
FIGURES = 0.6  # share of samples on a plain ground from which a set counts as figures
MEDIAN_TO_SD = 1.4826  # of a normal distribution
CLEARLY = 1 - 1e-5
"""Part of a miss below which another is smaller: on a plateau, rounding must not choose between strengths."""
MOST_NOISE = 0.5  # the strongest noise added to images, as a share of the full range
PHOTOGRAPHS = 0.4  # share below which it counts as photographs, and the few plain ones as photographs too


def highest(x: FloatArray) -> FloatArray:
    """The largest channel of every pixel, ``(N, H, W)``; ``x.max(1)`` takes ten times as long."""
    return reduce(np.maximum, (x[:, channel] for channel in range(x.shape[1])))


def lowest(x: FloatArray) -> FloatArray:
    """The smallest channel of every pixel, ``(N, H, W)``."""
    return reduce(np.minimum, (x[:, channel] for channel in range(x.shape[1])))


def lightness(x: FloatArray) -> FloatArray:
    """Mean of the largest and the smallest channel, ``(N, H, W)`` in [0, 1]."""
    if x.shape[1] == 1:
        return x[:, 0]
    return np.asarray((highest(x) + lowest(x)) / 2, dtype=np.float32)


def chroma(x: FloatArray) -> FloatArray:
    """Largest minus smallest channel, ``(N, H, W)`` in [0, 1]."""
    return highest(x) - lowest(x)


def per_sample(values: Reals, x: FloatArray) -> FloatArray:
    """``(N,)`` as float32 with axes of length one, to be broadcast over ``x``."""
    return values.astype(np.float32).reshape(-1, *[1] * (x.ndim - 1))


def clipped(x: FloatArray) -> FloatArray:
    """Values outside [0, 1] go to the nearest end."""
    return np.clip(x, 0, 1).astype(np.float32, copy=False)


@dataclass(frozen=True)
class Figure:
    """A sample seen as a figure on a plain ground: ``pixel = ground + mask * (colour - ground)``.

    Attributes:
        plain: ``(N,)`` whether there is a plain ground at all; where not, the other fields mean little. None is
            plain where few of the others in the set are.
        ground: ``(N, C)`` colour of the ground, the median along the border.
        colour: ``(N, C)`` colour of the figure, where it differs most from the ground.
        mask: ``(N, H, W)`` 0 on the ground, 1 on the figure, in between on soft edges.
        peak: ``(N,)`` largest difference from the ground in any channel: what ``mask`` was divided by.
        calm: ``(N, H, W)`` the mask of the smoothed sample, in which noise on the ground hardly shows.
    """

    plain: Mask
    ground: FloatArray
    colour: FloatArray
    mask: FloatArray
    peak: FloatArray
    calm: FloatArray


def figure(x: FloatArray) -> Figure:
    """Tell figure from ground. It works for light on dark, dark on light and any colours."""
    ring = [x[:, :, 0], x[:, :, -1], x[:, :, :, 0], x[:, :, :, -1]]
    ground = np.median(np.concatenate(ring, axis=2), axis=2)
    away = highest(np.abs(x - ground[:, :, None, None]))  # (N, H, W)
    peak = peak_of(away)
    # The test is made on smoothed samples, so that noise on a plain ground does not hide it.
    unit = np.maximum(peak, np.float32(1e-6))[:, None, None]
    calm = np.asarray(highest(np.abs(noise_free(x, first=2) - ground[:, :, None, None])) / unit, dtype=np.float32)
    on_ground, between = calm < 0.15, (calm >= 0.2) & (calm < 0.5)
    along = np.concatenate([on_ground[:, 0], on_ground[:, -1], on_ground[:, :, 0], on_ground[:, :, -1]], axis=1)
    # Most of the border is ground, a good part of the sample is, and little lies between figure and ground.
    plain = (peak > 0.1) & (along.mean(1) > 0.6) & (on_ground.mean((1, 2)) > 0.25) & (between.mean((1, 2)) < 0.3)
    if plain.mean() < PHOTOGRAPHS:  # a bird before an even sky is measured as the photographs around it are
        plain[:] = False
    mask = np.clip(np.asarray(away / unit, dtype=np.float32), 0, 1)
    weight = mask**8
    colour = np.einsum("nchw,nhw->nc", x, weight) / np.maximum(weight.sum((1, 2)), 1e-6)[:, None]
    return Figure(plain, ground, colour.astype(np.float32), mask, peak, calm)


def peak_of(away: FloatArray) -> FloatArray:
    """Mean of the largest fiftieth of each sample's values, ``(N,)``."""
    flat = away.reshape(len(away), -1)
    top = max(1, flat.shape[1] // 50)
    # Sorted whole: where most values are equal, as on a plain ground, np.partition takes ten times as long.
    return np.asarray(np.sort(flat, axis=1)[:, -top:].mean(1))


def smoothed(x: FloatArray, first: int) -> FloatArray:
    """Weights 1, 2, 1 along every axis from the ``first`` on, ends repeated: about a Gaussian of 0.7 px."""
    for axis in range(first, x.ndim):
        ends = [(0, 0)] * x.ndim
        ends[axis] = (1, 1)
        lanes = np.moveaxis(np.pad(x, ends, mode="edge"), axis, -1)
        summed = lanes[..., :-2] + 2 * lanes[..., 1:-1] + lanes[..., 2:]
        x = np.moveaxis(summed * np.float32(0.25), -1, axis)
    return x


def noise_free(x: FloatArray, first: int) -> FloatArray:
    """Smoothed twice: about a Gaussian of 1 px."""
    return smoothed(smoothed(x, first), first)


def firm(mask: FloatArray) -> FloatArray:
    """The mask with its middle stretched, so that faint noise on the ground does not count as figure."""
    return np.asarray(np.clip(2 * mask - 0.5, 0, 1), dtype=np.float32)


def light_and_dark(light: FloatArray) -> tuple[Floats, Floats]:
    """Lightness of the light and of the dark parts, each ``(N,)``.

    A threshold in the middle between the two parts' means (Ridler and Calvard) parts the pixels; each part's distance
    from it is a mean weighted with that distance itself, so soft edges and small noise hardly count, nor does it
    matter how large the parts are.
    """
    flat = light.reshape(len(light), -1)
    whole = flat.sum(1, keepdims=True)
    threshold = flat.mean(1, keepdims=True)
    for _ in range(4):
        above = flat > threshold
        count = above.sum(1, keepdims=True)
        total = np.where(above, flat, 0).sum(1, keepdims=True)
        high = total / np.maximum(count, 1)
        low = (whole - total) / np.maximum(flat.shape[1] - count, 1)
        threshold = (high + low) / 2
    away = flat - threshold
    ends = []
    for side in (np.maximum(away, 0), np.maximum(-away, 0)):
        ends.append(np.einsum("np,np->n", side, side) / np.maximum(side.sum(1, dtype=np.float64), 1e-9))
    middle = threshold[:, 0].astype(np.float64)
    return middle + ends[0], middle - ends[1]


@cache
def cosines(size: int) -> FloatArray:
    """The orthonormal cosine transform as a matrix, ``(size, size)``, rows are frequencies."""
    place, frequency = np.arange(size) + 0.5, np.arange(size)[:, None]
    rows = np.cos(np.pi * frequency * place / size) * np.sqrt(2 / size)
    rows[0] /= np.sqrt(2)
    return np.asarray(rows, dtype=np.float32)


def frequencies(height: int, width: int) -> FloatArray:
    """Radial frequency of each coefficient in radians per pixel, ``(height, width)``, 0 to pi on each axis."""
    rows, columns = np.arange(height) / height, np.arange(width) / width
    return np.asarray(np.pi * np.hypot(rows[:, None], columns), dtype=np.float32)


def photographs(x: FloatArray) -> bool:
    """Whether most samples have no plain ground."""
    return bool(figure(x).plain.mean() < FIGURES)


def reduced(x: FloatArray) -> FloatArray:
    """Large images as means over squares of pixels, 64 to 127 on the shorter side; smaller ones as they are.

    Enough to find the strength of a change of light or colour, which does to means nearly what it does to pixels.
    """
    side = min(x.shape[-2:]) // 64
    if side < 2:
        return x
    height, width = (length // side for length in x.shape[-2:])
    squares = x[..., : height * side, : width * side].reshape(*x.shape[:-2], height, side, width, side)
    return np.asarray(np.einsum("...hiwj->...hw", squares) * np.float32(1 / side**2), dtype=np.float32)


def strength_reaching(
    goal: Floats, start: Floats, limit: Floats, measured: Callable[[Floats], Floats], evaluations: int = 7
) -> Floats:
    """Per sample the strength, between 0 and ``limit``, at which a measure comes closest to its goal.

    False position (the Illinois variant) on all samples at once. Where the goal lies beyond what ``limit`` reaches,
    the closest strength that was tried is taken, so an operation never leaves its range and never makes it worse.

    Args:
        goal: ``(N,)`` the measure wanted.
        start: ``(N,)`` the measure at strength 0.
        limit: ``(N,)`` the largest sensible strength, of either sign.
        measured: ``strength (N,) -> measure (N,)``; NaN counts as useless.
        evaluations: how often ``measured`` may be called.
    """
    near, near_miss = np.zeros_like(limit), start - goal
    far, far_miss = limit.copy(), measured(limit) - goal
    best, best_miss = near.copy(), np.abs(near_miss)

    def keep(strength: Floats, miss: Floats) -> None:
        better = np.abs(miss) < best_miss * CLEARLY  # False for NaN
        best[better], best_miss[better] = strength[better], np.abs(miss)[better]

    keep(far, far_miss)
    for _ in range(evaluations - 1):
        with np.errstate(divide="ignore", invalid="ignore"):
            part = near_miss / (near_miss - far_miss)
        # No bracket (the goal cannot be reached) or no number: halve; it does no harm, the best one tried is kept.
        part = np.where(np.isfinite(part) & (part > 0) & (part < 1), np.clip(part, 0.03, 0.97), 0.5)
        tried = near + part * (far - near)
        miss = measured(tried) - goal
        keep(tried, miss)
        beyond = ~(miss * near_miss > 0)  # the goal lies between near and tried (or there is no number)
        far_miss = np.where(beyond, miss, far_miss / 2)
        near_miss = np.where(beyond, near_miss / 2, miss)
        far, near = np.where(beyond, tried, far), np.where(beyond, near, tried)
    return best


def blocks(light: FloatArray, parts: int) -> FloatArray:
    """Means of ``(N, H, W)`` over equal parts of its height and width, ``(N, parts, parts)``."""
    rows, columns = (averaging(length, parts) for length in light.shape[1:])
    return np.asarray(rows @ light @ columns.T, dtype=np.float32)


def resized(x: FloatArray, shape: tuple[int, ...], nearest: bool = False) -> FloatArray:
    """``(N, C, *shape)``: averaged over areas where that is smaller, else between pixels (or the nearest one)."""
    import cv2

    if x.shape[2:] == tuple(shape):
        return np.ascontiguousarray(x, dtype=np.float32)
    height, width = shape
    smaller = height <= x.shape[2] and width <= x.shape[3]
    how = cv2.INTER_NEAREST_EXACT if nearest else cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    made = np.empty((*x.shape[:2], height, width), dtype=np.float32)
    for sample in range(len(x)):
        for channel in range(x.shape[1]):
            made[sample, channel] = cv2.resize(
                np.ascontiguousarray(x[sample, channel]), (width, height), interpolation=how
            )
    return clipped(made)
