"""The fused graph ``grid.onnx``: two samples in, all cells of their grid and the measured losses out, in one call.

Composed from the three exported files as protobuf, in a tenth of a second and without torch. Features are interpolated
on the straight line and the losses asked for as they are: the calibration of a run's own grids is not part of it.

Inputs, with C, H, W or whatever a sample is made of::

    samples     (2, *sample) float32   the source sample, the target sample
    loss        (2,)         float32   their losses
    label       (1,)         int64     the class that cells are decoded and scored as
    n_features  (1,)         int64     columns, at least 2
    n_losses    (1,)         int64     rows, at least 2

Outputs: ``cells (n_losses, n_features, *sample)`` with the real samples in their corners, and of every cell
``requested`` and ``measured`` loss ``(n_losses, n_features)`` and ``probabilities (n_losses, n_features, classes)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shiftlens.core.domain import FloatArray
from shiftlens.core.errors import ExportError
from shiftlens.core.files import sha256_of, write_text
from shiftlens.core.grid import grid_of_pair
from shiftlens.export import graphs
from shiftlens.export.bundle import MANIFEST, Bundle
from shiftlens.export.parity import Arrays, check_parity

OPSET = 20
GRID = "grid.onnx"
SIZES = ((2, 2), (5, 5), (3, 4))  # (losses, features) that the parity is checked at

# The parts between the models, in ONNX's own text form. Everything is computed as the numpy code in core/grid.py does.
BEFORE_ENCODER = """
    two = Constant <value_ints = [2]> ()
    both_labels = Expand (label, two)
"""
BEFORE_DECODER = """
    zero = Constant <value_int = 0> ()
    one = Constant <value_int = 1> ()
    onef = Constant <value_float = 1.0> ()
    first_axis = Constant <value_ints = [0]> ()
    second_axis = Constant <value_ints = [1]> ()
    everything = Constant <value_ints = [-1]> ()

    columns = Squeeze (n_features)
    last_column = Sub (columns, one)
    column_numbers = Range (zero, columns, one)
    column_place = Cast <to = 1> (column_numbers)
    column_span = Cast <to = 1> (last_column)
    column_t = Div (column_place, column_span)
    t = Unsqueeze (column_t, second_axis)
    t_rest = Sub (onef, t)
    z_source = Gather (pair_z, zero)
    z_target = Gather (pair_z, one)
    z_of_source = Mul (t_rest, z_source)
    z_of_target = Mul (t, z_target)
    column_z = Add (z_of_source, z_of_target)

    rows = Squeeze (n_losses)
    last_row = Sub (rows, one)
    row_numbers = Range (zero, rows, one)
    row_place = Cast <to = 1> (row_numbers)
    row_span = Cast <to = 1> (last_row)
    s = Div (row_place, row_span)
    s_rest = Sub (onef, s)
    loss_source = Gather (loss, zero)
    loss_target = Gather (loss, one)
    loss_of_source = Mul (s_rest, loss_source)
    loss_of_target = Mul (s, loss_target)
    row_loss = Add (loss_of_source, loss_of_target)

    size = Concat <axis = 0> (n_losses, n_features)
    row_loss_column = Unsqueeze (row_loss, second_axis)
    requested = Expand (row_loss_column, size)
    asked = Reshape (requested, everything)
    latent = Shape <start = 1> (pair_z)
    z_size = Concat <axis = 0> (size, latent)
    row_of_z = Unsqueeze (column_z, first_axis)
    grid_z = Expand (row_of_z, z_size)
    flat_z_size = Concat <axis = 0> (everything, latent)
    flat_z = Reshape (grid_z, flat_z_size)
    count = Shape (asked)
    labels = Expand (label, count)
"""
BEFORE_CLASSIFIER = """
    start = Constant <value_ints = [0]> ()
    next = Constant <value_ints = [1]> ()
    end = Constant <value_ints = [2]> ()
    but_last = Constant <value_ints = [-1]> ()
    source_sample = Slice (samples, start, next, start)
    target_sample = Slice (samples, next, end, start)
    generated = Slice (decoded, next, but_last, start)
    flat_cells = Concat <axis = 0> (source_sample, generated, target_sample)
"""
AS_PROBABILITIES = {
    "logits": """
    flat_probabilities = Softmax <axis = -1> (outputs)
