"""Adversarial generator with an encoder and a loss axis (¶75-78, FIG. 13).

A bidirectional GAN (Donahue et al. 2017, https://arxiv.org/abs/1605.09782; Dumoulin et al. 2017,
https://arxiv.org/abs/1606.00704): the discriminator D sees a sample together with its latent variables, and tells
(x, z' = E(x)) of real samples from (x' = G(z), z) of drawn latents; encoder E and generator G learn to leave it no way
to tell. With `joint` all of this is under condition of the loss and the class, as the patent has it.

    D: max(0, 1 - D(x, E(x))) + max(0, 1 + D(G(z), z))
    E, G: D(x, E(x)) - D(G(z), z) + 100 · MSE(x, G(E(x)))

Alone, the first two terms fall apart within a few steps. What keeps them: the hinge, spectral normalisation of D
(Miyato et al. 2018, https://arxiv.org/abs/1802.05957), the reconstruction, without which a real sample does not come
back as itself, and a moving average of E and G, which is what is exported.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import spectral_norm

from shiftlens.core.errors import TrainingError
from shiftlens.core.host.kinds import TrainedGenerator, TrainingData
from shiftlens.core.job import Job
from shiftlens.core.learning.batches import Batch
from shiftlens.core.learning.devices import one_core_free, seeded
from shiftlens.core.learning.scale import Scale
from shiftlens.core.learning.student import Student
from shiftlens.core.learning.training import Trainee, Training, train
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
from shiftlens.plugins.generators.settings import GanSettings

logger = logging.getLogger("shiftlens")

AVERAGE = 0.99  # of the moving average stays at each step; less at first, so that it forgets the untrained networks
FEATURES = 128  # of a sample, and of its latents, before the discriminator joins them
POOR = 0.3  # of the real samples' spread over samples; drawn samples that vary less have lost modes
COLLAPSED = 0.1
SAME = 1e-9  # spread of samples that are all the same


class AdversarialGenerator:
    """Trains encoder, generator and discriminator; see the module."""

    def __init__(self, settings: GanSettings) -> None:
        self.settings = settings

    def __call__(self, data: TrainingData, job: Job) -> TrainedGenerator:
        """Train (or go on, or return what is finished) in ``job.folder``."""
        settings = settled(self.settings, data)
        student = student_of(settings, data, job)
        with seeded(job.seed):
            trainee = _Trainee(data, settings, student, job.seed)
        training = train(trainee, data, job, schedule_of(settings), identity_of("gan", settings))
        encoder, decoder = trainee.average
        diversity, share_lost = _looked_at(trainee, data, training, job.seed)
        if share_lost > 1 or diversity["reconstructed"] < COLLAPSED:
            raise TrainingError(
                "the adversarial generator collapsed: real samples do not come back as themselves "
                f"(error {share_lost:.2g} of their variance, variety {diversity['reconstructed']:.2g} of theirs). "
                f"Set generator.adversarial below {settings.adversarial:g}, steps above {training.steps}, "
                "or use generator: {name: autoencoder}"
            )
        if diversity["drawn"] < POOR:
            logger.warning(
                "the adversarial generator has lost modes: drawn samples vary %.2g times as much as real ones; "
                "set generator.adversarial below %g or train for more than %d steps",
                diversity["drawn"],
                settings.adversarial,
                training.steps,
            )
        trained = assemble(Networks(trainee.scale, encoder, decoder, trainee.condition), data, job, settings, training)
        return replace(trained, facts={**trained.facts, **trainee.likeness.facts(), "diversity": diversity})


class _Trainee(Trainee):
    def __init__(self, data: TrainingData, settings: GanSettings, student: Student | None, seed: int) -> None:
        super().__init__()
        joint = settings.loss_axis == "joint"
        self.settings = settings
        self.scale = Scale(data, seed)
        self.likeness = Likeness(self.scale, student, settings)
        self.condition = Condition(loss_scale(data), data.classes) if joint else None
        conditions = 1 + data.classes if joint else 0
        self.encoder = encoder_network(data.sample_shape, latent_of(settings))
        self.decoder = decoder_network(data.sample_shape, latent_of(settings) + conditions)
        self.discriminator = _Discriminator(data.sample_shape, latent_of(settings) + conditions)
        self.updates: Tensor
        self.register_buffer("updates", torch.zeros(()))
        self.average = copy.deepcopy(nn.ModuleList([self.encoder, self.decoder])).requires_grad_(False)

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        return {
            "generator": [*self.encoder.parameters(), *self.decoder.parameters()],
            "discriminator": self.discriminator.parameters(),
        }

    def objective(self, batch: Batch, done: float) -> Iterator[tuple[str, Tensor]]:
        x = self.scale(batch.x)
        encoded = self.encoder(x)
        drawn = torch.randn_like(encoded)
        real_z, drawn_z = self.conditioned(encoded, batch), self.conditioned(drawn, batch)
        again, made = self.decoder(torch.cat([real_z, drawn_z])).chunk(2)
        reconstruction = self.likeness(again, x).mean()
        adversarial = self.discriminator(x, real_z).mean() - self.discriminator(made, drawn_z).mean()
        yield "generator", MSE_WEIGHT * reconstruction + self.settings.adversarial * adversarial
        self._update_average()
        on_real = self.discriminator(x, real_z.detach())
        on_made = self.discriminator(made.detach(), drawn_z)
        yield "discriminator", relu(1 - on_real).mean() + relu(1 + on_made).mean()

    def error(self, batch: Batch) -> Tensor:
        encoder, decoder = self.average
        x = self.scale(batch.x)
        likeness: Tensor = self.likeness(decoder(self.conditioned(encoder(x), batch)), x)
        return likeness

    def conditioned(self, z: Tensor, batch: Batch) -> Tensor:
        """Latents, and with `joint` the loss and the class that the networks get besides them."""
        return z if self.condition is None else torch.cat([z, self.condition(batch.loss, batch.label)], dim=1)

    @torch.no_grad()
    def _update_average(self) -> None:
        stays = min(AVERAGE, float((1 + self.updates) / (10 + self.updates)))
        self.updates += 1
        for average, now in zip(self.average, (self.encoder, self.decoder), strict=True):
            current = now.state_dict()
            for name, value in average.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(current[name], 1 - stays)
                else:
                    value.copy_(current[name])


class _Discriminator(nn.Module):
    """``(x (N, *sample), z (N, latent)) -> (N,)``: positive for a real sample with its encoded latents."""

    def __init__(self, shape: tuple[int, ...], latent: int) -> None:
        super().__init__()
        self.of_sample = encoder_network(shape, FEATURES, normalised=False)
        self.of_latent = nn.Linear(latent, FEATURES)
        self.together = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Linear(2 * FEATURES, FEATURES), nn.LeakyReLU(0.2), nn.Linear(FEATURES, 1)
        )
        for part in list(self.modules()):
            if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d):
                spectral_norm(part)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        verdict: Tensor = self.together(torch.cat([self.of_sample(x), self.of_latent(z)], dim=1))
        return verdict[:, 0]


def _looked_at(trainee: _Trainee, data: TrainingData, training: Training, seed: int) -> tuple[dict[str, float], float]:
    """Variety of what the generator makes of held-out and of drawn latents, as a share of the real samples' spread;
    and the error of the held-out samples it gives back, as a share of their variance."""
    encoder, decoder = trainee.average
    rows = np.sort(training.held_out)
    x = torch.from_numpy(data.batch(rows))
    batch = Batch(x, torch.from_numpy(data.loss[rows].astype(np.float32)), torch.from_numpy(data.label[rows]))
    with one_core_free(), torch.no_grad(), seeded(seed):
        real = trainee.scale(x)
        z = encoder(real)
        again, made = (decoder(trainee.conditioned(latent, batch)) for latent in (z, torch.randn_like(z)))
        spread, variance = max(float(real.std(0).mean()), SAME), max(float(real.var(0).mean()), SAME)
        diversity = {"reconstructed": float(again.std(0).mean()) / spread, "drawn": float(made.std(0).mean()) / spread}
        return diversity, float(((again - real) ** 2).mean()) / variance
