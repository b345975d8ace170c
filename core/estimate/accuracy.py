"""The accuracy on a target whose labels nobody knows, with an interval, always told as an estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from shiftlens.core.arrays import Floats
from shiftlens.core.causes.changes import ActiveFactor, Plan
from shiftlens.core.estimate.combine import KnownSet, combined, regression
from shiftlens.core.estimate.estimators import Reference, estimates, reference
from shiftlens.core.estimate.known_sets import Changer, known_sets
from shiftlens.core.results.numbers import THIN
from shiftlens.core.results.results import AccuracyEstimate, Interval

COLLAPSED = 0.98
"""Share of the predictions in one class from which they tell nothing of the target's classes."""
PREDICTIONS = ("confidence", "threshold", "transport")
"""The estimators, in the order of their values."""
CHANGED_SOURCE = "changed source"
REGRESSION = "regression"


@dataclass(frozen=True)
class EstimateRequest:
    """What the accuracy is estimated from.

    Attributes:
        source: samples that the classifier never saw, to be changed.
        plan: the fitted changes; empty where nothing was found changed.
        others: factors beside them.
        accuracy: of the classifier on the source, as the results state it.
        fall, fall_error: of the accuracy by all fitted changes together, and its standard error.
        mixes: by the column of metadata, weights ``(n,)`` that give the source the target's mix of its groups.
        target: ``(m, K)`` the classifier's probabilities of target samples.
    """

    source: Changer
    plan: Plan
    others: Sequence[ActiveFactor]
    accuracy: float
    fall: float
    fall_error: float
    target: Floats
    mixes: Mapping[str, Floats] = field(default_factory=dict)


def estimate_accuracy(asked: EstimateRequest) -> AccuracyEstimate:
    """One estimate made of several, each of which it tells, too."""
    source, rows = asked.source, np.arange(len(asked.source.labels))
    plain = source.predicted((), rows)
    known = reference(plain, source.labels)
    there = estimates(asked.target, known)
    level = asked.accuracy - known.accuracy  # the source samples looked at here may be easier or harder than all
    likest = _likest(asked, plain, known, _means(there))
    made, changed, changed_error = likest.seen, likest.accuracy, likest.error
    own = {CHANGED_SOURCE: changed}
    noise = float(np.sqrt(max(changed * (1 - changed), 0.01) / len(asked.target)))
    common = np.bincount(asked.target.argmax(1)).max() / len(asked.target)
    if common >= COLLAPSED:
        one = combined(changed, changed_error, np.zeros(0), None, noise, asked.accuracy)
        why = f"{100 * common:.0f}{THIN}% of the predictions are of one class, and tell nothing of how many are right"
        return _told(one.value, one.ci, asked, own, dict.fromkeys((*PREDICTIONS, REGRESSION), why), 0)
    sets = known_sets(source, asked.plan, asked.others, known)
    begun = KnownSet("as it is", _means(estimates(plain, known)), known.accuracy)
    learned = regression(sets, begun)
    difference = _means(there) - made
    spread = _error(there, learned.weights), likest.spread(learned.weights)
    one = combined(
        changed, changed_error, difference, learned, float(np.hypot(noise, np.hypot(*spread))), asked.accuracy
    )
    own |= {name: float(np.clip(level + values.mean(), 0, 1)) for name, values in there.items()}
    own[REGRESSION] = float(np.clip(asked.accuracy + learned.moved(_means(there) - begun.seen), 0, 1))
    return _told(one.value, one.ci, asked, own, {}, len(sets))


@dataclass(frozen=True)
class Likest:
    """The source, changed or reweighted by groups, so that the estimators see least between it and the target.

    Attributes:
        estimates: per sample, by the estimator's name.
        weight: ``(n,)`` of its samples.
        accuracy, error: what it has, and the standard error of that.
    """

    estimates: dict[str, Floats]
    weight: Floats
    accuracy: float
    error: float

    @property
    def seen(self) -> Floats:
        """``(k,)`` what the estimators say of it."""
        return np.array([np.average(self.estimates[name], weights=self._of(name)) for name in PREDICTIONS])

    def _of(self, name: str) -> Floats:
        return self.weight[: len(self.estimates[name])]

    def spread(self, weights: Floats) -> float:
        """Standard error of the weighted sum of the estimators' means."""
        return _error(self.estimates, weights) * float(np.sqrt((self.weight**2).mean()) / self.weight.mean())


def _likest(asked: EstimateRequest, plain: Floats, known: Reference, there: Floats) -> Likest:
    """The source with all fitted changes, or with the target's mix of groups, or with both."""
    source, even = asked.source, np.ones(len(asked.source.labels))
    changed = source.predicted(asked.plan, np.arange(len(even)))
    found = [Likest(estimates(changed, known), even, asked.accuracy - asked.fall, asked.fall_error)]
    for weight in asked.mixes.values():
        for predicted, error in ((plain, 0.0), (changed, asked.fall_error)):
            right = (predicted.argmax(1) == source.labels).astype(np.float64)
            fall = known.accuracy - float(np.average(right, weights=weight))
            size = float(weight.sum() ** 2 / (weight**2).sum())  # as many samples as these weights are worth
            own = float(np.sqrt(max(right.var(), 0.01) / size))
            found.append(
                Likest(estimates(predicted, known), weight, asked.accuracy - fall, float(np.hypot(error, own)))
            )
    return min(found, key=lambda one: float(np.abs(one.seen - there).sum()))


def _means(per_sample: dict[str, Floats]) -> Floats:
    return np.array([per_sample[name].mean() for name in PREDICTIONS])


def _error(per_sample: dict[str, Floats], weights: Floats) -> float:
    """Standard error of the weighted sum of the estimators' means."""
    count = min(len(values) for values in per_sample.values())
    total = sum(weight * per_sample[name][:count] for weight, name in zip(weights, PREDICTIONS, strict=True))
    return float(np.std(total) / np.sqrt(count))


def _told(
    value: float, ci: Interval, asked: EstimateRequest, own: dict[str, float], left_out: dict[str, str], sets: int
) -> AccuracyEstimate:
    return AccuracyEstimate(
        value=value, ci=ci, samples=len(asked.target), sets=sets, estimates=own, left_out=left_out,
        sentence=f"The accuracy on the target is about {about(value, ci)}.",
    )  # fmt: skip


def about(value: float, ci: Interval) -> str:
    """``68 %, 61 to 74, estimated without labels``."""
    low, high = (f"{100 * end:.0f}" for end in ci)
    return f"{100 * value:.0f}{THIN}% ({low} to {high}, estimated without labels)"
