"""Refit the last linear layer of an ONNX classifier on source samples and samples changed as in the target.

The features are read once by ONNX Runtime; no torch, seconds. Retraining the last layer alone is often enough where
the features hold what is needed (Kirichenko et al. 2023, https://arxiv.org/abs/2204.02937). The new layer is held to
the old one: what is minimised is the mean cross-entropy plus ``pull`` times the squared distance of the weights, on
features of spread one, and ``pull`` is chosen on a fifth of the samples. So few samples change little.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import Augmentation, ComponentSettings, Remedied, RemedyData
from shiftlens.core.job import Job

READ = 128  # samples whose features are read in one call
FILE = "classifier-refitted.onnx"


class Settings(ComponentSettings):
    """How the last layer is refitted."""

    pulls: tuple[float, ...] = Field(
        (1e-4, 1e-3, 1e-2, 1e-1), min_length=1, description="pulls towards the old layer to choose from"
    )
    held_out: float = Field(0.2, gt=0, lt=1, description="share of the samples that the pull is chosen on")


class RefitHead:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, data: RemedyData, augment: Augmentation, job: Job) -> Remedied:
        """Read features, fit, and write ``job.folder/classifier-refitted.onnx``."""
        from shiftlens.export.head import Head
        from shiftlens.export.session import Session

        if data.onnx is None:
            raise InputError("there is no ONNX file of the classifier, so its last layer cannot be refitted")
        head = Head.of(data.onnx)
        session = Session(head.feature_model(), device=job.device)
        (entry,) = session.inputs

        def features(x: FloatArray) -> Floats:
            return np.asarray(session.run(**{entry.name: x})[head.features], dtype=np.float64)

        assert data.source.label is not None
        found, label = [], []
        for start in range(0, len(data.source), READ):
            rows = np.arange(start, min(start + READ, len(data.source)))
            x = data.source.batch(rows)
            found += [features(x), features(augment(x, job.seed + start))]
            label += [data.source.label[rows]] * 2
        weight, bias, pull = _refitted(
            np.concatenate(found), np.concatenate(label), head.weight, head.bias, self.settings, job.seed
        )
        path = job.folder / FILE
        head.written(weight, bias, path)
        return Remedied(data.open(path), path, facts={"pull": pull, "features": int(weight.shape[0])})


def _refitted(
    features: Floats, label: IntArray, weight: FloatArray, bias: FloatArray, settings: Settings, seed: int
) -> tuple[FloatArray, FloatArray, float]:
    """The new weights ``(F, classes)`` and bias, with the pull that does best on samples that were not fitted."""
    spread = features.std(0) + 1e-6
    scaled = (features - features.mean(0)) / spread  # (N, F)
    begun = features @ weight + bias  # (N, classes) logits of the old layer
    order = np.random.default_rng([seed, 31]).permutation(len(label))
    cut = max(1, round(settings.held_out * len(label)))
    judged, fitted = order[:cut], order[cut:]
    losses = []
    for pull in settings.pulls:
        move = _fit(scaled[fitted], begun[fitted], label[fitted], pull)
        losses.append(_loss(begun[judged] + _logits(scaled[judged], move), label[judged]))
    pull = settings.pulls[int(np.argmin(losses))]
    move = _fit(scaled, begun, label, pull)  # (F + 1, classes), the bias last
    change = move[:-1] / spread[:, None]
    moved_bias = bias + move[-1] - features.mean(0) @ change
    return (weight + change).astype(np.float32), moved_bias.astype(np.float32), float(pull)


def _logits(scaled: Floats, move: Floats) -> Floats:
    return np.asarray(scaled @ move[:-1] + move[-1])


def _loss(logits: Floats, label: IntArray) -> float:
    from scipy.special import logsumexp

    return float((logsumexp(logits, axis=1) - logits[np.arange(len(label)), label]).mean())


def _fit(scaled: Floats, begun: Floats, label: IntArray, pull: float) -> Floats:
    """Minimise mean cross-entropy + pull * |move|², ``(F + 1, classes)``, by L-BFGS."""
    from scipy.optimize import minimize
    from scipy.special import softmax

    shape = (scaled.shape[1] + 1, begun.shape[1])
    right = np.zeros(begun.shape)
    right[np.arange(len(label)), label] = 1

    def objective(flat: Floats) -> tuple[float, Floats]:
        move = flat.reshape(shape)
        logits = begun + _logits(scaled, move)
        error = (softmax(logits, axis=1) - right) / len(label)
        slope = np.vstack([scaled.T @ error + 2 * pull * move[:-1], error.sum(0)])
        return _loss(logits, label) + pull * float((move[:-1] ** 2).sum()), slope.ravel()

    found = minimize(objective, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(found.x.reshape(shape))
