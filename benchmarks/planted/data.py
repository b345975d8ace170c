"""Real images and classifiers for the benchmarks: digits drawn in colour, photographs, and a network for either."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats, IntArray, Predict
from shiftlens.core.causes.changes import ActiveFactor
from shiftlens.core.causes.outcomes import Score
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.scoring import Scores, probabilities_of, score_batch
from shiftlens.core.errors import InputError
from shiftlens.core.files import write_bytes
from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import Classifier, Factor, ProvidedClassifier
from shiftlens.core.job import Job

Train = Callable[[FloatArray, IntArray, int], Predict]
"""``train(x (n, *sample), labels (n,), seed) -> predict``, which gives probabilities ``(n, classes)``."""

DATA_FOLDER = "SHIFTLENS_TEST_DATA"
MOST_SAMPLES = 6000
EPOCHS = 6


def samples_of(
    data: str, seed: int, shipped_only: bool = False, most: int = MOST_SAMPLES
) -> tuple[FloatArray, IntArray]:
    """Shuffled real images ``(n, 3, 32, 32)`` with labels, ``most`` of them.

    Raises:
        InputError: photographs are asked for and no data folder holds them.
    """
    rng = np.random.default_rng([seed, 107])
    if data == "photographs":
        x, y = _photographs()
    else:
        masks, y = _shipped_digits() if shipped_only or not has_mnist() else _mnist()
        colour = np.array([0.9, 0.25, 0.2]) + rng.uniform(-0.08, 0.08, (len(masks), 3))
        ground = np.array([0.12, 0.12, 0.14]) + rng.uniform(-0.05, 0.05, (len(masks), 3))
        ink = masks[:, None]
        x = (ground[:, :, None, None] * (1 - ink) + colour[:, :, None, None] * ink).astype(np.float32)
    order = rng.permutation(len(x))[:most]
    return x[order], y[order]


def has_mnist() -> bool:
    """Whether the data folder holds MNIST; else the digits that ship with scikit-learn are used."""
    return _file("mnist.npz") is not None


def _file(name: str) -> Path | None:
    folder = os.environ.get(DATA_FOLDER)
    path = Path(folder) / name if folder else None
    return path if path is not None and path.is_file() else None


@cache
def _mnist() -> tuple[FloatArray, IntArray]:
    path = _file("mnist.npz")
    assert path is not None
    with np.load(path, allow_pickle=False) as loaded:
        images, labels = loaded["train_images"][:12000], loaded["train_labels"][:12000]
    ink = np.pad(images.reshape(-1, 28, 28).astype(np.float32) / 255, ((0, 0), (2, 2), (2, 2)))
    return ink, labels.astype(np.int64)


@cache
def _shipped_digits() -> tuple[FloatArray, IntArray]:
    """scikit-learn's 8×8 digits, drawn larger: ``(1797, 32, 32)``."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    loaded = load_digits()
    large = zoom(loaded.images / 16, (1, 3, 3), order=1, grid_mode=True, mode="grid-constant")
    ink = np.clip(np.pad(large, ((0, 0), (4, 4), (4, 4))) * 1.6 - 0.3, 0, 1)
    return ink.astype(np.float32), loaded.target.astype(np.int64)


@cache
def _photographs() -> tuple[FloatArray, IntArray]:
    from PIL import Image

    path = _file("cifar10-small.zip")
    if path is None:
        raise InputError(
            f"the full benchmark needs photographs: set {DATA_FOLDER} to a folder with cifar10-small.zip "
            "(class/number.jpg) and mnist.npz, or use --quick"
        )
    images, labels = [], []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            folder, _, file = name.partition("/")
            if file:
                with Image.open(io.BytesIO(archive.read(name))) as image:
                    images.append(np.asarray(image.convert("RGB"), dtype=np.float32).transpose(2, 0, 1) / 255)
                labels.append(folder)
    return np.stack(images), np.unique(labels, return_inverse=True)[1].astype(np.int64)


def image_factors() -> list[ActiveFactor]:
    """Every installed factor for images, with its default settings."""
    host = Host()
    found = [host.find(Factor, name) for name in host.names(Factor)]
    return [ActiveFactor(f.name, f, f.build(f.settings())) for f in found if "image" in f.kinds]


def scorer(predict: Predict) -> Score:
    """Cross-entropy, in batches."""

    def loss(probabilities: Floats, labels: IntArray | None) -> Floats:
        assert labels is not None
        return -np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, None))

    def score(x: FloatArray, labels: IntArray) -> Scores:
        parts = [predict(np.ascontiguousarray(x[i : i + 256])) for i in range(0, len(x), 256)]
        return score_batch(np.concatenate(parts).astype(np.float64), labels, loss)

    return score


def train_with_plugin(
    x: FloatArray, labels: IntArray, seed: int, kept: Path | None = None, epochs: int = EPOCHS
) -> Predict:
    """Train with the plugin ``trained``, and predict with the file that it exports.

    A folder ``kept`` keeps that file: another call with the same samples and seed does not train again.
    """
    from shiftlens.export.session import Session

    names = [str(label) for label in labels]
    with tempfile.TemporaryDirectory() as temporary:
        digest = hashlib.sha256(f"{seed} {names}".encode() + np.ascontiguousarray(x).tobytes()).hexdigest()
        path = (kept or Path(temporary)) / f"{digest[:16]}.onnx"
        if not path.is_file():
            component = Host().find(Classifier, "trained")
            worker = component.build(component.settings.model_validate({"train": {"epochs": epochs}}))
            domain = Domain(x, x.shape[1:], "image", np.array(names))
            provided: ProvidedClassifier = worker(domain, Job(Path(temporary), seed, "cpu"))
            assert provided.onnx is not None
            write_bytes(path, provided.onnx.read_bytes())
        session = Session(path, device="cpu")
    (name,) = (tensor.name for tensor in session.inputs)
    (result,) = (tensor.name for tensor in session.outputs)

    def predict(batch: FloatArray) -> Floats:  # the columns are the classes, sorted as numbers
        return probabilities_of(session.run(**{name: batch})[result], "logits")

    return predict
