"""The smallest source losses beside the largest target losses (¶53, claim 5).

The target sample with the largest loss comes first, with the source sample of its class that has the smallest; then
the next of each, and so on. Source samples that are classified rightly and target samples that are classified
wrongly are preferred (¶54).
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from shiftlens.core.host.kinds import Candidates, Pair, Selector
from shiftlens.plugins.selectors.pairing import PairSettings, classes_of, no_pair, preferring, wrong


class Extremes:
    """The worker."""

    def __init__(self, settings: PairSettings) -> None:
        self.settings = settings

    def __call__(self, candidates: Candidates, rng: np.random.Generator) -> list[Pair]:
        """Pairs in falling order of the target's loss."""
        source, target = candidates.source, candidates.target
        small = preferring(np.argsort(source.loss, kind="stable"), source.correct)
        large = preferring(np.argsort(-target.loss, kind="stable"), wrong(target))
        source_class = classes_of(source, self.settings.same_class)
        target_class = classes_of(target, self.settings.same_class)
        waiting: defaultdict[int, list[int]] = defaultdict(list)
        for index in small[::-1]:
            waiting[int(source_class[index])].append(int(index))  # the smallest loss ends up last, and is taken first
        pairs = []
        for index in large:
            partners = waiting[int(target_class[index])]
            if partners:
                pairs.append(Pair(partners.pop(), int(index)))
            if len(pairs) == self.settings.pairs:
                break
        if not pairs:
            raise no_pair(small, large, self.settings.same_class)
        return pairs


SELECTOR = Selector(
    name="extremes",
    summary="the smallest source losses beside the largest target losses",
    settings=PairSettings,
    build=Extremes,
    reference="patent ¶53, claim 5",
)
