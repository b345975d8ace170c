"""Stage ``second-opinion``: train another classifier on the source, whose only task is to look at the grid's cells.

A cell may raise the loss of the classifier under analysis by noise that means nothing to anybody else. A second
classifier, of another seed and mostly of another make, is not fooled by it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np

from shiftlens.core.errors import TrainingError
from shiftlens.core.host.kinds import SOURCE, TrainingData
from shiftlens.core.run.context import SECOND_OPINION, Context, Outcome, Stage

logger = logging.getLogger("shiftlens")


def work(context: Context) -> Outcome:
    labels = context.labels("source")
    if not context.general.grid.second_opinion or labels is None or len(np.unique(labels)) < 2:
        (context.run.path / SECOND_OPINION).unlink(missing_ok=True)
        return Outcome()
    import torch

    from shiftlens.core.learning.student import learn
    from shiftlens.export.parity import check_parity
    from shiftlens.export.to_onnx import on_numpy, to_onnx

    source, job = context.domain("source"), context.job("second-opinion")
    nothing = np.zeros(len(source))
    data = TrainingData(
        batch=source.batch,
        loss=nothing,
        label=labels,
        role=np.full(len(source), SOURCE, np.int8),
        loss_before=nothing,
        sample_shape=source.sample_shape,
        kind=source.kind,
        classes=len(context.classes),
    )
    try:
        second = learn(data, replace(job, seed=job.seed + 1))
    except TrainingError as error:  # a check that cannot be made is no reason to end the run
        logger.warning("no second classifier looks at the grid's cells: %s", error)
        (context.run.path / SECOND_OPINION).unlink(missing_ok=True)
        return Outcome()
    path = context.run.path / SECOND_OPINION
    rows = np.arange(len(source))
    example = torch.from_numpy(source.batch(np.resize(rows, 2)))
    to_onnx(second, (example,), ["x"], ["logits"], path, {})
    check_parity(path, on_numpy(second, ["logits"]), lambda batch: {"x": source.batch(np.resize(rows, batch))})
    facts: dict[str, Any] = {"accuracy": {"source": second.agreement, "target": _on_target(context)}}
    return Outcome([SECOND_OPINION], facts)


def _on_target(context: Context) -> float | None:
    """Its accuracy on the target; None where that has no labels."""
    labels, target, size = context.labels("target"), context.domain("target"), context.batch_size
    if labels is None:
        return None
    predict = context.second_opinion
    assert predict is not None
    starts = range(0, len(target), size)
    right = [predict(target.batch(slice(i, i + size))).argmax(1) == labels[i : i + size] for i in starts]
    return float(np.concatenate(right).mean())


STAGE = Stage(
    "second-opinion",
    settings=("grid.second_opinion", "seed", "device", "batch_size"),
    after=("data", "classifier"),
    work=work,
)
