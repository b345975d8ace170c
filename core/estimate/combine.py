"""One estimate with an interval: what the changed source says, moved by what the estimators see beyond it.

The trial's changes, made on source samples whose classes are known, give sets of known accuracy (an AutoEval
meta-dataset, Deng and Zheng 2021, https://arxiv.org/abs/2007.02915). On them is learned how the accuracy moves when the
estimators do. The source with all fitted changes is one such set, the one most like the target; where the estimators
see a difference between it and the target, the estimate is moved by what such a difference has meant in the other sets.
How far that goes wrong is measured on sets of a kind of change that was left out of the learning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from shiftlens.core.arrays import Floats

RIDGE = 0.02
"""Pull of the weights towards equal ones, in squared accuracy per set: a few small changes teach little."""
LEAST_ERROR = 0.15
"""Part of a correction by which it is taken to be wrong at least, however well the sets agree."""
MOST_ERROR = 1.0
"""And at most: the correction says nothing."""
INTERVAL = 1.96


@dataclass(frozen=True)
class KnownSet:
    """One set of changed source samples.

    Attributes:
        kind: of change, such as a factor's name: sets of one kind are left out together.
        seen: ``(k,)`` what the estimators say of it.
        accuracy: what it really has.
    """

    kind: str
    seen: Floats
    accuracy: float


@dataclass(frozen=True)
class Regression:
    """How the accuracy moves when the estimators do.

    Attributes:
        weights: ``(k,)`` points of accuracy per point of each estimator; they need not sum to one.
        error: standard error of a predicted move, as a part of its size.
    """

    weights: Floats
    error: float

    def moved(self, seen: ArrayLike) -> float:
        """The change of the accuracy, from the change of the estimators ``(k,)``."""
        return float(np.asarray(seen) @ self.weights)


def regression(sets: Sequence[KnownSet], begun: KnownSet) -> Regression:
    """Learn it on sets of changed samples and ``begun``, the same samples as they are."""
    moves = np.array([one.seen - begun.seen for one in sets]).reshape(len(sets), len(begun.seen))
    truth = np.array([one.accuracy - begun.accuracy for one in sets])
    kinds = np.array([one.kind for one in sets])
    predicted = np.zeros(len(sets))
    for kind in sorted(set(kinds)):
        own = kinds == kind
        predicted[own] = moves[own] @ _weights(moves[~own], truth[~own])
    size = float((predicted**2).sum())
    error = float(np.sqrt(((predicted - truth) ** 2).sum() / size)) if size > 0 else MOST_ERROR
    return Regression(_weights(moves, truth), float(np.clip(error, LEAST_ERROR, MOST_ERROR)))


def _weights(moves: Floats, truth: Floats) -> Floats:
    """Least squares with a pull towards the mean of the estimators."""
    count = moves.shape[1]
    equal = np.full(count, 1 / count)
    pull = RIDGE * np.eye(count)
    found: Floats = equal + np.linalg.solve(moves.T @ moves + pull, moves.T @ (truth - moves @ equal))
    return found


@dataclass(frozen=True)
class Combined:
    """The estimate: accuracy, its 95 % interval, and the standard error that it is made of."""

    value: float
    ci: tuple[float, float]
    error: float


def combined(
    changed: float, changed_error: float, difference: Floats, learned: Regression | None, noise: float, source: float
) -> Combined:
    """The estimate of the target's accuracy.

    Args:
        changed, changed_error: accuracy of the source with all fitted changes, and its standard error.
        difference: ``(k,)`` by how much more accurate the estimators hold the target than that.
        learned: None where the predictions say nothing: then the changed source stands alone.
        noise: standard error of the difference, for the samples are few, and of the target's own accuracy.
        source: accuracy of the source as it is.
    """
    move = learned.moved(difference) if learned else 0.0
    doubt = learned.error * abs(move) if learned else MOST_ERROR * abs(source - changed)
    value = float(np.clip(changed + move, 0, 1))
    error = float(np.sqrt(changed_error**2 + doubt**2 + noise**2))
    low, high = (float(np.clip(value + sign * INTERVAL * error, 0, 1)) for sign in (-1, 1))
    return Combined(value, (low, high), error)
