"""Generators that break one rule each, and one that keeps them all."""

from __future__ import annotations

import numpy as np

from rulebreakers.tried import Tried
from shiftlens.core.host.kinds import (
    Generator,
    TrainedGenerator,
)


class Components:
    """Principal components; the loss moves the first one. Methods are replaced to break rules."""

    latent = 8

    def __init__(self, settings=None):
        self.settings = settings

    def __call__(self, data, job):
        x = data.batch(np.arange(len(data)))
        job.progress(1, 1)
        return self.made(data, x, self.fitted(x, data, job), job)

    def fitted(self, x, data, job):
        flat = x.reshape(len(x), -1)
        spread = max(float(flat.std()), 1e-6)
        return (
            flat.mean(0),
            spread,
            np.linalg.svd((flat - flat.mean(0)) / spread, full_matrices=False)[2][: self.latent],
        )

    def of_loss(self, loss):
        return 0.3 * loss

    def made(self, data, x, fitted, job):
        import torch

        mean, spread, axes = (torch.tensor(np.asarray(value, dtype=np.float32)) for value in fitted)
        outer = self

        class Encoder(torch.nn.Module):
            def forward(self, x, loss, label):
                return outer.encoded(((x.flatten(1) - mean) / spread) @ axes.T, loss)

        class Decoder(torch.nn.Module):
            def forward(self, z, loss, label):
                return outer.decoded((z + outer.of_loss(loss)[:, None]) @ axes, mean, spread, data.sample_shape)

        return TrainedGenerator(self.mode(Encoder()), self.mode(Decoder()), latent=len(axes))

    def encoded(self, z, loss):
        return z - self.of_loss(loss)[:, None]

    def decoded(self, flat, mean, spread, shape):
        return (flat * spread + mean).unflatten(1, shape)

    def mode(self, module):
        return module.eval()


def generator_with(**methods):
    worker = type("Worker", (Components,), methods)
    return Tried(Generator(name="broken", summary="a generator", build=worker, kinds=("image",)))


def branching(self, flat, mean, spread, shape):
    if float(flat.abs().max()) > 1e6:  # which way to go depends on the data: no graph can hold that
        flat = flat * 0
    return (flat * spread + mean).unflatten(1, shape)


def drawn(self, x, data, job):
    mean, spread, axes = Components.fitted(self, x, data, job)
    return mean + 0.01 * np.random.rand(*mean.shape), spread, axes  # noqa: NPY002  # on purpose


def left_behind(self, data, job):
    """Goes on from a checkpoint that it wrote before it was done, and takes it for the end."""
    x, mark = data.batch(np.arange(len(data))), job.folder / "half"
    mean, spread, axes = self.fitted(x, data, job)
    if mark.exists():
        axes = axes[::-1].copy() * 0.5
    mark.write_text("half")
    job.progress(1, 1)
    return self.made(data, x, (mean, spread, axes), job)


def batch_centred(self, flat, mean, spread, shape):
    return ((flat - flat.mean(0)) * spread + mean).unflatten(1, shape)


def unguarded(self, x, data, job):
    flat = x.reshape(len(x), -1)
    spread = float(flat.std(0).max())
    if spread == 0:
        raise ZeroDivisionError("float division by zero")
    return Components.fitted(self, x, data, job)


def even_only(self, x, data, job):
    x.reshape(len(x), -1, 2, x.shape[2] // 2, x.shape[3])
    if x.shape[2] % 2:
        raise ValueError("cannot halve an odd side")
    return Components.fitted(self, x, data, job)


def of_the_trial(self, x, data, job):
    if not (data.role == 2).any():
        raise IndexError("index 0 is out of bounds for axis 0 with size 0")
    return Components.fitted(self, x, data, job)


GOOD = generator_with()

BREAKERS = {
    "generator-trains": generator_with(mode=lambda self, module: module.train()),
    "generator-lowers-its-loss": generator_with(
        decoded=lambda self, flat, mean, spread, shape: (0 * flat * spread + mean).unflatten(1, shape)
    ),
    "generator-listens-to-the-loss": generator_with(of_loss=lambda self, loss: 0 * loss),
    "generator-alone-as-in-company": generator_with(decoded=batch_centred),
    "generator-exports-to-onnx": generator_with(decoded=branching),
    "generator-the-same-under-a-seed": generator_with(fitted=drawn),
    "generator-resumes-to-the-same": generator_with(__call__=left_behind),
    "generator-survives-all-equal-samples": generator_with(fitted=unguarded),
    "generator-takes-odd-sizes": generator_with(fitted=even_only),
    "generator-does-without-a-trial": generator_with(fitted=of_the_trial),
}
