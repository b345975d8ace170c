"""The fused graph ``grid.onnx``: pairs of samples in, all cells of their grids and their losses out, in one call.

Composed from the exported files as protobuf, in a tenth of a second and without torch; the classifier stands in it
twice (for the samples, whose losses it measures, and for the cells) and its weights once. Features are interpolated on
the straight line and the losses asked for as they are: the calibration of a run's own grids is not part of it.

Inputs, for P pairs of samples of shape ``*sample``::

    source      (P, *sample) float32   the source samples
    target      (P, *sample) float32   the target samples
    label       (P,)         int64     the class of both, which cells are decoded and scored as
    loss        (P, 2)       float32   their losses; a negative value is measured by the classifier instead
    n_features  (1,)         int64     columns, 2 to 64
    n_losses    (1,)         int64     rows, 2 to 64

Outputs: ``cells (P, n_losses, n_features, *sample)`` with the real samples in their corners, and of every cell
``requested`` and ``measured`` loss ``(P, n_losses, n_features)`` and ``probabilities (P, n_losses, n_features, K)``.

What would take a server down is refused inside the graph, before anything is computed: a number of steps outside 2 to
64, more cells than `most_cells`, a label that is no class, values that are not finite. ONNX has no assertion, so each
of these is a Reshape that fails where the condition does not hold, and its name, which servers hand on, tells why.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shiftlens.core.arrays import AnyArray, FloatArray, Floats
from shiftlens.core.errors import ExportError
from shiftlens.core.grid.interpolate import LARGEST_SIDE, grid_of_pair
from shiftlens.export import graphs
from shiftlens.export.bundle import Bundle
from shiftlens.export.manifest import GRID, most_cells, renewed
from shiftlens.export.parity import Arrays, check_parity
from shiftlens.export.scorer import scorer

OPSET = 20
FLOAT, WHOLE = 1, 7  # numbers of ONNX's element types
SIZES = ((2, 2), (5, 5), (3, 4))  # (losses, features) that the parity is checked at

# The parts between the models, in ONNX's own text form. Everything is computed as the numpy code in core/grid.py does.
CONSTANTS = """
    zero = Constant <value_int = 0> ()
    one = Constant <value_int = 1> ()
    zerof = Constant <value_float = 0.0> ()
    onef = Constant <value_float = 1.0> ()
    at_0 = Constant <value_ints = [0]> ()
    at_1 = Constant <value_ints = [1]> ()
    at_2 = Constant <value_ints = [2]> ()
    at_end = Constant <value_ints = [-1]> ()
    ones = Constant <value_ints = [1]> ()
"""
CONDITIONS = f"""
    fewest_steps = Constant <value_int = 2> ()
    most_steps = Constant <value_int = {LARGEST_SIDE}> ()
    most_cells = Constant <value_int = {{most_cells}}> ()
    classes = Constant <value_int = {{classes}}> ()

    pairs = Shape <start = 0, end = 1> (source)
    other_pairs = Shape <start = 0, end = 1> (target)
    label_rows = Shape (label)
    loss_rows = Shape <start = 0, end = 1> (loss)
    target_fits = Equal (other_pairs, pairs)
    label_fits = Equal (label_rows, pairs)
    loss_fits = Equal (loss_rows, pairs)
    both_fit = And (target_fits, label_fits)
    all_fit = And (both_fit, loss_fits)
    fault_rows = Not (all_fit)

    fewest = Min (n_features, n_losses)
    most = Max (n_features, n_losses)
    too_few_steps = Less (fewest, fewest_steps)
    too_many_steps = Greater (most, most_steps)
    fault_steps = Or (too_few_steps, too_many_steps)

    pair_cells = Mul (n_features, n_losses)
    all_cells = Mul (pair_cells, pairs)
    no_cells = Less (all_cells, one)
    too_many_cells = Greater (all_cells, most_cells)
    fault_cells = Or (no_cells, too_many_cells)

    label_too_low = Less (label, zero)
    label_too_high = GreaterOrEqual (label, classes)
    fault_label = Or (label_too_low, label_too_high)

    source_nothing = Mul (source, zerof)
    target_nothing = Mul (target, zerof)
    loss_nothing = Mul (loss, zerof)
    fault_source = IsNaN (source_nothing)
    fault_target = IsNaN (target_nothing)
    fault_loss = IsNaN (loss_nothing)
