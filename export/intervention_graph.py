"""``intervention.onnx``: one sample in, all cells of its intervention grid and their losses out, in one call.

What `core.grid.intervention` does in Python, as one graph: the fitted changes by their ONNX forms, made on the sample;
the classifier with its loss, by which the strengths of the harmful changes are chosen. No generator is needed, and no
target sample.

Inputs::

    source   (1, *sample) float32   the sample
    label    (1,)         int64     its class, which cells are scored as
    n_right  (1,)         int64     columns, 2 to 64; 1 where nothing that changed is harmless
    n_down   (1,)         int64     rows, 2 to 64; 1 where nothing that changed costs accuracy

Outputs: ``cells (n_down, n_right, *sample)``, the sample itself first and the one with the whole shift last; of every
cell the loss ``measured (n_down, n_right)`` and ``probabilities (n_down, n_right, K)``; of every row the loss
``requested (n_down,)``; the parts of the full strength ``right (n_right,)`` and ``down (n_down, n_right)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shiftlens.core.arrays import FloatArray
from shiftlens.core.causes.changes import Change, Plan
from shiftlens.core.causes.outcomes import Rig
from shiftlens.core.errors import ExportError
from shiftlens.core.grid.interpolate import LARGEST_SIDE
from shiftlens.core.grid.intervention import ALIKE, EVEN, OFFSET, STRENGTHS, WHOLE, Sides, intervention_grid, typical
from shiftlens.export import graphs
from shiftlens.export import traced as tr
from shiftlens.export.bundle import Bundle
from shiftlens.export.manifest import INTERVENTION, most_cells, renewed
from shiftlens.export.operations import Operation
from shiftlens.export.parity import Arrays, check_parity
from shiftlens.export.scorer import scorer
from shiftlens.export.traced import Array

SIZES = ((5, 5), (2, 3), (4, 2))  # (down, right) that the parity is checked at
LARGE = 40_000  # values of a sample above which the smallest of them is enough


@dataclass(frozen=True)
class Made:
    """One change of the plan as part of the graph.

    Attributes:
        fixed: the strength that every sample gets, before what depends on its measure is added.
        right: whether it is made along the columns; else along the rows.
    """

    change: Change
    operation: Operation
    fixed: float
    right: bool

    def __call__(self, x: Array, parts: Array) -> Array:
        """Samples with this change at its part ``(N,)`` float64 of the full strength; where that is 0 they stay."""
        delta: Array | float = self.fixed
        if self.change.slope:
            away = self.operation.measured(x) - self.change.middle
            period = self.change.factor.period
            if period:
                away = tr.mod(away + period / 2, period) - period / 2
            delta = tr.where(tr.isnan(away), 0.0, away) * self.change.slope + self.fixed
        there = self.operation.shifted(x, parts * delta)
        return tr.where(parts.equals(0.0).reshape(-1, *[1] * (x.ndim - 1)), x, there)


def add_intervention(
    bundle: Bundle, plan: Plan, sides: Sides, samples: FloatArray, labels: Sequence[int], seed: int
) -> dict[str, Any]:
    """Put ``intervention.onnx`` into a bundle, check it on real samples, and name it in the manifest.

    Args:
        samples: ``(n, *sample)``, real source samples.
        labels: their classes.
        seed: of what a change does by chance, as in the run's own grids.

    Returns:
        What `check_parity` found.

    Raises:
        ExportError: a change, the loss or the classifier has no ONNX form; or the graph disagrees with Python.
    """
    if bundle.manifest.classifier_output is None:
        raise ExportError(f"the classifier could not be exported to ONNX ({bundle.manifest.why_no_classifier})")
    if not plan:
        raise ExportError("nothing was found to have changed, so there is nothing to change a sample by")
    made = [_made(change, sides, bundle.manifest.sample_shape, seed) for change in plan]
    path = bundle.folder / INTERVENTION
    graphs.save(compose(bundle, made, sides), path)
    checked = SIZES if samples[0].size <= LARGE else SIZES[-1:]
    sizes = [(down if sides.down else 1, right if sides.right else 1) for down, right in checked]

    def inputs(number: int) -> Arrays:
        down, right = sizes[number % len(sizes)]
        place = number % len(samples)
        return {
            "source": samples[place : place + 1],
            "label": np.array([labels[place]]),
            "n_right": np.array([right]),
            "n_down": np.array([down]),
        }

    def reference(given: Arrays) -> Arrays:
        rig = Rig(given["source"], given["label"], bundle.score, seed)
        grid = intervention_grid(rig, plan, sides, int(given["n_right"][0]), int(given["n_down"][0]))
        flat = grid.cells.reshape(-1, *bundle.manifest.sample_shape)
        return {
            "cells": grid.cells,
            "requested": grid.requested,
            "measured": grid.measured,
            "probabilities": bundle.predict(flat).reshape(*grid.down.shape, -1),
            "right": grid.right,
            "down": grid.down,
        }

    tolerance = max([1e-4, *(one.operation.tolerance for one in made)])
    try:
        facts = check_parity(path, reference, inputs, range(len(samples)), tolerance)
    except ExportError:
        path.unlink()
        raise
    told = {"right": list(sides.right), "down": list(sides.down)}
    renewed(bundle.folder, bundle.manifest, intervention=told, why_no_intervention="")
    return {"largest_difference": facts["largest_difference"], "tolerance": tolerance}


def _made(change: Change, sides: Sides, sample_shape: tuple[int, ...], seed: int) -> Made:
    chance = np.random.default_rng([seed, 7, *change.name.encode()])  # as the run's own grids draw
    operation = Operation.of(change.name, change.factor.onnx(sample_shape, chance))
    level = replace(change, slope=0.0)  # what depends on the measure is added in the graph
    fixed = float(level.deltas(np.zeros((1, *sample_shape), np.float32), np.array([typical(change)]))[0])
    return Made(change, operation, fixed, change.name in sides.right)


def compose(bundle: Bundle, made: Sequence[Made], sides: Sides) -> Any:
    """The graph of the changes and of the bundle's classifier.

    Raises:
        ExportError: the loss cannot be written as ONNX, or the classifier does not go into it.
    """
    manifest = bundle.manifest
    score = scorer(bundle)
    shape, classes = manifest.sample_shape, len(manifest.classes)
    rank = 1 + len(shape)
    tried = STRENGTHS if sides.down else np.zeros(1)
    whole = WHOLE if sides.down else 0

    def scored(x: Array, label: Array) -> tuple[Array, Array]:
        """Probabilities ``(N, K)`` and losses ``(N,)`` float64 of samples as the class ``(1,)``."""
        each = label.expanded(x.shape(0, 1), 1)
        chances, loss = x.graph.call(score, [x, each], [(np.float32, 2), (np.float32, 1)])
        return chances, loss.astype(np.float64)

    def column(source: Array, part: Array) -> Array:
        """The sample at all tried strengths of what goes down, and at one part (a scalar) of what goes right."""
        down = source.graph.constant(tried, np.float64)
        x = source.expanded(source.graph.constant([len(tried), *[1] * len(shape)], np.int64), rank)
        right = part.reshape(1).expanded(source.graph.constant([len(tried)], np.int64), 1)
        for one in made:
            x = one(x, right if one.right else down)
        return x

    def grid(source: Array, label: Array, n_right: Array, n_down: Array) -> list[Array]:
        guards = _faults(source, label, n_right, n_down, sides, most_cells(shape), classes)
        held = _held(source, guards)
        label, n_right, n_down = (value * held for value in (label, n_right, n_down))
        columns, rows = n_right.reshape(), n_down.reshape()
        last = columns - 1
        one = source.graph.constant(1.0, np.float64)
        begun = scored(source, label)[1]  # (1,)
        ends = scored(column(source, one if sides.right else one * 0.0), label)[1][whole : whole + 1]
        low, high = log_loss(begun), log_loss(ends)
        steps = _counted(rows)
        asked = tr.exp(low + (high - low) * (steps / tr.maximum(rows.astype(np.float64) - 1.0, 1.0))) - OFFSET
        asked = tr.where(steps.equals(0.0), begun, asked)
        if sides.down:
            asked = tr.where(steps.equals(rows.astype(np.float64) - 1.0), ends, asked)

        def made_column(i: Array) -> tuple[list[Array], list[Array]]:
            share = i.astype(np.float64) / tr.maximum(last.astype(np.float64), 1.0)
            x = column(source, share if sides.right else share * 0.0)
            chances, loss = scored(x, label)
            places = rows.reshape(1) * 0
            if sides.down:
                places = rising_choice(loss, asked, rows)
                ending = steps.equals(rows.astype(np.float64) - 1.0)
                held_back = tr.where(ending, places * 0 + whole, tr.minimum(places, whole))
                places = tr.where(i.equals(last), held_back, places)
            down = tr.gather(source.graph.constant(tried, np.float64), places, 0)
            return [], [
                tr.gather(x, places, 0), tr.gather(loss, places, 0), tr.gather(chances, places, 0), down, share
            ]  # fmt: skip

        _, (cells, measured, probabilities, down, right) = source.graph.loop(columns, [], made_column)
        return [
            cells.transpose(1, 0, *range(2, cells.ndim)),
            asked,
            measured.transpose(1, 0),
            probabilities.transpose(1, 0, 2),
            right if sides.right else right * 0.0,
            down.transpose(1, 0),
        ]

    size = ["n_down", "n_right"]
    model = tr.model(
        "shiftlens-intervention",
        [
            ("source", np.float32, [1, *shape]), ("label", np.int64, [1]),
            ("n_right", np.int64, [1]), ("n_down", np.int64, [1]),
        ],
        grid,
        [
            ("cells", np.float32, [*size, *shape]), ("requested", np.float32, ["n_down"]),
            ("measured", np.float32, size), ("probabilities", np.float32, [*size, classes]),
            ("right", np.float32, ["n_right"]), ("down", np.float32, size),
        ],
    )  # fmt: skip
    graphs.extend_opsets(model, score)
    model.producer_name = "shiftlens"
    graphs.set_metadata(model, {"shiftlens.version": manifest.shiftlens, "shiftlens.part": "intervention"})
    return model


def log_loss(loss: Array) -> Array:
    """As `core.grid.intervention.log_loss`."""
    return tr.log(tr.maximum(loss, 0.0) + OFFSET)


def rising_choice(loss: Array, requested: Array, rows: Array) -> Array:
    """As `core.grid.intervention.rising_choice`: ``(k,)`` losses and ``(rows,)`` requested ones, ``(rows,)`` places."""
    count = len(STRENGTHS)
    graph = loss.graph
    seen = graph.constant(np.tril(np.ones((count, count), dtype=bool)), np.bool_)  # [j, i]: i is not after j
    order = graph.constant(np.arange(count), np.int64)
    wanted, found = log_loss(requested), tr.rint(log_loss(loss) * 10.0**ALIKE) / 10.0**ALIKE

    def rounded(missed: Array) -> Array:
        return tr.rint(missed * 10.0**EVEN) / 10.0**EVEN

    begun = rounded((wanted[0:1] - found) ** 2)
    begun = tr.where(order > 0, np.inf, begun)  # the first row keeps the first strength

    def further(i: Array, best: Array) -> tuple[list[Array], list[Array]]:
        lowest = tr.where(seen, best[None], np.inf).min(1)
        place = tr.where(best.equals(lowest), order, 0)
        came = tr.where(seen, place[None], 0).max(1)
        here = tr.gather(wanted, (i + 1).reshape(1), 0)
        return [rounded((here - found) ** 2) + lowest], [came]

    (best,), (came,) = graph.loop(rows - 1, [begun], further)
    last = tr.arg_extreme(best, 0, largest=False).reshape(1)

    def back(i: Array, choice: Array) -> tuple[list[Array], list[Array]]:
        from_here = tr.gather(came, (rows - 2 - i).reshape(1), 0)[0]  # (k,)
        before = tr.gather(from_here, choice, 0)
        return [before], [before]

    _, (others,) = graph.loop(rows - 1, [last], back)
    return tr.concatenate([last, others.reshape(-1)], 0)[::-1]


def _counted(count: Array) -> Array:
    """0 to ``count - 1`` as float64."""
    graph = count.graph
    ends = [graph.constant(0, np.int64), count, graph.constant(1, np.int64)]
    return graph.put("Range", ends, np.int64, 1).astype(np.float64)


def _faults(
    source: Array, label: Array, n_right: Array, n_down: Array, sides: Sides, most: int, classes: int
) -> list[tuple[Array, str]]:
    """What is refused, each as truth values with the words for it."""
    faults = []
    for name, count, side in (("n_right", n_right, sides.right), ("n_down", n_down, sides.down)):
        least, largest = (2, LARGEST_SIDE) if side else (1, 1)
        told = f"{name} must be {least} to {largest}" if side else f"{name} must be 1: no change goes that way"
        faults.append(((count < least) | (count > largest), told))
    cells = n_right * n_down
    faults.append(((cells < 1) | (cells > most), f"n_right x n_down must be 1 to {most}"))
    faults.append(((label < 0) | (label >= classes), f"label must be 0 to {classes - 1}"))
    faults.append((tr.isnan(source * 0.0), "source has values that are not finite"))
    return faults


def _held(source: Array, faults: Sequence[tuple[Array, str]]) -> Array:
    """1, had through nodes that fail at a fault and are called what is told; ONNX has no assertion."""
    graph = source.graph
    one = graph.constant([1], np.int64)
    held = one
    for fault, words in faults:
        any_fault = fault.astype(np.int64).reshape(-1).max(0, keepdims=True)
        held = graph.put("Reshape", [one, any_fault + held], np.int64, 1, name=words)  # [1], or [2] at a fault
    return held
