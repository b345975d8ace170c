"""Estimates of a classifier's accuracy from its predictions alone, held against source samples whose labels are known.

Each estimator turns one set of predictions into a value per sample, whose mean is the estimated accuracy:

- ``confidence``: the difference of confidences (DoC), the source's accuracy moved by how far the mean confidence moved
  (Guillory et al. 2021, https://arxiv.org/abs/2107.03315).
- ``threshold``: the share of samples less uncertain (entropy) than a threshold above which, in the source, as many lie
  as are right (ATC, Garg et al. 2022, https://arxiv.org/abs/2201.04234).
- ``transport``: the same with the cost of moving each prediction to a class when the classes keep the source's mix
  (COTT, Lu et al. 2023, https://arxiv.org/abs/2305.15640). It holds where overconfidence misleads the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shiftlens.core.arrays import Floats, IntArray

MOST_TRANSPORTED = 1000
"""Predictions of one set that are moved to classes at once; more would not narrow the estimate visibly."""


@dataclass(frozen=True)
class Reference:
    """Source samples that the estimators are held against.

    Attributes:
        accuracy, confidence: of the classifier on them, and its mean confidence.
        labels: ``(n,)`` their classes.
        certain: a sample is taken for right by ``threshold`` from this (negative) entropy on.
        near: and by ``transport`` up to this cost.
    """

    accuracy: float
    confidence: float
    labels: IntArray
    certain: float
    near: float


def reference(probabilities: Floats, labels: IntArray) -> Reference:
    """From predictions ``(n, K)`` of source samples with their classes ``(n,)``."""
    accuracy = float((probabilities.argmax(1) == labels).mean())
    costs = transport_costs(probabilities, labels)
    return Reference(
        accuracy=accuracy,
        confidence=float(probabilities.max(1).mean()),
        labels=labels,
        certain=float(np.quantile(negative_entropy(probabilities), 1 - accuracy)),
        near=float(np.quantile(costs, accuracy)),
    )


def negative_entropy(probabilities: Floats) -> Floats:
    """``(n,)`` in nats, 0 where the classifier is sure."""
    summed: Floats = (probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(1)
    return summed


def transport_costs(probabilities: Floats, labels: IntArray) -> Floats:
    """``(m,)`` cost ``1 - p_y`` of the class y that each of the first m predictions is given, all together cheapest.

    The classes are given out in the proportions of ``labels``.
    """
    from scipy.optimize import linear_sum_assignment

    some = probabilities[:MOST_TRANSPORTED]
    places = np.floor(np.linspace(0, len(labels), len(some), endpoint=False)).astype(np.int64)
    given = np.sort(labels)[places]
    cost = 1 - some[:, given]
    rows, columns = linear_sum_assignment(cost)
    found: Floats = cost[rows, columns]
    return found


def estimates(probabilities: Floats, known: Reference) -> dict[str, Floats]:
    """Per sample, by the estimator's name; the mean of each is its estimate of the accuracy."""
    return {
        "confidence": known.accuracy - known.confidence + probabilities.max(1),
        "threshold": (negative_entropy(probabilities) >= known.certain).astype(np.float64),
        "transport": (transport_costs(probabilities, known.labels) <= known.near).astype(np.float64),
    }