"""
ENDS = """
    loss_source_given = Gather <axis = 1> (loss, zero)
    loss_target_given = Gather <axis = 1> (loss, one)
    both_samples = Concat <axis = 0> (source, target)
    both_labels = Concat <axis = 0> (class, class)
    both_given = Concat <axis = 0> (loss_source_given, loss_target_given)
"""
BEFORE_ENCODER = """
    is_given = GreaterOrEqual (both_given, zerof)
    both_losses = Where (is_given, both_given, ends_measured)
"""
BEFORE_DECODER = """
    z_source, z_target = Split <axis = 0, num_outputs = 2> (both_z)
    loss_source, loss_target = Split <axis = 0, num_outputs = 2> (both_losses)

    columns = Squeeze (features)
    last_column = Sub (columns, one)
    column_numbers = Range (zero, columns, one)
    column_place = Cast <to = 1> (column_numbers)
    column_span = Cast <to = 1> (last_column)
    column_t = Div (column_place, column_span)
    t_axes = Constant <value_ints = [0, 2]> ()
    t = Unsqueeze (column_t, t_axes)
    t_rest = Sub (onef, t)
    z_of_source = Unsqueeze (z_source, at_1)
    z_of_target = Unsqueeze (z_target, at_1)
    z_part_source = Mul (t_rest, z_of_source)
    z_part_target = Mul (t, z_of_target)
    column_z = Add (z_part_source, z_part_target)

    rows = Squeeze (losses)
    last_row = Sub (rows, one)
    row_numbers = Range (zero, rows, one)
    row_place = Cast <to = 1> (row_numbers)
    row_span = Cast <to = 1> (last_row)
    row_s = Div (row_place, row_span)
    s = Unsqueeze (row_s, at_0)
    s_rest = Sub (onef, s)
    loss_of_source = Unsqueeze (loss_source, at_1)
    loss_of_target = Unsqueeze (loss_target, at_1)
    loss_part_source = Mul (s_rest, loss_of_source)
    loss_part_target = Mul (s, loss_of_target)
    row_loss = Add (loss_part_source, loss_part_target)

    size = Concat <axis = 0> (pairs, losses, features)
    in_line = Concat <axis = 0> (pairs, at_end)
    row_loss_column = Unsqueeze (row_loss, at_2)
    requested = Expand (row_loss_column, size)
    requested_line = Reshape (requested, in_line)
    requested_made = Slice (requested_line, at_1, at_end, at_1)
    asked = Reshape (requested_made, at_end)

    latent = Shape <start = 1> (both_z)
    z_size = Concat <axis = 0> (size, latent)
    z_row = Unsqueeze (column_z, at_1)
    grid_z = Expand (z_row, z_size)
    z_line_size = Concat <axis = 0> (in_line, latent)
    z_line = Reshape (grid_z, z_line_size)
    z_made = Slice (z_line, at_1, at_end, at_1)
    z_flat_size = Concat <axis = 0> (at_end, latent)
    flat_z = Reshape (z_made, z_flat_size)

    made_size = Shape (requested_made)
    label_column = Unsqueeze (class, at_1)
    label_line = Expand (label_column, made_size)
    labels = Reshape (label_line, at_end)
"""
AFTER_CLASSIFIER = """
    sample_size = Shape <start = 1> (source)
    class_size = Shape <start = 1> (made_probabilities)
    sample_line_size = Concat <axis = 0> (in_line, sample_size)
    class_line_size = Concat <axis = 0> (in_line, class_size)
    cells_size = Concat <axis = 0> (size, sample_size)
    probabilities_size = Concat <axis = 0> (size, class_size)

    source_cell = Unsqueeze (source, at_1)
    target_cell = Unsqueeze (target, at_1)
    made_cells = Reshape (decoded, sample_line_size)
    cell_line = Concat <axis = 1> (source_cell, made_cells, target_cell)
    cells = Reshape (cell_line, cells_size)

    p_source, p_target = Split <axis = 0, num_outputs = 2> (ends_probabilities)
    p_source_cell = Unsqueeze (p_source, at_1)
    p_target_cell = Unsqueeze (p_target, at_1)
    p_made = Reshape (made_probabilities, class_line_size)
    p_line = Concat <axis = 1> (p_source_cell, p_made, p_target_cell)
    probabilities = Reshape (p_line, probabilities_size)

    m_source, m_target = Split <axis = 0, num_outputs = 2> (ends_measured)
    m_source_cell = Unsqueeze (m_source, at_1)
    m_target_cell = Unsqueeze (m_target, at_1)
    m_made = Reshape (made_measured, in_line)
    m_line = Concat <axis = 1> (m_source_cell, m_made, m_target_cell)
    measured = Reshape (m_line, size)
