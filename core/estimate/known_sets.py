"""Sets of changed source samples whose accuracy is known: what an estimate without labels is learned on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.causes.changes import ActiveFactor, Change, FactorFault, Plan, apply, individual_parts
from shiftlens.core.data.samples import LazySamples
from shiftlens.core.estimate.combine import KnownSet
from shiftlens.core.estimate.estimators import Reference, estimates

PLANNED = 24
"""Sets with the fitted changes, at random parts of their strengths."""
OTHER_FACTORS = 8
"""Factors that did not change, which one after another are changed for a few sets, too: the target may hold what was
not found."""
STEPS = (-1.5, -0.75, 0.75, 1.5)
"""Their strengths, in changes that people notice (or spreads of the measure)."""
PER_SET = 200
"""Samples of one set."""
MIXED = 3
"""One set in so many has another mix of classes, drawn at random."""

Probabilities = Callable[[FloatArray], Floats]


@dataclass(frozen=True)
class Changer:
    """Source samples that changes are made on.

    Attributes:
        samples, labels: ``(n, *sample)`` and ``(n,)``.
        probabilities: the classifier, ``(m, *sample) -> (m, K)``.
        seed: of all that is random.
    """

    samples: LazySamples
    labels: IntArray
    probabilities: Probabilities
    seed: int

    def predicted(self, plan: Plan, rows: IntArray) -> Floats:
        """``(m, K)`` of the samples ``(m,)``, changed by the plan."""
        some = self.samples.some(rows)
        own = individual_parts([change.name for change in plan], len(self.labels), self.seed)
        found = []
        for part in some.parts():
            numbers = {name: values[rows[part]] for name, values in own.items()}
            found.append(self.probabilities(apply(plan, some[part], numbers, self.seed + part.start)))
        return np.concatenate(found)


def known_sets(changer: Changer, plan: Plan, others: Sequence[ActiveFactor], known: Reference) -> list[KnownSet]:
    """Sets with the plan's changes at random parts of their strengths, and with single other changes.

    A factor that fails is left out.
    """
    rng = np.random.default_rng([changer.seed, 53])
    made: list[KnownSet] = []

    def add(kind: str, changes: Plan) -> None:
        rows = _drawn(changer.labels, rng, len(made) % MIXED == MIXED - 1)
        probabilities = changer.predicted(changes, rows)
        seen = np.array([values.mean() for values in estimates(probabilities, known).values()])
        made.append(KnownSet(kind, seen, float((probabilities.argmax(1) == changer.labels[rows]).mean())))

    for index in range(PLANNED if plan else 0):
        alone = index % 2 == 1
        chosen = (plan[index // 2 % len(plan)],) if alone else plan
        add(chosen[0].name if alone else "all", tuple(c.scaled(float(rng.uniform(0.1, 1.3))) for c in chosen))
    for place in rng.permutation(len(others))[:OTHER_FACTORS]:
        try:
            for change in _changes(others[int(place)], changer):
                add(change.name, (change,))
        except FactorFault:
            continue
    return made


def _drawn(labels: IntArray, rng: np.random.Generator, mixed: bool) -> IntArray:
    """Rows of one set; ``mixed``: with the classes in other proportions."""
    weight = np.ones(len(labels))
    if mixed:
        share = rng.dirichlet(np.ones(int(labels.max()) + 1))
        weight = share[labels] / np.maximum(np.bincount(labels), 1)[labels]
    return np.sort(rng.choice(len(labels), min(PER_SET, len(labels)), replace=True, p=weight / weight.sum()))


def _changes(factor: ActiveFactor, changer: Changer) -> list[Change]:
    """One factor's own change at several strengths; of one without strengths, on some of the samples or all."""
    probe = changer.samples[slice(0, PER_SET)]
    if factor.discrete:
        few = () if factor.refuses(probe) else factor.description.variants[: len(STEPS) // 2]
        return [Change(factor.as_variant(variant.name), share) for variant in few for share in (0.5, 1.0)]
    if not factor.interventional or factor.refuses(probe):
        return []
    unit = factor.span or float(np.nanstd(factor.measure(probe)))
    return [Change(factor, step * unit, spread=0.2 * abs(step) * unit) for step in STEPS] if unit else []
