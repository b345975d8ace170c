"""What to retrain with: a plan for augmentation.yaml, and samples changed as such a file says (¶73)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from shiftlens.core.arrays import FloatArray
from shiftlens.core.causes.changes import ActiveFactor, Plan, apply, individual_parts
from shiftlens.core.causes.plan_file import change_as_values, plan_of_values


def augmentation_of(plan: Plan, seed: int) -> dict[str, object]:
    """The plan as plain values, for augmentation.yaml; `augment` makes samples of it."""
    return {
        "what": "each sample is changed by a random part, 0 to 1, of these strengths; labels stay",
        "seed": seed,
        "changes": [change_as_values(change) for change in plan],
    }


def augment(
    augmentation: Mapping[str, object], factors: Sequence[ActiveFactor], x: FloatArray, seed: int
) -> FloatArray:
    """Samples ``(n, *sample)`` changed as augmentation.yaml says, each by its own random part of the strengths.

    Raises:
        InputError: the augmentation names a factor that is not among ``factors``.
    """
    plan = plan_of_values(augmentation, factors, "augmentation.yaml")
    names = [change.name for change in plan]
    rng = np.random.default_rng([seed, 17])
    return apply(plan, x, individual_parts(names, len(x), seed), seed, {n: rng.uniform(0, 1, len(x)) for n in names})
