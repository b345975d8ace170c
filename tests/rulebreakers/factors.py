"""Factors that break one rule each, and one that keeps them all."""

from __future__ import annotations

import numpy as np

from rulebreakers.tried import Tried
from shiftlens.core.host.kinds import Factor, Variant


class Level:
    def __init__(self, settings=None):
        pass

    def refuses(self, x):
        return ""

    def measure(self, x):
        return x.reshape(len(x), -1).mean(1, dtype=np.float64)

    def shift(self, x, delta, rng):
        return np.clip(x + delta.reshape(-1, *[1] * (x.ndim - 1)), 0, 1).astype(np.float32)


def factor(worker, **more):
    return Factor(name="broken", summary="a factor", build=worker, unit="of range", **more)


def factor_with(**methods):
    return Tried(factor(type("Worker", (Level,), methods)))


def plain_shift(self, x, delta, rng):
    return Level.shift(self, x, delta, rng)


def too_much(settings, sample_shape, rng):
    """The ONNX form of a shift by a little more than is asked for."""
    from shiftlens.plugins.factors.onnx_pixels import clipped, operation, per_sample

    return operation(sample_shape, None, lambda x, delta: clipped(x + 1.1 * per_sample(delta, x.ndim)))


class Negative:
    """Discrete: light and dark exchanged."""

    def __init__(self, settings=None):
        pass

    def refuses(self, x):
        return ""

    def signs(self, x):
        return x.reshape(len(x), -1).mean(1, dtype=np.float64)[:, None]

    def make(self, x, variant):
        return (1 - x).astype(np.float32)

    def undo(self, x, variant):
        return (1 - x).astype(np.float32)


INVERTED = Variant("inverted", "Inverted images", "invert the images")


def discrete_with(variants=(INVERTED,), **methods):
    return Tried(factor(type("Worker", (Negative,), methods), variants=variants))


GOOD = Tried(factor(Level))
GOOD_DISCRETE = discrete_with()

BREAKERS = {
    "factor-refuses-in-words": factor_with(refuses=lambda self, x: None),
    "factor-one-value-each": factor_with(measure=lambda self, x: x.mean()),
    "factor-each-sample-alone": factor_with(measure=lambda self, x: Level.measure(self, x) - x.mean()),
    "factor-shifts-samples-into-samples": factor_with(
        shift=lambda self, x, delta, rng: (x + 2 * delta[:, None, None, None]).astype(np.float64)
    ),
    "factor-a-shift-by-nothing-changes-nothing": factor_with(
        shift=lambda self, x, delta, rng: np.clip(plain_shift(self, x, delta, rng) + 0.1, 0, 1)
    ),
    "factor-moves-as-asked": factor_with(shift=lambda self, x, delta, rng: plain_shift(self, x, -delta, rng)),
    "factor-goes-round-in-its-period": Tried(factor(Level, period=0.001)),
    "factor-the-same-under-a-seed": factor_with(
        shift=lambda self, x, delta, rng: plain_shift(self, x, delta * np.random.rand(), rng)  # noqa: NPY002
    ),
    "factor-leaves-its-input-alone": factor_with(
        shift=lambda self, x, delta, rng: np.add(x, delta[:, None, None, None], out=x, casting="unsafe")
    ),
    "factor-survives-all-equal-samples": factor_with(
        measure=lambda self, x: Level.measure(self, x) / np.ptp(x, axis=(1, 2, 3)).astype(np.float64)
    ),
    "factor-variants-are-told": discrete_with((INVERTED, INVERTED)),
    "factor-signs-of-each-sample": discrete_with(signs=lambda self, x: Negative.signs(self, x) - x.mean()),
    "factor-makes-every-variant": discrete_with(make=lambda self, x, variant: (2 - x).astype(np.float32)),
    "factor-takes-variants-back": discrete_with(undo=lambda self, x, variant: x),
    "factor-takes-odd-sizes": factor_with(
        measure=lambda self, x: Level.measure(self, x.reshape(len(x), -1, 2)), refuses=lambda self, x: ""
    ),
    "factor-onnx-agrees": Tried(factor(Level, onnx=too_much)),
}
