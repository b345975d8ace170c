"""ONNX forms of noise, sharpness, frequency balance and occlusion: each follows the numpy code line by line."""

from __future__ import annotations

from typing import Any

import numpy as np

from shiftlens.core.host.kinds import OnnxOperation
from shiftlens.export import traced as tr
from shiftlens.export.traced import Array
from shiftlens.plugins.factors import onnx_pixels as px
from shiftlens.plugins.factors import pixels

Shape = tuple[int, ...]


def noise(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """More: the same normal noise on every sample, as a constant; less: fine detail shrunk."""
    added = rng.standard_normal((1, *shape), dtype=np.float32)
    bounded = len(shape) == 3
    channel = shape[0] // 2
    size = int(np.prod([length - 2 for length in shape[1:]]))

    def measure_of(count: int) -> Any:
        def measure(x: Array) -> Array:
            for axis in range(2, x.ndim):
                lanes = [(*[slice(None)] * axis, part) for part in (slice(2, None), slice(1, -1), slice(0, -2))]
                after, here, before = (x[lane] for lane in lanes)
                x = ((after - here) - (here - before)) / np.float32(np.sqrt(6))
            return px.median(tr.absolute(x).reshape(0, -1), count).astype(np.float64) * pixels.MEDIAN_TO_SD

        return measure

    measure_middle = measure_of(size)

    def shift(x: Array, delta: Array) -> Array:
        delta = delta.astype(np.float64)
        fine = x - px.smoothed(x, 2)
        raised = px.per_sample(delta, x.ndim) > 0

        def change(strength: Array, channels: slice = slice(None)) -> Array:
            size = px.per_sample(tr.absolute(strength), x.ndim)
            y, f = x[:, channels], fine[:, channels]
            less = y - tr.minimum(tr.maximum(f, -size), size)
            changed = tr.where(raised, y + size * added[:, channels], less)
            return px.clipped(changed) if bounded else changed

        middle = slice(channel, channel + 1)
        start = measure_middle(x[:, middle])
        most = 4 * tr.absolute(delta) + 2 * start
        limit = tr.where(delta > 0, tr.minimum(most, pixels.MOST_NOISE) if bounded else most, 2 * start)
        strength = px.strength_reaching(start + delta, start, limit, lambda s: measure_middle(change(s, middle)), 6)
        return change(strength)

    return px.operation(shape, measure_of(size * shape[0]), shift)


def sharpness(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """Less: a Gaussian blur in the cosine transform; more: an unsharp mask."""
    squared = pixels.frequencies(*shape[1:]) ** 2
    soft = (1 - np.exp(-squared / 2)).astype(np.float32)
    along_rows, along_columns = pixels.cosines(shape[1]), pixels.cosines(shape[2])

    def transform(x: Array) -> Array:
        return along_rows @ x @ np.ascontiguousarray(along_columns.T)

    def restore(spectrum: Array) -> Array:
        return np.ascontiguousarray(along_rows.T) @ spectrum @ along_columns

    def steepness(light: Array) -> Array:
        down = (light[:, 1:] - light[:, :-1])[:, :, :-1]
        across = (light[:, :, 1:] - light[:, :, :-1])[:, :-1]
        square = (down**2 + across**2).reshape(0, -1)
        weight = square * square
        total = tr.maximum(weight.astype(np.float64).sum(1), 1e-12)
        steep = tr.sqrt((square * weight).astype(np.float64).sum(1) / total)
        lightest, darkest = px.light_and_dark(light)
        apart = lightest - darkest
        return tr.where(apart > 0.01, steep / tr.maximum(apart, 0.01), np.nan)

    def change(spectrum: Array, strength: Array) -> Array:
        sigma = px.per_sample(tr.maximum(-strength, 0), spectrum.ndim)
        more = px.per_sample(tr.maximum(strength, 0), spectrum.ndim)
        gain = tr.exp(-(sigma**2) * squared / 2) + more * soft
        return px.clipped(restore(spectrum * gain))

    def shift(x: Array, delta: Array) -> Array:
        delta = delta.astype(np.float64)
        light = px.lightness(x)
        of_light = transform(light)
        start = steepness(light)
        fall = start / tr.maximum(start + delta, 0.05)
        fall = tr.where(tr.isnan(fall), 1, fall)
        blur = -tr.minimum(2.5 * tr.sqrt(tr.maximum(fall**2 - 1, 0)), 4)
        limit = tr.where(delta < 0, blur, 3.0)
        strength = px.strength_reaching(start + delta, start, limit, lambda s: steepness(change(of_light, s)), 6)
        return tr.where(px.per_sample(strength, 4).equals(0.0), x, change(transform(x), strength))

    return px.operation(shape, lambda x: steepness(px.lightness(x)), shift)


def frequency_balance(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """Low frequencies raised against the middle ones in the cosine transform."""
    from shiftlens.plugins.factors.spectrum import LOW, MIDDLE, bands, waves_across

    along_rows, along_columns = pixels.cosines(shape[1]), pixels.cosines(shape[2])
    waves = waves_across(*shape[1:])
    below_low, below_middle = (
        np.clip(0.5 + 2 * np.log2(edge / np.maximum(waves, 0.1)), 0, 1) for edge in (LOW, MIDDLE)
    )
    low = np.asarray(below_low * (waves > 0), dtype=np.float32)
    middle = np.asarray(below_middle - below_low, dtype=np.float32)
    of_band = [band.astype(np.float64) for band in bands(*shape[1:])]

    def transform(x: Array) -> Array:
        return along_rows @ x @ np.ascontiguousarray(along_columns.T)

    def restore(spectrum: Array) -> Array:
        return np.ascontiguousarray(along_rows.T) @ spectrum @ along_columns

    def measure(x: Array) -> Array:
        energy = (transform(px.lightness(x)) ** 2).astype(np.float64)
        lower, higher = ((energy * band).sum((1, 2)) for band in of_band)
        seen = (lower > 1e-6) & (higher > 1e-6)
        ratio = tr.where(seen, lower, 1) / tr.where(seen, higher, 1)
        return tr.where(seen, tr.log(ratio) * (10 / np.log(10)), np.nan)

    def shift(x: Array, delta: Array) -> Array:
        delta = delta.astype(np.float64)
        spectrum = transform(x)
        energy = (spectrum**2).sum(1)
        of_low, of_middle = ((energy * part).sum((1, 2)) for part in (low, middle))

        def change(decibels: Array) -> Array:
            ratio = tr.exp(decibels * (np.log(10) / 10))
            lower, higher = of_low.astype(np.float64), of_middle.astype(np.float64)
            part = (lower + higher) / tr.maximum(ratio * lower + higher, 1e-12)
            more_low = px.per_sample(tr.sqrt(ratio * part) - 1, 4)
            more_middle = px.per_sample(tr.sqrt(part) - 1, 4)
            return px.clipped(restore(spectrum * (1 + more_low * low + more_middle * middle)))

        start = measure(x)
        limit = tr.clip(2 * delta, -12, 12)
        strength = px.strength_reaching(start + delta, start, limit, lambda s: measure(change(s)), 5)
        return tr.where(px.per_sample(strength, 4).equals(0.0), x, change(strength))

    return px.operation(shape, measure, shift)


def occlusion(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """A rectangle at one place for every sample, drawn once, in the mean colour of each."""
    from shiftlens.plugins.factors import occlusion as worker

    height, width = shape[1:]
    turn = float(np.exp(rng.uniform(-0.4, 0.4, 1))[0])  # drawn as the worker's `Patches` draws
    where = rng.random((2, 1))[:, 0]

    def mask(area: Array) -> Array:
        tall = tr.minimum(tr.rint(height * tr.sqrt(area * turn)), height)
        broad = tr.minimum(tr.rint(area * (height * width) / tr.maximum(tall, 1)), width)
        covered = []
        for place, length, side in zip(where, (tall, broad), (height, width), strict=True):
            start = tr.floor((side - length + 1) * float(place))[:, None]
            middles = side * (np.arange(side) + 0.5) / side
            covered.append((start < middles) & (start + length[:, None] > middles))
        return covered[0][:, :, None] & covered[1][:, None]

    def flat(x: Array) -> Array:
        window = {"kernel_shape": [worker.WINDOW, worker.WINDOW], "strides": [1, 1]}
        put = x.graph.put
        highest, lowest = put("MaxPool", [x], x.dtype, 4, **window), -put("MaxPool", [-x], x.dtype, 4, **window)
        same = ((highest - lowest).max(1) < worker.SAME).astype(np.float32)  # by the window's first corner
        wide = worker.WINDOW - 1
        near = tr.pad(same, ((0, 0), (wide, wide), (wide, wide)))[:, None]
        return put("MaxPool", [near], x.dtype, 4, **window)[:, 0] > 0.5

    def share(covered: Array) -> Array:
        return covered.astype(np.float64).mean((1, 2))

    def shift(x: Array, delta: Array) -> Array:
        delta = delta.astype(np.float64)
        before = flat(x)
        start = share(before)
        limit = tr.where(delta > 0, worker.MOST, delta * 0.0)
        area = px.strength_reaching(start + delta, start, limit, lambda s: share(before | mask(s)))
        return tr.where(mask(area)[:, None], x.mean((2, 3), keepdims=True), x)

    return px.operation(shape, lambda x: share(flat(x)), shift)
