"""The last linear layer of a classifier's ONNX file: read out with what comes into it, and written back anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shiftlens.core.errors import ExportError
from shiftlens.core.files import write_bytes

PASSED = {"Softmax", "LogSoftmax", "Identity", "Flatten", "Reshape", "Squeeze", "Cast", "Clip"}
"""Operators between the last linear layer and the output that a refit leaves as they are."""


@dataclass(frozen=True)
class Head:
    """The last linear layer: ``logits = features @ weight + bias``.

    Attributes:
        features: name of the tensor that comes in, ``(N, F)``.
        logits: name of the tensor that goes out, ``(N, classes)``.
        weight, bias: ``(F, classes)`` and ``(classes,)`` float32.
        model: the whole model, as the onnx package reads it.
    """

    features: str
    logits: str
    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    model: Any

    @classmethod
    def of(cls, path: Path) -> Head:
        """Find the last linear layer.

        Raises:
            ExportError: the classifier does not end in one.
        """
        import onnx
        from onnx import numpy_helper

        model = onnx.load(str(path))
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        makers = {name: node for node in model.graph.node for name in node.output}
        name, added = model.graph.output[0].name, None
        while name in makers:
            node = makers[name]
            if node.op_type == "Gemm":
                attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
                weight = constants.get(node.input[1])
                bias = constants.get(node.input[2]) if len(node.input) > 2 else None
                if weight is None or attributes.get("transA", 0) or (len(node.input) > 2 and bias is None):
                    break
                weight = attributes.get("alpha", 1.0) * (weight.T if attributes.get("transB", 0) else weight)
                bias = np.zeros(weight.shape[1]) if bias is None else attributes.get("beta", 1.0) * bias
                return cls._found(node.input[0], name, weight, bias, model)
            if node.op_type == "MatMul" and node.input[1] in constants:
                weight = constants[node.input[1]]
                bias = np.zeros(weight.shape[-1]) if added is None else added[1]
                return cls._found(node.input[0], name if added is None else added[0], weight, bias, model)
            constant = [entry for entry in node.input if entry in constants]
            if node.op_type == "Add" and len(constant) == 1 and added is None:
                added = (name, constants[constant[0]])
                name = next(entry for entry in node.input if entry not in constants)
            elif node.op_type in PASSED and added is None:
                name = node.input[0]
            else:
                break
        last = makers[name].op_type if name in makers else "none"
        raise ExportError(f"the classifier does not end in a linear layer (Gemm or MatMul), but in {last}")

    @classmethod
    def _found(cls, features: str, logits: str, weight: Any, bias: Any, model: Any) -> Head:
        if weight.ndim != 2:
            raise ExportError(f"the last linear layer's weights have {weight.ndim} dimensions instead of 2")
        wide = np.broadcast_to(np.asarray(bias, dtype=np.float32).ravel(), (weight.shape[1],))
        return cls(features, logits, np.asarray(weight, dtype=np.float32), wide, model)

    def feature_model(self) -> bytes:
        """The model whose only output is the features."""
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        del model.graph.output[:]
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(self.features, onnx.TensorProto.FLOAT, ["N", self.weight.shape[0]])
        )
        _only_what_is_needed(model)
        return bytes(model.SerializeToString())

    def written(self, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32], path: Path) -> None:
        """The whole model with another last layer ``(F, classes)``, ``(classes,)``, checked and written to ``path``."""
        import onnx
        from onnx import helper, numpy_helper

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        place = next(i for i, node in enumerate(model.graph.node) if self.logits in node.output)
        nodes = [node for node in model.graph.node if self.logits not in node.output]
        names = ("refitted/weight", "refitted/bias")
        nodes.insert(place, helper.make_node("Gemm", [self.features, *names], [self.logits], name="refitted"))
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        for name, values in zip(names, (weight, bias), strict=True):
            model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        _only_what_is_needed(model)
        onnx.checker.check_model(model)
        write_bytes(path, model.SerializeToString())


def _only_what_is_needed(model: Any) -> None:
    """Leave out nodes and constants that no output needs."""
    needed = {output.name for output in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    del model.graph.node[:]
    model.graph.node.extend(reversed(kept))
    constants = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    del model.graph.initializer[:]
    model.graph.initializer.extend(constants)
