"""Whether the loss axis does what it says: fidelity of the cells, and the loss that leaks into z."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shiftlens.core.results import Fidelity, Leak

LOW_FIDELITY = 0.6
"""Below this rank correlation a grid does not do what it says, and the report says so."""


def fidelity(requested: npt.NDArray[np.float64], measured: npt.NDArray[np.float64]) -> Fidelity:
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


def leak(z: npt.NDArray[np.floating], loss: npt.NDArray[np.float64], seed: int = 0, ridge: float = 1e-3) -> Leak:
    """Held-out R² of a linear reading of the (ranked) loss from z ``(n, latent)``; negative values become 0.

    Ranks instead of raw losses: cross-entropy has a tail that would decide a squared error alone.
    """
    from scipy import stats

    count = len(loss)
    if count < 4 * (z.shape[1] + 1) or np.ptp(loss) == 0:
        return Leak(r2=None)
    order = np.random.default_rng(seed).permutation(count)
    fit, held_out = order[: count // 2], order[count // 2 :]
    y = stats.rankdata(loss) / count
    x = np.concatenate([(z - z[fit].mean(0)) / (z[fit].std(0) + 1e-12), np.ones((count, 1))], axis=1)
    penalty = ridge * len(fit) * np.eye(x.shape[1])
    weights = np.linalg.solve(x[fit].T @ x[fit] + penalty, x[fit].T @ y[fit])
    residual = y[held_out] - x[held_out] @ weights
    r2 = 1.0 - float((residual**2).sum() / ((y[held_out] - y[fit].mean()) ** 2).sum())
    return Leak(r2=max(0.0, r2))
