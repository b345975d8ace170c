"""Cross-entropy, the identification loss of the patent (¶47): ``-log p[label]``, in nats."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import Floats, IntArray
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import ComponentSettings, LossWorker


class Settings(ComponentSettings):
    """Settings of the cross-entropy."""

    eps: float = Field(
        default=1e-7,
        gt=0,
        lt=0.5,
        description="smallest probability told apart from zero; bounds the loss (1e-7: 16.1 nats), because float32 "
        "probabilities are not exact below it",
    )


def build(settings: Settings) -> LossWorker:
    """``loss(probabilities (N, K), labels (N,)) -> (N,)`` in ``[0, -log(eps)]`` nats."""

    def cross_entropy(probabilities: Floats, labels: IntArray | None) -> Floats:
        if labels is None:
            raise InputError("cross-entropy needs labels; for a domain without them set loss: entropy or margin")
        chosen = probabilities[np.arange(len(labels)), labels]
        return -np.log(np.clip(chosen, settings.eps, 1.0))

    return cross_entropy


def onnx(settings: Settings) -> Any:
    """The same as an ONNX model, for grid.onnx."""
    from shiftlens.plugins.losses import as_onnx

    return as_onnx.cross_entropy(settings.eps)
