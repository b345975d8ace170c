"""Selectors that break one rule each, and one that keeps them all."""

from __future__ import annotations

import numpy as np

from rulebreakers.tried import Tried
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import (
    Pair,
    Selector,
)


def worst(candidates, rng):
    source, target = candidates.source, candidates.target
    found = []
    for t in np.argsort(-target.loss)[:12].tolist():
        same = np.flatnonzero(source.label == target.label[t])
        s = int(same[np.argmin(source.loss[same])]) if len(same) else -1
        if s >= 0 and source.loss[s] < target.loss[t]:
            found.append(Pair(s, t))
    if not found:
        raise InputError("there is nothing to pair")
    return found


def selector(function):
    return Tried(Selector(name="broken", summary="a selector", build=lambda settings: function))


def unlabelled_crash(candidates, rng):
    counts = np.bincount(candidates.source.label)  # raises for -1
    return worst(candidates, rng) if len(counts) else []


def one_sample_crash(candidates, rng):
    np.argpartition(candidates.source.loss, 5)
    return worst(candidates, rng)


def equal_crash(candidates, rng):
    loss = candidates.target.loss
    _ = [1 // int(1000 * float(np.ptp(loss)) + (len(loss) == 1))]
    return worst(candidates, rng)


def seedless(candidates, rng):
    pairs = worst(candidates, rng)
    return [pairs[i] for i in np.random.permutation(len(pairs))]  # noqa: NPY002  # on purpose


GOOD = selector(worst)

BREAKERS = {
    "selector-gives-pairs": selector(lambda candidates, rng: worst(candidates, rng) * 2),
    "selector-pairs-of-one-class": selector(lambda c, rng: [Pair(int(c.source.loss.argmin()), t) for t in range(9)]),
    "selector-from-small-to-large-loss": selector(
        lambda c, rng: [Pair(int(c.source.loss.argmax()), int(c.target.loss.argmin()))]
    ),
    "selector-the-same-under-a-seed": selector(seedless),
    "selector-works-without-labels": selector(unlabelled_crash),
    "selector-works-on-one-sample": selector(one_sample_crash),
    "selector-survives-all-equal-losses": selector(equal_crash),
}
