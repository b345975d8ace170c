"""A selector that goes by what is taken for what: "4 read as 9" before "4 read as 7", if it happens more often.

Of the target samples that are classified wrongly, the most frequent confusion comes first, then the next, and so on, a
pair of each in turn: its worst sample beside the source sample of the same class with the smallest loss. What pairs of
classes get confused is the first thing a confusion matrix tells (Townsend 1971,
https://doi.org/10.3758/BF03213026).
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from pydantic import Field

from shiftlens import UNLABELLED, Candidates, ComponentSettings, InputError, Pair


class Settings(ComponentSettings):
    """Settings of the selector."""

    pairs: int = Field(20, ge=1, le=10_000, description="how many to show; fewer where there are not as many")
    each: int = Field(3, ge=1, description="pairs of one confusion at most")


class Confusions:
    """The worker: ``select(candidates, rng) -> [Pair, ...]``; nothing is random."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, candidates: Candidates, rng: np.random.Generator) -> list[Pair]:
        """The worst of the most frequent confusions, one of each in turn."""
        source, target = candidates.source, candidates.target
        if (target.label == UNLABELLED).any() or (source.label == UNLABELLED).any():
            raise InputError("without labels nothing is known to be confused; choose the selector threshold")
        wrong = np.flatnonzero(target.label != target.prediction)
        kinds = Counter(zip(target.label[wrong].tolist(), target.prediction[wrong].tolist(), strict=True))
        lists = []
        for (label, taken_for), _ in sorted(kinds.items(), key=lambda item: (-item[1], item[0])):
            here = wrong[(target.label[wrong] == label) & (target.prediction[wrong] == taken_for)]
            good = np.flatnonzero((source.label == label) & (source.prediction == label))
            worst, best = here[np.argsort(-target.loss[here])], good[np.argsort(source.loss[good])]
            pairs = [Pair(int(s), int(t)) for s, t in zip(best, worst, strict=False)]
            lists.append([p for p in pairs if source.loss[p.source] < target.loss[p.target]][: self.settings.each])
        chosen = [pairs[turn] for turn in range(self.settings.each) for pairs in lists if turn < len(pairs)]
        chosen = list(dict.fromkeys(chosen))
        if not chosen:
            raise InputError("the classifier confuses nothing in the target; choose the selector extremes")
        return chosen[: self.settings.pairs]
