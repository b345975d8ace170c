"""What the tests of generators train on: real digits, a shift of known cause, and a trial of it.

Two changes: samples get fainter, which is what the stand-in for a loss rises with, and their last values get a bar of
some brightness, which costs nothing. In the target both come together, with one strength; in the trial each has its
own.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import realdata
import torch

from shiftlens.core.host.kinds import SOURCE, TARGET, TRIAL, TrainedGenerator, TrainingData

LOSS_OF_FAINTNESS = 4.0


def changed(x: np.ndarray, faint: np.ndarray, bar: np.ndarray) -> np.ndarray:
    """Samples ``(n, ..., last)`` made fainter by a share, the last eighth of their last side set to ``bar``."""
    wide = [-1] + [1] * (x.ndim - 1)
    out = (x * (1 - faint).reshape(wide)).astype(np.float32)
    out[..., -x.shape[-1] // 8 :] = bar.reshape(wide)
    return out


def faintness(x: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The share of light that was lost outside the bar."""
    inside = slice(0, -(x.shape[-1] // 8))
    return 1 - x[..., inside].reshape(len(x), -1).mean(1) / before[..., inside].reshape(len(x), -1).mean(1)


def bar(x: np.ndarray) -> np.ndarray:
    """The bar's brightness."""
    return x[..., -(x.shape[-1] // 8) :].reshape(len(x), -1).mean(1)


def shifted(x: np.ndarray, y: np.ndarray, kind: str, seed: int = 0) -> TrainingData:
    """Source, target and trial rows, as many of each as there are samples."""
    rng = np.random.default_rng(seed)
    count, none = len(x), np.zeros(len(x))
    before = rng.exponential(0.05, count)
    common, (faint, barred) = rng.uniform(0.2, 0.8, count), rng.uniform(0, 0.8, (2, count))
    rows = np.concatenate([changed(x, none, none), changed(x, common, common), changed(x, faint, barred)])
    loss = np.r_[before, before + LOSS_OF_FAINTNESS * common, before + LOSS_OF_FAINTNESS * faint]
    role = np.repeat(np.array([SOURCE, TARGET, TRIAL], np.int8), count)
    return TrainingData(
        batch=lambda indices: rows[indices],
        loss=loss,
        label=np.tile(y, 3),
        role=role,
        loss_before=np.where(role == TRIAL, np.tile(before, 3), loss),
        sample_shape=x.shape[1:],
        kind=kind,
        classes=10,
    )


@cache
def digits(kind: str = "image", count: int = 200) -> TrainingData:
    """Handwritten digits as images of 16 x 16, as two channels of 32 values, or as vectors of 64."""
    x, y = realdata.digits()
    x, y = x[:count], y[:count]
    if kind == "image":
        return shifted(x.repeat(2, axis=2).repeat(2, axis=3), y, kind)
    return shifted(x.reshape((-1, 2, 32) if kind == "series" else (-1, 64)), y, kind)


def conditions(data: TrainingData, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and label of some rows, as encoder and decoder take them."""
    return torch.from_numpy(data.loss[rows].astype(np.float32)), torch.from_numpy(data.label[rows])


def encode(data: TrainingData, trained: TrainedGenerator, rows: np.ndarray) -> np.ndarray:
    """Latents of some rows, ``(n, latent)``."""
    with torch.no_grad():
        return trained.encoder(torch.from_numpy(data.batch(rows)), *conditions(data, rows)).numpy()


def decode(data: TrainingData, trained: TrainedGenerator, z: np.ndarray, loss: float, rows: np.ndarray) -> np.ndarray:
    """Samples of latents ``(n, latent)`` at one loss, with the labels of some rows."""
    with torch.no_grad():
        return trained.decoder(
            torch.from_numpy(z), torch.full((len(z),), loss), torch.from_numpy(data.label[rows])
        ).numpy()
