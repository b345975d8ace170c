"""The statistics that a classifier's ONNX file normalises by, estimated anew on other samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.errors import ExportError
from shiftlens.export import graphs
from shiftlens.export.session import Session


def renormalised(classifier: Path, batches: Sequence[FloatArray], weight: float, path: Path) -> int:
    """Write the classifier with the statistics of its BatchNormalization nodes estimated anew; returns how many.

    One node after the other, as what reaches a node depends on those before it. The labels are not needed.

    Args:
        batches: samples ``(n, *sample)``, the same for every node.
        weight: of the new statistics, 0 to 1; the rest is the old ones'.

    Raises:
        ExportError: the classifier normalises by no statistics of its own, or they are no constants.
    """
    from onnx import numpy_helper

    model = graphs.load(classifier)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    if not nodes:
        raise ExportError("the classifier has no BatchNormalization nodes, whose statistics could be estimated anew")
    for node in nodes:
        if not {*node.input[3:5]} <= constants.keys():
            raise ExportError("the statistics of the classifier's BatchNormalization nodes are no constants")
    for node in nodes:
        mean, variance = _statistics(model, node.input[0], batches)
        for name, new in zip(node.input[3:5], (mean, variance), strict=True):
            old = numpy_helper.to_array(constants[name])
            mixed = (weight * new + (1 - weight) * old).astype(old.dtype)
            constants[name].CopyFrom(numpy_helper.from_array(mixed, name))
    graphs.save(model, path)
    return len(nodes)


def _statistics(model: Any, tensor: str, batches: Sequence[FloatArray]) -> tuple[Floats, Floats]:
    """Mean and variance of each channel of a tensor ``(n, C, ...)`` inside the model."""
    import onnx

    looked_at = onnx.ModelProto()
    looked_at.CopyFrom(model)
    del looked_at.graph.output[:]
    looked_at.graph.output.append(onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
    session = Session(looked_at.SerializeToString(), device="cpu")
    (entry,) = session.inputs
    count, total, squares = 0, 0.0, 0.0
    for x in batches:
        values = session.run(**{entry.name: x})[tensor].astype(np.float64)
        axes = (0, *range(2, values.ndim))
        count += values.size // values.shape[1]
        total, squares = total + values.sum(axes), squares + (values**2).sum(axes)
    mean: Floats = np.asarray(total / count)
    return mean, np.maximum(np.asarray(squares / count) - mean**2, 0.0)
