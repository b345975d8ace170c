"""Settings of the built-in generators, apart from their code so that listing them does not import torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shiftlens.core.kinds import ComponentSettings

LossAxisName = Literal["auto", "joint", "observed", "randomised"]
USUAL_LATENT = 32


class GeneratorSettings(ComponentSettings):
    """What every generator understands."""

    latent: int | None = Field(
        None,
        ge=2,
        le=1024,
        description="dimensions of z; fewer blur the samples, more hold noise; left out: 32, fewer for short samples",
    )
    loss_axis: LossAxisName = Field(
        "auto",
        description="auto: randomised where the trial has rows, else observed; "
        "joint: the decoder learns to use the loss as an input (¶50; it mostly ignores it); "
        "observed: fitted on source and target rows as they are; "
        "randomised: fitted on the rows of the trial, so that what merely travels with the shift stays out",
    )
    steps: int = Field(600, ge=1, description="training steps at most; 600 do for 32x32 digits, photographs need more")
    batch: int = Field(64, ge=2, description="samples a step")
    learning_rate: float = Field(2.5e-3, gt=0, le=1, description="of Adam at the start; falls to zero along a cosine")
    patience: int = Field(
        6, ge=1, description="looks at the held-out rows (every 50 steps) without gain before stopping"
    )


class AutoencoderSettings(GeneratorSettings):
    """The autoencoder has no settings of its own."""


class VaeSettings(GeneratorSettings):
    """Settings of the variational autoencoder."""

    beta: float = Field(
        0.003, ge=0, description="weight of the divergence beside 100 x the squared error; more is smoother and softer"
    )
    warmup: float = Field(
        0.2, ge=0, le=1, description="part of the training in which beta rises from 0; it keeps dimensions in use"
    )
    free_bits: float = Field(0.02, ge=0, description="nats that each dimension may tell for nothing")


class GanSettings(GeneratorSettings):
    """Settings of the adversarial generator."""

    steps: int = Field(1200, ge=1, description="training steps at most; adversaries take longer to settle")
    learning_rate: float = Field(2e-3, gt=0, le=1, description="of Adam at the start; falls to zero along a cosine")
    adversarial: float = Field(
        0.1,
        ge=0,
        description="weight of the discriminator's say beside 100 x the squared error; more is crisper, "
        "and closer to collapse",
    )
