"""For samples that the classifier fails on, the closest in latent space of those that it gets right, of the same class.

The two then differ in little else than what the loss depends on, which makes a grid that is easy to read. Latents are
compared after scaling each dimension by its spread over the samples looked at.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.host.kinds import SOURCE, TARGET, Candidates, Pair, Selector
from shiftlens.plugins.selectors.pairing import PairSettings, classes_of, no_pair, preferring, wrong

ENCODED_AT_ONCE = 256


class Settings(PairSettings):
    """Settings of the nearest selector."""

    quantile: float = Field(0.25, gt=0, le=1, description="target samples looked at: this share of the largest losses")
    pool: int = Field(1000, ge=1, description="samples of each domain looked at, at most; drawn at random beyond")


class Nearest:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, candidates: Candidates, rng: np.random.Generator) -> list[Pair]:
        """The closest pairs first."""
        source, target = candidates.source, candidates.target
        source_class = classes_of(source, self.settings.same_class)
        target_class = classes_of(target, self.settings.same_class)
        right = preferring(np.arange(len(source)), source.correct)
        failed = np.flatnonzero(target.loss >= np.quantile(target.loss, 1 - self.settings.quantile))
        failed = preferring(failed, wrong(target))
        shared = np.intersect1d(source_class[right], target_class[failed])
        right = self._drawn(right[np.isin(source_class[right], shared)], rng)
        failed = self._drawn(failed[np.isin(target_class[failed], shared)], rng)
        if not len(right) or not len(failed):
            raise no_pair(right, failed, self.settings.same_class)
        distance = _distances(_encoded(candidates, SOURCE, right), _encoded(candidates, TARGET, failed))
        distance[source_class[right][:, None] != target_class[failed]] = np.inf
        pairs = []
        for place in np.argsort(distance, axis=None, kind="stable"):
            i, j = np.unravel_index(place, distance.shape)
            if np.isinf(distance[i, j]):
                continue  # one of the two is taken, or they are of two classes
            pairs.append(Pair(int(right[i]), int(failed[j])))
            distance[i], distance[:, j] = np.inf, np.inf
            if len(pairs) == self.settings.pairs:
                break
        if not pairs:
            raise no_pair(right, failed, self.settings.same_class)
        return pairs

    def _drawn(self, indices: IntArray, rng: np.random.Generator) -> IntArray:
        return np.sort(rng.permutation(indices)[: self.settings.pool])


def _encoded(candidates: Candidates, role: int, indices: IntArray) -> FloatArray:
    """Latents ``(n, latent)``, a batch at a time."""
    parts = [
        candidates.encode(role, indices[start : start + ENCODED_AT_ONCE])
        for start in range(0, len(indices), ENCODED_AT_ONCE)
    ]
    return np.concatenate(parts)


def _distances(a: FloatArray, b: FloatArray) -> Floats:
    """Squared distances ``(len(a), len(b))`` in units of each dimension's spread."""
    spread = np.concatenate([a, b]).std(axis=0, dtype=np.float64)
    spread[spread == 0] = 1
    a, b = a / spread, b / spread
    squared: Floats = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.maximum(squared, 0)


SELECTOR = Selector(
    name="nearest",
    summary="failures beside the closest success of their class, by distance in latent space",
    settings=Settings,
    build=Nearest,
)
