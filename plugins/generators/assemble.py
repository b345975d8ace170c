"""The second stage that all generators share: from trained networks to an encoder and a decoder with a loss axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from shiftlens.core.arrays import Floats, IntArray
from shiftlens.core.errors import TrainingError
from shiftlens.core.grid.loss_axis import LossAxis, LossScale, fit_observed, fit_randomised
from shiftlens.core.host.kinds import TRIAL, TrainedGenerator, TrainingData
from shiftlens.core.job import Job
from shiftlens.core.learning.devices import one_core_free, pick_device
from shiftlens.core.learning.scale import Scale
from shiftlens.core.learning.training import Schedule, Training
from shiftlens.plugins.generators.blocks import Condition, Decoder, Encoder, Residual, check_shape
from shiftlens.plugins.generators.likeness import photographs
from shiftlens.plugins.generators.settings import (
    PHOTOGRAPHS_LATENT,
    PHOTOGRAPHS_STEPS,
    USUAL_LATENT,
    USUAL_STEPS,
    GeneratorSettings,
    LossAxisName,
)

AXIS_ROWS = 20_000  # rows that the second stage looks at; more change nothing
UNUSED = 0.05  # of the widest dimension; narrower ones are not blown up to its size
ROWS_PER_CALL = 256
ENOUGH_ROWS = 100  # of a trial, for `loss_axis: auto` to be fitted on them

S = TypeVar("S", bound=GeneratorSettings)


@dataclass(frozen=True)
class Networks:
    """What a backend has trained: ``encoder(x) -> latent`` and ``decoder(latent [, condition]) -> x``, both in scale.

    ``condition`` is given where the decoder has learnt the loss axis itself (`joint`).
    """

    scale: Scale
    encoder: nn.Module
    decoder: nn.Module
    condition: Condition | None


def settled(settings: S, data: TrainingData) -> S:
    """The settings with what was left open decided from the data: steps, latent, loss axis and perceptual term.

    Raises:
        TrainingError: they cannot work on this data; told before any time is spent.
    """
    check_shape(data.sample_shape)
    values = int(np.prod(data.sample_shape))
    most = min(values, len(data))
    if settings.latent is not None and settings.latent > most:
        raise TrainingError(
            f"latent is {settings.latent}, more than the data holds ({len(data)} samples of {values} values); "
            f"set generator.latent to {max(2, most // 2)} or less"
        )
    rows = int((data.role == TRIAL).sum())
    if settings.loss_axis == "randomised" and not rows:
        raise TrainingError(
            "loss_axis: randomised is fitted on the rows of a randomised trial, and there are none; "
            "set generator.loss_axis to auto or observed, or let the run make a trial"
        )
    if settings.perceptual not in ("auto", 0) and data.predict is None:
        raise TrainingError(
            "the perceptual term needs the classifier, and none was handed over; set generator.perceptual to off"
        )
    detailed = photographs(data)
    usual, steps = (PHOTOGRAPHS_LATENT, PHOTOGRAPHS_STEPS) if detailed else (USUAL_LATENT, USUAL_STEPS)
    fitted: LossAxisName = "randomised" if rows >= ENOUGH_ROWS else "observed"
    return settings.model_copy(
        update={
            "steps": settings.steps or steps,
            "latent": settings.latent or max(2, min(usual, most // 2)),
            "loss_axis": fitted if settings.loss_axis == "auto" else settings.loss_axis,
            "perceptual": float(detailed and data.predict is not None)
            if settings.perceptual == "auto"
            else settings.perceptual,
        }
    )


def latent_of(settings: GeneratorSettings) -> int:
    """Dimensions of z, of settings that are `settled`."""
    assert settings.latent is not None
    return settings.latent


def schedule_of(settings: GeneratorSettings) -> Schedule:
    """The loop's schedule for settings that are `settled`."""
    assert settings.steps is not None
    return Schedule(settings.steps, settings.batch, settings.learning_rate, patience=settings.patience)


def identity_of(name: str, settings: GeneratorSettings) -> str:
    """What the first stage depends on: changing between fitted loss axes does not train the networks again."""
    learnt = settings.loss_axis == "joint"
    return f"{name} {settings.model_dump(exclude={'loss_axis'})} {'joint' if learnt else ''}"


