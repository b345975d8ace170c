"""Entropy of the prediction: ``-sum_k p[k] log p[k]``, in nats: how unsure, whatever the label.

For domains without labels. A classifier that is sure and wrong has a small entropy: read the figures with that in mind.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shiftlens.core.arrays import Floats, IntArray
from shiftlens.core.host.kinds import ComponentSettings, LossWorker


class Settings(ComponentSettings):
    """The entropy has no settings."""


def build(settings: Settings) -> LossWorker:
    """``loss(probabilities (N, K), labels ignored) -> (N,)`` in ``[0, log(K)]`` nats."""

    def entropy(probabilities: Floats, labels: IntArray | None) -> Floats:
        logarithms = np.log(np.where(probabilities > 0, probabilities, 1.0))  # 0 log 0 is 0
        total: Floats = -(probabilities * logarithms).sum(axis=1)
        return np.maximum(total, 0.0)

    return entropy


def onnx(settings: Settings) -> Any:
    """The same as an ONNX model, for grid.onnx."""
    from shiftlens.plugins.losses import as_onnx

    return as_onnx.entropy()
