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
from shiftlens.core.grid.interpolate import LARGEST_SIDE, GridNetworks, GridShape, grid_of_pair
from shiftlens.export import graphs, grid_parts
from shiftlens.export.bundle import Bundle
from shiftlens.export.grid_parts import call
from shiftlens.export.manifest import GRID, most_cells, renewed
from shiftlens.export.parity import Arrays, check_parity
from shiftlens.export.scorer import prepared, scorer

FLOAT, WHOLE = 1, 7  # numbers of ONNX's element types
INPUTS = ("source", "target", "label", "loss", "n_features", "n_losses")
SIZES = ((2, 2), (5, 5), (3, 4))  # (losses, features) that the parity is checked at

# What is refused: the output of `grid_parts.faults` that is true anywhere at a fault, and the name of the node that
# fails then.
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
    networks = GridNetworks(bundle.encode, bundle.decode, bundle.score)
    grid = grid_of_pair(samples, ends, label, networks, GridShape(features, losses))
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
    encoder, decoder = (graphs.prefixed(prepared(bundle, name), f"{name}/") for name in ("encoder", "decoder"))
    score = scorer(bundle)
    limits = {"most_cells": most_cells(manifest.sample_shape), "classes": len(manifest.classes)}
    faults = grid_parts.faults(2, LARGEST_SIDE, **limits)
    both = {"x": "both_samples", "loss": "both_losses", "label": "both_labels"}
    sizes = ["features", "losses"]
    nodes = [
        call(faults, [*INPUTS], [f"fault_{name}" for name, _ in FAULTS]),
        *_guards(limits),
        call(grid_parts.ends, ["source", "target", "class", "loss"], ["both_samples", "both_labels", "both_given"]),
        *_scored(score, "ends", "both_samples", "both_labels"),
        call(grid_parts.chosen_losses, ["both_given", "ends_measured"], ["both_losses"]),
        *_joined(encoder, "encoder/", both, {"z": "both_z"}),
        call(
            grid_parts.cells_to_make,
            ["both_z", "both_losses", "class", *sizes],
            ["requested", "made_z", "made_loss", "made_label"],
        ),
        *_joined(decoder, "decoder/", {"z": "made_z", "loss": "made_loss", "label": "made_label"}, {"x": "decoded"}),
        *_scored(score, "made", "decoded", "made_label"),
        call(grid_parts.between_ends, ["both_samples", "decoded", *sizes], ["cells"]),
        call(grid_parts.between_ends, ["ends_measured", "made_measured", *sizes], ["measured"]),
        call(grid_parts.between_ends, ["ends_probabilities", "made_probabilities", *sizes], ["probabilities"]),
    ]
    parts = (encoder, decoder, score)
    used = (faults, grid_parts.ends, grid_parts.chosen_losses, grid_parts.cells_to_make, grid_parts.between_ends)
    graph = helper.make_graph(
        nodes,
        "shiftlens-grid",
        *_signature(manifest.sample_shape, len(manifest.classes)),
        initializer=[tensor for part in parts for tensor in part.graph.initializer],
    )
    model = graphs.model_of(graph, parts, used)
    model.producer_name = "shiftlens"
    graphs.set_metadata(model, {"shiftlens.version": manifest.shiftlens, "shiftlens.part": "grid"})
    return model


def _guards(limits: dict[str, int]) -> list[Any]:
    """Nodes that fail at a fault, one after the other; label and sizes, which all else needs, are had through them."""
    from onnx import helper, numpy_helper

    filled = {"last_class": limits["classes"] - 1, **limits}
    one = numpy_helper.from_array(np.ones(1, dtype=np.int64))
    nodes, held = [helper.make_node("Constant", [], ["ones"], value=one)], "ones"
    for name, reason in FAULTS:
        nodes += [
            helper.make_node("Cast", [f"fault_{name}"], [f"faults_{name}"], to=WHOLE),
            helper.make_node("ReduceMax", [f"faults_{name}"], [f"any_{name}"], keepdims=0),
            helper.make_node("Add", [f"any_{name}", held], [f"shape_{name}"]),  # [1], or [2] at a fault
            helper.make_node("Reshape", ["ones", f"shape_{name}"], [f"hold_{name}"], name=reason.format(**filled)),
        ]
        held = f"hold_{name}"
    through = {"n_features": "features", "n_losses": "losses", "label": "class"}
    return [*nodes, *(helper.make_node("Mul", [given, held], [name]) for given, name in through.items())]


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
