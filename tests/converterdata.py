"""What the tests of style converters train on: real digits before and after a shift, and a classifier that minds it.

In the target the digits stand two pixels further to the right and are fainter. The classifier is least squares on
source samples, a function that no gradient passes.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import realdata

from shiftlens.core.host.kinds import SOURCE, TARGET, ConversionData, TrainedGenerator, TrainingData


def shifted(x: np.ndarray) -> np.ndarray:
    """Moved by an eighth of the last side, and fainter."""
    return (0.6 * np.roll(x, x.shape[-1] // 8, axis=-1)).astype(np.float32)


def least_squares(x: np.ndarray, y: np.ndarray):
    """``predict(x) -> (n, 10)`` probabilities of a linear classifier fitted to samples."""
    flat = np.c_[x.reshape(len(x), -1), np.ones(len(x))].astype(np.float64)
    weights = np.linalg.solve(flat.T @ flat + np.eye(flat.shape[1]), flat.T @ (8.0 * np.eye(10)[y] - 4.0))

    def predict(batch: np.ndarray) -> np.ndarray:
        logits = np.c_[batch.reshape(len(batch), -1), np.ones(len(batch))] @ weights
        odds = np.exp(logits - logits.max(1, keepdims=True))
        return odds / odds.sum(1, keepdims=True)

    return predict


def conversion(x: np.ndarray, y: np.ndarray, kind: str, generator: TrainedGenerator | None = None) -> ConversionData:
    """The first half of the samples as source, the rest, shifted, as target."""
    half = len(x) // 2
    predict = least_squares(x[:half], y[:half])
    rows = np.concatenate([x[:half], shifted(x[half:])])
    loss = -np.log(np.clip(predict(rows)[np.arange(len(rows)), y], 1e-7, None))
    return ConversionData(
        rows=TrainingData(
            batch=lambda indices: rows[indices],
            loss=loss,
            label=y,
            role=np.where(np.arange(len(rows)) < half, SOURCE, TARGET).astype(np.int8),
            loss_before=loss,
            sample_shape=x.shape[1:],
            kind=kind,
            classes=10,
        ),
        labelled=True,
        predict=predict,
        generator=generator,
    )


@cache
def digits(kind: str = "image", count: int = 800) -> ConversionData:
    """Handwritten digits as images of 16 x 16, as two channels of 32 values, or as vectors of 64."""
    x, y = realdata.digits()
    x, y = x[:count], y[:count]
    if kind == "image":
        x = x.repeat(2, axis=2).repeat(2, axis=3)
    elif kind == "series":
        x = x.reshape(-1, 2, 32)
    else:
        x = x.reshape(-1, 64)
    data = conversion(x, y, kind)
    return replace(data, generator=principal_components(data.rows))


def principal_components(rows: TrainingData, latent: int = 24) -> TrainedGenerator:
    """A linear generator of the samples: enough for a converter that needs one."""
    import torch

    x = torch.from_numpy(rows.batch(np.arange(len(rows)))).flatten(1)
    mean = x.mean(0)
    axes = torch.linalg.svd(x - mean, full_matrices=False).Vh[:latent]

    class Encoder(torch.nn.Module):
        def forward(self, x, loss, label):
            return (x.flatten(1) - mean) @ axes.T

    class Decoder(torch.nn.Module):
        def forward(self, z, loss, label):
            return (z @ axes + mean).unflatten(1, rows.sample_shape)

    return TrainedGenerator(Encoder().eval(), Decoder().eval(), latent=latent)
