"""What an ONNX classifier that was not written for shiftlens takes and gives, read off its graph. No torch.

Exporters differ: converters of scikit-learn, XGBoost and LightGBM give a label beside the probabilities, and these as a
list of dictionaries (ZipMap); Keras puts the channels last; many tools fix the batch. `look` reads all of this and
leaves a graph whose outputs are plain tensors; `shiftlens.export.wrap_onnx` makes the one form of it that an
analysis and a bundle work with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml

from shiftlens.core.errors import ClassifierError, InputError
from shiftlens.core.files import read_text
from shiftlens.export.session import Tensor

ML = "ai.onnx.ml"
Dims = tuple[int | str | None, ...]

CLASSES_KEYS = ("shiftlens.classes", "names", "classes", "class_names", "labels", "id2label")
"""Metadata under which exporters note the class names."""
LIKELY = re.compile(r"prob|logit|score|softmax|class|pred|output|dense", re.IGNORECASE)
UNLIKELY = re.compile(r"embed|feature|hidden|pool|aux|attention|label$", re.IGNORECASE)
MOST_NAMES = 100_000
MOST_METADATA = 2_000_000  # characters of one metadata entry that are looked at


@dataclass(frozen=True)
class FoundOnnx:
    """An ONNX file as it was found.

    Attributes:
        model: the graph, its weights loaded, its outputs all tensors of numbers.
        inputs, outputs: what it takes and gives, without weights.
        given: names and types of the outputs as the file has them, such as a label or a list of dictionaries.
        classes: class names in the order of its outputs, where the file says them.
        quantised_on_the_fly: whether activations are quantised by the range of the batch, so that company matters.
        altered: whether the graph is no longer that of the file.
    """

    model: Any
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    given: tuple[str, ...]
    classes: tuple[str, ...] | None
    quantised_on_the_fly: bool
    altered: bool = False

    @property
    def batch(self) -> int | None:
        """The only batch size that its input takes; None where any will do."""
        shape = self.inputs[0].shape
        return shape[0] if shape and isinstance(shape[0], int) else None


def external_files(path: Path) -> list[Path]:
    """The files that hold an ONNX file's weights, beside it.

    Raises:
        ClassifierError: not an ONNX file, or a path that leads out of its folder.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError:
        raise ClassifierError(
            f"classifier: {path} cannot be opened as an ONNX model: it is no protobuf; check that the file is complete "
            "and was written by an ONNX exporter"
        ) from None
    except OSError as error:
        raise ClassifierError(f"classifier: {path} cannot be read: {error.strerror}") from None
    found: dict[str, Path] = {}
    folder = path.parent.resolve()
    for tensor in _weights(model):
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), None)
        if location is None or location in found:
            continue
        name = PurePosixPath(location.replace("\\", "/"))
        inside = path.parent / name
        if name.is_absolute() or ".." in name.parts or folder not in inside.resolve().parents:
            raise ClassifierError(
                f"classifier: {path} keeps weights in {location}, outside its own folder, which is not read; put "
                "the file beside the model and save it again, for example with onnx.save(model, path)"
            )
        if not inside.is_file():
            raise ClassifierError(
                f"classifier: {path} keeps its weights in {inside}, which is not there; copy that file beside it"
            )
        found[location] = inside
    return list(found.values())


def _weights(model: Any) -> Iterator[Any]:
    """Every tensor of a model that may lie in a file of its own: weights, and constants of nodes at any depth."""

    def of_nodes(nodes: Any) -> Iterator[Any]:
        for node in nodes:
            for attribute in node.attribute:
                yield from (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors)
                for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                    yield from (*inner.initializer, *of_nodes(inner.node))

    yield from (tensor for tensor in model.graph.initializer if tensor.external_data)
    yield from (tensor for tensor in of_nodes(model.graph.node) if tensor.external_data)
    for function in model.functions:
        yield from (tensor for tensor in of_nodes(function.node) if tensor.external_data)


