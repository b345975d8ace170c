"""ONNX models written in numpy's words: an array whose operations are recorded as nodes instead of being done.

For the ONNX forms of factors, which follow their numpy code line by line. Ranks and types are known while recording,
sizes need not be; numbers and numpy arrays take the type of the array they meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from shiftlens.export.graphs import OPSET, prefixed

IR_VERSION = 10
SINGLE, DOUBLE, WHOLE, TRUTH = (np.dtype(kind) for kind in (np.float32, np.float64, np.int64, np.bool_))
Told = tuple[str, npt.DTypeLike, Sequence[int | str | Any]]
"""Name, type and shape of an input or output."""
LARGEST = 2**62  # the end of a slice that goes to the end


class Graph:
    """Nodes and constants, as they are recorded."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._known: dict[tuple[str, tuple[int, ...], bytes], Array] = {}
        self._models: dict[int, tuple[Any, Any]] = {}
        self._count = 0

    def name(self) -> str:
        """A name that is used nowhere else."""
        self._count += 1
        return f"v{self._count}"

    def constant(self, values: npt.ArrayLike, dtype: npt.DTypeLike) -> Array:
        """Fixed values; the same ones are kept once."""
        from onnx import numpy_helper

        fixed = np.ascontiguousarray(np.asarray(values, dtype=dtype)).reshape(np.shape(values))
        key = (str(fixed.dtype), fixed.shape, fixed.tobytes())
        if key not in self._known:
            name = self.name()
            self.constants.append(numpy_helper.from_array(fixed, name))
            self._known[key] = Array(self, name, fixed.dtype, fixed.ndim)
        return self._known[key]

    def put(self, operator: str, inputs: Sequence[Array], dtype: npt.DTypeLike, ndim: int, **attributes: Any) -> Array:
        """One node with one output."""
        return self.put_many(operator, inputs, [(dtype, ndim)], **attributes)[0]

    def put_many(
        self, operator: str, inputs: Sequence[Array], outputs: Sequence[tuple[npt.DTypeLike, int]], **attributes: Any
    ) -> list[Array]:
        """One node; ``outputs`` are the type and rank of each of its outputs."""
        from onnx import helper

        made = [Array(self, self.name(), np.dtype(dtype), ndim) for dtype, ndim in outputs]
        self.nodes.append(
            helper.make_node(operator, [i.name for i in inputs], [array.name for array in made], **attributes)
        )
        return made

    def call(self, model: Any, inputs: Sequence[Array], outputs: Sequence[tuple[npt.DTypeLike, int]]) -> list[Array]:
        """All nodes of another model, in our opset and without functions; the weights of one used twice stand once."""
        from onnx import helper

        if id(model) not in self._models:
            own = prefixed(model, f"{self.name()}/")
            self.constants += own.graph.initializer
            self._models[id(model)] = (model, own)  # kept, so that its number is not given to another
        prefix = f"{self.name()}/"
        used = prefixed(self._models[id(model)][1], prefix, weights=False)
        fixed = {tensor.name for tensor in used.graph.initializer}
        entries = [value.name for value in used.graph.input if value.name not in fixed]
        for array, entry in zip(inputs, entries, strict=True):
            self.nodes.append(helper.make_node("Identity", [array.name], [entry]))
        self.nodes += used.graph.node
        results = zip(used.graph.output, outputs, strict=True)
        return [Array(self, value.name, np.dtype(dtype), ndim) for value, (dtype, ndim) in results]

    def loop(
        self, count: Array, carried: Sequence[Array], body: Callable[..., tuple[Sequence[Array], Sequence[Array]]]
    ) -> tuple[list[Array], list[Array]]:
        """``body(i, *carried) -> carried, kept``, ``count`` times: what is carried at the end, and what each kept.

        What is kept is stacked along a new first axis. The body may use everything recorded before.
        """
        from onnx import helper

        i, going = (Array(self, self.name(), dtype, 0) for dtype in (WHOLE, TRUTH))
        given = [Array(self, self.name(), array.dtype, array.ndim) for array in carried]
        outside, self.nodes = self.nodes, []
        on, kept = body(i, *given)
        # A name of its own for every output: one array may be carried and kept.
        results = [array._one("Identity") for array in (going, *on, *kept)]
        inside, self.nodes = self.nodes, outside

        def told(array: Array) -> Any:
            return helper.make_tensor_value_info(
                array.name, helper.np_dtype_to_tensor_dtype(array.dtype), [None] * array.ndim
            )

        graph = helper.make_graph(inside, "body", [told(a) for a in (i, going, *given)], [told(a) for a in results])
        ends = [(array.dtype, array.ndim) for array in on] + [(array.dtype, array.ndim + 1) for array in kept]
        always = self.constant(True, TRUTH)
        made = self.put_many("Loop", [count, always, *carried], ends, body=graph)
        return made[: len(on)], made[len(on) :]


