"""Built-in losses: how wrong, or how unsure, the classifier is on one sample."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.host.kinds import Loss
from shiftlens.plugins.losses import brier, cross_entropy, entropy, margin


@hookimpl
def shiftlens_losses() -> Iterator[Loss]:
    """The losses of this room."""
    yield Loss(
        name="cross-entropy",
        summary="minus the logarithm of the probability of the label",
        settings=cross_entropy.Settings,
        build=cross_entropy.build,
        onnx=cross_entropy.onnx,
        reference="¶47: identification loss L",
        unit="nats",
    )
    yield Loss(
        name="brier",
        summary="squared distance of the probabilities from the label; bounded, forgiving to label noise",
        settings=brier.Settings,
        build=brier.build,
        onnx=brier.onnx,
        reference="https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
        unit="squared probability",
    )
    yield Loss(
        name="entropy",
        summary="entropy of the prediction; needs no labels",
        settings=entropy.Settings,
        build=entropy.build,
        onnx=entropy.onnx,
        reference="https://doi.org/10.1002/j.1538-7305.1948.tb01338.x",
        needs_labels=False,
        unit="nats",
    )
    yield Loss(
        name="margin",
        summary="one minus the lead of the most probable class over the next; needs no labels",
        settings=margin.Settings,
        build=margin.build,
        onnx=margin.onnx,
        reference="https://doi.org/10.1007/3-540-44816-0_31",
        needs_labels=False,
        unit="probability",
    )
