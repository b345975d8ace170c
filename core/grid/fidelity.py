"""Whether the grid may be trusted: fidelity of the cells, the loss that leaks into z, realism of the cells."""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import BoolArray, Floats, IntArray, Reals
from shiftlens.core.results.results import Fidelity, Leak, Realism

LOW_FIDELITY = 0.6
"""Below this rank correlation a grid does not do what it says, and the report says so."""
FEWEST = 20  # real samples that cells are compared with
USUAL = 0.95  # quantile of the distances between real samples up to which a cell lies where real samples do
OFFSET = 0.05  # nats; keeps the logarithm of the loss of a perfect prediction finite
RIDGE = 1e-3
CHUNK = 512  # points whose distances are held in memory at once


def fidelity(requested: Floats, measured: Floats) -> Fidelity:
    """Agreement of requested and measured losses over all generated cells; both ``(cells,)``.

    None where a correlation is not defined: fewer than three cells, or no variation on one side.
    """
    from scipy import stats

    requested, measured = np.ravel(requested), np.ravel(measured)
    if len(requested) < 3 or np.ptp(requested) == 0 or np.ptp(measured) == 0:
        return Fidelity(spearman=None, pearson=None, cells=len(requested))
    return Fidelity(
        spearman=float(stats.spearmanr(requested, measured).statistic),
        pearson=float(stats.pearsonr(requested, measured).statistic),
        cells=len(requested),
    )


def fidelity_of_grids(requested: Floats, measured: Floats, generated: BoolArray) -> Fidelity:
    """`fidelity` of whole grids ``(pairs, losses, features)``, and by domain: of their first and last columns."""

    def of(column: int) -> float | None:
        here = generated[:, :, column]
        return fidelity(requested[:, :, column][here], measured[:, :, column][here]).spearman

    found = fidelity(requested[generated], measured[generated])
    return found.model_copy(update={"source": of(0), "target": of(-1)})


def leak(z: Reals, loss: Floats, seed: int = 0) -> Leak:
    """Held-out R² of a linear reading of the (ranked) loss from z ``(n, latent)``; negative values become 0.

    Ranks instead of raw losses: cross-entropy has a tail that would decide a squared error alone.
    """
    from scipy import stats

    count = len(loss)
    if not _enough(z) or np.ptp(loss) == 0:
        return Leak(r2=None)
    return Leak(r2=_held_out_r2(z, stats.rankdata(loss) / count, np.ones((count, 1)), seed))


def axis_leak(z: Reals, loss: Floats, before: Floats, label: IntArray, seed: int = 0) -> float | None:
    """Held-out R² of what a trial did to the loss, read from z: the loss axis's own part, of which none shall be left.

    Loss and z are taken as they differ from what label, loss before the change and their product let expect; so what
    made a sample easy or hard before, and what merely travels with the shift, does not count. A reading that bends is
    not tried, and an axis that was fitted on these very rows starts with an advantage.

    Args:
        z: ``(n, latent)`` of the trial's rows; loss, before, label: ``(n,)``, the loss after and before the change.
    """
    after, own = np.log(np.maximum(loss, 0) + OFFSET), np.log(np.maximum(before, 0) + OFFSET)
    member = (label[:, None] == np.unique(label)).astype(np.float64)
    if not _enough(z) or np.ptp(after) == 0:
        return None
    return _held_out_r2(z, after, np.concatenate([member, member * (own - own.mean())[:, None]], axis=1), seed)


def _enough(z: Reals) -> bool:
    """Whether a linear reading of so many latents means anything on half of the rows."""
    return bool(len(z) >= 4 * (z.shape[1] + 1))


def _held_out_r2(z: Reals, y: Floats, given: Floats, seed: int) -> float:
    """R² on one half of the rows of the linear reading of y from z that the other half gives, beyond ``given``."""
    order = np.random.default_rng(seed).permutation(len(y))
    fit, held_out = order[: len(y) // 2], order[len(y) // 2 :]
    scaled = (z - z[fit].mean(0)) / (z[fit].std(0) + 1e-12)
    both = np.column_stack([y, scaled]).astype(np.float64)
    beyond = both - given @ _solved(given[fit], both[fit], 1e-6)
    left, x = beyond[:, 0], beyond[:, 1:]
    residual = left[held_out] - x[held_out] @ _solved(x[fit], left[fit], RIDGE)
    return max(0.0, 1.0 - float((residual**2).sum() / max((left[held_out] ** 2).sum(), 1e-12)))


def _solved(x: Floats, y: Floats, ridge: float) -> Floats:
    """Weights of a ridge regression, ``(columns of x, columns of y)``."""
    penalty = ridge * len(x) * np.eye(x.shape[1], dtype=np.float64)
    return np.asarray(np.linalg.solve(x.T @ x + penalty, x.T @ y), dtype=np.float64)


def realism(cells: Reals, real: Reals) -> Realism | None:
    """Distances of cells ``(n, latent)`` to the nearest real sample, held against those of real ones ``(m, latent)``.

    Each real sample is compared with the others, as if it had been made; the cells' own pairs must not be in ``real``.
    None where there are fewer than `FEWEST` real samples, or most are the same.
    """
    if len(real) < FEWEST or not len(cells):
        return None
    usual, found = _nearest(real, real, others=True), _nearest(cells, real)
    middle = float(np.median(usual))
    if middle == 0:
        return None
    return Realism(
        near=float((found <= np.quantile(usual, USUAL)).mean()),
        ratio=float(np.median(found)) / middle,
        samples=len(real),
    )


def plain_realism(cells: Floats, real: Floats, row: IntArray) -> dict[str, float]:
    """``plain_near`` and ``plain_lowest`` of `Realism`; empty where there are no statistics or too few samples.

    Args:
        cells: ``(n, k)`` statistics of the cells; real: ``(m, k)`` of real samples.
        row: ``(n,)`` the row of the grid that each cell stands in.
    """
    scale = real.std(0)
    varies = scale > 1e-9 * np.maximum(1.0, np.abs(real.mean(0)))  # what never varies has no unit
    if len(real) < FEWEST or not varies.any():
        return {}
    cells, real = cells[:, varies] / scale[varies], real[:, varies] / scale[varies]
    near = _nearest(cells, real) <= np.quantile(_nearest(real, real, others=True), USUAL)
    return {
        "plain_near": float(near.mean()),
        "plain_lowest": min(float(near[row == here].mean()) for here in np.unique(row)),
    }


def _nearest(points: Reals, real: Reals, others: bool = False) -> Floats:
    """``(n,)`` distance of each point to the nearest real sample; with ``others`` the points are those samples."""
    real = np.asarray(real, dtype=np.float64)
    nearest = np.empty(len(points))
    for start in range(0, len(points), CHUNK):
        here = np.asarray(points[start : start + CHUNK], dtype=np.float64)
        squares = (here**2).sum(1)[:, None] - 2 * here @ real.T + (real**2).sum(1)
        if others:
            squares[np.arange(len(here)), start + np.arange(len(here))] = np.inf
        nearest[start : start + CHUNK] = np.sqrt(np.maximum(squares.min(axis=1), 0.0))
    return nearest
