"""Which source samples the intervention grid shows, and which real target samples stand beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.causes.sample_statistics import broad_measures
from shiftlens.core.data.scoring import Scores
from shiftlens.core.grid.intervention import log_loss

MOST_COMPARED = 200
"""Target samples of a class whose distance to the nearest other one tells what is usual."""


@dataclass(frozen=True)
class Shown:
    """Samples that a grid is made of: their places ``(n,)``, and how many of how many behave as they do."""

    places: IntArray
    alike: int
    looked_at: int


def samples_to_show(before: Scores, after: Scores, harmful: bool, count: int) -> Shown:
    """Samples on which the finding shows: right before, and after the whole shift wrong (or right, if nothing harms).

    They are taken class by class in turn, in each class the most usual first: the loss after the change nearest to the
    median of its like. Where too few samples behave so, others of small loss fill up.
    """
    good = before.correct if before.labelled else np.ones(len(before), dtype=bool)
    alike = good & (after.prediction != before.prediction if harmful else after.prediction == before.prediction)
    unlike = np.abs(log_loss(after.loss) - (np.median(log_loss(after.loss[alike])) if alike.any() else 0.0))
    order = np.lexsort((unlike, before.loss > np.median(before.loss), ~alike))
    turn = np.zeros(len(before), dtype=np.int64)  # how many of its class stand before it
    seen: dict[int, int] = {}
    for place in order:
        turn[place] = seen.get(int(before.label[place]), 0)
        seen[int(before.label[place])] = turn[place] + 1
    rank = np.empty(len(before), dtype=np.int64)
    rank[order] = np.arange(len(before))
    places = np.lexsort((rank, turn, ~alike))[:count]
    return Shown(places, int(alike.sum()), int(good.sum()))


@dataclass(frozen=True)
class Space:
    """Where samples lie by plain statistics and by what the classifier says of them, scaled by target samples."""

    kind: str
    scale: Floats
    points: Floats
    label: IntArray

    @classmethod
    def of(cls, kind: str, x: FloatArray, probabilities: Floats, label: IntArray) -> Space:
        """Of target samples ``(n, *sample)`` with their probabilities ``(n, K)`` and classes ``(n,)``."""
        raw = [broad_measures(kind, x), np.log(probabilities + 1e-3)]
        scale = np.concatenate([np.maximum(part.std(0), 1e-9) * np.sqrt(max(1, part.shape[1])) for part in raw])
        return cls(kind, scale, np.concatenate(raw, axis=1) / scale, label)

    def nearest(self, x: FloatArray, probabilities: Floats, label: IntArray) -> tuple[IntArray, Floats]:
        """For samples ``(m, *sample)`` the nearest target sample of their class, and how far away it is.

        Distances count in the usual distance of a target sample of that class to the nearest other one. Where a class
        has fewer than three target samples, those of all classes are looked at.
        """
        raw = np.concatenate([broad_measures(self.kind, x), np.log(probabilities + 1e-3)], axis=1)
        points = raw / self.scale
        places, distances = np.zeros(len(points), dtype=np.int64), np.zeros(len(points))
        for i, point in enumerate(points):
            own = np.flatnonzero(self.label == label[i])
            own = own if len(own) >= 3 else np.arange(len(self.points))
            far = np.linalg.norm(self.points[own] - point, axis=1)
            places[i], distances[i] = own[far.argmin()], far.min() / self._usual(own)
        return places, distances

    def _usual(self, own: IntArray) -> float:
        """Median distance of these target samples to the nearest other one of them."""
        from scipy.spatial.distance import cdist

        points = self.points[own[:MOST_COMPARED]]
        far = cdist(points, self.points[own])
        np.fill_diagonal(far, np.inf)  # each one's distance to itself
        usual = float(np.median(far.min(1))) if len(own) > 1 else 1.0
        return usual if usual > 0 else 1.0
