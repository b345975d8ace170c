"""Transport between Gaussians in the generator's latent space: the converter that needs no training.

Each class's latents are taken for a Gaussian in either domain, and moved by the optimal map between the two (Peyré &
Cuturi 2019, https://arxiv.org/abs/1803.00567, remark 2.31):

    T(z) = m_s + A (z - m_t),   A = C_t^(-1/2) (C_t^(1/2) C_s C_t^(1/2))^(1/2) C_t^(-1/2)

with mean and covariance m_t, C_t of the class in the target and m_s, C_s in the source. A sample is encoded, moved
and decoded at one and the same loss, so that the loss axis does nothing here. Whatever the generator cannot give back
is lost, the class must be known, and a shift that is no linear map of the latents stays in part.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from shiftlens.core.arrays import Floats, IntArray
from shiftlens.core.errors import TrainingError
from shiftlens.core.host.kinds import (
    SOURCE,
    TARGET,
    ComponentSettings,
    ConversionData,
    TrainedConverter,
    TrainedGenerator,
    TrainingData,
)
from shiftlens.core.job import Job

ROWS_PER_CALL = 256
HELD_OUT = 10  # one in so many target samples is left out of the fit,
MOST_HELD_OUT = 512  # at most so many
FEWEST = 10  # samples of a domain
SMALLEST = 1e-4  # of the mean variance, added to every direction so that its root can be inverted


class LatentTransport:
    """Fits the maps; see the module."""

    def __init__(self, settings: ComponentSettings) -> None:
        pass

    def __call__(self, data: ConversionData, job: Job) -> TrainedConverter:
        """Encode both domains and fit one map per class."""
        rows, generator = data.rows, data.generator
        assert generator is not None
        places = {role: np.flatnonzero(rows.role == role) for role in (SOURCE, TARGET)}
        for role, name in ((SOURCE, "source"), (TARGET, "target")):
            if len(places[role]) < FEWEST:
                raise TrainingError(
                    f"the {name} domain has {len(places[role])} samples; the style converter latent-transport needs "
                    f"{FEWEST} of each domain. Bring more, or set converter to null"
                )
        order = np.random.default_rng([job.seed, 6]).permutation(len(places[TARGET]))
        held_out = np.sort(order[: min(len(order) // HELD_OUT, MOST_HELD_OUT)])
        places[TARGET] = np.delete(places[TARGET], held_out)
        loss = float(np.median(rows.loss[rows.role == SOURCE]))
        total = sum(len(here) for here in places.values())
        latents = {}
        for role, before in ((SOURCE, 0), (TARGET, len(places[SOURCE]))):
            latents[role] = _latents(generator, rows, places[role], loss, job, before, total)
        maps = transport_maps(
            latents[TARGET], rows.label[places[TARGET]], latents[SOURCE], rows.label[places[SOURCE]], rows.classes
        )
        module = _Converter(generator, loss, *maps).eval()
        return TrainedConverter(module, needs_label=True, held_out=held_out)


def _latents(
    generator: TrainedGenerator, rows: TrainingData, places: IntArray, loss: float, job: Job, before: int, total: int
) -> Floats:
    found = []
    for start in range(0, len(places), ROWS_PER_CALL):
        here = places[start : start + ROWS_PER_CALL]
        x, label = torch.from_numpy(rows.batch(here)), torch.from_numpy(rows.label[here])
        with torch.no_grad():
            found.append(generator.encoder(x, torch.full((len(x),), loss), label).numpy())
        job.progress(before + start + len(here), total)
    return np.concatenate(found).astype(np.float64)


def transport_maps(
    target: Floats, target_label: IntArray, source: Floats, source_label: IntArray, classes: int
) -> tuple[Floats, Floats, Floats]:
    """One optimal map per class between Gaussians fitted to latents ``(n, latent)``.

    The covariance of a class is drawn towards that of all classes, which counts as ``latent`` further samples; a class
    that one domain lacks is moved as the classes are on average.

    Returns:
        Matrices ``(classes, latent, latent)``, and per class the target's and the source's mean ``(classes, latent)``.
    """
    means_t, spread_t, counts_t = _moments(target, target_label, classes)
    means_s, spread_s, counts_s = _moments(source, source_label, classes)
    known = (counts_t > 0) & (counts_s > 0)
    if not known.any():
        raise TrainingError(
            "source and target have no class in common, so no class can be converted; check that both name their "
            "classes alike"
        )
    weights = counts_t[known] / counts_t[known].sum()
    usual = weights @ (means_s - means_t)[known]
    means_t[counts_t == 0] = means_s[counts_t == 0] - usual
    means_s[counts_s == 0] = means_t[counts_s == 0] + usual
    return np.stack([_map(t, s) for t, s in zip(spread_t, spread_s, strict=True)]), means_t, means_s


def _moments(z: Floats, label: IntArray, classes: int) -> tuple[Floats, Floats, IntArray]:
    """Mean ``(classes, latent)`` and covariance ``(classes, latent, latent)`` of each class, and its samples."""
    latent = z.shape[1]
    counts = np.bincount(label, minlength=classes)
    means = np.zeros((classes, latent))
    np.add.at(means, label, z)
    means /= np.maximum(counts, 1)[:, None]
    away = z - means[label]
    common = away.T @ away / len(z)
    common += SMALLEST * max(np.trace(common) / latent, 1e-12) * np.eye(latent)
    covariances = np.empty((classes, latent, latent))
    for k in range(classes):
        own = away[label == k]
        covariances[k] = (own.T @ own + latent * common) / (counts[k] + latent)
    return means, covariances, counts


def _map(target: Floats, source: Floats) -> Floats:
    """The symmetric matrix that carries one covariance onto the other."""
    root, inverse = _root(target), np.linalg.inv(_root(target))
    moved: Floats = inverse @ _root(root @ source @ root) @ inverse
    return moved


def _root(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


class _Converter(nn.Module):
    """``(x (N, *sample), label (N,)) -> x (N, *sample)``."""

    matrix: Tensor
    of_target: Tensor
    of_source: Tensor

    def __init__(
        self, generator: TrainedGenerator, loss: float, matrix: Floats, target: Floats, source: Floats
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.loss = generator.encoder, generator.decoder, loss
        for name, value in (("matrix", matrix), ("of_target", target), ("of_source", source)):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32))

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        loss = torch.full_like(label, self.loss, dtype=torch.float32)
        away = self.encoder(x, loss, label) - self.of_target[label]  # (N, latent)
        moved = (self.matrix[label] @ away[:, :, None])[:, :, 0]
        again: Tensor = self.decoder(self.of_source[label] + moved, loss, label)
        return again