""",
    "probabilities": """
    tiny = Constant <value_float = 1e-12> ()
    class_axis = Constant <value_ints = [1]> ()
    total = ReduceSum <keepdims = 1> (outputs, class_axis)
    total_above_zero = Max (total, tiny)
    flat_probabilities = Div (outputs, total_above_zero)
""",
}
AS_GRID = """
    sample_size = Shape <start = 1> (samples)
    cells_size = Concat <axis = 0> (size, sample_size)
    cells = Reshape (flat_cells, cells_size)
    classes = Shape <start = 1> (flat_probabilities)
    probabilities_size = Concat <axis = 0> (size, classes)
    probabilities = Reshape (flat_probabilities, probabilities_size)
    measured = Reshape (flat_measured, size)
"""
CHOSEN = """
    label_column = Unsqueeze (labels, second_axis)
    chosen_column = GatherElements <axis = 1> (flat_probabilities, label_column)
    chosen = Squeeze (chosen_column, second_axis)
"""
# The losses that can be measured inside the graph, by their plugin's name; tests compare each with its plugin.
MEASURED = {
    "cross-entropy": CHOSEN
    + """
    smallest = Constant <value_float = {eps}> ()
    chosen_above_zero = Max (chosen, smallest)
    log_chosen = Log (chosen_above_zero)
    flat_measured = Neg (log_chosen)
""",
    "brier": CHOSEN
    + """
    squares = Mul (flat_probabilities, flat_probabilities)
    sum_of_squares = ReduceSum <keepdims = 0> (squares, second_axis)
    twice_chosen = Add (chosen, chosen)
    without_chosen = Sub (sum_of_squares, twice_chosen)
    flat_measured = Add (without_chosen, onef)
""",
    "entropy": """
    least = Constant <value_float = 1e-30> ()
    above_zero = Max (flat_probabilities, least)
    logarithms = Log (above_zero)
    products = Mul (flat_probabilities, logarithms)
    sum_of_products = ReduceSum <keepdims = 0> (products, second_axis)
    flat_measured = Neg (sum_of_products)
""",
    "margin": """
    best, which = TopK <axis = 1> (flat_probabilities, two)
    best_first = Gather <axis = 1> (best, zero)
    best_second = Gather <axis = 1> (best, one)
    lead = Sub (best_first, best_second)
    flat_measured = Sub (onef, lead)
