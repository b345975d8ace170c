"""Rules for selectors."""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.data.scoring import UNLABELLED, Scores
from shiftlens.core.errors import ShiftlensError
from shiftlens.core.host.kinds import SOURCE, TARGET, Candidates, Pair
from shiftlens.core.testing.realdata import NearestMean, samples, training_data
from shiftlens.core.testing.rules import Subject, expect, rule

LATENT = 8


@cache
def candidates(labelled: bool = True) -> Candidates:
    """Digits before and after a fading shift, scored by a real classifier; latents are principal components."""
    data = training_data("image")
    x, _ = samples("image")
    classifier = NearestMean(x, samples("image")[1])
    rows = {role: np.flatnonzero(data.role == role) for role in (SOURCE, TARGET)}
    flat = data.batch(np.arange(len(data))).reshape(len(data), -1)
    axes = np.linalg.svd(flat[rows[SOURCE]] - flat.mean(0), full_matrices=False)[2][:LATENT]

    def scores(role: int) -> Scores:
        here = rows[role]
        p = classifier(data.batch(here))
        label = data.label[here] if labelled else np.full(len(here), UNLABELLED, dtype=np.int64)
        return Scores(data.loss[here], label, p.argmax(1).astype(np.int64), p.max(1))

    def encode(role: int, indices: IntArray) -> FloatArray:
        latents: FloatArray = ((flat[rows[role]][indices] - flat.mean(0)) @ axes.T).astype(np.float32)
        return latents

    return Candidates(scores(SOURCE), scores(TARGET), encode)


class SelectorSubject(Subject):
    """A selector and what it picked."""

    def pick(self, among: Candidates, seed: int = 0) -> list[Pair]:
        """One call of a new worker."""
        pairs: list[Pair] = self.worker()(among, np.random.default_rng(seed))
        return pairs

    @cached_property
    def pairs(self) -> list[Pair]:
        """The pairs of the rules."""
        return self.pick(candidates())


@rule("selector", "gives-pairs", first=True)
def gives_pairs(subject: SelectorSubject) -> None:
    """``select(candidates, rng)`` gives a list of at least one `Pair`, each of two samples that exist, none twice."""
    among, pairs = candidates(), subject.pairs
    expect(isinstance(pairs, list) and pairs, "a list of at least one pair", f"{pairs!r:.100}")
    expect(all(isinstance(pair, Pair) for pair in pairs), "Pair(source, target)", f"{pairs[0]!r:.100}")
    inside = all(0 <= p.source < len(among.source) and 0 <= p.target < len(among.target) for p in pairs)
    expect(inside, f"places below {len(among.source)} and {len(among.target)}", pairs)
    expect(all(type(p.source) is int and type(p.target) is int for p in pairs), "plain integers", pairs[0])
    twice = [pair for pair in pairs if pairs.count(pair) > 1]
    expect(not twice, "no pair twice", twice[:3])


@rule("selector", "pairs-of-one-class")
def pairs_of_one_class(subject: SelectorSubject) -> None:
    """Both samples of a pair are of one class, unless its settings ask for something else: a grid between two classes
    would show the way from one class to the other, not the cause."""
    among = candidates()
    mixed = [p for p in subject.pairs if among.source.label[p.source] != among.target.label[p.target]]
    expect(not mixed, "both samples of a pair to have one label", f"{len(mixed)} of {len(subject.pairs)}: {mixed[:3]}")


@rule("selector", "from-small-to-large-loss")
def from_small_to_large_loss(subject: SelectorSubject) -> None:
    """The source sample of a pair has the smaller loss, the target sample the larger one."""
    among = candidates()
    wrong = [p for p in subject.pairs if among.source.loss[p.source] >= among.target.loss[p.target]]
    expect(not wrong, "a smaller loss at the source than at the target", f"{len(wrong)} pairs, among them {wrong[:3]}")


@rule("selector", "the-same-under-a-seed")
def the_same_under_a_seed(subject: SelectorSubject) -> None:
    """All randomness comes from the ``rng`` it is given: the same seed gives the same pairs in the same order."""
    np.random.random(7)  # noqa: NPY002  # a selector that draws from the global numbers is what is looked for
    again = subject.pick(candidates())
    expect(again == subject.pairs, "the same pairs from the same seed", f"{again[:3]} after {subject.pairs[:3]}")


@rule("selector", "works-without-labels")
def works_without_labels(subject: SelectorSubject) -> None:
    """Where samples carry no labels (all -1) it pairs by prediction, or raises a ShiftlensError that says why not."""
    _pairs_or_reason(subject, candidates(labelled=False), "unlabelled samples")


@rule("selector", "works-on-one-sample")
def works_on_one_sample(subject: SelectorSubject) -> None:
    """One source and one target sample give one pair, or a ShiftlensError that says why not."""
    among = candidates()
    worst = int(np.argmax(among.target.loss))
    same = np.flatnonzero(among.source.label == among.target.label[worst])
    best = int(same[np.argmin(among.source.loss[same])])
    one = Candidates(
        among.source.rows([best]), among.target.rows([worst]), lambda role, _: among.encode(role, np.array([0]))
    )
    _pairs_or_reason(subject, one, "one sample in each domain")


@rule("selector", "survives-all-equal-losses")
def survives_all_equal_losses(subject: SelectorSubject) -> None:
    """Where every loss is the same there is no small and no large one: pairs, or a ShiftlensError that says so."""
    among = candidates()
    flat = [
        Scores(np.ones(len(scores)), scores.label, scores.prediction, scores.confidence)
        for scores in (among.source, among.target)
    ]
    _pairs_or_reason(subject, Candidates(flat[0], flat[1], among.encode), "losses that are all 1")


def _pairs_or_reason(subject: SelectorSubject, among: Candidates, what: str) -> None:
    try:
        pairs = subject.pick(among)
    except ShiftlensError:
        return
    inside = all(0 <= p.source < len(among.source) and 0 <= p.target < len(among.target) for p in pairs)
    expect(inside, f"pairs of samples that exist, for {what}", pairs[:3])
