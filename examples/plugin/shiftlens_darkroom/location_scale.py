"""A generator in closed form: of every class, where the components lie and how far they spread goes with the loss.

A sample is c, its principal components (https://arxiv.org/abs/1404.1100). Given the loss L and the class y they are
taken for Gaussian, with

    c = m(y) + a g(L) + s(y) exp(b g(L)) z,        g(L) = log(L + 0.05) about its mean

The encoder turns this round: z is what of the sample does not go with the loss. The decoder puts another L in. In the
words of Pawlowski et al. 2020 (https://arxiv.org/abs/2006.06485), z is the noise that is found out (abduction), the
loss is what is acted on, and the decoded sample is the prediction of what it would have been then.

Where a trial was made, a and b come from its rows alone, each sample's loss before the change held: what merely
travels with the shift is no part of them. Nothing is random and nothing is trained; it takes a second or two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from shiftlens import TRIAL, Job, TrainedGenerator, TrainingData, TrainingError
from shiftlens_darkroom.settings import LocationScaleSettings

Array = npt.NDArray[np.float64]

OFFSET = 0.05  # nats; keeps the logarithm of a loss of 0 finite
ENOUGH_ROWS = 100  # of a trial, to be fitted on alone
CLASS_ROWS = 5.0  # as many rows speak for the mean and spread of all classes as for those of one
RIDGE = 1e-3  # of the number of rows
SMALLEST = 1e-3  # of the largest spread; components that never vary are not blown up
STEEPEST = 0.5  # largest change of a spread's logarithm per unit of g


@dataclass(frozen=True)
class Fitted:
    """Mean (classes, k), spread (classes, k), slope of the mean (k,), slope of the log-spread (k,), mean of g."""

    mean: Array
    spread: Array
    slope: Array
    widening: Array
    centre: float


class LocationScale:
    """The worker: ``train(data, job) -> TrainedGenerator``."""

    def __init__(self, settings: LocationScaleSettings) -> None:
        self.settings = settings

    def __call__(self, data: TrainingData, job: Job) -> TrainedGenerator:
        """Fit on all rows of ``data``."""
        rows = np.arange(len(data))
        if len(rows) <= self.settings.latent:
            raise TrainingError(
                f"there are {len(rows)} samples, too few for {self.settings.latent} components; "
                f"set generator.latent to {max(1, len(rows) // 4)} or less"
            )
        x = data.batch(rows)  # (N, *sample)
        centre = x.mean(0)
        others = tuple(axis for axis in range(x.ndim) if axis != 1)  # channels and columns have units of their own
        unit = np.maximum(x.std(others, keepdims=True), 1e-6)[0]
        flat = ((x - centre) / unit).reshape(len(x), -1)
        axes = np.linalg.svd(flat, full_matrices=False)[2][: self.settings.latent]  # (k, values)
        codes = (flat @ axes.T).astype(np.float64)  # (N, k)
        job.progress(1, 2)
        fitted = fit(codes, data)
        job.progress(2, 2)
        shared = _Shared(centre, unit, axes, fitted)
        kept = float((codes**2).sum() / max(float((flat.astype(np.float64) ** 2).sum()), 1e-12))
        facts = {"explained_variance": round(kept, 4), "rows": "trial" if _has_trial(data) else "all"}
        return TrainedGenerator(Encoder(shared).eval(), Decoder(shared).eval(), latent=len(axes), facts=facts)


def fit(codes: Array, data: TrainingData) -> Fitted:
    """Location and scale of components ``(N, k)``, given loss and class."""
    g = np.log(np.maximum(data.loss, 0) + OFFSET)
    before = np.log(np.maximum(data.loss_before, 0) + OFFSET)
    rows = np.flatnonzero(data.role == TRIAL) if _has_trial(data) else np.arange(len(codes))
    middle = float(g.mean())
    member = np.eye(data.classes)[data.label]  # (N, classes)
    held = [before[rows] - middle] if _has_trial(data) else []
    design = np.column_stack([g[rows] - middle, *held, np.ones(len(rows)), member[rows]])
    slope = _least_squares(design, codes[rows])[0]

    without = codes - np.outer(g - middle, slope)  # what of the components does not go with the loss
    counts = member.sum(0)[:, None]  # (classes, 1)
    mean = (member.T @ without + CLASS_ROWS * without.mean(0)) / (counts + CLASS_ROWS)
    rest = without - mean[data.label]
    variance = (member.T @ rest**2 + CLASS_ROWS * (rest**2).mean(0)) / (counts + CLASS_ROWS)
    largest = float(np.sqrt(variance).max())
    floor = max(SMALLEST * largest, 1e-6)
    spread = np.maximum(np.sqrt(variance), floor)
    size = np.log(np.maximum(np.abs(rest / spread[data.label]), 1e-3))
    widening = np.clip(_least_squares(design, size[rows])[0], -STEEPEST, STEEPEST)
    return Fitted(mean, spread, slope, widening, middle)


def _has_trial(data: TrainingData) -> bool:
    return int((data.role == TRIAL).sum()) >= ENOUGH_ROWS


def _least_squares(design: Array, values: Array) -> Array:
    """Coefficients ``(columns, k)``; the ridge keeps columns apart that always go together."""
    penalty = RIDGE * len(design) * np.eye(design.shape[1])
    found: Array = np.linalg.solve(design.T @ design + penalty, design.T @ values)
    return found


class _Shared(nn.Module):
    """What encoder and decoder share; buffers are stored in the exported files."""

    def __init__(
        self, centre: npt.NDArray[np.float32], unit: npt.NDArray[np.float32], axes: Array, fitted: Fitted
    ) -> None:
        super().__init__()
        self.middle, self.shape = fitted.centre, centre.shape
        values = {"centre": centre, "unit": unit, "axes": axes, "mean": fitted.mean, "spread": fitted.spread,
                  "slope": fitted.slope, "widening": fitted.widening}  # fmt: skip
        for name, value in values.items():
            self.register_buffer(name, torch.from_numpy(np.asarray(value, dtype=np.float32)))

    def given(self, loss: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Location and scale of the components at losses ``(N,)`` and classes ``(N,)``: two ``(N, k)``."""
        g = (torch.log((loss + OFFSET).clamp(min=1e-6)) - self.middle)[:, None]
        return self.mean[label] + g * self.slope, self.spread[label] * torch.exp(g * self.widening)


class Encoder(nn.Module):
    """``encoder(x (N, *sample), loss (N,), label (N,)) -> z (N, k)``."""

    def __init__(self, shared: _Shared) -> None:
        super().__init__()
        self.shared = shared

    def forward(self, x: Tensor, loss: Tensor, label: Tensor) -> Tensor:
        codes = ((x - self.shared.centre) / self.shared.unit).flatten(1) @ self.shared.axes.T
        location, scale = self.shared.given(loss, label)
        return (codes - location) / scale


class Decoder(nn.Module):
    """``decoder(z (N, k), loss (N,), label (N,)) -> x (N, *sample)``."""

    def __init__(self, shared: _Shared) -> None:
        super().__init__()
        self.shared = shared

    def forward(self, z: Tensor, loss: Tensor, label: Tensor) -> Tensor:
        location, scale = self.shared.given(loss, label)
        flat = (location + scale * z) @ self.shared.axes
        return flat.unflatten(1, self.shared.shape) * self.shared.unit + self.shared.centre