""",
}


def add_grid(bundle: Bundle, samples: FloatArray, label: int) -> dict[str, Any]:
    """Put ``grid.onnx`` into a bundle, check it on a real pair, and name it in the manifest.

    Args:
        samples: ``(2, *sample)``, a real source and a real target sample.
        label: their class.

    Returns:
        What `check_parity` found.

    Raises:
        ExportError: the models cannot be composed, or the graph disagrees with the grid made step by step.
    """
    manifest = bundle.manifest
    model = compose(bundle)
    path = bundle.folder / GRID
    graphs.save(model, path)
    loss = bundle.score(samples, np.full(2, label, dtype=np.int64)).loss.astype(np.float32)

    def step_by_step(inputs: Arrays) -> Arrays:
        losses, features = int(inputs["n_losses"][0]), int(inputs["n_features"][0])
        ends = inputs["loss"].astype(np.float64)
        grid = grid_of_pair(samples, ends, label, bundle.encode, bundle.decode, bundle.score, None, features, losses)
        probabilities = bundle.predict(grid.cells.reshape(-1, *manifest.sample_shape))
        return {
            "cells": grid.cells,
            "requested": grid.requested,
            "measured": grid.measured,
            "probabilities": probabilities.reshape(losses, features, -1),
        }

    def inputs_at(number: int) -> Arrays:
        losses, features = SIZES[number]
        sizes: dict[str, npt.NDArray[np.int64]] = {
            "label": np.array([label]),
            "n_features": np.array([features]),
            "n_losses": np.array([losses]),
        }
        return {"samples": samples, "loss": loss, **sizes}

    facts = check_parity(path, step_by_step, inputs_at, batches=range(len(SIZES)))
    described = manifest.model_copy(update={"files": {**manifest.files, GRID: sha256_of(path)}})
    write_text(bundle.folder / MANIFEST, described.model_dump_json(indent=2) + "\n")
    return {"largest_difference": facts["largest_difference"], "sizes": [list(size) for size in SIZES]}


def compose(bundle: Bundle) -> Any:
    """The fused model of a bundle's encoder, decoder and classifier.

    Raises:
        ExportError: the loss cannot be written as ONNX, or the models do not go together.
    """
    import onnx

    manifest = bundle.manifest
    if manifest.classifier_output is None or manifest.loss.name not in MEASURED:
        what = "there is no classifier" if manifest.classifier_output is None else f"of the loss {manifest.loss.name}"
        raise ExportError(f"no fused grid can be made, because {what}; use encoder, decoder and classifier one by one")
    parts = {name: _prepared(bundle.folder, name) for name in ("encoder", "decoder", "classifier")}
    (entry,), (result,) = bundle.classifier.inputs, bundle.classifier.outputs
    measured = MEASURED[manifest.loss.name].format(eps=manifest.loss.settings.get("eps"))
    nodes = [
        *_glue(BEFORE_ENCODER),
        *_inlined(parts["encoder"], {"x": "samples", "loss": "loss", "label": "both_labels"}, {"z": "pair_z"}),
        *_glue(BEFORE_DECODER),
        *_inlined(parts["decoder"], {"z": "flat_z", "loss": "asked", "label": "labels"}, {"x": "decoded"}),
        *_glue(BEFORE_CLASSIFIER),
        *_inlined(parts["classifier"], {entry.name: "flat_cells"}, {result.name: "outputs"}),
        *_glue(AS_PROBABILITIES[manifest.classifier_output]),
        *_glue(measured),
        *_glue(AS_GRID),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "shiftlens-grid",
        *_signature(manifest.sample_shape, len(manifest.classes)),
        initializer=[tensor for part in parts.values() for tensor in part.graph.initializer],
    )
    imports = {entry.domain: entry.version for part in parts.values() for entry in part.opset_import}
    model = onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid(*pair) for pair in sorted({**imports, "": OPSET}.items())],
        ir_version=max(part.ir_version for part in parts.values()),
        producer_name="shiftlens",
    )
    graphs.set_metadata(model, {"shiftlens.version": manifest.shiftlens, "shiftlens.part": "grid"})
    return model


def _prepared(folder: Path, name: str) -> Any:
    """One model with its functions inlined, in our opset, and every name of its own behind ``name/``."""
    from onnx import compose, inliner, version_converter

    model = graphs.load(folder / f"{name}.onnx")
    try:
        model = inliner.inline_local_functions(model)
        versions = {entry.domain: entry.version for entry in model.opset_import}
        if versions.get("", OPSET) != OPSET:
            model = version_converter.convert_version(model, OPSET)
        return compose.add_prefix(model, f"{name}/", rename_functions=False)
    except Exception as error:  # onnx's converters raise what they like
        raise ExportError(f"{folder / name}.onnx cannot become part of a fused grid: {error}") from error


def _inlined(model: Any, inputs: dict[str, str], outputs: dict[str, str]) -> list[Any]:
    """The nodes of a prepared model, its inputs and outputs joined to values of the fused graph by Identity nodes."""
    from onnx import helper

    prefix = model.graph.output[0].name.partition("/")[0]
    enter = [helper.make_node("Identity", [here], [f"{prefix}/{own}"]) for own, here in inputs.items()]
    leave = [helper.make_node("Identity", [f"{prefix}/{own}"], [here]) for own, here in outputs.items()]
    return [*enter, *model.graph.node, *leave]


def _glue(text: str) -> Iterable[Any]:
    """The nodes of a piece of ONNX text."""
    from onnx import parser

    nodes: Iterable[Any] = parser.parse_graph(f"glue () => () {{ {text} }}").node
    return nodes


def _signature(sample_shape: tuple[int, ...], classes: int) -> tuple[list[Any], list[Any]]:
    """Inputs and outputs of the fused graph."""
    from onnx import TensorProto, helper

    single, whole = TensorProto.FLOAT, TensorProto.INT64
    size: list[int | str] = ["n_losses", "n_features"]
    inputs: list[tuple[str, int, list[int | str]]] = [
        ("samples", single, [2, *sample_shape]),
        ("loss", single, [2]),
        ("label", whole, [1]),
        ("n_features", whole, [1]),
        ("n_losses", whole, [1]),
    ]
    outputs: list[tuple[str, int, list[int | str]]] = [
        ("cells", single, [*size, *sample_shape]),
        ("requested", single, size),
        ("measured", single, size),
        ("probabilities", single, [*size, classes]),
    ]
    return (
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
    )
