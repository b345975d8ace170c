"""How like the real sample a sample given back is: to the eye, and to the classifier.

A squared error of pixels spends its whole budget on large smooth areas; what the classifier looks at is often small.
So for photographs the features that the classifier's stand-in (`shiftlens.core.learning.student`) has of both are
compared besides, as Johnson et al. 2016 (https://arxiv.org/abs/1603.08155) did with a network trained on something
else. Here nothing is downloaded, and it is the user's own classifier to which the two should look alike:

    |x' - x|² / values  +  perceptual / 100 · (sum over levels of |h(x') - h(x)|² / |h(x)|²  +  KL(q(x) || q(x')))

h are the student's levels, q its probabilities.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div

from shiftlens.core.host.kinds import TrainingData
from shiftlens.core.job import Job
from shiftlens.core.learning.scale import Scale
from shiftlens.core.learning.student import Student, distil
from shiftlens.plugins.generators.settings import GeneratorSettings

MSE_WEIGHT = 100.0  # of the whole; with it, clipping at 5 tames the first steps and leaves the later ones alone
LOOKED_AT = 256  # samples by which photographs are told from drawings
ALIKE = 0.5 / 255  # two values nearer than this are equal, in an image of 256 levels
FLAT = 0.5  # share of equal neighbours above which an image is a drawing


def student_of(settings: GeneratorSettings, data: TrainingData, job: Job) -> Student | None:
    """The classifier's stand-in, taught on this data; None where the perceptual term is off (settings `settled`)."""
    if not settings.perceptual:
        return None
    assert data.predict is not None
    return distil(data.predict, data, job)


class Likeness(nn.Module):
    """``(again (N, *sample), x (N, *sample)) -> (N,)``, both in the networks' units; 0 where they are the same."""

    def __init__(self, scale: Scale, student: Student | None, settings: GeneratorSettings) -> None:
        super().__init__()
        self.scale, self.student = scale, student
        self.weight = 0.0 if student is None else float(settings.perceptual) / MSE_WEIGHT

    def forward(self, again: Tensor, x: Tensor) -> Tensor:
        error = (again - x).float().square().flatten(1).mean(1)
        if self.student is None:
            return error
        return error + self.weight * _seen(self.student, self.scale.back(again), self.scale.back(x))

    def facts(self) -> dict[str, float]:
        """What to tell of the perceptual term; nothing where it is off."""
        return {} if self.student is None else {"student_agreement": self.student.agreement}


def _seen(student: Student, again: Tensor, x: Tensor) -> Tensor:
    """``(N,)`` how differently the student sees the two, in their own units."""
    with torch.no_grad():
        wanted, answer = student.features(x), student(x).float().log_softmax(1)
    found = student.features(again)
    error = kl_div(student.answer(found).float().log_softmax(1), answer, reduction="none", log_target=True).sum(1)
    for level, real in zip(found, wanted, strict=True):
        error = error + (level - real).float().square().flatten(1).mean(1) / real.float().square().mean()
    return error


def photographs(data: TrainingData) -> bool:
    """Whether the samples are images full of detail: fewer than half of the neighbouring values are equal.

    Drawings, digits and icons have flat grounds; in a photograph hardly two neighbours are the same.
    """
    if data.kind != "image":
        return False
    x = data.batch(np.linspace(0, len(data) - 1, min(len(data), LOOKED_AT)).astype(np.int64))
    return float((np.abs(np.diff(x, axis=-1)) < ALIKE).mean()) < FLAT
