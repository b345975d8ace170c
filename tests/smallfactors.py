"""Small factors for the tests of the causes: plain operations on digits, quick and exact."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from shiftlens.core.causes.changes import ActiveFactor
from shiftlens.core.data.scoring import Scores, score_batch
from shiftlens.core.host.kinds import ComponentSettings, Factor


class Level:
    """Mean of one channel; shifted by adding."""

    def __init__(self, channel):
        self.channel = channel

    def refuses(self, x):
        return ""

    def measure(self, x):
        return x[:, self.channel].mean((1, 2), dtype=np.float64)

    def shift(self, x, delta, rng):
        changed = x.copy()
        changed[:, self.channel] += delta[:, None, None]
        return changed.astype(np.float32)


class Spread:
    """Standard deviation over all pixels; shifted by stretching about the mean."""

    def refuses(self, x):
        return ""

    def measure(self, x):
        return x.std((1, 2, 3), dtype=np.float64)

    def shift(self, x, delta, rng):
        mean = x.mean((1, 2, 3), keepdims=True)
        spread = np.maximum(x.std((1, 2, 3)), 1e-6)
        factor = np.maximum(0, (spread + delta) / spread)
        return (mean + (x - mean) * factor[:, None, None, None]).astype(np.float32)


class Direction(Level):
    """A circular measure: the angle, in degrees, of (channel 0 mean, channel 1 mean)."""

    def __init__(self):
        super().__init__(0)

    def measure(self, x):
        a, b = x[:, 0].mean((1, 2)), x[:, 1].mean((1, 2))
        return np.rad2deg(np.arctan2(b, a)).astype(np.float64) % 360

    def shift(self, x, delta, rng):
        turn = np.deg2rad(delta)[:, None, None]
        changed = x.copy()
        changed[:, 0] = np.cos(turn) * x[:, 0] - np.sin(turn) * x[:, 1]
        changed[:, 1] = np.sin(turn) * x[:, 0] + np.cos(turn) * x[:, 1]
        return changed.astype(np.float32)


class Tilt:
    """Direction of the ink's longer axis, in degrees, which repeats after half a turn; shifted by turning the image."""

    def refuses(self, x):
        return ""

    def measure(self, x):
        ink = x.mean(1, dtype=np.float64)
        rows, columns = np.mgrid[: ink.shape[1], : ink.shape[2]]
        total = ink.sum((1, 2))
        dy = rows - ((ink * rows).sum((1, 2)) / total)[:, None, None]
        dx = columns - ((ink * columns).sum((1, 2)) / total)[:, None, None]
        yy, xx, xy = ((ink * part).sum((1, 2)) for part in (dy * dy, dx * dx, dy * dx))
        return np.rad2deg(np.arctan2(2 * xy, yy - xx)) / 2

    def shift(self, x, delta, rng):
        turned = [ndimage.rotate(i, d, (2, 1), reshape=False, order=1) for i, d in zip(x, delta, strict=True)]
        return np.stack(turned).astype(np.float32)


def active(name, worker, interventional=True, noun=("", ""), unit="units", period=None, span=None):
    description = Factor(
        name=name,
        summary=name,
        settings=ComponentSettings,
        build=lambda settings: worker,
        unit=unit,
        noun=noun,
        period=period,
        span=span,
        interventional=interventional,
    )
    return ActiveFactor(name, description, worker)


def two_channels(images):
    """Digits in channel 0, the same turned upside down and dimmed in channel 1: (n, 2, 8, 8)."""
    return np.concatenate([images, 0.5 * images[:, :, ::-1]], axis=1).astype(np.float32)


def logistic(x, y, seen=None):
    """A linear classifier with its scoring; ``seen`` are further samples, with the same labels, to train on."""
    from sklearn.linear_model import LogisticRegression

    rows, labels = (x, y) if seen is None else (np.concatenate([x, seen]), np.concatenate([y, y]))
    model = LogisticRegression(max_iter=200, C=0.3).fit(rows.reshape(len(rows), -1), labels)

    def loss(probabilities, labels):
        return -np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, None))

    def score(x, labels) -> Scores:
        return score_batch(model.predict_proba(x.reshape(len(x), -1)), labels, loss)

    return score
