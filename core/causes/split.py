"""The first split of a loss: other classes, other inputs, or another relation of label and input.

The relation is taken to have changed where most of the gap is left, and the source with all fitted changes and the
target cannot be told apart by the classifier itself: neither by how sure it is, nor by what it says. A change of the
inputs that is on no list (a mirrored image) would be seen there; other labels for the same inputs are not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shiftlens.core.causes.changes import Plan, apply, individual_parts
from shiftlens.core.causes.estimates import CLASS_MIX, Estimate
from shiftlens.core.causes.request import CauseRequest
from shiftlens.core.causes.statistics import class_mix_test
from shiftlens.core.data.scoring import Scores, join
from shiftlens.core.results.numbers import percent
from shiftlens.core.results.results import LossSplit, Part, Unexplained

SURELY_ALIKE = 0.05
"""p-value from which the classifier's answers to the changed source and to the target count as alike."""
MOST_COMPARED = 2000
"""Samples of each domain that this is tested on; with very many, any difference would show."""


def split_of(
    request: CauseRequest, plan: Plan, shares: Mapping[str, Estimate], rest: Unexplained, rest_is_large: bool
) -> LossSplit:
    """The three parts, from the shares of the changes and what they leave."""
    nothing = Estimate(0.0, np.zeros(1))
    mix = shares.get(CLASS_MIX, nothing)
    of_changes = [share for name, share in shares.items() if name != CLASS_MIX]
    value = 1 - rest.share - mix.value
    drawn = sum((share.draws for share in of_changes), np.zeros(1))
    low, high = Estimate(value, drawn + (value - sum(share.value for share in of_changes))).ci
    relation = rest_is_large and _answers_alike(request, plan)
    sentence = (
        f"Of the loss, {percent(mix.value)} comes with another mix of classes, {percent(value)} with changed inputs, "
        f"{percent(rest.share)} with neither."
    )
    if relation:
        sentence += (
            " The inputs look the same to every measure and to the classifier itself, only the labels disagree: "
            "probably the relation of label and input has changed; compare how both domains were labelled."
        )
    return LossSplit(
        classes=Part(share=mix.value, ci=mix.ci),
        inputs=Part(share=value, ci=(low, high)),
        rest=Part(share=rest.share, ci=rest.ci),
        relation=relation,
        sentence=sentence,
    )


def _answers_alike(request: CauseRequest, plan: Plan) -> bool:
    """Whether the classifier is as sure of the changed source as of the target, and says the same classes as often."""
    from scipy.stats import ks_2samp

    rng = np.random.default_rng([request.seed, 67])
    rows = np.sort(rng.permutation(len(request.source_samples))[:MOST_COMPARED])
    changed = _scores(request, plan, rows)
    there = request.target_scores.rows(rng.permutation(len(request.target_samples))[:MOST_COMPARED])
    classes = len(request.classes)
    return (
        float(ks_2samp(changed.confidence, there.confidence, method="asymp").pvalue) > SURELY_ALIKE
        and class_mix_test(changed.prediction, there.prediction, classes) > SURELY_ALIKE
    )


def _scores(request: CauseRequest, plan: Plan, rows: np.ndarray) -> Scores:
    """Of source samples with all fitted changes."""
    if not plan:
        return request.source_scores.rows(rows)
    some, labels = request.source_samples.some(rows), request.source_labels[rows]
    own = individual_parts([change.name for change in plan], len(rows), request.seed)
    parts = []
    for part in some.parts():
        numbers = {name: values[part] for name, values in own.items()}
        parts.append(request.score(apply(plan, some[part], numbers, request.seed + part.start), labels[part]))
    return join(parts)
