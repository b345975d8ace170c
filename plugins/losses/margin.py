"""Margin: ``1 - (p of the most probable class - p of the next)``, from 0 (sure) to 1 (a tie), whatever the label.

For domains without labels; looks only at the two classes in question, where the entropy looks at all of them.
Scheffer, Decomain, Wrobel 2001, Active hidden Markov models for information extraction.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shiftlens.core.arrays import Floats, IntArray
from shiftlens.core.host.kinds import ComponentSettings, LossWorker


class Settings(ComponentSettings):
    """The margin has no settings."""


def build(settings: Settings) -> LossWorker:
    """``loss(probabilities (N, K), labels ignored) -> (N,)`` in [0, 1]."""

    def margin(probabilities: Floats, labels: IntArray | None) -> Floats:
        second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
        lead: Floats = 1.0 - (first - second)
        return lead

    return margin


def onnx(settings: Settings) -> Any:
    """The same as an ONNX model, for grid.onnx."""
    from shiftlens.plugins.losses import as_onnx

    return as_onnx.margin()