def look(path: Path) -> FoundOnnx:
    """Read an ONNX file.

    Raises:
        ClassifierError: it cannot be read, takes no input, or gives nothing that is a tensor of numbers.
    """
    from shiftlens.export import graphs

    if not path.is_file():
        raise ClassifierError(f"classifier: there is no file {path}; give the path of an .onnx file")
    external_files(path)
    try:
        model = graphs.load(path)
    except InputError as error:
        raise ClassifierError(f"classifier: {error}") from None
    weights = {tensor.name for tensor in model.graph.initializer}
    given = tuple(_told(value) for value in model.graph.output)
    classes = _undo_zipmaps(model)
    classes = _classes_in_metadata(model) or classes or _classes_in_nodes(model)
    joined = _join_outputs(model, classes)
    keep = [value for value in model.graph.output if _is_number(value)]
    if not keep:
        raise ClassifierError(
            f"classifier: {path} gives {', '.join(given) or 'nothing'}: no tensor of numbers; export it with "
            "logits or probabilities (N, classes)"
        )
    del model.graph.output[:]
    model.graph.output.extend(keep)
    return FoundOnnx(
        model=model,
        inputs=tuple(_tensor(value) for value in model.graph.input if value.name not in weights),
        outputs=tuple(_tensor(value) for value in model.graph.output),
        given=given,
        classes=classes,
        quantised_on_the_fly=any(node.op_type.startswith("DynamicQuantize") for node in _nodes(model)),
        altered=joined or len(given) > len(keep),
    )


def _nodes(model: Any) -> Iterator[Any]:
    yield from model.graph.node
    for function in model.functions:
        yield from function.node


def _told(value: Any) -> str:
    """An output's name and type, as a person would write it."""
    if value.type.HasField("tensor_type"):
        return str(_tensor(value))
    return f"{value.name} ({value.type.WhichOneof('value') or 'of no type'})"


def _is_number(value: Any) -> bool:
    from onnx import TensorProto

    kind = value.type
    return bool(
        kind.HasField("tensor_type")
        and kind.tensor_type.elem_type not in (TensorProto.STRING, TensorProto.UNDEFINED, TensorProto.BOOL)
    )


def _tensor(value: Any) -> Tensor:
    """Name, shape and type of a graph's input or output; no shape where the file says none."""
    from onnx import TensorProto, helper

    tensor = value.type.tensor_type
    dims: list[int | str | None] = []
    for dim in tensor.shape.dim:
        fixed = dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
        dims.append(fixed if fixed is not None else dim.dim_param or None)
    if tensor.elem_type in (TensorProto.STRING, TensorProto.UNDEFINED):
        return Tensor(value.name, tuple(dims), np.dtype(np.str_))
    return Tensor(value.name, tuple(dims), np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)))


def _undo_zipmaps(model: Any) -> tuple[str, ...] | None:
    """Give the tensor behind each ZipMap instead of its list of dictionaries; the class names that it holds."""
    from onnx import TensorProto, helper

    graph, classes = model.graph, None
    for node in [node for node in graph.node if node.op_type == "ZipMap"]:
        classes = _classlabels(node) or classes
        for place, value in enumerate(graph.output):
            if value.name == node.output[0]:
                count = len(classes) if classes else None
                graph.output[place].CopyFrom(
                    helper.make_tensor_value_info(node.input[0], TensorProto.FLOAT, [None, count])
                )
        graph.node.remove(node)
    return classes


def _join_outputs(model: Any, classes: tuple[str, ...] | None) -> bool:
    """Make one matrix of as many outputs ``(N,)`` or ``(N, 1)`` as there are classes, one for each of them."""
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    parts = [
        value
        for value in graph.output
        if _is_number(value)
        and np.issubdtype((tensor := _tensor(value)).dtype, np.floating)
        and (len(tensor.shape) == 1 or tensor.shape[1:] == (1,))
    ]
    if classes is None or len(parts) != len(classes):
        return False
    graph.initializer.append(numpy_helper.from_array(np.array([-1, 1], dtype=np.int64), "shiftlens.as-column"))
    columns = []
    for place, value in enumerate(parts):
        columns.append(f"shiftlens.class-{place}")
        graph.node.append(helper.make_node("Reshape", [value.name, "shiftlens.as-column"], [columns[-1]]))
        graph.output.remove(value)
    graph.node.append(helper.make_node("Concat", columns, ["probabilities_of_classes"], axis=1))
    kind = parts[0].type.tensor_type.elem_type or TensorProto.FLOAT
    graph.output.append(helper.make_tensor_value_info("probabilities_of_classes", kind, [None, len(classes)]))
    model.ir_version = max(model.ir_version, 4)
    return True


