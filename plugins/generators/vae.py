"""Variational autoencoder with a loss axis (¶78; Kingma & Welling 2014, https://arxiv.org/abs/1312.6114).

    loss = 100 · MSE(x, decoder(z)) + warmup · beta · sum_d max(KL_d, free_bits),   z = mean + std · noise

``KL_d = (mean² + variance - log variance - 1) / 2`` is the cost of dimension d, averaged over the batch; free bits
(Kingma et al. 2016, https://arxiv.org/abs/1606.04934) leave each dimension a little that costs nothing, and the
warm-up lets the networks learn to reconstruct first, so that no dimension is given up early. A smooth latent space
is the gain over the plain autoencoder, somewhat softer samples the price.

Only the mean is exported: there is no randomness in the bundle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from shiftlens.core.errors import TrainingError
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
    latents,
    loss_scale,
    schedule_of,
    settled,
)
from shiftlens.plugins.generators.blocks import Condition, Encoder, decoder_network, encoder_network
from shiftlens.plugins.generators.likeness import MSE_WEIGHT, Likeness, student_of
from shiftlens.plugins.generators.settings import VaeSettings

ACTIVE = 0.01  # variance of a dimension's mean over the samples, below which it tells nothing (Burda et al. 2016)
ROWS_LOOKED_AT = 2000


class VariationalAutoencoder:
    """Trains a variational autoencoder; see the module."""

    def __init__(self, settings: VaeSettings) -> None:
        self.settings = settings

    def __call__(self, data: TrainingData, job: Job) -> TrainedGenerator:
        """Train (or go on, or return what is finished) in ``job.folder``."""
        settings = settled(self.settings, data)
        student = student_of(settings, data, job)
        with seeded(job.seed):
            trainee = _Trainee(data, settings, student, job.seed)
        training = train(trainee, data, job, schedule_of(settings), identity_of("vae", settings))
        networks = Networks(trainee.scale, _Mean(trainee.encoder), trainee.decoder, trainee.condition)
        rows = np.linspace(0, len(data) - 1, min(len(data), ROWS_LOOKED_AT)).astype(np.int64)
        active = int((latents(networks, data, rows, job).var(0) > ACTIVE).sum())
        if active == 0:
            raise TrainingError(
                "the variational autoencoder collapsed: no latent dimension tells samples apart. "
                f"Set generator.beta below {settings.beta:g}, or train for more than {training.steps} steps"
            )
        trained = assemble(networks, data, job, settings, training)
        return replace(
            trained,
            facts={**trained.facts, **trainee.likeness.facts(), "active_latents": active},
            posterior=_Posterior(trained.encoder, trainee.encoder).eval(),
        )


class _Trainee(Trainee):
    def __init__(self, data: TrainingData, settings: VaeSettings, student: Student | None, seed: int) -> None:
        super().__init__()
        joint = settings.loss_axis == "joint"
        self.settings = settings
        self.scale = Scale(data, seed)
        self.likeness = Likeness(self.scale, student, settings)
        self.condition = Condition(loss_scale(data), data.classes) if joint else None
        conditions = 1 + data.classes if joint else 0
        self.encoder = encoder_network(data.sample_shape, 2 * latent_of(settings))
        self.decoder = decoder_network(data.sample_shape, latent_of(settings) + conditions)

    def objective(self, batch: Batch, done: float) -> Iterator[tuple[str, Tensor]]:
        x = self.scale(batch.x)
        mean, log_variance = _posterior(self.encoder(x))
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        each = _divergence(mean, log_variance).mean(0).clamp(min=self.settings.free_bits)  # (latent,)
        warmup = min(1.0, done / self.settings.warmup) if self.settings.warmup else 1.0
        yield "all", MSE_WEIGHT * self._likeness(x, z, batch).mean() + warmup * self.settings.beta * each.sum()

    def error(self, batch: Batch) -> Tensor:
        x = self.scale(batch.x)
        mean, log_variance = _posterior(self.encoder(x))
        divergence = _divergence(mean, log_variance).sum(1)
        return self._likeness(x, mean, batch) + self.settings.beta / MSE_WEIGHT * divergence

    def _likeness(self, x: Tensor, z: Tensor, batch: Batch) -> Tensor:
        """``(n,)`` of each sample to what comes back of it."""
        if self.condition is not None:
            z = torch.cat([z, self.condition(batch.loss, batch.label)], dim=1)
        likeness: Tensor = self.likeness(self.decoder(z), x)
        return likeness


def _posterior(encoded: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log-variance ``(n, latent)`` of ``(n, 2 * latent)``; bounds keep the exponential finite."""
    mean, log_variance = encoded.float().chunk(2, dim=1)
    return mean, log_variance.clamp(-10.0, 10.0)


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL to the standard normal, ``(n, latent)`` nats."""
    return 0.5 * (mean**2 + log_variance.exp() - log_variance - 1)


class _Posterior(nn.Module):
    """What is exported: z and its log-variance, in z's units, each ``(N, latent)``; nothing is drawn."""

    def __init__(self, encoder: Encoder, network: nn.Module) -> None:
        super().__init__()
        self.encoder, self.network = encoder, network

    def forward(self, x: Tensor, loss: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = _posterior(self.network(self.encoder.scale(x)))
        return self.encoder.placed(mean, loss, label), log_variance - 2 * self.encoder.spread.log()


class _Mean(nn.Module):
    """The half of the encoder that places a sample: ``(N, *sample) -> (N, latent)``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        mean: Tensor = self.network(x).chunk(2, dim=1)[0]
        return mean
