"""Settings of the built-in generators, apart from their code so that listing them does not import torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from shiftlens.core.host.kinds import ComponentSettings

LossAxisName = Literal["auto", "joint", "observed", "randomised"]
USUAL_LATENT, PHOTOGRAPHS_LATENT = 32, 128
USUAL_STEPS, PHOTOGRAPHS_STEPS = 600, 1000
HEAVIEST = 1000.0  # of the perceptual term


class GeneratorSettings(ComponentSettings):
    """What every generator understands."""

    latent: int | None = Field(
        None,
        ge=2,
        le=1024,
        description="dimensions of z; fewer blur the samples, more hold noise; left out: 32, 128 for photographs, "
        "fewer for short samples",
    )
    perceptual: float | Literal["auto"] = Field(
        "auto",
        description="weight of how alike the classifier finds a sample and what comes back, beside 100 x the squared "
        "error; off: pixels alone; auto: 1 for photographs, off for drawings, series and vectors",
    )
    loss_axis: LossAxisName = Field(
        "auto",
        description="auto: randomised where the trial has rows, else observed; "
        "joint: the decoder learns to use the loss as an input (¶50; it mostly ignores it); "
        "observed: fitted on source and target rows as they are; "
        "randomised: fitted on the rows of the trial, so that what merely travels with the shift stays out",
    )
    steps: int | None = Field(None, ge=1, description="training steps at most; left out: 600, 1000 for photographs")
    batch: int = Field(64, ge=2, description="samples a step")
    learning_rate: float = Field(2.5e-3, gt=0, le=1, description="of Adam at the start; falls to zero along a cosine")
    patience: int = Field(
        6, ge=1, description="looks at the held-out rows (every 50 steps) without gain before stopping"
    )

    @field_validator("perceptual", mode="before")
    @classmethod
    def _weight(cls, value: object) -> object:
        """YAML reads a bare off as false; both mean a weight of 0."""
        if value is False or value == "off":
            return 0.0
        if value == "auto" or (isinstance(value, int | float) and value is not True and 0 <= value <= HEAVIEST):
            return value
        raise ValueError(f"must be auto, off, or a weight from 0 to {HEAVIEST:g}")


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

    steps: int | None = Field(1200, ge=1, description="training steps at most; adversaries take longer to settle")
    learning_rate: float = Field(2e-3, gt=0, le=1, description="of Adam at the start; falls to zero along a cosine")
    adversarial: float = Field(
        0.1,
        ge=0,
        description="weight of the discriminator's say beside 100 x the squared error; more is crisper, "
        "and closer to collapse",
    )
