"""Source samples below a loss, target samples at or above it, drawn at random, evenly over the classes (¶53, claim 5).

The border is a loss (``threshold``, the same for both domains), or a ``quantile`` q: then the share q of smallest
losses of *each class* of the source, so that a class which is harder than others still has source samples to show,
and the share q of largest losses of the target as a whole, so that the classes which suffer most are shown most.
Among them, source samples classified rightly and target samples classified wrongly are preferred (¶54).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from shiftlens.core.arrays import IntArray
from shiftlens.core.errors import NoPairError
from shiftlens.core.host.kinds import Candidates, Pair, Selector
from shiftlens.plugins.selectors.pairing import PairSettings, best_first, classes_of, no_pair, preferring, wrong

QUANTILE = 0.25


class Settings(PairSettings):
    """Settings of the threshold selector."""

    threshold: float | None = Field(None, description="the border as a loss; source at or below it, target at or above")
    quantile: float | None = Field(
        None,
        gt=0,
        le=1,
        description=f"the border as a share of the samples instead; {QUANTILE} where neither is given",
    )

    @model_validator(mode="after")
    def _one_border(self) -> Settings:
        if self.threshold is not None and self.quantile is not None:
            raise ValueError("give a threshold or a quantile, not both")
        return self


class Threshold:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, candidates: Candidates, rng: np.random.Generator) -> list[Pair]:
        """Random pairs, evenly over the classes, those with the widest gap of losses first."""
        source, target = candidates.source, candidates.target
        source_class = classes_of(source, self.settings.same_class)
        target_class = classes_of(target, self.settings.same_class)
        small, large = self._eligible(candidates, source_class)
        small, large = preferring(small, source.correct), preferring(large, wrong(target))
        by_class = []
        for label in np.intersect1d(source_class[small], target_class[large]):
            sources = rng.permutation(small[source_class[small] == label])
            targets = rng.permutation(large[target_class[large] == label])
            by_class.append([Pair(int(s), int(t)) for s, t in zip(sources, targets, strict=False)])
        by_class.sort(key=len, reverse=True)  # with fewer pairs than classes, those that fail most are shown
        rounds = (pairs[i] for i in range(self.settings.pairs) for pairs in by_class if i < len(pairs))
        chosen = [pair for pair, _ in zip(rounds, range(self.settings.pairs), strict=False)]
        if not chosen:
            raise no_pair(small, large, self.settings.same_class)
        return best_first(chosen, candidates)

    def _eligible(self, candidates: Candidates, source_class: IntArray) -> tuple[IntArray, IntArray]:
        """Source samples on the small side of the border, target samples on the large side."""
        source, target = candidates.source.loss, candidates.target.loss
        if self.settings.threshold is None:
            quantile = QUANTILE if self.settings.quantile is None else self.settings.quantile
            border = np.empty(len(source))
            for label in np.unique(source_class):
                here = source_class == label
                border[here] = np.quantile(source[here], quantile)
            return np.flatnonzero(source <= border), np.flatnonzero(target >= np.quantile(target, 1 - quantile))
        threshold = self.settings.threshold
        small, large = np.flatnonzero(source <= threshold), np.flatnonzero(target >= threshold)
        if not len(small) or not len(large):
            raise NoPairError(
                f"selector.threshold is {threshold:g}: {len(small)} source samples lie at or below it (their smallest "
                f"loss is {source.min():.3g}) and {len(large)} target samples at or above it (their largest is "
                f"{target.max():.3g}); set a threshold between, or a quantile"
            )
        return small, large


SELECTOR = Selector(
    name="threshold",
    summary="random samples below and above a loss or quantile, spread over the classes",
    settings=Settings,
    build=Threshold,
    reference="patent ¶53, claim 5",
)
