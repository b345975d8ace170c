"""ONNX forms of the discrete factors of images: turns, channels, values, frames, resolutions.

Each variant moves pixels by fixed sums along rows and columns, or changes every value by one curve; a shift by 1 makes
it, one by -1 takes it back. How OpenCV resizes is read off what it does to single rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from shiftlens.core.arrays import FloatArray
from shiftlens.core.host.kinds import OnnxOperation
from shiftlens.export import traced as tr
from shiftlens.export.traced import Array
from shiftlens.plugins.factors import onnx_pixels as px

Shape = tuple[int, ...]
Way = Callable[[Array], Array]


def switched(shape: Shape, make: Way, undo: Way) -> OnnxOperation:
    """The operation of a variant: made from a half on, taken back from minus a half on."""

    def shift(x: Array, delta: Array) -> Array:
        each = delta.reshape(-1, *[1] * (x.ndim - 1))
        return tr.where(each >= 0.5, make(x), tr.where(each <= -0.5, undo(x), x))

    return px.operation(shape, None, shift)


def resized(x: Array, before: tuple[int, int], after: tuple[int, int], nearest: bool = False) -> Array:
    """As `pixels.resized`: sums along rows and columns, by OpenCV's own weights."""
    import cv2

    if before == after:
        return x
    smaller = after[0] <= before[0] and after[1] <= before[1]
    how = cv2.INTER_NEAREST_EXACT if nearest else cv2.INTER_AREA if smaller else cv2.INTER_LINEAR

    def weights(length: int, wanted: int) -> FloatArray:
        """``(wanted, length)``: what each pixel becomes of, along one axis."""
        if length == wanted:
            return np.eye(length, dtype=np.float32)
        columns = max(length, wanted) if not smaller else length
        single = np.zeros((length, columns), dtype=np.float32)
        single[:, :length] = np.eye(length)
        made = cv2.resize(single, (columns, wanted), interpolation=how)
        return np.ascontiguousarray(made[:, :length], dtype=np.float32)

    rows, columns = weights(before[0], after[0]), weights(before[1], after[1])
    return px.clipped(rows @ x @ np.ascontiguousarray(columns.T))


def orientation(settings: Any, shape: Shape, variant: str) -> OnnxOperation:
    """Quarter turns and mirrorings."""
    height, width = shape[1:]

    def across(x: Array) -> Array:
        return x.transpose(0, 1, 3, 2)

    def back(x: Array) -> Array:
        return x[:, :, ::-1, ::-1]

    ways: dict[str, tuple[Way, Way]] = {
        "turned-left": (lambda x: across(x)[:, :, ::-1], lambda x: across(x)[:, :, :, ::-1]),
        "turned-right": (lambda x: across(x)[:, :, :, ::-1], lambda x: across(x)[:, :, ::-1]),
        "upside-down": (back, back),
        "axes-swapped": (across, across),
        "axes-swapped-and-turned": (lambda x: back(across(x)), lambda x: back(across(x))),
        "flipped": (lambda x: x[:, :, ::-1], lambda x: x[:, :, ::-1]),
        "mirrored": (lambda x: x[:, :, :, ::-1], lambda x: x[:, :, :, ::-1]),
    }
    turns = variant in ("turned-left", "turned-right", "axes-swapped", "axes-swapped-and-turned")
    make, undo = ways[variant]
    if not turns:
        return switched(shape, make, undo)
    fitted = [lambda x, way=way: resized(way(x), (width, height), (height, width)) for way in (make, undo)]
    return switched(shape, fitted[0], fitted[1])


def channel_order(settings: Any, shape: Shape, variant: str) -> OnnxOperation:
    """The channels in another order."""
    from shiftlens.plugins.factors.channels import ORDERS

    def ordered(order: Any) -> Way:
        return lambda x: tr.gather(x, x.graph.constant(order, np.int64), 1)

    return switched(shape, ordered(ORDERS[variant]), ordered(np.argsort(ORDERS[variant])))


