"""Settings of the built-in style converters, apart from their code so that listing them does not import torch."""

from __future__ import annotations

from pydantic import Field

from shiftlens.core.host.kinds import ComponentSettings


class CycleganSettings(ComponentSettings):
    """Settings of the adversarial converter."""

    steps: int = Field(600, ge=1, description="training steps at most; photographs need more")
    batch: int = Field(32, ge=2, description="pairs of samples a step")
    learning_rate: float = Field(2e-3, gt=0, le=1, description="of Adam at the start; falls to zero along a cosine")
    patience: int = Field(
        20, ge=1, description="looks at the held-out samples (every 50 steps) without gain before stopping"
    )
    width: int = Field(16, ge=8, le=128, multiple_of=4, description="channels of the first level; deeper ones double")
    blocks: int = Field(2, ge=1, le=12, description="residual blocks in the middle")
    adversarial: float = Field(0.3, ge=0, description="weight of looking like the source; more is bolder, less stable")
    matching: float = Field(
        0.3, ge=0, description="weight of looking like the source on average, to the discriminators' eyes"
    )
    cycle: float = Field(
        0.3, ge=0, description="weight of coming back by the way there and back; more keeps content, and the shift"
    )
    identity: float = Field(1.0, ge=0, description="weight of leaving alone what already is of the source")
    content: float = Field(
        1.0, ge=0, description="weight of the classifier finding the label on the converted sample; 0: no such term"
    )