class Array:
    """A value of a graph, used as a numpy array would be."""

    __array_ufunc__ = None  # numpy arrays leave operators to this class

    def __init__(self, graph: Graph, name: str, dtype: np.dtype[Any], ndim: int) -> None:
        self.graph, self.name, self.dtype, self.ndim = graph, name, dtype, ndim

    def like(self, other: Any) -> Array:
        """``other`` as an array of this one's type and graph."""
        if isinstance(other, Array):
            return other if other.dtype == self.dtype else other.astype(self.dtype)
        return self.graph.constant(other, self.dtype)

    def _with(self, operator: str, other: Any, dtype: npt.DTypeLike | None = None, swapped: bool = False) -> Array:
        there = self.like(other)
        pair = [there, self] if swapped else [self, there]
        return self.graph.put(operator, pair, dtype or self.dtype, max(self.ndim, there.ndim))

    def __add__(self, other: Any) -> Array:
        return self._with("Add", other)

    def __sub__(self, other: Any) -> Array:
        return self._with("Sub", other)

    def __mul__(self, other: Any) -> Array:
        return self._with("Mul", other)

    def __truediv__(self, other: Any) -> Array:
        return self._with("Div", other)

    def __pow__(self, other: Any) -> Array:
        return self * self if isinstance(other, int) and other == 2 else self._with("Pow", other)

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Any) -> Array:
        return self._with("Sub", other, swapped=True)

    def __rtruediv__(self, other: Any) -> Array:
        return self._with("Div", other, swapped=True)

    def __lt__(self, other: Any) -> Array:
        return self._with("Less", other, TRUTH)

    def __le__(self, other: Any) -> Array:
        return self._with("LessOrEqual", other, TRUTH)

    def __gt__(self, other: Any) -> Array:
        return self._with("Greater", other, TRUTH)

    def __ge__(self, other: Any) -> Array:
        return self._with("GreaterOrEqual", other, TRUTH)

    def equals(self, other: Any) -> Array:
        """Where both are the same."""
        return self._with("Equal", other, TRUTH)

    def __and__(self, other: Array) -> Array:
        return self._with("And", other)

    def __or__(self, other: Array) -> Array:
        return self._with("Or", other)

    def __invert__(self) -> Array:
        return self.graph.put("Not", [self], TRUTH, self.ndim)

    def __neg__(self) -> Array:
        return self._one("Neg")

    def __matmul__(self, other: Any) -> Array:
        there = self.like(other)
        return self.graph.put("MatMul", [self, there], self.dtype, max(self.ndim, there.ndim))

    def __rmatmul__(self, other: Any) -> Array:
        there = self.like(other)
        return self.graph.put("MatMul", [there, self], self.dtype, max(self.ndim, there.ndim))

    def _one(self, operator: str, dtype: npt.DTypeLike | None = None) -> Array:
        return self.graph.put(operator, [self], dtype or self.dtype, self.ndim)

    def astype(self, dtype: npt.DTypeLike) -> Array:
        """In another type."""
        from onnx import helper

        if np.dtype(dtype) == self.dtype:
            return self
        code = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.graph.put("Cast", [self], dtype, self.ndim, to=code)

    def _reduced(self, operator: str, axes: int | Sequence[int], keepdims: bool) -> Array:
        taken = [axes] if isinstance(axes, int) else list(axes)
        rank = self.ndim if keepdims else self.ndim - len(taken)
        where = self.graph.constant(taken, WHOLE)
        return self.graph.put(operator, [self, where], self.dtype, rank, keepdims=int(keepdims))

    def sum(self, axes: int | Sequence[int], keepdims: bool = False) -> Array:
        """Along the axes."""
        return self._reduced("ReduceSum", axes, keepdims)

    def mean(self, axes: int | Sequence[int], keepdims: bool = False) -> Array:
        """Along the axes; of truth values, the share of True."""
        numbers = self.astype(SINGLE) if self.dtype == TRUTH else self
        return numbers._reduced("ReduceMean", axes, keepdims)

    def max(self, axes: int | Sequence[int], keepdims: bool = False) -> Array:
        """Along the axes."""
        return self._reduced("ReduceMax", axes, keepdims)

    def min(self, axes: int | Sequence[int], keepdims: bool = False) -> Array:
        """Along the axes."""
        return self._reduced("ReduceMin", axes, keepdims)

    def reshape(self, *sizes: int) -> Array:
        """0 keeps a size, -1 is what is left."""
        return self.graph.put("Reshape", [self, self.graph.constant(sizes, WHOLE)], self.dtype, len(sizes))

    def expanded(self, shape: Array, ndim: int) -> Array:
        """Broadcast to a recorded shape."""
        return self.graph.put("Expand", [self, shape], self.dtype, ndim)

    def shape(self, start: int = 0, end: int | None = None) -> Array:
        """Sizes as whole numbers, from one axis up to another."""
        attributes = {"start": start} if end is None else {"start": start, "end": end}
        return self.graph.put("Shape", [self], WHOLE, 1, **attributes)

    def transpose(self, *order: int) -> Array:
        """Axes in another order."""
        return self.graph.put("Transpose", [self], self.dtype, self.ndim, perm=list(order))

    def __getitem__(self, key: Any) -> Array:
        """Slices with fixed ends, whole numbers, and None for a new axis; what is left out stays."""
        keys = key if isinstance(key, tuple) else (key,)
        cut: list[tuple[int, int, int, int]] = []  # axis, start, end, step
        dropped: list[int] = []
        new: list[int] = []
        axis = place = 0
        for one in keys:
            if one is None:
                new.append(place)
                place += 1
                continue
            if isinstance(one, int):
                cut.append((axis, one, one + 1 if one != -1 else LARGEST, 1))
                dropped.append(axis)
            else:
                step = one.step or 1
                if (one.start, one.stop, step) != (None, None, 1):
                    first = one.start if one.start is not None else (0 if step > 0 else -1)
                    last = one.stop if one.stop is not None else (LARGEST if step > 0 else -LARGEST)
                    cut.append((axis, first, last, step))
                place += 1
            axis += 1
        made, put = self, self.graph.put
        if cut:
            axes, *ends = (self.graph.constant(values, WHOLE) for values in zip(*cut, strict=True))
            made = put("Slice", [made, ends[0], ends[1], axes, ends[2]], self.dtype, self.ndim)
        if dropped:
            where_to = self.graph.constant(dropped, WHOLE)
            made = put("Squeeze", [made, where_to], self.dtype, made.ndim - len(dropped))
        if new:
            made = put("Unsqueeze", [made, self.graph.constant(new, WHOLE)], self.dtype, made.ndim + len(new))
        return made


