"""Real samples for the tests: scikit-learn's digits, and small parts of larger sets that come with the repository.

The parts lie in tests/data (its README says where they are from). A test that needs more than a part asks for
`whole_data_file`, which looks in the folder that ``SHIFTLENS_TEST_DATA`` names, or in ``../shared/data`` beside the
checkout.
"""

from __future__ import annotations

import io
import os
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"


def data_file(name: str) -> Path:
    """Path of the part of a data set that comes with the repository."""
    return DATA / name


def whole_data_file(name: str) -> Path:
    """Path of a whole data set; the test is skipped where it is missing."""
    path = Path(os.environ.get("SHIFTLENS_TEST_DATA", ROOT.parent / "shared" / "data")) / name
    if not path.is_file():
        pytest.skip(f"needs the whole {name}: set SHIFTLENS_TEST_DATA to the folder that holds it")
    return path


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's handwritten digits: x (1797, 1, 8, 8) float32 in [0, 1], y (1797,) int."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    return (loaded.images[:, None] / 16).astype(np.float32), loaded.target.astype(np.int64)


@cache
def mnist(count: int) -> tuple[np.ndarray, np.ndarray]:
    """MNIST, up to 1,500: x (count, 1, 28, 28) float32 in [0, 1], y (count,) int."""
    with np.load(data_file("mnist.npz"), allow_pickle=False) as loaded:
        x, y = loaded["train_images"][:count], loaded["train_labels"][:count]
    return (x.reshape(len(x), 1, 28, 28) / 255).astype(np.float32), y.astype(np.int64)


@cache
def cifar(per_class: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10 photographs, up to 40 of a class: x (10 * per_class, 3, 32, 32) float32 in [0, 1], y of class names."""
    from PIL import Image

    images, labels = [], []
    with zipfile.ZipFile(data_file("cifar10-small.zip")) as archive:
        for name in sorted(archive.namelist()):
            folder, _, file = name.partition("/")
            if not file or int(file[:4]) >= per_class:
                continue
            with Image.open(io.BytesIO(archive.read(name))) as image:
                images.append(np.asarray(image.convert("RGB")).transpose(2, 0, 1))
            labels.append(folder)
    return (np.stack(images) / 255).astype(np.float32), np.array(labels)


@cache
def spoken(per_digit: int = 20, length: int = 4096) -> tuple[np.ndarray, np.ndarray]:
    """Spoken digits, 8 kHz, up to 20 of each and 4,096 values long, cut or padded at the end.

    Returns x (10 * per_digit, 1, length) float32 in [-1, 1] and y, the digits as text.
    """
    import wave

    series, labels, counts = [], [], dict.fromkeys("0123456789", 0)
    with zipfile.ZipFile(data_file("fsdd.zip")) as archive:
        for name in sorted(archive.namelist(), key=lambda n: (n.rsplit("_", 1)[1], n)):
            digit = name[0]
            if not name.endswith(".wav") or counts[digit] >= per_digit:
                continue
            counts[digit] += 1
            with wave.open(io.BytesIO(archive.read(name))) as sound:
                samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2") / 32768
            row = np.zeros(length, dtype=np.float32)
            row[: min(length, len(samples))] = samples[:length]
            series.append(row[None])
            labels.append(digit)
    return np.stack(series), np.array(labels)


@cache
def power() -> tuple[np.ndarray, np.ndarray]:
    """Daily electricity demand of Italy: x (500, 1, 24) float32, standardised; y '1' (winter) or '2' (summer)."""
    rows = [line.strip().split(",") for line in data_file("italy-power-demand.csv").read_text().splitlines()[1:]]
    values = np.array([row[2:] for row in rows], dtype=np.float32)
    return values[:, None, :], np.array([row[1] for row in rows])
