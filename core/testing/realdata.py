"""Small real data of every kind of sample, from what scikit-learn brings along: no download, a second to load.

- images: handwritten digits (UCI), grey 16×16 (each pixel doubled), their drawings in colour at 32×32 as the demo
  has them, and 32×32 patches of scikit-learn's two photographs;
- series: scan lines of the two photographs, 256 values; the class is the photograph;
- vectors: cell measurements of breast tumours (UCI), 30 columns in their own units.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.host.kinds import SOURCE, TARGET, TRIAL, TrainingData

COUNT = 150  # samples of each domain
KINDS_OF_SAMPLE = ("image", "series", "tabular")
LARGEST_FADE = 0.9


@cache
def samples(kind: str) -> tuple[FloatArray, IntArray]:
    """Real samples ``(N, *sample)`` float32 and their classes ``(N,)``; kind is image, series or tabular."""
    from sklearn import datasets

    if kind == "image":
        loaded = datasets.load_digits()
        x = (loaded.images[: 3 * COUNT, None] / 16).astype(np.float32)
        return x.repeat(2, axis=2).repeat(2, axis=3), loaded.target[: len(x)].astype(np.int64)
    if kind == "series":
        return _scan_lines()
    if kind == "tabular":
        table = datasets.load_breast_cancer()
        return table.data[: 3 * COUNT].astype(np.float32), table.target[: 3 * COUNT].astype(np.int64)
    raise ValueError(f"kind is one of {', '.join(KINDS_OF_SAMPLE)}, not {kind!r}")


@cache
def odd_samples(kind: str) -> tuple[FloatArray, IntArray]:
    """Real samples of sizes that no power of two divides: ``(3, 17, 19)``, ``(2, 61)``, ``(5,)``."""
    if kind == "image":
        x, y = _patches()
        return np.ascontiguousarray(x[..., :17, :19]), y
    if kind == "series":
        x, y = _scan_lines()
        return np.ascontiguousarray(np.concatenate([x[..., :61], x[..., 61:122]], axis=1)), y
    x, y = samples("tabular")
    return np.ascontiguousarray(x[:, :5]), y


def image_sets() -> Iterator[FloatArray]:
    """Images of several sorts, for factors that make sense for some of them only."""
    from shiftlens.core.data.demo import demo_domains

    (drawings, _), _ = demo_domains()
    yield (drawings[:40].transpose(0, 3, 1, 2) / 255).astype(np.float32)
    yield _patches()[0][:40]
    yield samples("image")[0][:40]


@cache
def _patches() -> tuple[FloatArray, IntArray]:
    """Patches ``(2 * 117, 3, 32, 32)`` of the two photographs."""
    from sklearn.datasets import load_sample_images

    found, labels = [], []
    for label, photograph in enumerate(load_sample_images().images):
        for top in range(0, 395, 46):
            for left in range(0, 600, 46):
                found.append(photograph[top : top + 32, left : left + 32].transpose(2, 0, 1))
                labels.append(label)
    order = np.random.default_rng(0).permutation(len(found))
    return (np.stack(found)[order] / 255).astype(np.float32), np.array(labels, dtype=np.int64)[order]


@cache
def _scan_lines() -> tuple[FloatArray, IntArray]:
    """Brightness along rows ``(450, 1, 256)``."""
    from sklearn.datasets import load_sample_images

    photographs = [image.mean(axis=2)[:, ::2] / 255 for image in load_sample_images().images]  # (427, 320)
    rows = [photograph[np.linspace(0, 426, 225).astype(int), :256] for photograph in photographs]
    order = np.random.default_rng(0).permutation(450)
    lines = np.concatenate(rows)[order].astype(np.float32)
    return lines[:, None, :], np.repeat(np.arange(2), 225)[order]


class NearestMean:
    """A real classifier, small and exact: softmax over the squared distances to the mean of each class."""

    def __init__(self, x: FloatArray, label: IntArray) -> None:
        flat = x.reshape(len(x), -1).astype(np.float64)
        self.centre, self.spread = flat.mean(0), np.maximum(flat.std(0), 1e-6)
        seen = (flat - self.centre) / self.spread
        self.means = np.stack([seen[label == k].mean(0) for k in range(label.max() + 1)])
        distance = self._distance(seen)
        self.temperature = max(float(np.median(np.sort(distance, 1)[:, 1] - distance.min(1))), 1e-6)

    def _distance(self, seen: np.ndarray) -> np.ndarray:
        distance: np.ndarray = ((seen[:, None] - self.means) ** 2).sum(-1)
        return distance

    def __call__(self, x: FloatArray) -> np.ndarray:
        """``(N, *sample)`` to probabilities ``(N, K)`` float64."""
        seen = (x.reshape(len(x), -1).astype(np.float64) - self.centre) / self.spread
        logits = -self._distance(seen) / self.temperature
        logits -= logits.max(1, keepdims=True)
        p: np.ndarray = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        return p

    def loss(self, x: FloatArray, label: IntArray) -> np.ndarray:
        """Cross-entropy ``(N,)`` in nats."""
        p = self(x)[np.arange(len(x)), label]
        loss: np.ndarray = -np.log(np.maximum(p, 1e-7))
        return loss


def faded(x: FloatArray, by: np.ndarray, towards: FloatArray) -> FloatArray:
    """Samples drawn towards one sample by a share ``(N,)`` each: what tells the classes apart fades."""
    share = by.reshape(-1, *[1] * (x.ndim - 1)).astype(np.float32)
    mixed: FloatArray = (x * (1 - share) + towards * share).astype(np.float32)
    return mixed


@cache
def training_data(kind: str, odd: bool = False, equal: bool = False) -> TrainingData:
    """Source, target and trial of one kind: real samples, fading as the shift, losses measured by `NearestMean`.

    Args:
        odd: samples of odd sizes.
        equal: every sample is the same, and so is every loss.
    """
    x, label = odd_samples(kind) if odd else samples(kind)
    count = min(COUNT, len(x) // 3)
    classifier, middle = NearestMean(x, label), x.mean(0)
    rng = np.random.default_rng(0)
    source, target, tried = (slice(i * count, (i + 1) * count) for i in range(3))
    rows = np.concatenate([
        x[source],
        faded(x[target], rng.uniform(0.3, LARGEST_FADE, count), middle),
        faded(x[tried], rng.uniform(0, LARGEST_FADE, count), middle),
    ])  # fmt: skip
    label = label[: 3 * count]
    if equal:
        rows, label = np.repeat(rows[:1], len(rows), axis=0), np.zeros_like(label)
    loss = classifier.loss(rows, label)
    role = np.repeat(np.array([SOURCE, TARGET, TRIAL], np.int8), count)
    before = loss if equal else np.where(role == TRIAL, classifier.loss(x[: 3 * count], label), loss)
    return TrainingData(
        batch=lambda indices: rows[indices],
        loss=loss,
        label=label,
        role=role,
        loss_before=before,
        sample_shape=rows.shape[1:],
        kind=kind,
        classes=int(classifier.means.shape[0]),
    )


def domain_of(x: FloatArray, label: IntArray, kind: str, labelled: bool = True) -> Domain:
    """Samples as a reader gives them."""
    columns = tuple(f"x{i}" for i in range(x.shape[1])) if kind == "tabular" else ()
    return Domain(x, x.shape[1:], kind, label.astype(np.str_) if labelled else None, columns=columns)
