"""A plan as plain values, for augmentation.yaml, and samples changed as such a file says (¶73)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from shiftlens.core.causes.changes import ActiveFactor, Change, Plan, apply, individual_parts
from shiftlens.core.data.domain import FloatArray


def augmentation_of(plan: Plan, seed: int) -> dict[str, object]:
    """The plan as plain values, for augmentation.yaml; `plan_of` reads it back."""
    return {
        "what": "each sample is changed by a random part, 0 to 1, of these strengths; labels stay",
        "seed": seed,
        "changes": [
            {
                "factor": change.name,
                "unit": change.factor.description.unit,
                **{
                    field: round(getattr(change, field), 6) for field in ("offset", "slope", "spread", "middle", "skew")
                },
            }
            for change in plan
        ],
    }


def augment(
    augmentation: Mapping[str, object], factors: Sequence[ActiveFactor], x: FloatArray, seed: int
) -> FloatArray:
    """Samples ``(n, *sample)`` changed as augmentation.yaml says, each by its own random part of the strengths.

    Raises:
        KeyError: the augmentation names a factor that is not among ``factors``.
    """
    by_name = {factor.name: factor for factor in factors}
    changes = augmentation["changes"]
    assert isinstance(changes, list)
    plan = tuple(
        Change(by_name[c["factor"]], *(float(c[field]) for field in ("offset", "slope", "spread", "middle", "skew")))
        for c in changes
    )
    names = [change.name for change in plan]
    rng = np.random.default_rng([seed, 17])
    return apply(plan, x, individual_parts(names, len(x), seed), seed, {n: rng.uniform(0, 1, len(x)) for n in names})
