"""Where the accuracy is lost: the worst target samples, and which classes are taken for which."""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.causes.changes import ActiveFactor, FactorFault
from shiftlens.core.results.results import Confusion, Interval, Intervals, WorstSample
from shiftlens.core.run.context import DOMAINS, Context

WORST = 48
MOST_CONFUSIONS = 60


def wilson(right: int, count: int) -> Interval | None:
    """The 95 % interval of a rate (Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953)."""
    if not count:
        return None
    z, rate = 1.959964, right / count
    middle = (rate + z * z / (2 * count)) / (1 + z * z / count)
    half = z * float(np.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))) / (1 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def rows_of(context: Context, role: str) -> IntArray:
    """Places of the samples that a domain's accuracy is measured on."""
    return context.evaluated() if role == "source" else np.arange(len(context.domain(role)))


def accuracy_intervals(context: Context) -> Intervals:
    """Of both domains."""
    found = {}
    for role in DOMAINS:
        scores = context.scores(role).rows(rows_of(context, role))
        found[role] = wilson(int(scores.correct.sum()), len(scores)) if scores.labelled else None
    return Intervals(**found)


def confusions(context: Context) -> list[Confusion]:
    """Pairs of classes of which one is taken for the other, those whose share grew most first."""
    counts, totals = {}, {}
    classes = len(context.classes)
    for role in DOMAINS:
        scores = context.scores(role).rows(rows_of(context, role))
        if not scores.labelled:
            return []
        flat = np.bincount(scores.label * classes + scores.prediction, minlength=classes * classes)
        counts[role] = flat.reshape(classes, classes)
        totals[role] = counts[role].sum(1)
    shares = {role: counts[role] / np.maximum(totals[role], 1)[:, None] for role in DOMAINS}
    grown = shares["target"] - shares["source"]
    np.fill_diagonal(grown, -np.inf)
    grown[(counts["source"] + counts["target"]) == 0] = -np.inf
    order = np.argsort(-grown, axis=None, kind="stable")[:MOST_CONFUSIONS]
    places = [divmod(int(place), classes) for place in order if np.isfinite(grown.flat[place])]
    return [
        Confusion(
            label=context.classes[a],
            predicted=context.classes[b],
            **{role: float(shares[role][a, b]) if totals[role][a] else None for role in DOMAINS},
        )
        for a, b in places
    ]


def worst_samples(context: Context, factors: list[ActiveFactor]) -> tuple[list[WorstSample], FloatArray]:
    """Target samples of large loss, the classes in turn, with their pictures ``(n, *sample)``."""
    domain, scores, labels = context.domain("target"), context.scores("target"), context.labels("target")
    groups = context.generator_labels("target")
    order = np.argsort(-scores.loss, kind="stable")
    turn = np.zeros(len(order), dtype=np.int64)  # how many of its class are worse
    for group in np.unique(groups):
        own = order[groups[order] == group]
        turn[own] = np.arange(len(own))
    chosen = np.lexsort((-scores.loss, turn))[:WORST]
    x = domain.batch(chosen)
    values: list[dict[str, float]] = [{} for _ in chosen]
    for factor in factors:
        try:
            measured = factor.measure(x)
        except FactorFault:
            continue
        for row, value in zip(values, measured, strict=True):
            if np.isfinite(value):
                row[factor.name] = float(value)
    found = [
        WorstSample(
            target=int(place),
            target_name=domain.names[place] if domain.names else "",
            label=None if labels is None else context.classes[labels[place]],
            predicted=context.classes[scores.prediction[place]],
            confidence=float(scores.confidence[place]),
            loss=float(scores.loss[place]),
            values=value,
        )
        for place, value in zip(chosen, values, strict=True)
    ]
    return found, x
