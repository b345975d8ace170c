"""Estimate anew, on target samples, the statistics that the classifier normalises by; labels are not needed.

What a change of light or noise does to a layer's mean and spread is taken out where batches were normalised in training
(Li et al. 2018, Adaptive batch normalization, https://arxiv.org/abs/1603.04779); everything learned stays.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import Augmentation, ComponentSettings, Remedied, RemedyData
from shiftlens.core.job import Job

READ = 64  # samples in one call
FILE = "classifier-normalised.onnx"


class Settings(ComponentSettings):
    """How the statistics are estimated."""

    samples: int = Field(400, ge=20, description="target samples that they are estimated on")
    weight: float = Field(1.0, gt=0, le=1, description="weight of the target's statistics; the rest is the old ones'")


class Renormalise:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, data: RemedyData, augment: Augmentation, job: Job) -> Remedied:
        """Write ``job.folder/classifier-normalised.onnx``."""
        from shiftlens.export.normalisation import renormalised

        if data.onnx is None:
            raise InputError("there is no ONNX file of the classifier whose statistics could be estimated anew")
        rows = np.sort(np.random.default_rng([job.seed, 47]).permutation(len(data.target))[: self.settings.samples])
        batches = [data.target.batch(rows[i : i + READ]) for i in range(0, len(rows), READ)]
        path = job.folder / FILE
        layers = renormalised(data.onnx, batches, self.settings.weight, path)
        return Remedied(data.open(path), path, facts={"layers": layers, "samples": len(rows)})
