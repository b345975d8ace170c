"""Small operations on ONNX models as protobuf: no torch, no ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shiftlens.core.errors import ExportError, InputError
from shiftlens.core.files import write_bytes

OPSET = 20  # of everything that is exported here


def load(path: Path) -> Any:
    """The model of a file, with weights that stand beside it in files of their own.

    Raises:
        InputError: missing, or not an ONNX model.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return onnx.load(path)
    except DecodeError:
        raise InputError(f"{path} is not an ONNX model; check that the file is complete") from None
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def save(model: Any, path: Path, check: bool = True) -> None:
    """Check a model (one that was checked elsewhere need not be again) and write it whole, as one file.

    Raises:
        ExportError: it is not valid ONNX, or above the 2 GB that one file can hold.
    """
    import onnx

    try:
        if check:
            onnx.checker.check_model(model)
        content = model.SerializeToString()
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ExportError(f"{path.name} cannot be written as ONNX: {error}") from None
    write_bytes(path, content)


def signature(path: Path) -> tuple[dict[str, int], list[dict[str, Any]], list[dict[str, Any]]]:
    """Opset and IR version, inputs and outputs of a file; a dimension that may vary is a name, or ``"batch"``."""
    from onnx import helper

    model = load(path)
    weights = {tensor.name for tensor in model.graph.initializer}

    def described(value: Any) -> dict[str, Any]:
        tensor = value.type.tensor_type
        shape = [d.dim_value if d.HasField("dim_value") else d.dim_param or "batch" for d in tensor.shape.dim]
        return {"name": value.name, "shape": shape, "type": str(helper.tensor_dtype_to_np_dtype(tensor.elem_type))}

    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return (
        {"opset": opset, "ir_version": model.ir_version},
        [described(value) for value in model.graph.input if value.name not in weights],
        [described(value) for value in model.graph.output],
    )


def set_metadata(model: Any, metadata: Mapping[str, str]) -> None:
    """Replace a model's metadata."""
    del model.metadata_props[:]
    for key in sorted(metadata):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, metadata[key]


def add_metadata(model: Any, metadata: Mapping[str, str]) -> None:
    """Add to a model's metadata; what it had under other keys stays."""
    set_metadata(model, {**{entry.key: entry.value for entry in model.metadata_props}, **metadata})


def strip_origins(model: Any) -> None:
    """Take out what tells of the machine that exported: source paths, class names, doc strings, stack traces."""
    model.doc_string = ""
    for graph in (model.graph, *model.functions):
        _strip(graph)


def _strip(graph: Any) -> None:
    graph.doc_string = ""
    del graph.metadata_props[:]
    for value in _values(graph):
        value.doc_string = ""
        del value.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
        for attribute in node.attribute:
            attribute.doc_string = ""
        for inner in _inner_graphs(node):
            _strip(inner)


def _values(graph: Any) -> Iterable[Any]:
    """Everything in a graph or function that carries a doc string of its own, nodes aside."""
    yield from graph.value_info
    if hasattr(graph, "initializer"):  # a function has none, and its inputs and outputs are plain names
        yield from (*graph.input, *graph.output, *graph.initializer)


def inlined(model: Any, name: str) -> Any:
    """A model without functions of its own, in our opset, to become part of another.

    Raises:
        ExportError: it cannot be brought to it.
    """
    from onnx import inliner, version_converter

    try:
        model = inliner.inline_local_functions(model)
        versions = {entry.domain: entry.version for entry in model.opset_import}
        if versions.get("", OPSET) != OPSET:
            model = version_converter.convert_version(model, OPSET)
        return model
    except Exception as error:  # onnx's converters raise what they like
        raise ExportError(f"{name} cannot become part of a fused grid: {error}") from error


def model_of(graph: Any, parts: Sequence[Any], functions: Sequence[Any]) -> Any:
    """A model of a graph made of other models, in our opset; the onnxscript functions that it calls are inlined."""
    from onnx import helper, inliner

    protos = [function.to_function_proto() for function in functions]
    imports = {entry.domain: entry.version for part in (*parts, *protos) for entry in part.opset_import}
    imports |= {"": OPSET, **{proto.domain: 1 for proto in protos}}
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*pair) for pair in sorted(imports.items())],
        ir_version=max(part.ir_version for part in parts),
        functions=protos,
    )
    return inliner.inline_local_functions(model)


def extend_opsets(model: Any, part: Any) -> None:
    """Let a model use what a part of it uses: domains besides ONNX's own, and the newer IR version."""
    known = {entry.domain for entry in model.opset_import}
    model.opset_import.extend(entry for entry in part.opset_import if entry.domain not in known)
    model.ir_version = max(model.ir_version, part.ir_version)


def prefixed(model: Any, prefix: str, weights: bool = True) -> Any:
    """A copy of a model with every name of its own behind ``prefix``; those of its weights only if asked for."""
    from onnx import compose

    copy = compose.add_prefix(model, prefix, rename_functions=False)
    if not weights:
        own = {prefix + tensor.name: tensor.name for tensor in model.graph.initializer}
        for tensor in copy.graph.initializer:
            tensor.name = own.get(tensor.name, tensor.name)
        _rename_inputs(copy.graph, own)
    return copy


def _rename_inputs(graph: Any, names: Mapping[str, str]) -> None:
    """What nodes read, in a graph and the graphs inside its nodes."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        for inner in _inner_graphs(node):
            _rename_inputs(inner, names)


def _inner_graphs(node: Any) -> Iterable[Any]:
    """The bodies of a node such as If or Loop."""
    for attribute in node.attribute:
        yield from (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs)


def prepend_normalisation(model: Any, mean: Sequence[float], std: Sequence[float]) -> None:
    """Put ``(x - mean) / std`` in front of a model with one input ``(N, C, ...)``; one value per channel or column."""
    from onnx import helper, numpy_helper

    graph = model.graph
    fixed = {tensor.name for tensor in graph.initializer}
    (entry,) = (value for value in graph.input if value.name not in fixed)
    rank = len(entry.type.tensor_type.shape.dim)
    dtype = helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type)
    inner = "normalised"
    for node in graph.node:
        node.input[:] = [inner if name == entry.name else name for name in node.input]
    for name, values in (("normalise.mean", mean), ("normalise.std", std)):
        shaped = np.asarray(values, dtype=dtype).reshape(1, -1, *[1] * (rank - 2))  # (1, C, 1, ...)
        graph.initializer.append(numpy_helper.from_array(shaped, name))
    front = [
        helper.make_node("Sub", [entry.name, "normalise.mean"], ["normalise.centred"], name="normalise.sub"),
        helper.make_node("Div", ["normalise.centred", "normalise.std"], [inner], name="normalise.div"),
    ]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*front, *rest])
