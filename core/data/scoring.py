"""Scores: the classifier's loss, prediction and confidence on every sample of a domain, streamed in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shiftlens.core.arrays import AnyArray, BoolArray, Floats, IntArray, Predict
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import ClassifierError
from shiftlens.core.job import Progress, silent

if TYPE_CHECKING:  # a server that holds a bundle has no pydantic
    from shiftlens.core.host.kinds import LossWorker

UNLABELLED = -1
WITHIN = 0.02  # by which probabilities that went through 8 bits may miss [0, 1]
ROUNDED = 1 / 256  # by which each of them may be rounded up


@dataclass(frozen=True)
class Scores:
    """Per sample, in the domain's order: all arrays are ``(N,)``.

    Attributes:
        loss: float64, in the unit of the loss.
        label: int64 class index, UNLABELLED where the domain has no labels.
        prediction: int64 class index.
        confidence: float64, the probability of the prediction.
    """

    loss: Floats
    label: IntArray
    prediction: IntArray
    confidence: Floats

    def __len__(self) -> int:
        return len(self.loss)

    def rows(self, places: IntArray | list[int]) -> Scores:
        """The scores of some samples, by their places ``(n,)``."""
        chosen = np.asarray(places, dtype=np.int64)
        return Scores(self.loss[chosen], self.label[chosen], self.prediction[chosen], self.confidence[chosen])

    @property
    def correct(self) -> BoolArray:
        """Whether the prediction is the label; False where there is no label."""
        right: BoolArray = self.prediction == self.label
        return right

    @property
    def labelled(self) -> bool:
        """Whether every sample has a label."""
        return bool(np.all(self.label != UNLABELLED))

    @property
    def accuracy(self) -> float | None:
        """Share of correct predictions; None where labels are missing."""
        return float(self.correct.mean()) if self.labelled else None


def probabilities_of(outputs: AnyArray, output: str, where: str = "the classifier") -> Floats:
    """Turn ``(n, K)`` outputs into probabilities; ``output`` says whether they are logits already normalised."""
    values = np.asarray(outputs, dtype=np.float64)
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values).all(axis=1)).sum())
        raise ClassifierError(
            f"{where} gave values that are not finite for {bad} of {len(values)} samples; "
            "check its normalisation and the samples' range"
        )
    if output == "probabilities":
        if len(values) and values.min() < -0.1:
            raise ClassifierError(
                f"{where} gave {values.min():.3g} for probabilities; it gives logits: say so in `output`"
            )
        positive = np.maximum(values, 0)  # eight bits may leave a little below zero
    else:
        positive = np.exp(values - values.max(axis=1, keepdims=True))
    result: Floats = positive / np.maximum(positive.sum(axis=1, keepdims=True), 1e-12)
    return result


@dataclass(frozen=True)
class Reading:
    """What raw outputs were taken for, by their range and by what else they could hardly be.

    Attributes:
        output: ``"logits"`` or ``"probabilities"``.
        multi_label: whether they look like one yes or no for each class, not like shares of one whole.
        told: why, and what the other reading would be; empty where there is nothing to say.
    """

    output: str
    multi_label: bool = False
    told: str = ""


def read_outputs(outputs: AnyArray) -> Reading:
    """Tell logits ``(n, K)`` from probabilities, exact or rounded, and from a sigmoid for each class."""
    values = np.asarray(outputs, dtype=np.float64)
    sums = values.sum(axis=1)
    if values.min() < -WITHIN:
        return Reading("logits")
    if np.allclose(sums, 1.0, atol=1e-3):
        return Reading("probabilities")
    whole = 100.0 if abs(float(np.median(sums)) - 100) < 10 else 255.0
    if values.max() > 1 + WITHIN:  # percent, or probabilities of eight bits
        if np.allclose(sums, whole, rtol=0.1) and values.max() <= whole:
            return Reading("probabilities", told=f"The classifier's outputs sum to {whole:g}: read as shares of it.")
        return Reading("logits")
    between = f"lie between 0 and 1, and each sample's sum to {sums.min():.3g} to {sums.max():.3g}"
    rounded = values.shape[1] * ROUNDED + 0.01
    if sums.max() <= 1 + rounded and np.median(sums) >= 0.9:
        return Reading(
            "probabilities",
            told=f"The classifier's outputs {between}: read as probabilities that were rounded, as by quantisation to "
            "8 bits, and scaled to sum to one. If they are logits, set classifier.output to logits.",
        )
    return Reading(
        "probabilities",
        multi_label=True,
        told=f"The classifier's outputs {between}: that is one sigmoid for each class, as of a multi-label classifier. "
        "They are read as probabilities of which each sample has one class only, scaled to sum to one. If samples can "
        "have several classes at once, shiftlens cannot judge this classifier; if they are logits, set "
        "classifier.output to logits. Set it to probabilities to agree.",
    )


def score_batch(probabilities: Floats, labels: IntArray | None, loss: LossWorker) -> Scores:
    """Scores of one batch of probabilities ``(n, K)``; ``labels`` is ``(n,)`` or None."""
    return Scores(
        loss=np.asarray(loss(probabilities, labels), dtype=np.float64),
        label=np.full(len(probabilities), UNLABELLED, dtype=np.int64) if labels is None else labels,
        prediction=probabilities.argmax(axis=1).astype(np.int64),
        confidence=probabilities.max(axis=1),
    )


def join(parts: list[Scores]) -> Scores:
    """One `Scores` of several, in order."""
    return Scores(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("loss", "label", "prediction", "confidence"))
    )


def score_domain(
    domain: Domain,
    labels: IntArray | None,
    predict: Predict,
    loss: LossWorker,
    batch_size: int = 256,
    progress: Progress = silent,
) -> Scores:
    """Score every sample of a domain, holding one batch in memory at a time."""
    parts: list[Scores] = []
    done = 0
    for x in domain.batches(batch_size):
        here = None if labels is None else labels[done : done + len(x)]
        parts.append(score_batch(predict(x), here, loss))
        done += len(x)
        progress(done, len(domain))
    return join(parts)