"""


# What is refused: the value of `CONDITIONS` that is true anywhere at a fault, and the name of the node that fails then.
FAULTS = (
    ("rows", "source, target, label and loss must have one row for each pair"),
    ("steps", f"n_features and n_losses must be 2 to {LARGEST_SIDE}"),
    ("cells", "pairs x n_losses x n_features must be 1 to {most_cells}"),
    ("label", "label must be 0 to {last_class}"),
    ("source", "source has values that are not finite"),
    ("target", "target has values that are not finite"),
    ("loss", "loss has values that are not finite; give -1 where it shall be measured"),
)


def add_grid(bundle: Bundle, samples: FloatArray, label: int, tolerance: float = 1e-4) -> dict[str, Any]:
    """Put ``grid.onnx`` into a bundle, check it on a real pair, and name it in the manifest.

    Args:
        samples: ``(2, *sample)``, a real source and a real target sample.
        label: their class.
        tolerance: as of `check_parity`.

    Returns:
        What `check_parity` found.

    Raises:
        ExportError: the models cannot be composed, or the graph disagrees with the grid made step by step.
    """
    path = bundle.folder / GRID
    graphs.save(compose(bundle), path)
    loss = bundle.score(samples, np.full(2, label, dtype=np.int64)).loss

    def step_by_step(inputs: Arrays) -> Arrays:
        made = [_grid_of(bundle, inputs, pair, loss) for pair in range(len(inputs["source"]))]
        return {name: np.stack([grid[name] for grid in made]) for name in made[0]}

    def inputs_at(number: int) -> Arrays:
        """Two pairs: as it is, its losses to be measured; and the wrong way round, with other losses given."""
        losses, features = SIZES[number]
        sizes: dict[str, AnyArray] = {
            "label": np.array([label, label]),
            "loss": np.array([[-1.0, -1.0], [0.25, 2.0]], dtype=np.float32),
            "n_features": np.array([features]),
            "n_losses": np.array([losses]),
        }
        return {"source": samples, "target": samples[::-1].copy(), **sizes}

    try:
        facts = check_parity(path, step_by_step, inputs_at, batches=range(len(SIZES)), tolerance=tolerance)
    except ExportError:
        path.unlink()
        raise
    renewed(bundle.folder, bundle.manifest)
    return {"largest_difference": facts["largest_difference"], "sizes": [list(size) for size in SIZES]}


def _grid_of(bundle: Bundle, inputs: Arrays, pair: int, measured: Floats) -> Arrays:
    """The grid of one of the pairs, made step by step."""
    losses, features, label = int(inputs["n_losses"][0]), int(inputs["n_features"][0]), int(inputs["label"][pair])
    samples = np.stack([inputs["source"][pair], inputs["target"][pair]])
    given = inputs["loss"][pair].astype(np.float64)
    ends = np.where(given < 0, measured, given)
    grid = grid_of_pair(samples, ends, label, bundle.encode, bundle.decode, bundle.score, None, features, losses)
    probabilities = bundle.predict(grid.cells.reshape(-1, *samples.shape[1:]))
    return {
        "cells": grid.cells,
        "requested": grid.requested,
        "measured": grid.measured,
        "probabilities": probabilities.reshape(losses, features, -1),
    }


def compose(bundle: Bundle) -> Any:
    """The fused model of a bundle's encoder, decoder and classifier.

    Raises:
        ExportError: the loss cannot be written as ONNX, or the models do not go together.
    """
    from onnx import helper

    manifest = bundle.manifest
    encoder, decoder = (graphs.prefixed(_prepared(bundle, name), f"{name}/") for name in ("encoder", "decoder"))
    score = scorer(bundle, _prepared(bundle, "classifier"))
    limits = {"most_cells": most_cells(manifest.sample_shape), "classes": len(manifest.classes)}
    both = {"x": "both_samples", "loss": "both_losses", "label": "both_labels"}
    nodes = [
        *graphs.glue(CONSTANTS),
        *graphs.glue(CONDITIONS.format(**limits)),
        *_guards(limits),
        *graphs.glue(ENDS),
        *_scored(score, "ends", "both_samples", "both_labels"),
        *graphs.glue(BEFORE_ENCODER),
        *_joined(encoder, "encoder/", both, {"z": "both_z"}),
        *graphs.glue(BEFORE_DECODER),
        *_joined(decoder, "decoder/", {"z": "flat_z", "loss": "asked", "label": "labels"}, {"x": "decoded"}),
        *_scored(score, "made", "decoded", "labels"),
        *graphs.glue(AFTER_CLASSIFIER),
    ]
    parts = (encoder, decoder, score)
    graph = helper.make_graph(
        nodes,
        "shiftlens-grid",
        *_signature(manifest.sample_shape, len(manifest.classes)),
        initializer=[tensor for part in parts for tensor in part.graph.initializer],
    )
    imports = {entry.domain: entry.version for part in parts for entry in part.opset_import}
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*pair) for pair in sorted({**imports, "": OPSET}.items())],
        ir_version=max(part.ir_version for part in parts),
        producer_name="shiftlens",
    )
    graphs.set_metadata(model, {"shiftlens.version": manifest.shiftlens, "shiftlens.part": "grid"})
    return model


def _prepared(bundle: Bundle, name: str) -> Any:
    """One model with its functions inlined, in our opset."""
    from onnx import inliner, version_converter

    model = graphs.load(bundle.folder / f"{name}.onnx")
    try:
        model = inliner.inline_local_functions(model)
        versions = {entry.domain: entry.version for entry in model.opset_import}
        if versions.get("", OPSET) != OPSET:
            model = version_converter.convert_version(model, OPSET)
        return model
    except Exception as error:  # onnx's converters raise what they like
        raise ExportError(f"{bundle.folder / name}.onnx cannot become part of a fused grid: {error}") from error


def _guards(limits: dict[str, int]) -> list[Any]:
    """Nodes that fail at a fault, one after the other; label and sizes, which all else needs, are had through them."""
    from onnx import helper

    filled = {"last_class": limits["classes"] - 1, **limits}
    nodes, held = [], "ones"
    for name, reason in FAULTS:
        nodes += [
            helper.make_node("Cast", [f"fault_{name}"], [f"faults_{name}"], to=WHOLE),
            helper.make_node("ReduceMax", [f"faults_{name}"], [f"any_{name}"], keepdims=0),
            helper.make_node("Add", [f"any_{name}", held], [f"shape_{name}"]),  # [1], or [2] at a fault
            helper.make_node("Reshape", ["ones", f"shape_{name}"], [f"hold_{name}"], name=reason.format(**filled)),
        ]
        held = f"hold_{name}"
    text = "features = Mul (n_features, {0}) losses = Mul (n_losses, {0}) class = Mul (label, {0})"
    return [*nodes, *graphs.glue(text.format(held))]


def _scored(score: Any, name: str, x: str, label: str) -> list[Any]:
    """One use of the scorer: its nodes again, its weights shared."""
    used = graphs.prefixed(score, f"{name}/", weights=False)
    outputs = {output: f"{name}_{output}" for output in ("probabilities", "measured")}
    return _joined(used, f"{name}/", {"x": x, "label": label}, outputs)


def _joined(model: Any, prefix: str, inputs: dict[str, str], outputs: dict[str, str]) -> list[Any]:
    """The nodes of a prefixed model, its inputs and outputs joined to values of the fused graph by Identity nodes."""
    from onnx import helper

    enter = [helper.make_node("Identity", [here], [prefix + own]) for own, here in inputs.items()]
    leave = [helper.make_node("Identity", [prefix + own], [here]) for own, here in outputs.items()]
    return [*enter, *model.graph.node, *leave]


def _signature(sample_shape: tuple[int, ...], classes: int) -> tuple[list[Any], list[Any]]:
    """Inputs and outputs of the fused graph."""
    from onnx import helper

    size: list[int | str] = ["pairs", "n_losses", "n_features"]
    inputs: list[tuple[str, int, list[int | str]]] = [
        ("source", FLOAT, ["pairs", *sample_shape]),
        ("target", FLOAT, ["pairs", *sample_shape]),
        ("label", WHOLE, ["pairs"]),
        ("loss", FLOAT, ["pairs", 2]),
        ("n_features", WHOLE, [1]),
        ("n_losses", WHOLE, [1]),
    ]
    outputs: list[tuple[str, int, list[int | str]]] = [
        ("cells", FLOAT, [*size, *sample_shape]),
        ("requested", FLOAT, size),
        ("measured", FLOAT, size),
        ("probabilities", FLOAT, [*size, classes]),
    ]
    return (
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
    )
