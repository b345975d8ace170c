"""A classifier trained here on the source domain: a small network, a stratified held-out split, the best epoch kept.

No augmentation, on purpose: the classifier under analysis must know the source domain and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import IntArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.labels import class_names
from shiftlens.core.errors import InputError, TrainingError
from shiftlens.core.files import whole
from shiftlens.core.host.kinds import ComponentSettings, ProvidedClassifier
from shiftlens.core.job import Job

if TYPE_CHECKING:
    import torch

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

        from shiftlens.core.learning.training import one_core_free
        from shiftlens.export.parity import check_parity
        from shiftlens.export.to_onnx import on_numpy, to_onnx

        architecture = _architecture(self.settings.architecture, source)
        classes, labels = _classes(source)
        train, held_out = split(labels, self.settings.held_out, job.seed)
        with one_core_free():
            module, history = fit(self.settings, architecture, source, labels, len(classes), train, held_out, job)

        path = job.folder / "classifier.onnx"
        example = torch.from_numpy(source.batch(train[:2]))
        to_onnx(module, (example,), ["x"], ["logits"], path, {"shiftlens.classes": json.dumps(list(classes))})
        check_parity(path, on_numpy(module, ["logits"]), lambda batch: {"x": source.batch(np.resize(held_out, batch))})
        return ProvidedClassifier(
            onnx=path,
            output="logits",
            classes=classes,
            accuracy=min(history, key=lambda row: row["held_out"])["held_out_accuracy"],
            history=tuple(history),
            held_out=held_out,
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


@dataclass
class _State:
    """What a checkpoint holds: enough to go on to the same result."""

    key: str
    epoch: int
    network: dict[str, Any]
    optimiser: dict[str, Any]
    best: dict[str, Any]
    best_loss: float
    history: list[dict[str, float]]


def fit(
    settings: TrainSettings,
    architecture: str,
    source: Domain,
    labels: IntArray,
    classes: int,
    train: IntArray,
    held_out: IntArray,
    job: Job,
) -> tuple[torch.nn.Module, list[dict[str, float]]]:
    """The trained network, on the CPU in eval mode with the weights of its best epoch, and a row per epoch.

    A checkpoint is written after every epoch. Every epoch's order follows from the seed and its number alone, so a
    call that goes on from a checkpoint ends with the same weights as one that was never cut off.
    """
    import torch

    from shiftlens.core.learning.networks import network
    from shiftlens.core.learning.training import pick_device

    device = pick_device(job.device)
    mean, std = _moments(source, train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        module = network(architecture, source.sample_shape, classes, torch.from_numpy(mean), torch.from_numpy(std))
    module.to(device)
    optimiser = torch.optim.AdamW(module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    steps = max(1, len(train) // settings.batch_size)
    state = _State(_key(settings, architecture, source, labels, job), 0, {}, {}, {}, float("inf"), [])
    checkpoint = job.folder / "checkpoint.pt"
    saved = _load(checkpoint, state.key)
    if saved is not None:
        state = saved
        module.load_state_dict(state.network)
        optimiser.load_state_dict(state.optimiser)
    total = settings.epochs * steps
    for epoch in range(state.epoch, settings.epochs):
        order = np.random.default_rng([job.seed, 1, epoch]).permutation(train)
        module.train()
        losses = []
        for step, rows in enumerate(np.array_split(order, steps)):  # even sizes: no batch of one sample
            done = epoch * steps + step
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * _schedule(done / total)
            x = torch.from_numpy(source.batch(rows)).to(device)
            y = torch.from_numpy(labels[rows]).to(device)
            loss = torch.nn.functional.cross_entropy(module(x), y)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(float(loss.detach()))
            if not np.isfinite(losses[-1]):
                raise TrainingError(
                    f"training the classifier gave a loss of {losses[-1]} in epoch {epoch + 1}; "
                    "set a smaller classifier.train.learning_rate"
                )
            job.progress(done + 1, total, loss=losses[-1])
        held_out_loss, accuracy = _evaluate(module, source, labels, held_out, device)
        state.history.append(
            {
                "epoch": epoch + 1,
                "loss": float(np.mean(losses)),
                "held_out": held_out_loss,
                "held_out_accuracy": accuracy,
            }
        )
        if held_out_loss < state.best_loss:
            state.best_loss = held_out_loss
            state.best = {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
        state.epoch, state.network, state.optimiser = epoch + 1, module.state_dict(), optimiser.state_dict()
        with whole(checkpoint) as temporary:
            torch.save(vars(state), temporary)
    module.load_state_dict(state.best)
    return module.to("cpu").eval(), state.history


def _load(checkpoint: Path, key: str) -> _State | None:
    """The state to go on from; None where there is none, or one of other data or settings."""
    import pickle

    import torch

    if not checkpoint.is_file():
        return None
    try:
        state = _State(**torch.load(checkpoint, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, TypeError, EOFError, pickle.UnpicklingError):  # not one of ours, or cut short
        return None
    return state if state.key == key else None


def _key(settings: TrainSettings, architecture: str, source: Domain, labels: IntArray, job: Job) -> str:
    """Hash of all that decides the result: a checkpoint of anything else is not gone on from."""
    digest = hashlib.sha256(json.dumps([settings.model_dump(), architecture, job.seed, source.sample_shape]).encode())
    digest.update(labels.tobytes())
    for start in range(0, len(source), READ):
        digest.update(np.ascontiguousarray(source.stored[start : start + READ]).tobytes())
    return digest.hexdigest()


def _evaluate(
    module: torch.nn.Module, source: Domain, labels: IntArray, rows: IntArray, device: torch.device
) -> tuple[float, float]:
    """Mean loss and accuracy on some samples."""
    import torch

    module.eval()
    loss, right = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(rows), READ):
            here = rows[start : start + READ]
            logits = module(torch.from_numpy(source.batch(here)).to(device))
            y = torch.from_numpy(labels[here]).to(device)
            loss += float(torch.nn.functional.cross_entropy(logits, y, reduction="sum"))
            right += int((logits.argmax(1) == y).sum())
    return loss / len(rows), right / len(rows)


def _moments(source: Domain, rows: IntArray) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
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


def _schedule(done: float) -> float:
    """Share of the learning rate: up over the first tenth of the steps, then down to zero along a cosine."""
    if done < 0.1:
        return 0.1 + 9 * done
    return 0.5 * (1 + float(np.cos(np.pi * (done - 0.1) / 0.9)))


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