def grey_images(settings: Any, shape: Shape, variant: str) -> OnnxOperation:
    """Three equal channels; nothing brings the colour back."""
    from shiftlens.plugins.factors.channels import LUMA

    def grey(x: Array) -> Array:
        light = (x * LUMA[:, None, None]).sum(1, keepdims=True)
        return tr.concatenate([light, light, light], axis=1)

    return switched(shape, grey, lambda x: x)


def inversion(settings: Any, shape: Shape, variant: str) -> OnnxOperation:
    """Light and dark exchanged."""
    return switched(shape, lambda x: 1 - x, lambda x: 1 - x)


def value_range(settings: Any, shape: Shape, variant: str) -> OnnxOperation:
    """A straight line from value to value."""
    from shiftlens.plugins.factors.value_range import lines

    line = lines(shape[0])[variant]
    gain, offset = (np.asarray(part, dtype=np.float32) for part in (line.gain, line.offset))
    return switched(shape, lambda x: px.clipped(x * gain + offset), lambda x: px.clipped((x - offset) / gain))


def gamma(settings: Any, shape: Shape, variant: str) -> OnnxOperation:
    """The tone curve of a screen."""
    from shiftlens.plugins.factors.value_range import GAMMA

    power = GAMMA if variant == "linear" else 1 / GAMMA
    return switched(shape, lambda x: px.clipped(x) ** power, lambda x: px.clipped(x) ** (1 / power))


def bit_depth(settings: Any, shape: Shape, variant: str) -> OnnxOperation:
    """Fewer levels; nothing brings the others back."""
    step = 2 ** (8 - int(variant.removesuffix("-bit")))
    return switched(shape, lambda x: px.clipped(tr.floor(tr.rint(x * 255) / step) * step / 255), lambda x: x)


def padding(settings: Any, shape: Shape, variant: str) -> OnnxOperation:
    """The image made smaller, with an even colour around it."""
    from shiftlens.plugins.factors.framing import FRAMES

    frame = FRAMES[variant]
    rows, columns = frame.inside(np.empty((1, *shape), dtype=np.float32))
    size, inner = (shape[1], shape[2]), (rows.stop - rows.start, columns.stop - columns.start)
    around = (
        (0, 0), (0, 0), (rows.start, shape[1] - rows.stop), (columns.start, shape[2] - columns.stop),
    )  # fmt: skip

    def make(x: Array) -> Array:
        return tr.pad(resized(x, size, inner) - frame.value, around) + frame.value

    return switched(shape, make, lambda x: resized(x[:, :, rows, columns], inner, size))


def aspect_ratio(settings: Any, shape: Shape, variant: str) -> OnnxOperation:
    """Narrower and flatter with mirrored borders, wider and taller cropped."""
    from shiftlens.plugins.factors.framing import STRETCHES

    size = (shape[1], shape[2])

    def stretched(parts: tuple[float, float]) -> Way:
        def way(x: Array) -> Array:
            for axis, part in enumerate(parts):
                long = size[axis]
                if part < 1:
                    wanted = [*size]
                    wanted[axis] = max(1, round(long * part))
                    small = resized(x, size, (wanted[0], wanted[1]))
                    missing = long - wanted[axis]
                    places = np.pad(np.arange(wanted[axis]), (missing // 2, missing - missing // 2), mode="symmetric")
                    x = tr.gather(small, small.graph.constant(places, np.int64), 2 + axis)
                elif part > 1:
                    kept = max(1, round(long / part))
                    start = (long - kept) // 2
                    cut = [slice(None)] * 4
                    cut[2 + axis] = slice(start, start + kept)
                    before = [*size]
                    before[axis] = kept
                    x = resized(x[tuple(cut)], (before[0], before[1]), size)
            return x

        return way

    height, width = STRETCHES[variant]
    return switched(shape, stretched((height, width)), stretched((1 / height, 1 / width)))


def resolution(settings: Any, shape: Shape, variant: str) -> OnnxOperation:
    """Shrunk and enlarged; nothing brings the detail back."""
    part, how = variant.split("-")
    size = (shape[1], shape[2])
    small = (max(1, size[0] // int(part)), max(1, size[1] // int(part)))
    return switched(
        shape,
        lambda x: resized(resized(x, size, small), small, size, nearest=how == "repeated"),
        lambda x: x,
    )