def where(condition: Array, yes: Any, no: Any) -> Array:
    """As numpy's; at least one of the two must be a recorded array."""
    known = yes if isinstance(yes, Array) else no
    pair = [known.like(yes), known.like(no)]
    rank = max(condition.ndim, *(array.ndim for array in pair))
    return condition.graph.put("Where", [condition, *pair], known.dtype, rank)


def minimum(one: Array, other: Any) -> Array:
    """The smaller of both."""
    return one._with("Min", other)


def maximum(one: Array, other: Any) -> Array:
    """The larger of both."""
    return one._with("Max", other)


def clip(x: Array, low: float, high: float) -> Array:
    """Within the ends."""
    return x.graph.put("Clip", [x, x.like(low), x.like(high)], x.dtype, x.ndim)


def concatenate(parts: Sequence[Array], axis: int) -> Array:
    """One after the other along an axis."""
    return parts[0].graph.put("Concat", parts, parts[0].dtype, parts[0].ndim, axis=axis)


def pad(x: Array, ends: Sequence[tuple[int, int]], mode: str = "constant") -> Array:
    """With ``mode="edge"`` the ends are repeated, with ``"constant"`` zeros stand there."""
    widths = x.graph.constant([*(a for a, _ in ends), *(b for _, b in ends)], WHOLE)
    return x.graph.put("Pad", [x, widths], x.dtype, x.ndim, mode=mode)


