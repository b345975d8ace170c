"""ONNX forms of the factors of colour and tone: each follows the code of `colour` and `tone` line by line."""

from __future__ import annotations

from typing import Any

import numpy as np

from shiftlens.core.host.kinds import OnnxOperation
from shiftlens.export import traced as tr
from shiftlens.export.traced import Array
from shiftlens.plugins.factors import onnx_pixels as px
from shiftlens.plugins.factors import pixels

Shape = tuple[int, ...]


def brightness(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """A gain found by the mean lightness."""

    def measure(x: Array) -> Array:
        return px.lightness(x).mean((1, 2)).astype(np.float64)

    def shift(x: Array, delta: Array) -> Array:
        delta = delta.astype(np.float64)
        small = px.reduced(x, shape)
        top, bottom = small.max(1), small.min(1)

        def measured(strength: Array) -> Array:
            gain = px.per_sample(tr.exp(strength), 3)
            ends = tr.minimum(top * gain, 1) + tr.minimum(bottom * gain, 1)
            return ends.mean((1, 2)).astype(np.float64) / 2

        start = measure(small)
        limit = tr.where(delta < 0, -2.5, delta * 0.0 + 1.5)
        strength = px.strength_reaching(start + delta, start, limit, measured)
        return px.clipped(x * px.per_sample(tr.exp(strength), 4))

    return px.operation(shape, measure, shift)


def contrast(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """A spread of all values about the mean lightness."""

    def measure(x: Array) -> Array:
        light, dark = px.light_and_dark(px.lightness(x))
        return tr.where(light + dark > 0.01, (light - dark) / tr.maximum(light + dark, 0.01), np.nan)

    def shift(x: Array, delta: Array) -> Array:
        delta = delta.astype(np.float64)
        small, middle = px.reduced(x, shape), px.per_sample(px.lightness(x).mean((1, 2)), 4)

        def spread(y: Array, strength: Array) -> Array:
            return px.clipped(middle + (y - middle) * px.per_sample(1 + strength, 4))

        start = measure(small)
        limit = tr.where(delta < 0, -0.97, delta * 0.0 + 4.0)
        strength = px.strength_reaching(start + delta, start, limit, lambda s: measure(spread(small, s)), 6)
        return spread(x, strength)

    return px.operation(shape, measure, shift)


def background(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """The level of a plain ground; the figure stays."""

    def measure(x: Array) -> Array:
        figure = px.figure(x, shape)
        return tr.where(figure.plain, (figure.ground.max(1) + figure.ground.min(1)) / 2, np.nan)

    def shift(x: Array, delta: Array) -> Array:
        figure = px.figure(x, shape)
        lift = px.clipped(figure.ground + delta.astype(np.float32)[:, None]) - figure.ground  # (N, C)
        lift = tr.where(figure.plain[:, None], lift, 0)
        return px.clipped(x + (1 - figure.mask)[:, None] * lift[:, :, None, None])

    return px.operation(shape, measure, shift)


def saturation(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """Chroma made stronger, as far as the colour solid has room."""

    def measure(x: Array) -> Array:
        calm = px.smoothed(x, 2)
        top = calm.max(1)
        spread = top - calm.min(1)
        strong = (spread * spread).astype(np.float64).sum((1, 2))
        weight = (spread * top).astype(np.float64).sum((1, 2))
        return tr.where(weight > 1e-9, strong / tr.maximum(weight, 1e-9), 0)

    def stronger(y: Array, strength: Array) -> Array:
        light = px.lightness(y)
        room = 2 * tr.minimum(light, 1 - light) / tr.maximum(y.max(1) - y.min(1), 1e-6)
        factor = tr.minimum(px.per_sample(1 + strength, 3), tr.maximum(room, 1))
        return px.clipped(light[:, None] + (y - light[:, None]) * factor[:, None])

    def shift(x: Array, delta: Array) -> Array:
        delta = delta.astype(np.float64)
        small = px.reduced(x, shape)
        start = measure(small)
        limit = tr.where(delta < 0, -1.0, delta * 0.0 + 5.0)
        strength = px.strength_reaching(start + delta, start, limit, lambda s: measure(stronger(small, s)), 6)
        return stronger(x, strength)

    return px.operation(shape, measure, shift)


def hue(settings: Any, shape: Shape, rng: np.random.Generator) -> OnnxOperation:
    """Every pixel's hue turned; on a plain ground that of the figure alone."""

    def taken_apart(x: Array) -> tuple[Array, Array, Array]:
        red, green, blue = x[:, 0], x[:, 1], x[:, 2]
        top = x.max(1)
        spread = top - x.min(1)
        safe = tr.where(spread > 0, spread, 1)
        late = tr.where(top.equals(green), (blue - red) / safe + 2, (red - green) / safe + 4)
        return tr.mod(tr.where(top.equals(red), (green - blue) / safe, late), 6), top, spread

    def turned(x: Array, degrees: Array) -> Array:
        angle, top, spread = taken_apart(x)
        angle = angle + px.per_sample(degrees / 60, 3)
        changed = []
        for offset in (5, 3, 1):
            place = tr.mod(angle + offset, 6)
            changed.append((top - spread * tr.clip(tr.minimum(place, 4 - place), 0, 1))[:, None])
        return tr.concatenate(changed, axis=1)

    def measure(x: Array) -> Array:
        angle, _, spread = taken_apart(x)
        figure = px.figure(x, shape)
        firm = tr.clip(2 * figure.mask - 0.5, 0, 1)
        weight = tr.where(figure.plain[:, None, None], firm, 1)
        area = tr.maximum(weight.astype(np.float64).sum((1, 2)), 1)
        angle, weight = angle * np.float32(np.pi / 3), weight * spread
        east = (weight * tr.cos(angle)).astype(np.float64).sum((1, 2)) / area
        north = (weight * tr.sin(angle)).astype(np.float64).sum((1, 2)) / area
        degrees = tr.mod(tr.arctan2(north, east) * (180 / np.pi), 360)
        return tr.where(tr.sqrt(east**2 + north**2) < pixels.GREY / 2, np.nan, degrees)

    def shift(x: Array, delta: Array) -> Array:
        figure = px.figure(x, shape)
        ground = figure.ground[:, :, None, None]
        part = tr.where(figure.plain[:, None, None], 1 - figure.mask, 0)[:, None]
        return px.clipped(turned(x, delta) + part * (ground - turned(ground, delta)))

    return px.operation(shape, measure, shift)
