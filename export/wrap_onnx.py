"""One form for every ONNX classifier: ``x (N, *sample)`` float32 in, ``outputs (N, classes)`` float32 out. No torch.

Around the graph as it was found stand the nodes that turn a sample into what it takes (layout, type, range), and what
it gives into a matrix. A fixed batch is made free where the graph allows it: shapes that name the batch are loosened,
and the answers compared. Where it does not, the graph becomes the body of a Scan, which runs it batch by batch, the
last one filled up with samples that were there already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shiftlens.core.arrays import AnyArray
from shiftlens.core.errors import ClassifierError, InputError
from shiftlens.export.found_onnx import Dims, FoundOnnx
from shiftlens.export.session import Session, Tensor

X, OUTPUTS = "x", "outputs"
OWN = "shiftlens."  # before the name of every value that is added
SCAN_OPSET = 13
PARITY = 1e-3  # largest relative difference between a freed graph and the same with its own batch
LAYOUTS = ("channels-first", "channels-last", "no-channels", "flat")


@dataclass(frozen=True)
class Layout:
    """How a sample ``(*sample)`` becomes what the classifier takes.

    Attributes:
        name: as in the settings; ``"reshaped"`` where only axes of one are added or left out.
        shape: of one sample as the classifier takes it.
        repeat: grey is given three times, to a classifier of colour.
    """

    name: str
    shape: tuple[int, ...]
    repeat: bool = False


@dataclass(frozen=True)
class Form:
    """What stands around a graph: decided once, on real samples.

    Attributes:
        layout: of its input.
        sample_shape: of one sample as the analysis has it.
        scale: what values in [0, 1] are multiplied by for a classifier of whole numbers, 255; else 1.
        output: the name of the output that is used.
        columns: 1 where that output is one value a sample, which stands for two classes.
        bounded: whether that one value is a probability; otherwise it is a logit.
        batch: ``"free"``, ``"freed"``, or the fixed size that it is run in.
    """

    layout: Layout
    sample_shape: tuple[int, ...]
    scale: float
    output: str
    columns: int
    bounded: bool
    batch: str | int


def layouts(sample: tuple[int, ...], found: FoundOnnx, kind: str, wanted: str) -> list[Layout]:
    """The ways in which samples fit the input, the likeliest first; of one name only where that is ``wanted``."""
    dims = found.inputs[0].shape[1:]
    known = len(found.inputs[0].shape) > 0
    ways = [Layout("channels-first", sample)]
    if len(sample) >= 2:
        ways.append(Layout("channels-last", (*sample[1:], sample[0])))
        if sample[0] == 1:
            ways.append(Layout("no-channels", sample[1:]))
        ways.append(Layout("flat", (math.prod(sample),)))
    if known and all(isinstance(d, int) for d in dims) and [d for d in dims if d != 1] == [d for d in sample if d != 1]:
        ways.append(Layout("reshaped", tuple(d for d in dims if isinstance(d, int))))
    if kind == "image" and sample[0] == 1:
        ways.append(Layout("channels-first", (3, *sample[1:]), repeat=True))
        ways.append(Layout("channels-last", (*sample[1:], 3), repeat=True))
    if _begins_with_channels_last(found):
        ways.sort(key=lambda way: way.name != "channels-last")
    fitting: list[Layout] = []
    for way in ways:
        named = wanted in ("auto", way.name)
        if named and (not known or _fits(way.shape, dims)) and way.shape not in [other.shape for other in fitting]:
            fitting.append(way)
    return fitting


def _fits(shape: tuple[int, ...], dims: Dims) -> bool:
    return len(shape) == len(dims) and all(not isinstance(d, int) or d == s for s, d in zip(shape, dims, strict=True))


def _begins_with_channels_last(found: FoundOnnx) -> bool:
    """Whether the graph turns its input to the channels first itself, or names its last axis after them."""
    entry = found.inputs[0]
    if entry.shape and "channel" in str(entry.shape[-1]).lower():
        return True
    for node in found.model.graph.node:
        if entry.name in node.input and node.op_type == "Transpose":
            perm = next((list(a.ints) for a in node.attribute if a.name == "perm"), [])
            return perm[:2] == [0, len(perm) - 1]
    return False


def adapted(x: AnyArray, layout: Layout, scale: float, dtype: np.dtype[Any]) -> AnyArray:
    """What `wrap` does in front of a graph, in numpy: ``(n, *sample)`` to ``(n, *layout.shape)``."""
    if layout.repeat:
        x = np.repeat(x, 3, axis=1)
    if layout.name == "channels-last":
        x = np.moveaxis(x, 1, -1)
    if np.issubdtype(dtype, np.integer):
        x = np.clip(np.floor(x * scale + 0.5), np.iinfo(dtype).min, np.iinfo(dtype).max)
    return np.ascontiguousarray(x.reshape(len(x), *layout.shape)).astype(dtype)


def run_in_batches(session: Session, feed: dict[str, AnyArray], batch: int | None) -> dict[str, AnyArray]:
    """All outputs on samples, in batches of the only size that is taken, the last one filled up and cut off again."""
    count = len(next(iter(feed.values())))
    size = batch or count
    parts: list[dict[str, AnyArray]] = []
    for start in range(0, count, size):
        rows = np.arange(start, start + size) % count
        parts.append(session.run(**{name: values[rows] for name, values in feed.items()}))
    joined = {}
    for name in parts[0]:
        pieces = [part[name] for part in parts]
        whole = pieces[0] if pieces[0].ndim == 0 else np.concatenate(pieces)
        joined[name] = whole[:count] if whole.ndim else whole
    return joined


def wrap(found: FoundOnnx, form: Form) -> Any:
    """The one form of a found graph.

    Raises:
        ClassifierError: its opset is too old for what must be added.
    """
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(found.model)
    if isinstance(form.batch, int):
        model = _of_opset(model, SCAN_OPSET)
    graph = model.graph
    (entry,) = (value for value in graph.input if value.name == found.inputs[0].name)
    result = next(value for value in graph.output if value.name == form.output)
    _free(graph, entry, result, form)
    before, inner = _before(entry.name, found.inputs[0], form)
    after = _after(result.name, form, found)
    body = list(graph.node)
    del graph.node[:]
    if isinstance(form.batch, int):
        nodes = _scanned(body, inner, entry, result, form)
        graph.node.extend([*before, *nodes, *after])
    else:
        for node in body:
            _rename(node, entry.name, inner)
        graph.node.extend([*before, *body, *after])
    _set_ends(model, entry, form)
    return model


def _set_ends(model: Any, entry: Any, form: Form) -> None:
    """The signature of the one form."""
    from onnx import TensorProto, helper

    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    others = [value for value in graph.input if value.name in weights]
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(OWN + X, TensorProto.FLOAT, ["batch", *form.sample_shape]))
    graph.input.extend(others)
    del graph.output[:]
    columns = 2 if form.columns == 1 else form.columns
    graph.output.append(helper.make_tensor_value_info(OWN + OUTPUTS, TensorProto.FLOAT, ["batch", columns]))
    model.ir_version = max(model.ir_version, 4)  # from which on weights need not be inputs
    if not any(entry.domain in ("", "ai.onnx") for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", SCAN_OPSET))


def _constant(name: str, values: Any) -> Any:
    from onnx import helper, numpy_helper

    return helper.make_node("Constant", [], [OWN + name], value=numpy_helper.from_array(np.asarray(values), OWN + name))


def _before(name: str, entry: Tensor, form: Form) -> tuple[list[Any], str]:
    """Nodes from a sample to what the graph takes, and the name of what they make."""
    from onnx import helper

    nodes: list[Any] = []
    here = OWN + X

    def add(op: str, inputs: list[str], made: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [OWN + made], name=OWN + made, **attributes))
        return OWN + made

    layout = form.layout
    if layout.repeat:
        here = add("Concat", [here, here, here], "colour", axis=1)
    if layout.name == "channels-last":
        rank = len(form.sample_shape) + 1
        here = add("Transpose", [here], "turned", perm=[0, *range(2, rank), 1])
    elif layout.name in ("no-channels", "flat", "reshaped"):
        nodes.append(_constant("shape", np.array([-1, *layout.shape], dtype=np.int64)))
        here = add("Reshape", [here, OWN + "shape"], "reshaped")
    if np.issubdtype(entry.dtype, np.integer):
        limits = np.iinfo(entry.dtype)
        low, high = max(limits.min, -(2**24)), min(limits.max, 2**24)  # whole numbers that float32 holds
        for constant, value in (("scale", form.scale), ("half", 0.5), ("lowest", low), ("highest", high)):
            nodes.append(_constant(constant, np.array(value, dtype=np.float32)))
        here = add("Mul", [here, OWN + "scale"], "scaled")
        here = add("Add", [here, OWN + "half"], "raised")
        here = add("Floor", [here], "whole")
        here = add("Max", [here, OWN + "lowest"], "not-below")
        here = add("Min", [here, OWN + "highest"], "not-above")
    if entry.dtype != np.float32:
        here = add("Cast", [here], "typed", to=helper.np_dtype_to_tensor_dtype(entry.dtype))
    return nodes, here


def _after(name: str, form: Form, found: FoundOnnx) -> list[Any]:
    """Nodes from what the graph gives to a float32 matrix with a column for each class."""
    from onnx import TensorProto, helper

    nodes: list[Any] = []
    given = next(tensor for tensor in found.outputs if tensor.name == form.output)
    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    if given.dtype != np.float32:
        steps.append(("Cast", [], {"to": TensorProto.FLOAT}))
    if len(given.shape) != 2 or form.columns == 1:
        nodes.append(_constant("matrix", np.array([-1, form.columns], dtype=np.int64)))
        steps.append(("Reshape", [OWN + "matrix"], {}))
    here = OWN + "scanned" if isinstance(form.batch, int) else name
    for number, (op, more, attributes) in enumerate(steps):
        made = f"{OWN}after-{number}"
        nodes.append(helper.make_node(op, [here, *more], [made], name=made, **attributes))
        here = made
    if form.columns == 1 and form.bounded:
        nodes.append(_constant("certain", np.array(1, dtype=np.float32)))
        nodes.append(helper.make_node("Sub", [OWN + "certain", here], [OWN + "first"], name=OWN + "first"))
    elif form.columns == 1:
        nodes.append(_constant("nothing", np.array(0, dtype=np.float32)))
        nodes.append(helper.make_node("Mul", [here, OWN + "nothing"], [OWN + "first"], name=OWN + "first"))
    if form.columns == 1:
        both = [OWN + "first", here]
        nodes.append(helper.make_node("Concat", both, [OWN + OUTPUTS], name=OWN + OUTPUTS, axis=1))
    else:
        nodes.append(helper.make_node("Identity", [here], [OWN + OUTPUTS], name=OWN + OUTPUTS))
    return nodes


def _free(graph: Any, entry: Any, result: Any, form: Form) -> None:
    """Loosen the shapes that name the batch, where it is to be freed."""
    from onnx import helper, numpy_helper

    if form.batch != "freed":
        return
    size = entry.type.tensor_type.shape.dim[0].dim_value
    for value in (entry, *graph.output):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del graph.value_info[:]  # they hold the batch, too, and are inferred again
    weights = {tensor.name: tensor for tensor in graph.initializer}
    constants = {node.output[0]: node for node in graph.node if node.op_type == "Constant"}
    loosened: dict[str, str] = {}
    for node in graph.node:
        if node.op_type != "Reshape" or len(node.input) < 2:
            continue
        shape = node.input[1]
        if shape in weights:
            values = numpy_helper.to_array(weights[shape])
        elif shape in constants and any(a.name == "value" for a in constants[shape].attribute):
            values = helper.get_node_attr_value(constants[shape], "value")
            values = numpy_helper.to_array(values)
        else:
            continue
        if values.ndim != 1 or len(values) < 1 or values[0] != size:
            continue
        loose = np.array(values, dtype=np.int64)
        loose[0] = 0 if (loose[1:] == -1).any() else -1
        name = f"{OWN}free-{shape}"
        if shape not in loosened:
            loosened[shape] = name
            graph.initializer.append(numpy_helper.from_array(loose, name))
        node.input[1] = name


def _scanned(body: list[Any], inner: str, entry: Any, result: Any, form: Form) -> list[Any]:
    """Nodes that run ``body`` on one batch of its own size after the other; they make ``shiftlens.scanned``."""
    from onnx import helper

    assert isinstance(form.batch, int)
    size, shape = form.batch, list(form.layout.shape)
    graph = helper.make_graph(body, "one-batch", [entry], [result])
    nodes = [
        _constant("size", np.array([size], dtype=np.int64)),
        _constant("fill-less-one", np.array([size - 1], dtype=np.int64)),
        _constant("start", np.array(0, dtype=np.int64)),
        _constant("step", np.array(1, dtype=np.int64)),
        _constant("first-axis", np.array([0], dtype=np.int64)),
        _constant("batches-of", np.array([-1, size, *shape], dtype=np.int64)),
        _constant("rows-of", np.array([-1, form.columns], dtype=np.int64)),
        *_linked(
            [
                ("Shape", ["@in"], "in-shape"),
                ("Gather", ["in-shape", "first-axis"], "count"),
                ("Add", ["count", "fill-less-one"], "raised-count"),
                ("Div", ["raised-count", "size"], "batches"),
                ("Mul", ["batches", "size"], "total"),
                ("Squeeze", ["total"], "total-number"),
                ("Range", ["start", "total-number", "step"], "places"),
                ("Mod", ["places", "count"], "filled-places"),  # the last batch is filled up from the front
                ("Gather", ["@in", "filled-places"], "filled"),
                ("Reshape", ["filled", "batches-of"], "in-batches"),
            ],
            inner,
        ),
        helper.make_node(
            "Scan", [OWN + "in-batches"], [OWN + "out-batches"], name=OWN + "scan", body=graph, num_scan_inputs=1
        ),
        *_linked(
            [
                ("Reshape", ["out-batches", "rows-of"], "all-rows"),
                ("Slice", ["all-rows", "first-axis", "count"], "scanned"),
            ],
            "",
        ),
    ]
    return nodes


def _linked(steps: list[tuple[str, list[str], str]], entry: str) -> list[Any]:
    """Nodes of our own, by the names of what they take and make; ``@in`` is ``entry``."""
    from onnx import helper

    return [
        helper.make_node(op, [entry if i == "@in" else OWN + i for i in inputs], [OWN + made], name=OWN + made)
        for op, inputs, made in steps
    ]


def _rename(node: Any, old: str, new: str) -> None:
    """What a node, and the graphs inside it, read."""
    node.input[:] = [new if name == old else name for name in node.input]
    for attribute in node.attribute:
        for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            for below in inner.node:
                _rename(below, old, new)


def _of_opset(model: Any, least: int) -> Any:
    """The model in an opset that knows the nodes which are added."""
    from onnx import version_converter

    version = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=least)
    if version >= least:
        return model
    try:
        return version_converter.convert_version(model, least)
    except Exception as error:  # onnx's converters raise what they like
        raise ClassifierError(
            f"the classifier takes batches of one size only and is of opset {version}, which cannot be brought to "
            f"{least} ({error}); export it again with a dynamic batch"
        ) from None


def freed(found: FoundOnnx, form: Form, x: AnyArray, reference: AnyArray) -> Form:
    """``form`` with the batch made free where the graph allows it and its answers agree with ``reference``."""
    if found.batch is None:
        return replace(form, batch="free")
    attempt = replace(form, batch="freed")
    try:
        session = Session(wrap(found, attempt).SerializeToString(), device="cpu")
        for size in sorted({1, min(3, len(x)), len(x)}):
            got = session.run(**{OWN + X: x[:size]})[OWN + OUTPUTS]
            scale = max(1.0, float(np.abs(reference).max()))
            if got.shape != reference[:size].shape or np.abs(got - reference[:size]).max() > PARITY * scale:
                return replace(form, batch=found.batch)
    except InputError:
        return replace(form, batch=found.batch)
    return attempt
