"""What stands between the models in grid.onnx, as ONNX functions: everything is computed as in `core.grid`.

P pairs of samples, F columns and L rows; between the real samples in the corners, M = L F - 2 cells a pair are made.
"""

from __future__ import annotations

from typing import Any

from onnxscript import opset20 as op
from onnxscript import script
from onnxscript.values import Opset

PARTS = Opset("shiftlens", 1)


def faults(fewest_steps: int, most_steps: int, most_cells: int, classes: int) -> Any:
    """The function that says what is wrong with the inputs, one truth value or several for each fault."""

    @script(PARTS, default_opset=op)
    def faults_in(source, target, label, loss, n_features, n_losses):
        pairs = op.Shape(source, start=0, end=1)
        same_pairs = op.And(op.Equal(op.Shape(target, start=0, end=1), pairs), op.Equal(op.Shape(label), pairs))
        rows = op.Not(op.And(same_pairs, op.Equal(op.Shape(loss, start=0, end=1), pairs)))
        too_few = op.Less(op.Min(n_features, n_losses), fewest_steps)
        too_many = op.Greater(op.Max(n_features, n_losses), most_steps)
        steps = op.Or(too_few, too_many)
        all_cells = op.Mul(op.Mul(n_features, n_losses), pairs)
        cells = op.Or(op.Less(all_cells, 1), op.Greater(all_cells, most_cells))
        labels = op.Or(op.Less(label, 0), op.GreaterOrEqual(label, classes))
        sources = op.IsNaN(op.Mul(source, 0.0))  # of infinity, too
        targets = op.IsNaN(op.Mul(target, 0.0))
        losses = op.IsNaN(op.Mul(loss, 0.0))
        return rows, steps, cells, labels, sources, targets, losses

    return faults_in


@script(PARTS, default_opset=op)
def ends(source, target, label, loss):
    """Sources, then targets, as one batch: samples ``(2P, *sample)``, labels and losses ``(2P,)``."""
    samples = op.Concat(source, target, axis=0)
    labels = op.Concat(label, label, axis=0)
    given = op.Concat(op.Gather(loss, 0, axis=1), op.Gather(loss, 1, axis=1), axis=0)
    return samples, labels, given


@script(PARTS, default_opset=op)
def chosen_losses(given, measured):
    """The losses given where they are not negative, else the measured ones, ``(2P,)``."""
    losses = op.Where(op.GreaterOrEqual(given, 0.0), given, measured)
    return losses


@script(PARTS, default_opset=op)
def cells_to_make(z, losses, label, n_features, n_losses):
    """``requested (P, L, F)``, and for each cell that is made ``z (PM, latent)``, its loss and its label ``(PM,)``."""
    z_source, z_target = op.Split(z, num_outputs=2, axis=0)
    columns = op.Squeeze(n_features)
    t = op.Cast(op.Range(0, columns, 1), to=1) / op.Cast(columns - 1, to=1)
    t = op.Unsqueeze(t, [0, 2])  # (1, F, 1)
    column_z = (1.0 - t) * op.Unsqueeze(z_source, [1]) + t * op.Unsqueeze(z_target, [1])  # (P, F, latent)

    loss_source, loss_target = op.Split(losses, num_outputs=2, axis=0)
    rows = op.Squeeze(n_losses)
    s = op.Cast(op.Range(0, rows, 1), to=1) / op.Cast(rows - 1, to=1)
    s = op.Unsqueeze(s, [0])  # (1, L)
    row_loss = (1.0 - s) * op.Unsqueeze(loss_source, [1]) + s * op.Unsqueeze(loss_target, [1])  # (P, L)

    pairs = op.Shape(label)
    size = op.Concat(pairs, n_losses, n_features, axis=0)
    line = op.Concat(pairs, [-1], axis=0)  # all cells of a pair, the two real ones first and last
    latent = op.Shape(z, start=1)
    requested = op.Expand(op.Unsqueeze(row_loss, [2]), size)
    made_losses = op.Slice(op.Reshape(requested, line), [1], [-1], [1])  # (P, M)
    grid_z = op.Expand(op.Unsqueeze(column_z, [1]), op.Concat(size, latent, axis=0))  # (P, L, F, latent)
    made_z = op.Slice(op.Reshape(grid_z, op.Concat(line, latent, axis=0)), [1], [-1], [1])  # (P, M, latent)
    cell_z = op.Reshape(made_z, op.Concat([-1], latent, axis=0))
    cell_loss = op.Reshape(made_losses, [-1])
    cell_label = op.Reshape(op.Expand(op.Unsqueeze(label, [1]), op.Shape(made_losses)), [-1])
    return requested, cell_z, cell_loss, cell_label


@script(PARTS, default_opset=op)
def between_ends(of_ends, made, n_features, n_losses):
    """A figure of both ends ``(2P, *figure)`` and of the cells made ``(PM, *figure)`` as ``(P, L, F, *figure)``."""
    of_source, of_target = op.Split(of_ends, num_outputs=2, axis=0)
    pairs = op.Shape(of_source, start=0, end=1)
    figure = op.Shape(made, start=1)
    line = op.Concat(pairs, [-1], figure, axis=0)
    whole = op.Concat(op.Unsqueeze(of_source, [1]), op.Reshape(made, line), op.Unsqueeze(of_target, [1]), axis=1)
    grid = op.Reshape(whole, op.Concat(pairs, n_losses, n_features, figure, axis=0))
    return grid


@script(PARTS, default_opset=op)
def of_logits(outputs):
    """Probabilities ``(n, K)`` of logits."""
    probabilities = op.Softmax(outputs, axis=-1)
    return probabilities


@script(PARTS, default_opset=op)
def of_probabilities(outputs):
    """Probabilities ``(n, K)`` that add up to one."""
    positive = op.Max(outputs, 0.0)  # eight bits may leave a little below zero
    probabilities = positive / op.Max(op.ReduceSum(positive, [1], keepdims=1), 1e-12)
    return probabilities


def call(function: Any, inputs: list[str], outputs: list[str]) -> Any:
    """A node that calls one of these functions."""
    from onnx import helper

    return helper.make_node(function.name, inputs, outputs, domain=PARTS.domain)
