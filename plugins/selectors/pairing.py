"""What the built-in selectors share: which samples are preferred, of which class they are, and how many are asked for.

The class of a sample is its label. Where a domain has no labels it is the classifier's prediction: a pair then shows
two samples that the classifier takes for the same. Each sample stands in one pair at most.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import BoolArray, IntArray
from shiftlens.core.data.scoring import UNLABELLED, Scores
from shiftlens.core.errors import NoPairError
from shiftlens.core.host.kinds import Candidates, ComponentSettings, Pair


class PairSettings(ComponentSettings):
    """Settings of every selector that searches."""

    pairs: int = Field(20, ge=1, le=10_000, description="how many to show; fewer where there are not as many")
    same_class: bool = Field(
        True, description="both samples of a pair are of one class: of one label, or one prediction without labels"
    )


def classes_of(scores: Scores, same_class: bool) -> IntArray:
    """``(N,)`` the group that each sample may be paired within; all zero where classes don't matter."""
    if not same_class:
        return np.zeros(len(scores), dtype=np.int64)
    return np.where(scores.label == UNLABELLED, scores.prediction, scores.label)


def preferring(indices: IntArray, preferred: BoolArray) -> IntArray:
    """Those of ``indices`` that are preferred (``(N,)`` over all samples), or all of them where none is."""
    chosen = indices[preferred[indices]]
    return chosen if len(chosen) else indices


def wrong(scores: Scores) -> BoolArray:
    """``(N,)`` whether a sample is known to be classified wrongly (¶54)."""
    labelled: BoolArray = scores.label != UNLABELLED
    return labelled & ~scores.correct


def best_first(pairs: list[Pair], candidates: Candidates) -> list[Pair]:
    """The pairs with the widest gap between their losses first."""
    return sorted(pairs, key=lambda p: candidates.source.loss[p.source] - candidates.target.loss[p.target])


def no_pair(source: IntArray, target: IntArray, same_class: bool) -> NoPairError:
    """The error for samples on both sides that cannot be paired."""
    reason = ", but no two of one class; set selector.same_class to false, or loosen" if same_class else "; loosen"
    return NoPairError(
        f"{len(source)} source and {len(target)} target samples fit the selector's settings{reason} its other settings"
    )
