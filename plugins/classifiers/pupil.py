"""The network of a classifier that is trained here, as the training loop wants it.

    loss = - log softmax(network(x))[label]

AdamW with a rate that rises over the first tenth of the steps and then falls to zero along a cosine; every epoch goes
through all rows, and the state of the epoch with the smallest held-out loss is kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.host.kinds import TrainingData
from shiftlens.core.job import Job
from shiftlens.core.learning.batches import Batch
from shiftlens.core.learning.devices import one_core_free, seeded
from shiftlens.core.learning.networks import ClassifyingNetwork, network
from shiftlens.core.learning.training import Schedule, Trainee, train
from shiftlens.plugins.classifiers.trained import READ, TrainSettings

WARMUP = 0.1  # of the training


class Pupil(Trainee):
    """A classifying network that learns the labels.

    Its channels stay first: faster by a tenth would be channels last, with weights that differ in their last bits
    from those that every benchmark of this project was run with.
    """

    channels_last = False

    def __init__(self, network: ClassifyingNetwork) -> None:
        super().__init__()
        self.network = network

    def objective(self, batch: Batch, done: float) -> Iterator[tuple[str, Tensor]]:
        yield "all", cross_entropy(self.network(batch.x), batch.label)

    def error(self, batch: Batch) -> Tensor:
        return cross_entropy(self.network(batch.x), batch.label, reduction="none")


def taught(
    settings: TrainSettings,
    architecture: str,
    moments: tuple[FloatArray, FloatArray],
    data: TrainingData,
    held_out: IntArray,
    identity: str,
    job: Job,
) -> tuple[ClassifyingNetwork, tuple[dict[str, float], ...], float]:
    """The network with the weights of its best epoch, a row of figures per epoch, and its accuracy when held out.

    Args:
        moments: mean and spread of the training rows, ``(C,)`` each.
        held_out: rows that choose the epoch and tell the accuracy.
    """
    mean, spread = (torch.from_numpy(values) for values in moments)
    with seeded(job.seed):
        pupil = Pupil(network(architecture, data.sample_shape, data.classes, mean, spread))
    steps = max(1, (len(data) - len(held_out)) // settings.batch_size)  # of an epoch
    schedule = Schedule(
        steps=settings.epochs * steps,
        batch=settings.batch_size,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup=WARMUP,
        clip=math.inf,
        check_every=steps,
        patience=settings.epochs,
        drop_last=False,
        diverged=math.inf,
    )
    training = train(pupil, data, job, schedule, identity, held_out)
    history = tuple(
        {"epoch": row["step"] / steps, "loss": row["loss"], "held_out": row["held_out"]} for row in training.history
    )
    return pupil.network, history, _accuracy(pupil.network, data, held_out)


def _accuracy(module: ClassifyingNetwork, data: TrainingData, rows: IntArray) -> float:
    """Share of some rows that the network sees rightly."""
    right = 0
    with one_core_free(), torch.no_grad():
        for start in range(0, len(rows), READ):
            here = rows[start : start + READ]
            said = module(torch.from_numpy(data.batch(here))).argmax(1).numpy()
            right += int(np.count_nonzero(said == data.label[here]))
    return right / len(rows)