def _classlabels(node: Any) -> tuple[str, ...] | None:
    """The class names in the attributes of a node of ``ai.onnx.ml``."""
    for attribute in node.attribute:
        if attribute.name.startswith("classlabels"):
            if attribute.strings:
                return tuple(name.decode("utf-8", errors="replace") for name in attribute.strings)
            if attribute.ints:
                return tuple(str(number) for number in attribute.ints)
    return None


def _classes_in_nodes(model: Any) -> tuple[str, ...] | None:
    """The labels that a classifier's last node, or the constant that its label is taken from, knows."""
    from onnx import numpy_helper

    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in reversed(model.graph.node):
        if node.op_type == "ArrayFeatureExtractor" and node.input[0] in weights:
            values = numpy_helper.to_array(weights[node.input[0]]).reshape(-1)
            if values.dtype.kind in "iuOUS" and len(set(values.tolist())) == len(values) > 1:
                return tuple(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values.tolist())
        found = _classlabels(node)
        if found is not None:
            return found
    return None


def _classes_in_metadata(model: Any) -> tuple[str, ...] | None:
    """Class names that the exporter noted: a list, or numbers with their names."""
    noted = {entry.key: entry.value for entry in model.metadata_props}
    for key in CLASSES_KEYS:
        if key in noted and (names := names_in(noted[key])) is not None:
            return names
    return None


BESIDE = (
    "{stem}.names", "{stem}.txt", "{stem}.labels", "{stem}_labels.txt", "{stem}-labels.txt", "{stem}_classes.txt",
    "{stem}.json", "labels.txt", "classes.txt", "class_names.txt", "classnames.txt", "names.txt", "labels.json",
    "classes.json", "class_names.json", "class_to_idx.json", "class_indices.json", "id2label.json", "config.json",
    "labels.yaml", "classes.yaml",
)  # fmt: skip
"""Files in which people and tools keep the class names beside a model; ``{stem}`` is the model's name."""


def names_beside(path: Path) -> dict[str, tuple[str, ...]]:
    """The class names that files beside a model hold, by the files' names."""
    found = {}
    for form in BESIDE:
        file = path.with_name(form.format(stem=path.stem))
        try:
            text = read_text(file, MOST_METADATA) if file.is_file() else ""
        except InputError:  # too large, or no text: no names
            continue
        names = _lines_of(text) if file.suffix in (".txt", ".names", ".labels") else names_in(text)
        if text and names:
            found[file.name] = names
    return found


