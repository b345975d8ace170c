"""A stand-in for the classifier that gradients can go through: a small network that learns to answer as it does.

The classifier under analysis may be an ONNX file or anybody's function, and neither tells how its answer changes with
the sample. So a small network, the *student*, is taught by the classifier's own probabilities (distillation, Hinton et
al. 2015, https://arxiv.org/abs/1503.02531) on the samples at hand and on mixtures of two of them, on which the
classifier is asked as well (Beyer et al. 2022, https://arxiv.org/abs/2106.05237): what a generator makes lies between
the samples more often than on one.

    loss = sum_k p_k (log p_k - log q_k),   p the classifier's probabilities, q the student's

The student serves training alone. Every figure that is told comes from the classifier itself.

Taught by the samples' labels instead (`learn`), the same network is a second classifier, which knows nothing of the
first one and can be asked for its opinion.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from shiftlens.core.arrays import Predict
from shiftlens.core.host.kinds import TrainingData
from shiftlens.core.job import Job
from shiftlens.core.learning.batches import Batch
from shiftlens.core.learning.devices import one_core_free, seeded
from shiftlens.core.learning.networks import ClassifyingNetwork, network
from shiftlens.core.learning.training import Schedule, Trainee, train

STEPS = 600
EPOCHS = 12  # of `learn`, which on few samples makes fewer steps
BATCH = 64
LEARNING_RATE = 4e-3
SCALE_ROWS = 4096  # rows that means and spreads are taken from
ROWS_PER_CALL = 256
LOOKS = 10  # at the held-out rows; the best one is kept
KNOWN_BY = 16  # answers by which a checkpoint knows its classifier
LEAST = 1e-6  # probability; keeps the logarithm finite


class Student(nn.Module):
    """The trained stand-in: in eval mode, its parameters frozen, on the CPU (move it with ``.to``).

    Attributes:
        agreement: share of held-out rows of which it says the class that it was taught.
    """

    def __init__(self, network: ClassifyingNetwork, agreement: float) -> None:
        super().__init__()
        self.network, self.agreement = network, agreement
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, *sample) -> (N, classes)`` logits; gradients go through to x."""
        logits: Tensor = self.network(x)
        return logits

    def features(self, x: Tensor) -> list[Tensor]:
        """What each of its layers makes of ``(N, *sample)``, the finest first: ``(N, channels, positions...)``."""
        return self.network.features(x)

    def answer(self, features: list[Tensor]) -> Tensor:
        """The logits ``(N, classes)`` that follow from `features`; both together cost one pass, not two."""
        return self.network.answer(features)

    def train(self, mode: bool = True) -> Student:
        """It stays in eval mode, also as a part of something that trains."""
        return super().train(False)


def distil(predict: Predict, data: TrainingData, job: Job, steps: int = STEPS) -> Student:
    """Teach a student, or go on where that was cut off, or return at once if it had been done.

    Args:
        predict: the classifier, ``(n, *sample) -> (n, classes)`` probabilities; asked once a step on one batch.
        data: the samples; neither their losses nor their labels are looked at.
        job: checkpoints go to ``job.folder/student``.

    Raises:
        TrainingError: fewer than three samples, values that are not finite, divergence.
    """
    known_by = predict(data.batch(np.arange(min(len(data), KNOWN_BY)))).round(4)
    identity = f"student {hashlib.sha256(known_by.tobytes()).hexdigest()}"
    return _taught(predict, data, job, steps, identity)


def learn(data: TrainingData, job: Job) -> Student:
    """Teach a network the labels of the samples; otherwise as `distil`."""
    batches = max(1, len(data) // BATCH)
    return _taught(None, data, job, min(STEPS, EPOCHS * batches), "learn")


def _taught(predict: Predict | None, data: TrainingData, job: Job, steps: int, identity: str) -> Student:
    folder = job.folder / "student"
    folder.mkdir(exist_ok=True)
    batch = min(BATCH, max(2, len(data) // 2))
    with seeded(job.seed):
        pupil = _Pupil(predict, data, job.seed)
    schedule = Schedule(steps, batch, LEARNING_RATE, patience=LOOKS, check_every=max(1, steps // LOOKS))
    training = train(pupil, data, replace(job, folder=folder), schedule, identity)
    rows = np.sort(training.held_out)
    same = []
    with one_core_free(), torch.no_grad():
        for start in range(0, len(rows), ROWS_PER_CALL):
            here = rows[start : start + ROWS_PER_CALL]
            x = data.batch(here)
            own = pupil.network(torch.from_numpy(x)).argmax(1).numpy()
            same.append(own == (data.label[here] if predict is None else predict(x).argmax(1)))
    return Student(pupil.network, float(np.concatenate(same).mean()))


class _Pupil(Trainee):
    def __init__(self, predict: Predict | None, data: TrainingData, seed: int) -> None:
        super().__init__()
        self.predict = predict
        mean, spread = _moments(data, seed)
        self.network = network("auto", data.sample_shape, data.classes, mean, spread)

    def objective(self, batch: Batch, done: float) -> Iterator[tuple[str, Tensor]]:
        yield "all", self.error(batch if self.predict is None else self._half_mixed(batch)).mean()

    def error(self, batch: Batch) -> Tensor:
        logits = self.network(batch.x).float()
        if self.predict is None:
            return cross_entropy(logits, batch.label, reduction="none")
        asked = np.maximum(self.predict(batch.x.cpu().contiguous().numpy()), LEAST).astype(np.float32)
        return kl_div(log_softmax(logits, 1), torch.from_numpy(asked).to(logits.device), reduction="none").sum(1)

    def _half_mixed(self, batch: Batch) -> Batch:
        """Half of the samples as they are, half mixed with another one."""
        count = len(batch.x)
        other, share = torch.randperm(count), torch.rand(count)
        share[: count // 2] = 1.0
        share = share.to(batch.x.device).reshape(-1, *[1] * (batch.x.ndim - 1))
        return replace(batch, x=share * batch.x + (1 - share) * batch.x[other.to(batch.x.device)])


def _moments(data: TrainingData, seed: int) -> tuple[Tensor, Tensor]:
    """Mean and spread along a sample's first axis, each ``(C,)``; an axis that never varies gets spread 1."""
    rows = np.sort(np.random.default_rng([seed, 5]).permutation(len(data))[:SCALE_ROWS])
    x = np.moveaxis(data.batch(rows).astype(np.float64), 1, 0).reshape(data.sample_shape[0], -1)
    mean, spread = x.mean(1), x.std(1)
    spread = np.where(spread > 1e-6 * np.maximum(1.0, abs(mean)), spread, 1.0)
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(spread, dtype=torch.float32)