def gather(x: Array, indices: Array, axis: int) -> Array:
    """As ``np.take``."""
    return x.graph.put("Gather", [x, indices], x.dtype, x.ndim + indices.ndim - 1, axis=axis)


def take_along(x: Array, indices: Array, axis: int) -> Array:
    """As ``np.take_along_axis``; all other sizes must be equal."""
    return x.graph.put("GatherElements", [x, indices], x.dtype, x.ndim, axis=axis)


def arg_extreme(x: Array, axis: int, largest: bool = True) -> Array:
    """Place of the largest or smallest value, the first where several are."""
    return x.graph.put("ArgMax" if largest else "ArgMin", [x], WHOLE, x.ndim - 1, axis=axis, keepdims=0)


def largest(x: Array, count: int) -> Array:
    """The ``count`` largest values along the last axis, in falling order."""
    wanted = x.graph.constant([count], WHOLE)
    return x.graph.put_many("TopK", [x, wanted], [(x.dtype, x.ndim), (WHOLE, x.ndim)], axis=-1)[0]


def _of_one(operator: str, dtype: npt.DTypeLike | None = None) -> Callable[[Array], Array]:
    return lambda x: x._one(operator, dtype)


exp, log, sqrt, absolute, floor, rint = map(_of_one, ("Exp", "Log", "Sqrt", "Abs", "Floor", "Round"))
cos, sin, sign = map(_of_one, ("Cos", "Sin", "Sign"))
isnan = _of_one("IsNaN", TRUTH)
isinf = _of_one("IsInf", TRUTH)


def mod(x: Array, by: float) -> Array:
    """As numpy's: of the sign of ``by``."""
    return x - by * floor(x / by)


def arctan2(y: Array, x: Array) -> Array:
    """The angle of (x, y) in radians; ONNX knows that of a quotient only. 0 where both are 0."""
    half = np.pi / 2
    steep = absolute(y) > absolute(x)
    over, under = where(steep, x, y), where(steep, y, x)
    safe = where(under.equals(0.0), 1.0, under)
    angle = (over / safe).astype(SINGLE)._one("Atan").astype(x.dtype)  # ONNX Runtime has no other
    upright = where(y < 0.0, -half - angle, half - angle)
    beyond = where(y < 0.0, angle - np.pi, angle + np.pi)
    return where(steep, upright, where(x < 0.0, beyond, angle))


def model(
    name: str,
    inputs: Sequence[Told],
    function: Callable[..., Array | Sequence[Array]],
    outputs: Sequence[Told],
) -> Any:
    """The ONNX model of a function of arrays; inputs and outputs with their names, types and shapes."""
    from onnx import helper

    def told(entry: Told) -> Any:
        return helper.make_tensor_value_info(
            entry[0], helper.np_dtype_to_tensor_dtype(np.dtype(entry[1])), list(entry[2])
        )

    graph = Graph()
    made = function(*(Array(graph, one, np.dtype(dtype), len(shape)) for one, dtype, shape in inputs))
    for array, (one, dtype, _) in zip([made] if isinstance(made, Array) else made, outputs, strict=True):
        graph.nodes.append(helper.make_node("Identity", [array.astype(dtype).name], [one]))
    body = helper.make_graph(
        graph.nodes, name, [told(entry) for entry in inputs], [told(entry) for entry in outputs],
        initializer=graph.constants,
    )  # fmt: skip
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
