"""Real samples for the tests: scikit-learn's digits always, and larger sets where the data folder is at hand.

The folder is ``SHIFTLENS_TEST_DATA``, or ``../shared/data`` beside the checkout; a test that needs a file which is
not there is skipped with the reason.
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


def data_file(name: str) -> Path:
    """Path of a data file; the test is skipped where it is missing."""
    folder = Path(os.environ.get("SHIFTLENS_TEST_DATA", ROOT.parent / "shared" / "data"))
    path = folder / name
    if not path.is_file():
        pytest.skip(f"{path} is not there; set SHIFTLENS_TEST_DATA to the folder that holds {name}")
    return path


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's handwritten digits: x (1797, 1, 8, 8) float32 in [0, 1], y (1797,) int."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    return (loaded.images[:, None] / 16).astype(np.float32), loaded.target.astype(np.int64)


@cache
def mnist(count: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """MNIST: x (count, 1, 28, 28) float32 in [0, 1], y (count,) int."""
    with np.load(data_file("mnist.npz"), allow_pickle=False) as loaded:
        x, y = loaded["train_images"][:count], loaded["train_labels"][:count]
    return (x.reshape(len(x), 1, 28, 28) / 255).astype(np.float32), y.astype(np.int64)


@cache
def cifar(per_class: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10 photographs: x (10 * per_class, 3, 32, 32) float32 in [0, 1], y of class names."""
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
    """Spoken digits, 8 kHz: x (10 * per_digit, 1, length) float32 in [-1, 1], cut or padded at the end; y digits."""
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
    """Daily electricity demand of Italy: x (N, 1, 24) float32, standardised; y '1' (winter) or '2' (summer)."""
    rows = [line.strip().split(",") for line in data_file("italy-power-demand.csv").read_text().splitlines()[1:]]
    values = np.array([row[2:] for row in rows], dtype=np.float32)
    return values[:, None, :], np.array([row[1] for row in rows])