def _lines_of(text: str) -> tuple[str, ...] | None:
    """A name on each line, perhaps behind its number."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [re.fullmatch(rf"{place}\s*[:,;\t ]\s*(.+)", line) for place, line in enumerate(lines)]
    if lines and all(numbered):
        lines = [match[1].strip() for match in numbered if match]
    return tuple(lines) if 2 <= len(lines) <= MOST_NAMES and len(set(lines)) == len(lines) else None


def names_in(text: str) -> tuple[str, ...] | None:
    """Class names in JSON or YAML: a list, ``{0: cat, 1: dog}``, or ``{cat: 0, dog: 1}``; None for anything else."""
    if len(text) > MOST_METADATA:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError):
            return None
    return names_of(value)


def names_of(value: Any) -> tuple[str, ...] | None:
    """As `names_in`, of a value that is read already."""
    if isinstance(value, dict):
        inner = next((value[key] for key in CLASSES_KEYS if isinstance(value.get(key), dict | list)), None)
        value = inner if inner is not None else value
    if isinstance(value, dict) and value:
        if all(isinstance(v, int) and not isinstance(v, bool) for v in value.values()):  # class_to_idx
            value = {number: name for name, number in value.items()}
        numbered = {str(key): name for key, name in value.items()}
        wanted = [str(i) for i in range(len(value))]
        value = [numbered[key] for key in wanted] if sorted(numbered) == sorted(wanted) else None
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(v, str | int) for v in value):
        return None
    names = tuple(str(v) for v in value)
    return names if len(set(names)) == len(names) else None


def with_one_input(
    found: FoundOnnx, columns: tuple[str, ...], categories: Mapping[str, tuple[str, ...]] | None = None
) -> FoundOnnx:
    """One input of several: flags of training are set to False, and inputs of one column each are joined to a vector.

    Converters of scikit-learn give a pipeline on a data frame one input ``(N, 1)`` for each column.

    Args:
        columns: names of the samples' values, whose order the joined input has where the inputs are named like them.
        categories: of columns of categories, the texts that their numbers stand for: what an input of text is given.

    Returns:
        ``found`` itself where there is nothing to join, or more than that would be needed.
    """
    import onnx
    from onnx import helper, numpy_helper

    flags = [tensor for tensor in found.inputs if tensor.dtype == np.bool_ and tensor.shape in ((), (1,))]
    parts = [tensor for tensor in found.inputs if tensor not in flags]
    if not flags and len(parts) < 2:
        return found
    texts = {_plain_name(name): values for name, values in (categories or {}).items()}
    if len(parts) > 1 and not all(_is_column(tensor, texts) for tensor in parts):
        return found
    model = onnx.ModelProto()
    model.CopyFrom(found.model)
    graph = model.graph
    for flag in flags:
        graph.initializer.append(numpy_helper.from_array(np.zeros(len(flag.shape) * (1,), dtype=bool), flag.name))
    kept = [value for value in graph.input if value.name in {tensor.name for tensor in parts}]
    if len(parts) > 1:
        places = {_plain_name(column): i for i, column in enumerate(columns)}
        if sorted(places) == sorted(_plain_name(tensor.name) for tensor in parts):
            parts.sort(key=lambda tensor: places[_plain_name(tensor.name)])
        joined = "shiftlens.columns"
        names = [f"shiftlens.column-{i}" for i in range(len(parts))]
        sizes = "shiftlens.column-sizes"
        version = max((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), default=13)
        inputs = [joined]
        if version >= 13:
            graph.initializer.append(numpy_helper.from_array(np.ones(len(parts), dtype=np.int64), sizes))
            inputs.append(sizes)
        front = [helper.make_node("Split", inputs, names, name="shiftlens.split", axis=1)]
        for name, tensor in zip(names, parts, strict=True):
            if tensor.dtype.kind == "U":
                front += _as_text(name, tensor.name, texts[_plain_name(tensor.name)], model)
                continue
            kind = helper.np_dtype_to_tensor_dtype(tensor.dtype)
            front.append(helper.make_node("Cast", [name], [tensor.name], name=f"{name}.typed", to=kind))
        rest = list(graph.node)
        del graph.node[:]
        graph.node.extend([*front, *rest])
        batch = parts[0].shape[0] if parts[0].shape else None
        kept = [helper.make_tensor_value_info(joined, onnx.TensorProto.FLOAT, [batch, len(parts)])]
    del graph.input[:]
    graph.input.extend(kept)
    model.ir_version = max(model.ir_version, 4)
    return replace(found, model=model, inputs=tuple(_tensor(value) for value in kept), altered=True)


def _is_column(tensor: Tensor, texts: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether an input takes one number a sample, or one text of a category that is known."""
    known = np.issubdtype(tensor.dtype, np.number) or (tensor.dtype.kind == "U" and _plain_name(tensor.name) in texts)
    return len(tensor.shape) == 2 and tensor.shape[1] == 1 and known


def _plain_name(name: str) -> str:
    """A column's name as converters write it."""
    return re.sub(r"\W", "_", name)


def _as_text(name: str, entry: str, texts: tuple[str, ...], model: Any) -> list[Any]:
    """Nodes that turn the numbers ``name`` of categories into their texts; any other number is an empty one."""
    from onnx import TensorProto, helper

    version = next((e.version for e in model.opset_import if e.domain == ML), None)
    if version is None:
        model.opset_import.append(helper.make_opsetid(ML, 2))
    if version == 1:
        named: dict[str, Any] = {"classes_strings": list(texts)}
    else:
        named = {"keys_int64s": list(range(len(texts))), "values_strings": list(texts)}
    round_, whole = f"{name}.round", f"{name}.whole"
    return [
        helper.make_node("Round", [name], [round_], name=round_),
        helper.make_node("Cast", [round_], [whole], name=whole, to=TensorProto.INT64),
        helper.make_node("LabelEncoder", [whole], [entry], name=f"{name}.text", domain=ML, default_string="", **named),
    ]
