"""The operations of factors as parts of ONNX models: made in front of a classifier, and proven there. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.errors import ExportError
from shiftlens.core.host.kinds import OnnxOperation
from shiftlens.export import graphs
from shiftlens.export import traced as tr
from shiftlens.export.parity import Arrays, check_parity
from shiftlens.export.session import Session
from shiftlens.export.traced import Array

BATCHES = (1, 7)


@dataclass(frozen=True)
class Operation:
    """A factor's ONNX form, ready to become part of a graph.

    Attributes:
        shift, measure: models in our opset, without functions; as of `OnnxOperation`.
        tolerance: as of `OnnxOperation`.
    """

    name: str
    shift: Any
    measure: Any
    tolerance: float

    @classmethod
    def of(cls, name: str, form: OnnxOperation) -> Operation:
        """The form of the factor ``name``.

        Raises:
            ExportError: its models do not take and give what they must.
        """
        told = f"the ONNX form of {name}"
        for model, inputs in ((form.shift, 2), (form.measure, 1)):
            if model is None and inputs == 1:
                continue
            if not hasattr(model, "graph") or (len(model.graph.input), len(model.graph.output)) != (inputs, 1):
                raise ExportError(
                    f"{told} must be made of models: samples and strengths in, samples out; samples in, measures out"
                )
        measure = None if form.measure is None else graphs.inlined(form.measure, told)
        return cls(name, graphs.inlined(form.shift, told), measure, form.tolerance)

    def shifted(self, x: Array, delta: Array) -> Array:
        """Samples changed by strengths ``(N,)``."""
        strengths = delta.astype(_type_of(self.shift.graph.input[1]))
        return x.graph.call(self.shift, [x, strengths], [(np.float32, x.ndim)])[0]

    def measured(self, x: Array) -> Array:
        """Measures ``(N,)`` float64.

        Raises:
            ExportError: the form has none.
        """
        if self.measure is None:
            raise ExportError(f"the ONNX form of {self.name} has no measure, which the strength of the change needs")
        found = [(_type_of(self.measure.graph.output[0]), 1)]
        return x.graph.call(self.measure, [x], found)[0].astype(np.float64)


def _type_of(value: Any) -> np.dtype[Any]:
    """The type of an input's or an output's values."""
    from onnx import helper

    return np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))


@dataclass(frozen=True)
class Correction:
    """One operation with the table that tells how far a sample is moved.

    Attributes:
        value, move: ``(levels,)`` rising measured values, and by how much a sample that measures this is moved; between
            them on the straight line, beyond them as at the end. A sample without the property is not moved.
    """

    operation: Operation
    value: Floats
    move: Floats

    def __call__(self, x: Array) -> Array:
        """Samples corrected."""
        if (len(self.value) == 1 and self.operation.measure is None) or bool(np.ptp(self.move) == 0):
            amount = (x.shape(0, 1) * 0).astype(np.float64) + float(self.move[0])
            amount = amount.expanded(x.shape(0, 1), 1)
            if self.operation.measure is not None:
                amount = tr.where(tr.isnan(self.operation.measured(x)), 0.0, amount)
        else:
            measured = self.operation.measured(x)
            amount = tr.where(tr.isnan(measured), 0.0, interpolated(measured, self.value, self.move))
        return self.operation.shifted(x, amount)


def interpolated(x: Array, value: Floats, move: Floats) -> Array:
    """As ``np.interp(x, value, move)``, ``x`` ``(N,)`` float64."""
    step = np.diff(value)
    slope = np.append(np.divide(np.diff(move), step, out=np.zeros(len(step)), where=step > 0), 0.0)
    passed = (x[:, None] >= value[None]).astype(np.int64).sum(1)  # how many entries lie below
    place = tr.maximum(passed - 1, 0)
    fixed = x.graph.constant
    start, begin, rise = (tr.gather(fixed(table, np.float64), place, 0) for table in (value, move, slope))
    inner = begin + tr.maximum(x - start, 0.0) * rise
    return tr.where(passed.equals(len(value)), float(move[-1]), inner)


def corrected_classifier(
    classifier: Path, corrections: Sequence[Correction], sample_shape: tuple[int, ...], path: Path
) -> None:
    """Write a classifier with corrections in front of it, made one after the other, to ``path``.

    Raises:
        ExportError: an operation has no ONNX form that fits, or the whole is not valid.
    """
    own = graphs.inlined(graphs.load(classifier), str(classifier))
    fixed = {tensor.name for tensor in own.graph.initializer}
    (entry,) = (value for value in own.graph.input if value.name not in fixed)
    result = own.graph.output[0]
    classes = [size.dim_value or size.dim_param or None for size in result.type.tensor_type.shape.dim][1:]

    def whole(x: Array) -> Array:
        for correction in corrections:
            x = correction(x)
        return x.graph.call(own, [x], [(np.float32, 1 + len(classes))])[0]

    shape = ("N", *sample_shape)
    model = tr.model(
        "corrected-classifier",
        [(entry.name, np.float32, shape)],
        whole,
        [(result.name, np.float32, ("N", *(size or "classes" for size in classes)))],
    )
    graphs.extend_opsets(model, own)
    graphs.save(model, path)


def check_corrections(
    path: Path, correct: Callable[[FloatArray], FloatArray], classifier: Path, samples: FloatArray, tolerance: float
) -> dict[str, Any]:
    """Prove that a corrected classifier answers to real samples as the classifier does to corrected ones.

    Args:
        correct: the same corrections in Python; asked for one sample at a time.
        tolerance: as of `check_parity`.

    Raises:
        ExportError: it does not.
    """
    plain = Session(classifier, device="cpu")
    (entry,), output = plain.inputs, plain.outputs[0].name

    def reference(inputs: Arrays) -> Arrays:
        x = inputs[entry.name]
        restored = np.concatenate([correct(x[i : i + 1]) for i in range(len(x))])
        return {output: plain.run(**{entry.name: restored})[output]}

    def inputs(batch: int) -> Arrays:
        return {entry.name: samples[np.arange(batch) % len(samples)]}

    return check_parity(path, reference, inputs, (*BATCHES, len(samples)), tolerance)
