"""Brier score: ``sum_k (p[k] - 1[k = label])²``, from 0 (sure and right) to 2 (sure and wrong).

Brier 1950, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78(1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shiftlens.core.arrays import Floats, IntArray
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import ComponentSettings, LossWorker


class Settings(ComponentSettings):
    """The Brier score has no settings."""


def build(settings: Settings) -> LossWorker:
    """``loss(probabilities (N, K), labels (N,)) -> (N,)`` in [0, 2]."""

    def brier(probabilities: Floats, labels: IntArray | None) -> Floats:
        if labels is None:
            raise InputError("the Brier score needs labels; for a domain without them set loss: entropy or margin")
        distance = probabilities.copy()
        distance[np.arange(len(labels)), labels] -= 1.0
        squared: Floats = (distance**2).sum(axis=1)
        return squared

    return brier


def onnx(settings: Settings) -> Any:
    """The same as an ONNX model, for grid.onnx."""
    from shiftlens.plugins.losses import as_onnx

    return as_onnx.brier()
