"""The grid between two samples: features along one axis, the loss along the other (¶57–63, claims 2 and 3).

Row 0 stands at the source's loss and the last row at the target's; column 0 at the source's features and the last
column at the target's. The two real samples are the upper-left and the lower-right corner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from shiftlens.core.arrays import BoolArray, FloatArray, Floats, IntArray
from shiftlens.core.data.scoring import Scores

Precision = TypeVar("Precision", np.float32, np.float64)

LARGEST_SIDE = 64  # more steps than a person can look at, and a bound on what one request can cost a server


def steps(start: float, stop: float, count: int) -> Floats:
    """``(count,)`` values from ``start`` to ``stop``, evenly spaced, both ends exact."""
    if not 2 <= count <= LARGEST_SIDE:
        raise ValueError(f"a grid has 2 to {LARGEST_SIDE} steps along an axis, not {count}")
    values = np.linspace(start, stop, count)
    values[0], values[-1] = start, stop
    return values


def interpolate_linear(
    start: npt.NDArray[Precision], stop: npt.NDArray[Precision], count: int
) -> npt.NDArray[Precision]:
    """``(count, latent)`` points on the straight line between two latents ``(latent,)``; both ends exact."""
    t = steps(0.0, 1.0, count).astype(start.dtype)[:, None]
    points = (1 - t) * start + t * stop
    points[0], points[-1] = start, stop
    return points


def interpolate_spherical(
    start: npt.NDArray[Precision], stop: npt.NDArray[Precision], count: int
) -> npt.NDArray[Precision]:
    """``(count, latent)`` points on the arc between two latents, lengths interpolated geometrically by slerp.

    Falls back to the straight line where the arc is not defined: a zero vector, or two opposite ones
    (Shoemake 1985, https://doi.org/10.1145/325334.325242).
    """
    lengths = np.linalg.norm(start), np.linalg.norm(stop)
    if min(lengths) < 1e-12:
        return interpolate_linear(start, stop, count)
    cosine = float(np.clip(np.dot(start / lengths[0], stop / lengths[1]), -1.0, 1.0))
    angle = np.arccos(cosine)
    if np.sin(angle) < 1e-6:
        return interpolate_linear(start, stop, count)
    t = steps(0.0, 1.0, count)[:, None]
    arc = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * stop) / np.sin(angle)
    points: npt.NDArray[Precision] = arc.astype(start.dtype)
    points[0], points[-1] = start, stop
    return points


@dataclass(frozen=True)
class GridShape:
    """How many cells lie between two samples, and on which way.

    Attributes:
        features, losses: number of columns and rows, 2 to `LARGEST_SIDE` each.
        spherical: interpolate z on the arc instead of the straight line.
    """

    features: int = 5
    losses: int = 5
    spherical: bool = False


def interpolate_grid(
    z: npt.NDArray[Precision], loss: Floats, shape: GridShape
) -> tuple[npt.NDArray[Precision], Floats]:
    """All combinations of the interpolated features and losses of one pair.

    Args:
        z: ``(2, latent)`` of the source sample and the target sample.
        loss: ``(2,)`` of both, in the unit of the loss.

    Returns:
        z ``(losses, features, latent)`` and the requested loss ``(losses, features)``.
    """
    interpolate = interpolate_spherical if shape.spherical else interpolate_linear
    between: npt.NDArray[Precision] = interpolate(z[0], z[1], shape.features)
    requested = steps(float(loss[0]), float(loss[1]), shape.losses)
    return (
        np.broadcast_to(between, (shape.losses, *between.shape)).copy(),
        np.broadcast_to(requested[:, None], (shape.losses, shape.features)).copy(),
    )


Encode = Callable[[FloatArray, Floats, IntArray], FloatArray]
"""``encode(x (n, *sample), loss (n,), label (n,)) -> z (n, latent)``."""
Decode = Callable[[FloatArray, Floats, IntArray], FloatArray]
"""``decode(z (n, latent), loss (n,), label (n,)) -> x (n, *sample)``."""
Score = Callable[[FloatArray, IntArray], Scores]
"""``score(x (n, *sample), label (n,)) -> Scores``: loss, prediction and confidence, measured by the classifier."""
Calibrate = Callable[[FloatArray, Floats, IntArray], tuple[Floats, BoolArray]]
"""``calibrate(z (n, latent), requested (n,), label (n,)) -> (asked (n,), reached (n,))``: the loss to ask the decoder
for so that the measured loss is the requested one, and whether the loss axis reaches it."""


@dataclass(frozen=True)
class GridNetworks:
    """What makes and measures the cells; without ``calibrate`` the decoder is asked for the requested losses."""

    encode: Encode
    decode: Decode
    score: Score
    calibrate: Calibrate | None = None


@dataclass(frozen=True)
class ScoredGrid:
    """Cells and what the classifier says of them.

    Attributes:
        cells: ``(rows, columns, *sample)`` float32.
        requested: ``(rows, columns)`` loss asked for.
        scores: of every cell in reading order, ``(rows * columns,)``.
        real: ``(rows, columns)`` True where a cell is a real sample.
        reached: ``(rows, columns)`` False where the cell's loss is far from what was asked for.
    """

    cells: FloatArray
    requested: Floats
    scores: Scores
    real: BoolArray
    reached: BoolArray

    @property
    def measured(self) -> Floats:
        """``(rows, columns)`` loss measured on each cell."""
        return self.scores.loss.reshape(self.requested.shape)


@dataclass(frozen=True)
class PairGrid(ScoredGrid):
    """The grid of one pair: rows are losses, columns features, the real samples in their corners.

    Attributes:
        z: ``(2, latent)`` latents of the two samples.
        given_back: ``(2, *sample)`` the two samples, encoded and decoded at their own losses.
    """

    z: FloatArray
    given_back: FloatArray


def grid_of_pair(
    samples: FloatArray,
    loss: Floats,
    label: int,
    networks: GridNetworks,
    shape: GridShape,
) -> PairGrid:
    """Encode a pair, interpolate, decode every cell but the two real ones, and re-score all (¶55–63).

    Args:
        samples: ``(2, *sample)``, the source sample and the target sample.
        loss: ``(2,)`` their losses.
        label: the class that cells are decoded and scored as.
    """
    losses, features = shape.losses, shape.features
    both = np.full(2, label, dtype=np.int64)
    pair_z = networks.encode(samples, loss, both)
    z, requested = interpolate_grid(pair_z, loss, shape)
    real = np.zeros((losses, features), dtype=bool)
    real[0, 0] = real[-1, -1] = True
    labels = np.full(int((~real).sum()), label, dtype=np.int64)
    asked, reached = requested[~real], np.ones(len(labels), dtype=bool)
    if networks.calibrate is not None:
        asked, reached = networks.calibrate(z[~real], asked, labels)
    cells = np.empty((losses, features, *samples.shape[1:]), dtype=np.float32)
    cells[~real] = networks.decode(z[~real], asked, labels)
    cells[0, 0], cells[-1, -1] = samples
    everywhere = np.ones((losses, features), dtype=bool)
    everywhere[~real] = reached
    scores = networks.score(cells.reshape(-1, *samples.shape[1:]), np.full(losses * features, label, dtype=np.int64))
    return PairGrid(cells, requested, scores, real, everywhere, pair_z, networks.decode(pair_z, loss, both))
