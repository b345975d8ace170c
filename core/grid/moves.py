"""How far the generated cells move each factor along the two axes of the grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.causes.changes import ActiveFactor, FactorFault
from shiftlens.core.causes.statistics import percentile_interval, wrapped
from shiftlens.core.results.results import Axes, PairMove

NO_GAP = 0.5
"""Mean gap of the pairs, in spreads of their gaps, up to which a factor's moves in the grid are not measured."""


def grid_moves(
    factors: Sequence[ActiveFactor], cells: FloatArray, given_back: FloatArray, seed: int = 0, draws: int = 500
) -> dict[str, Axes]:
    """How far each factor moves along the two axes of the generated cells, in units of the pairs' own gap.

    Along the loss axis: from the first to the last row in the first column. Along the feature axis: from the first to
    the last column in the first row. What encoding and decoding alone do to a sample, such as blurring it, is no move:
    both are read against the two samples as the networks give them back.

    Args:
        factors: those to measure. One that fails on cells is left out.
        cells: ``(pairs, losses, features, *sample)`` with the real samples in their corners.
        given_back: ``(pairs, 2, *sample)`` source and target sample, encoded and decoded at their own loss.

    Returns:
        Per factor the moves over all pairs, projected on the pairs' gaps, with intervals by bootstrap over pairs.
    """
    pairs = len(cells)
    found: dict[str, Axes] = {}
    if not pairs:
        return found
    looked_at = {
        "start": cells[:, 0, 0],
        "end": cells[:, -1, -1],
        "low": given_back[:, 0],
        "high": given_back[:, 1],
        "loss": cells[:, -1, 0],
        "feature": cells[:, 0, -1],
    }
    rng = np.random.default_rng([seed, 19])
    picks = rng.integers(0, pairs, (draws, pairs))
    for factor in factors:
        try:
            at = {name: factor.measure(np.ascontiguousarray(x, dtype=np.float32)) for name, x in looked_at.items()}
        except FactorFault:
            continue
        gap = wrapped(at["end"] - at["start"], factor.period)
        loss = wrapped(at["loss"] - at["low"], factor.period)
        feature = gap - wrapped(at["high"] - at["feature"], factor.period)
        known = np.isfinite(gap) & np.isfinite(loss) & np.isfinite(feature)
        gap, loss, feature = (np.where(known, v, 0.0) for v in (gap, loss, feature))
        common = abs(gap.mean()) if factor.period is None else np.abs(gap).mean()
        if common <= NO_GAP * gap.std():  # no direction that the pairs have in common: moves in its units mean nothing
            continue

        def along(move: Floats, rows: IntArray) -> Floats:
            # The mean move against the mean gap: pairs whose gap is small or the other way round weigh as they are.
            part = (move[rows] * gap[rows]).sum(-1) / np.maximum((gap[rows] ** 2).sum(-1), 1e-12)  # noqa: B023
            return np.asarray(part, dtype=np.float64)

        everyone = np.arange(pairs)
        found[factor.name] = Axes(
            loss_axis=float(along(loss, everyone)),
            feature_axis=float(along(feature, everyone)),
            loss_axis_ci=percentile_interval(along(loss, picks)),
            feature_axis_ci=percentile_interval(along(feature, picks)),
        )
    return found


def pair_moves(factors: Sequence[ActiveFactor], cells: FloatArray, given_back: FloatArray) -> list[list[PairMove]]:
    """What `grid_moves` averages, for each pair, without sign and in the factor's unit.

    A factor that fails on cells, or that a pair's cells do not have, is left out.
    """
    found: list[list[PairMove]] = [[] for _ in range(len(cells))]
    corners = (cells[:, 0, 0], cells[:, -1, -1], given_back[:, 0], given_back[:, 1], cells[:, -1, 0], cells[:, 0, -1])
    for factor in factors if len(cells) else ():
        try:
            start, end, low, high, down, right = (
                factor.measure(np.ascontiguousarray(x, dtype=np.float32)) for x in corners
            )
        except FactorFault:
            continue
        gap = wrapped(end - start, factor.period)
        moved = wrapped(down - low, factor.period), wrapped(gap - wrapped(high - right, factor.period), factor.period)
        for i, (d, r, g) in enumerate(zip(*moved, gap, strict=True)):
            if np.isfinite([d, r, g]).all():
                found[i].append(PairMove(factor=factor.name, down=abs(d), right=abs(r), gap=abs(g)))
    return found