def loss_scale(data: TrainingData) -> LossScale:
    """The scale of source ∪ target; the trial's rows do not stretch it."""
    return LossScale.of(data.loss[data.role != TRIAL])


def assemble(
    networks: Networks, data: TrainingData, job: Job, settings: GeneratorSettings, training: Training
) -> TrainedGenerator:
    """Scale the latents, fit the loss axis, fold both into the modules to be exported."""
    rng = np.random.default_rng([job.seed, 4])
    scale = loss_scale(data)
    rows = _sample(np.flatnonzero(data.role != TRIAL), rng)
    latent = latents(networks, data, rows, job)
    centre, spread = latent.mean(0), latent.std(0)
    spread = np.maximum(spread, max(UNUSED * spread.max(), 1e-6))
    residual: Residual | None = None
    if settings.loss_axis == "observed":
        observed = (data.loss[rows], data.label[rows], data.classes, scale)
        residual = Residual(fit_observed((latent - centre) / spread, *observed))
    elif settings.loss_axis == "randomised":
        rows = _sample(np.flatnonzero(data.role == TRIAL), rng)
        latent = latents(networks, data, rows, job)
        residual = Residual(_fit_trial((latent - centre) / spread, data, rows, scale))
    scaling = (torch.tensor(centre, dtype=torch.float32), torch.tensor(spread, dtype=torch.float32))
    encoder = Encoder(networks.scale, networks.encoder, *scaling, residual).eval()
    decoder = Decoder(networks.scale, networks.decoder, *scaling, residual, networks.condition).eval()
    return TrainedGenerator(
        encoder,
        decoder,
        latent=latent_of(settings),
        history=training.history,
        facts={
            "loss_axis": settings.loss_axis,
            "perceptual": settings.perceptual,
            "loss_range": list(scale.ends),
            "steps": training.steps,
            "best_step": training.best_step,
            "reconstruction_mse": _reconstruction_mse(encoder, decoder, data, training.held_out),
            "parameters": sum(p.numel() for p in (*encoder.parameters(), *decoder.parameters())),
        },
    )


def _fit_trial(latent: Floats, data: TrainingData, rows: IntArray, scale: LossScale) -> LossAxis:
    before = data.loss_before[rows]
    return fit_randomised(latent, data.loss[rows], before, data.label[rows], data.classes, scale)


def latents(networks: Networks, data: TrainingData, rows: IntArray, job: Job) -> Floats:
    """Unscaled latents of some rows, ``(n, latent)``, computed on the training device."""
    device = pick_device(job.device)
    scale, encoder = networks.scale.to(device).eval(), networks.encoder.to(device).eval()
    found = _stream(lambda x, _: encoder(scale(x.to(device))).cpu(), data, rows)
    scale.cpu()
    encoder.cpu()
    return np.concatenate(found).astype(np.float64)


def _reconstruction_mse(encoder: nn.Module, decoder: nn.Module, data: TrainingData, rows: IntArray) -> float:
    """Mean squared error of held-out samples through both exported modules, in the samples' own units."""

    def error(x: Tensor, here: IntArray) -> Tensor:
        condition = torch.from_numpy(data.loss[here].astype(np.float32)), torch.from_numpy(data.label[here])
        again = decoder(encoder(x, *condition), *condition)
        squares: Tensor = (again - x) ** 2
        return squares.flatten(1).mean(1)

    return float(np.concatenate(_stream(error, data, np.sort(rows))).astype(np.float64).mean())


def _stream(function: Callable[[Tensor, IntArray], Tensor], data: TrainingData, rows: IntArray) -> list[Any]:
    """``function(x, rows)`` over the rows in batches, as numpy arrays."""
    found = []
    with one_core_free(), torch.no_grad():
        for start in range(0, len(rows), ROWS_PER_CALL):
            here = rows[start : start + ROWS_PER_CALL]
            found.append(function(torch.from_numpy(data.batch(here)), here).numpy())
    return found


def _sample(rows: IntArray, rng: np.random.Generator) -> IntArray:
    return np.sort(rng.permutation(rows)[:AXIS_ROWS])
