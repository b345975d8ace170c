"""Autoencoder with a loss axis (¶49-51, FIG. 5).

The patent's letter is ``loss_axis: joint``: the decoder gets z and the classifier's loss L (here also the class), and
both networks learn to give x back, so that what L tells need not be in z. It mostly ends with a decoder that ignores
L. The two-stage forms train the same networks without L, and then take the loss's part out of z in closed form
(`shiftlens.core.grid.loss_axis`).

Names: ``encoder``, ``decoder`` and z are the patent's encoder, decoder and latent variables Z1, Z2, ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from shiftlens.core.host.kinds import TrainedGenerator, TrainingData
from shiftlens.core.job import Job
from shiftlens.core.learning.batches import Batch
from shiftlens.core.learning.devices import seeded
from shiftlens.core.learning.scale import Scale
from shiftlens.core.learning.student import Student
from shiftlens.core.learning.training import Trainee, train
from shiftlens.plugins.generators.assemble import (
    Networks,
    assemble,
    identity_of,
    latent_of,
    loss_scale,
    schedule_of,
    settled,
)
from shiftlens.plugins.generators.blocks import Condition, decoder_network, encoder_network
from shiftlens.plugins.generators.likeness import MSE_WEIGHT, Likeness, student_of
from shiftlens.plugins.generators.settings import AutoencoderSettings


class Autoencoder:
    """Trains an autoencoder; see the module."""

    def __init__(self, settings: AutoencoderSettings) -> None:
        self.settings = settings

    def __call__(self, data: TrainingData, job: Job) -> TrainedGenerator:
        """Train (or go on, or return what is finished) in ``job.folder``."""
        settings = settled(self.settings, data)
        student = student_of(settings, data, job)
        with seeded(job.seed):
            trainee = _Trainee(data, settings, student, job.seed)
        training = train(trainee, data, job, schedule_of(settings), identity_of("autoencoder", settings))
        networks = Networks(trainee.scale, trainee.encoder, trainee.decoder, trainee.condition)
        trained = assemble(networks, data, job, settings, training)
        return replace(trained, facts={**trained.facts, **trainee.likeness.facts()})


class _Trainee(Trainee):
    def __init__(self, data: TrainingData, settings: AutoencoderSettings, student: Student | None, seed: int) -> None:
        super().__init__()
        joint = settings.loss_axis == "joint"
        self.scale = Scale(data, seed)
        self.likeness = Likeness(self.scale, student, settings)
        self.condition = Condition(loss_scale(data), data.classes) if joint else None
        conditions = 1 + data.classes if joint else 0
        self.encoder = encoder_network(data.sample_shape, latent_of(settings))
        self.decoder = decoder_network(data.sample_shape, latent_of(settings) + conditions)

    def objective(self, batch: Batch, done: float) -> Iterator[tuple[str, Tensor]]:
        yield "all", MSE_WEIGHT * self.error(batch).mean()

    def error(self, batch: Batch) -> Tensor:
        x = self.scale(batch.x)
        z = self.encoder(x)
        if self.condition is not None:
            z = torch.cat([z, self.condition(batch.loss, batch.label)], dim=1)
        likeness: Tensor = self.likeness(self.decoder(z), x)
        return likeness
