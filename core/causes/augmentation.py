"""What to retrain with: a plan for augmentation.yaml, and samples changed as such a file says (¶73)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from shiftlens.core.arrays import FloatArray
from shiftlens.core.causes.changes import ActiveFactor, Plan, apply, individual_parts
from shiftlens.core.causes.plan_file import change_as_values, plan_of_values

FULL = 0.5
"""Share of the samples that get a change in full."""


def augmentation_of(plan: Plan, seed: int) -> dict[str, object]:
    """The plan as plain values, for augmentation.yaml; `augment` makes samples of it."""
    return {
        "what": "one sample in two is changed by these strengths, the others by a random part of them; labels stay",
        "seed": seed,
        "changes": [change_as_values(change) for change in plan],
    }


def augment(
    augmentation: Mapping[str, object], factors: Sequence[ActiveFactor], x: FloatArray, seed: int
) -> FloatArray:
    """Samples ``(n, *sample)`` changed as augmentation.yaml says, see `augmented`.

    Raises:
        InputError: the augmentation names a factor that is not among ``factors``.
    """
    return augmented(plan_of_values(augmentation, factors, "augmentation.yaml"), x, seed)


def augmented(plan: Plan, x: FloatArray, seed: int) -> FloatArray:
    """Samples ``(n, *sample)`` changed by the plan: one in two in full, the others by a random part, 0 to 1, of it.

    Each change has parts of its own. Random parts alone leave the far end of the change too rare: on the demo a last
    layer that learns from them brings back 50 % of the accuracy lost, from full and random parts together 76 %
    (benchmarks/remedy.md).
    """
    names = [change.name for change in plan]
    rng = np.random.default_rng([seed, 17])
    parts = {name: np.where(rng.random(len(x)) < FULL, 1.0, rng.uniform(0, 1, len(x))) for name in names}
    return apply(plan, x, individual_parts(names, len(x), seed), seed, parts)
