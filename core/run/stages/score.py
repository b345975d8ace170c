"""Stage ``score``: loss, prediction and confidence of every sample of both domains, streamed in batches."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from shiftlens.core.data.labels import better_order
from shiftlens.core.data.scoring import Scores, score_domain
from shiftlens.core.errors import InputError
from shiftlens.core.estimate.accuracy import COLLAPSED
from shiftlens.core.host.kinds import LossWorker
from shiftlens.core.job import Progress
from shiftlens.core.run.context import DOMAINS, SCORE_FIELDS, Context, Outcome, Stage

logger = logging.getLogger("shiftlens")


def work(context: Context) -> Outcome:
    loss = context.settings.loss.component
    labels = {role: context.labels(role) for role in DOMAINS}
    if labels["source"] is None and context.loss_needs_labels:
        free = ", ".join(context.label_free_losses())
        raise InputError(
            f'the source domain has no labels, and the loss "{loss.name}" needs them; give labels, or choose a '
            f"label-free loss: set loss to {free or 'one that a plugin offers'}"
        )
    guessed = [role for role in DOMAINS if labels[role] is None and context.loss_needs_labels]
    total = sum(len(context.domain(role)) for role in DOMAINS)
    outputs, facts, before = [], {}, 0
    for role in DOMAINS:
        scores = score_domain(
            context.domain(role),
            labels[role],
            context.predict,
            _against_prediction(context.loss) if role in guessed else context.loss,
            context.batch_size,
            _from(context.progress, before, total),
        )
        before += len(scores)
        if not np.isfinite(scores.loss).all():
            raise InputError(
                f'the loss "{loss.name}" is not finite on {int((~np.isfinite(scores.loss)).sum())} {role} samples'
            )
        outputs.append(context.run.arrays.save(f"scores-{role}", _table(scores)))
        chosen = context.evaluated() if role == "source" else slice(None)
        facts[role] = {
            "loss": float(scores.loss[chosen].mean()) if role not in guessed else None,
            "accuracy": float(scores.correct[chosen].mean()) if scores.labelled else None,
        }
    warnings = [*_warnings(facts), *_without_labels(context), *_told_otherwise(context)]
    return Outcome(outputs, {**facts, "warnings": warnings})


def _against_prediction(loss: LossWorker) -> LossWorker:
    """The loss against the predicted class, the least that it can be, where it needs labels and there are none."""
    return lambda probabilities, labels: loss(probabilities, probabilities.argmax(axis=1))


def _from(progress: Progress, before: int, everything: int) -> Progress:
    """Progress of one domain as a part of the whole."""

    def tell(done: int, total: int, **values: float) -> None:
        progress(before + done, everything, **values)

    return tell


def _table(scores: Scores) -> Any:
    table = np.empty(len(scores), dtype=SCORE_FIELDS)
    for name in SCORE_FIELDS.names or ():
        table[name] = getattr(scores, name)
    return table


def _warnings(facts: dict[str, Any]) -> list[str]:
    source, target = facts["source"], facts["target"]
    found = []
    if target["loss"] is not None and target["loss"] <= source["loss"]:
        found.append(
            "The classifier is not worse on the target: its mean loss there is "
            f"{target['loss']:.3f}, on the source {source['loss']:.3f}. There is no lost accuracy to explain."
        )
    if source["accuracy"] is not None and source["accuracy"] < 0.5:
        found.append(
            f"The classifier is right on only {source['accuracy']:.0%} of the source samples: is it the right "
            "classifier for this data, with the right normalisation and class order?"
        )
    return found


def _without_labels(context: Context) -> list[str]:
    """What stands for the losses of a target without labels, and whether its predictions say anything at all."""
    if context.labels("target") is not None:
        return []
    told, scores = [], context.scores("target")
    if context.loss_needs_labels:
        told.append(
            "the target has no labels: a loss that is shown of a target sample is that against the class that the "
            "classifier says, the least that it can be; it serves to choose samples, not to measure what was lost"
        )
    counts = np.bincount(scores.prediction, minlength=len(context.classes))
    common = int(counts.argmax())
    if len(context.classes) > 1 and counts[common] >= COLLAPSED * len(scores):
        told.append(
            f"the classifier says {context.classes[common]} of {counts[common]:,} of the {len(scores):,} target "
            "samples: its predictions have collapsed to one class and say nothing of how many are right; look at how "
            "the target is read, or label some samples"
        )
    return told


def _told_otherwise(context: Context) -> list[str]:
    """What the accuracies say of decisions that could be otherwise: the order of the classes, how files are read."""
    told = []
    source, classes = context.scores("source"), tuple(context.classes)
    if source.labelled and (better := better_order(classes, source.label, source.prediction)) is not None:
        told.append(better.told)
    for role in DOMAINS:
        domain, labels = context.domain(role), context.labels(role)
        for other in domain.otherwise:
            told.append(other.told(role, labels, context.scores(role).prediction, context.predict))
    for text in told:
        logger.warning("%s", text)
    return told


STAGE = Stage("score", settings=("loss", "batch_size", "device"), after=("data", "classifier"), work=work)
