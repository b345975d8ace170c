"""How much is measured, and from where on a finding is worth naming."""

from __future__ import annotations

from pydantic import Field

from shiftlens.core.host.kinds import ComponentSettings


class TrialSettings(ComponentSettings):
    """How much is measured, and from where on a finding is worth naming."""

    samples: int = Field(2000, ge=50, description="source samples that each change is measured on, at most")
    precision: float = Field(
        0.05,
        gt=0,
        description="half-width of an effect's interval that is enough, as a part of the loss gap; samples are drawn "
        "until it is reached, the verdict is beyond doubt, or there are no more",
    )
    matching_samples: int = Field(
        250, ge=50, description="samples of each domain that the strengths are fitted on; as many again check the fit"
    )
    rows: int = Field(4000, ge=0, le=1_000_000, description="randomised rows for the generator's loss axis")
    bootstrap: int = Field(500, ge=50, le=100_000, description="bootstrap draws behind every interval")
    alpha: float = Field(0.01, gt=0, lt=0.5, description="level of the tests for a shift, corrected for many factors")
    smallest_effect: float = Field(0.02, ge=0, description="smallest rise of the mean loss worth naming, in nats")
    smallest_share: float = Field(
        0.1, ge=0, lt=1, description="smallest part of the loss gap worth naming; the larger of both counts"
    )
    most_factors: int = Field(12, ge=1, description="largest number of factors that may be found to have shifted")
    large_rest: float = Field(0.5, gt=0, le=1, description="unexplained share that makes the headline")
    dose_steps: int = Field(5, ge=2, le=20, description="strengths of the dose-response curve above zero")
