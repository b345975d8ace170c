"""The samples that a remedy learns from: changed as in the target, and the controls beside them at the same budget.

Augmentation with what really changed is the claim; the controls say what any other would have brought. *Random* changes
one factor of each sample by a random amount, as TrivialAugment does (https://arxiv.org/abs/2103.10158), with all the
factors that fit. *Harmless only* is the sham: it must not help.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shiftlens.core.arrays import FloatArray
from shiftlens.core.causes.augmentation import augmented
from shiftlens.core.causes.changes import ActiveFactor, FactorFault, Plan
from shiftlens.core.host.kinds import Augmentation

AS_IN_TARGET, UNCHANGED, RANDOM, HARMLESS_ONLY = "as in the target", "unchanged", "random", "harmless only"


def by_plan(plan: Plan) -> Augmentation:
    """Samples changed by the plan, as `augmented` does it."""
    return lambda x, seed: augmented(plan, x, seed)


def unchanged(x: FloatArray, seed: int) -> FloatArray:
    """The samples as they are: the same effort without any augmentation."""
    return x


def at_random(factors: Sequence[ActiveFactor], x: FloatArray) -> Augmentation:
    """One of the factors that can be changed for each sample, by a random amount.

    The amount is even between minus and plus two spreads of its measure over the samples ``x``.
    """
    usable = []
    for factor in factors:
        try:
            if factor.interventional and not factor.refuses(x):
                usable.append((factor, 2 * float(np.nanstd(factor.measure(x)))))
        except FactorFault:
            continue

    def augment(x: FloatArray, seed: int) -> FloatArray:
        rng = np.random.default_rng([seed, 23])
        which, amount = rng.integers(0, max(len(usable), 1), len(x)), rng.uniform(-1, 1, len(x))
        changed = np.array(x, dtype=np.float32)
        for number, (factor, most) in enumerate(usable):
            rows = np.flatnonzero(which == number)
            if len(rows):
                try:
                    changed[rows] = factor.shift(x[rows], most * amount[rows], rng)
                except FactorFault:  # that factor's samples stay as they are
                    continue
        return changed

    return augment


def controls(factors: Sequence[ActiveFactor], harmless: Plan, x: FloatArray) -> dict[str, Augmentation]:
    """The controls by name; the sham only where something harmless changed."""
    found: dict[str, Augmentation] = {UNCHANGED: unchanged, RANDOM: at_random(factors, x)}
    return {**found, HARMLESS_ONLY: by_plan(harmless)} if harmless else found
