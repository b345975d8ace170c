"""The built-in losses as ONNX models, for grid.onnx: each computes what the module of its name does."""

from __future__ import annotations

from typing import Any

from onnxscript import FLOAT, INT64, script
from onnxscript import opset20 as op

PROBABILITIES, LABELS, LOSSES = FLOAT["N", "K"], INT64["N"], FLOAT["N"]


def model(function: Any) -> Any:
    """The model of a function of probabilities and labels."""
    return function.to_model_proto(input_types=[PROBABILITIES, LABELS], output_types=[LOSSES])


def cross_entropy(smallest: float) -> Any:
    """``-log max(p[label], smallest)``."""

    @script(default_opset=op)
    def loss(probabilities, labels):
        chosen = op.Squeeze(op.GatherElements(probabilities, op.Unsqueeze(labels, [1]), axis=1), [1])
        measured = op.Neg(op.Log(op.Max(chosen, smallest)))
        return measured

    return model(loss)


def brier() -> Any:
    """``sum_k p[k]² - 2 p[label] + 1``."""

    @script(default_opset=op)
    def loss(probabilities, labels):
        chosen = op.Squeeze(op.GatherElements(probabilities, op.Unsqueeze(labels, [1]), axis=1), [1])
        squares = op.ReduceSum(probabilities * probabilities, [1], keepdims=0)
        measured = squares - (chosen + chosen) + 1.0
        return measured

    return model(loss)


def entropy() -> Any:
    """``-sum_k p[k] log p[k]``."""

    @script(default_opset=op)
    def loss(probabilities, labels):
        logarithms = op.Log(op.Max(probabilities, 1e-30))
        measured = op.Neg(op.ReduceSum(probabilities * logarithms, [1], keepdims=0))
        return measured

    return model(loss)


def margin() -> Any:
    """``1 - (first - second)`` of the largest probabilities."""

    @script(default_opset=op)
    def loss(probabilities, labels):
        best, _places = op.TopK(probabilities, [2], axis=1)
        first, second = op.Split(best, num_outputs=2, axis=1)
        measured = 1.0 - op.Squeeze(first - second, [1])
        return measured

    return model(loss)
