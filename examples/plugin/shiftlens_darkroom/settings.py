"""Settings of what imports torch, apart from it: a listing reads them and must not load torch."""

from __future__ import annotations

from pydantic import Field

from shiftlens import ComponentSettings


class LocationScaleSettings(ComponentSettings):
    """Settings of the generator."""

    latent: int = Field(32, ge=1, le=1024, description="number of principal components; more keep finer detail")
