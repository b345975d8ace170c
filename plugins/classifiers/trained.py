"""A classifier trained here on the source domain: a small network, a stratified held-out split, the best epoch kept.

No augmentation, on purpose: the classifier under analysis must know the source domain and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.labels import class_names
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import SOURCE, ComponentSettings, ProvidedClassifier, TrainingData
from shiftlens.core.job import Job

READ = 512  # samples read at once where no gradient is taken


class TrainSettings(ComponentSettings):
    """How the classifier is trained."""

    architecture: Literal["auto", "small-cnn", "series-cnn", "mlp"] = Field(
        default="auto",
        description="small-cnn for images, series-cnn for series, mlp for vectors; auto: what fits the samples",
    )
    epochs: int = Field(
        default=8, ge=1, le=10_000, description="passes over the training samples; the best one is kept"
    )
    batch_size: int = Field(default=32, ge=2, description="samples per step")
    learning_rate: float = Field(
        default=3e-3, gt=0, lt=1, description="largest step of AdamW; it warms up, then falls to zero"
    )
    weight_decay: float = Field(default=1e-2, ge=0, description="pull of the weights towards zero")
    held_out: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="share of each class kept from training, to choose the epoch and tell the accuracy",
    )


class Settings(ComponentSettings):
    """Settings of a classifier trained here."""

    train: TrainSettings = Field(default=TrainSettings(), description="how to train it")


class Trained:
    """The worker: trains, or goes on where it was cut off, and exports."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings.train

    def files(self) -> list[Path]:
        """It reads nothing but the source domain."""
        return []

    def __call__(self, source: Domain, job: Job) -> ProvidedClassifier:
        """Train on the source's labels and export to ``job.folder/classifier.onnx``."""
        import torch

        from shiftlens.export.parity import check_parity
        from shiftlens.export.to_onnx import on_numpy, to_onnx
        from shiftlens.plugins.classifiers.pupil import taught

        architecture = _architecture(self.settings.architecture, source)
        classes, labels = _classes(source)
        train, held_out = split(labels, self.settings.held_out, job.seed)
        moments = _moments(source, train)
        identity = f"classifier {self.settings.model_dump()} {architecture} {_content(source)}"
        module, history, accuracy = taught(
            self.settings, architecture, moments, _training_data(source, labels, len(classes)), held_out, identity, job
        )

        path = job.folder / "classifier.onnx"
        example = torch.from_numpy(source.batch(train[:2]))
        to_onnx(module, (example,), ["x"], ["logits"], path, {"shiftlens.classes": json.dumps(list(classes))})
        check_parity(path, on_numpy(module, ["logits"]), lambda batch: {"x": source.batch(np.resize(held_out, batch))})
        return ProvidedClassifier(
            onnx=path, output="logits", classes=classes, accuracy=accuracy, history=history, held_out=held_out
        )


def split(labels: IntArray, share: float, seed: int) -> tuple[IntArray, IntArray]:
    """Indices to train on and indices held out, both sorted; each class gives its share, at least one to each side."""
    rng = np.random.default_rng([seed, 0])
    held_out = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = min(max(1, round(share * len(members))), len(members) - 1)
        held_out.append(members[:count])
    out = np.sort(np.concatenate(held_out)).astype(np.int64)
    return np.setdiff1d(np.arange(len(labels), dtype=np.int64), out), out


def _training_data(source: Domain, labels: IntArray, classes: int) -> TrainingData:
    """The source as rows of the training loop; there is no classifier yet, so there are no losses."""
    unknown = np.zeros(len(source))
    return TrainingData(
        batch=source.batch,
        loss=unknown,
        label=labels,
        role=np.full(len(source), SOURCE, np.int8),
        loss_before=unknown,
        sample_shape=source.sample_shape,
        kind=source.kind,
        classes=classes,
    )


def _content(source: Domain) -> str:
    """Hash of every sample: a checkpoint of other samples is not gone on from."""
    digest = hashlib.sha256()
    for start in range(0, len(source), READ):
        digest.update(np.ascontiguousarray(source.stored[start : start + READ]).tobytes())
    return digest.hexdigest()


def _moments(source: Domain, rows: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean and spread of the training samples along a sample's first axis (channel or column), each ``(C,)`` float32.

    An axis that never varies gets spread 1.
    """
    total = np.zeros(source.sample_shape[0])
    squares = np.zeros(source.sample_shape[0])
    values = 0
    for start in range(0, len(rows), READ):
        x = source.batch(rows[start : start + READ]).astype(np.float64)
        if not np.isfinite(x).all():
            raise InputError("the source has samples with values that are not finite (NaN or infinite); remove them")
        x = np.moveaxis(x, 1, 0).reshape(source.sample_shape[0], -1)  # (C, everything else)
        total += x.sum(axis=1)
        squares += (x**2).sum(axis=1)
        values += x.shape[1]
    mean = total / values
    std = np.sqrt(np.maximum(squares / values - mean**2, 0.0))
    return mean.astype(np.float32), np.where(std > 1e-6, std, 1.0).astype(np.float32)


def _classes(source: Domain) -> tuple[tuple[str, ...], IntArray]:
    """Names of the classes and the class index of each sample ``(N,)``."""
    if source.labels is None:
        raise InputError("a classifier cannot be trained on a source without labels; give labels, or a classifier")
    names = class_names(source.labels)
    if len(names) < 2:
        raise InputError(f'the source has only the class "{names[0]}"; a classifier needs at least two')
    index = {name: i for i, name in enumerate(names)}
    labels = np.array([index[str(label)] for label in source.labels], dtype=np.int64)
    counts = np.bincount(labels)
    if counts.min() < 2:
        single = [f'"{name}"' for name, count in zip(names, counts, strict=True) if count < 2]
        raise InputError(
            f"the source has one sample only of the class {', '.join(single)}; training needs two of each, one to "
            "learn from and one held out: add samples, or leave the class out"
        )
    return names, labels


def _architecture(wanted: str, source: Domain) -> str:
    """The network for this kind of sample, or an error where the one asked for does not fit."""
    fitting = {3: "small-cnn", 2: "series-cnn"}.get(len(source.sample_shape), "mlp")
    if wanted not in ("auto", "mlp", fitting):
        raise InputError(
            f"classifier.train.architecture is {wanted}, and the samples have shape {source.sample_shape}; "
            f"set auto, {fitting} or mlp"
        )
    return fitting if wanted == "auto" else wanted
