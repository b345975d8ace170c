"""Statistics of the trial: intervals by bootstrap, tests corrected for many, partial correlation, Shapley shares.

Numpy and scipy only; everything random follows from a generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from math import factorial

import numpy as np
import numpy.typing as npt

from shiftlens.core.arrays import Floats, IntArray
from shiftlens.core.results.results import Interval

Coalition = frozenset[str]

EXACT_SHAPLEY = 10
"""Up to so many players every coalition is measured; above, orders of the players are sampled."""


def percentile_interval(draws: Floats, level: float = 0.95) -> Interval:
    """The middle ``level`` of bootstrap draws ``(draws,)``."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def resampled_means(values: Floats, draws: int, rng: np.random.Generator, strata: IntArray | None = None) -> Floats:
    """Means of ``draws`` bootstrap resamples of ``values`` ``(n, ...)``; result ``(draws, ...)``.

    With ``strata`` ``(n,)`` each stratum keeps its size. Works through multinomial counts: one matrix product.
    """
    count = len(values)
    flat = values.reshape(count, -1)  # (n, columns)
    weights = np.zeros((draws, count))
    groups = [np.arange(count)] if strata is None else [np.flatnonzero(strata == s) for s in np.unique(strata)]
    for rows in groups:
        weights[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=draws)
    means: Floats = (weights @ flat) / count
    return means.reshape(draws, *values.shape[1:])


def holm(p: Sequence[float] | Floats) -> Floats:
    """Holm's step-down adjustment: ``(n,)`` p-values that may each be compared with alpha.

    Holm 1979, https://www.jstor.org/stable/4615733. Values that are not finite stay 1.
    """
    raw = np.where(np.isfinite(p), p, 1.0).astype(np.float64)
    order = np.argsort(raw)
    steps = raw[order] * (len(raw) - np.arange(len(raw)))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def wrapped(angle: npt.ArrayLike, period: float | None) -> Floats:
    """Differences of a circular quantity brought into ``[-period/2, period/2)``; unchanged without a period."""
    values = np.asarray(angle, dtype=np.float64)
    if not period:
        return values
    return (values + period / 2) % period - period / 2


def centre(values: Floats, period: float | None = None) -> float:
    """The mean, or the circular mean where there is a period; NaN entries are ignored, NaN where none is left."""
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan")
    if not period:
        return float(values.mean())
    turn = np.exp(2j * np.pi * values / period).mean()
    return float(np.angle(turn) / (2 * np.pi) * period % period)


def natural(angle: float, values: Floats, period: float | None) -> float:
    """A circular mean, in the range that the measured values themselves use: [-period/2, period/2) or [0, period).

    Unchanged without a period.
    """
    if not period or not np.isfinite(angle):
        return angle
    return float(wrapped(angle, period)) if (values[np.isfinite(values)] < 0).any() else angle % period


def shift_test(
    source: Floats, target: Floats, source_class: IntArray, target_class: IntArray, period: float | None = None
) -> float:
    """p-value: was this measure's distribution the same within classes in both domains?

    Values ``(n,)`` and ``(m,)`` are centred on their class (both domains pooled, so that the class mix plays no
    part), then compared by Welch's test for the location and by Kolmogorov's and Smirnov's for the shape, Bonferroni
    over the two. A circular quantity is unwrapped around the source's mean of the class.
    """
    from scipy import stats

    here, there = [], []
    for label in np.intersect1d(source_class, target_class):
        a, b = source[source_class == label], target[target_class == label]
        a, b = a[np.isfinite(a)], b[np.isfinite(b)]
        if len(a) < 2 or len(b) < 2:
            continue
        if period:
            middle = centre(a, period)
            a, b = wrapped(a - middle, period), wrapped(b - middle, period)
        middle = (a.mean() + b.mean()) / 2
        here.append(a - middle)
        there.append(b - middle)
    if not here:
        return float("nan")
    a, b = np.concatenate(here), np.concatenate(there)
    if np.ptp(a) == 0 and np.ptp(b) == 0:
        return 1.0 if a[0] == b[0] else 0.0
    location = stats.ttest_ind(a, b, equal_var=False).pvalue
    shape = stats.ks_2samp(a, b, method="asymp").pvalue
    return float(min(1.0, 2 * np.nanmin([location, shape])))


def class_mix_test(source_class: IntArray, target_class: IntArray, classes: int) -> float:
    """p-value of the chi-squared test that both domains have the same share of each class."""
    from scipy import stats

    table = np.stack([np.bincount(source_class, minlength=classes), np.bincount(target_class, minlength=classes)])
    table = table[:, table.sum(0) > 0]
    if table.shape[1] < 2 or not table.sum(1).all():
        return 1.0
    return float(stats.chi2_contingency(table).pvalue)


def partial_rank_correlation(
    x: Floats, y: Floats, given: Floats, strata: IntArray, draws: int, rng: np.random.Generator
) -> tuple[float, Interval]:
    """Spearman's correlation of x and y ``(n,)``, within strata and with the ranks of ``given`` ``(n, k)`` held.

    Returns the correlation and its bootstrap interval; (0, (-1, 1)) where it is not defined.
    """
    from scipy import stats

    keep = np.isfinite(x) & np.isfinite(y) & np.isfinite(given).all(1)
    if keep.sum() < 10 or np.ptp(x[keep]) == 0 or np.ptp(y[keep]) == 0:
        return 0.0, (-1.0, 1.0)
    indicator = (strata[keep][:, None] == np.unique(strata[keep])).astype(np.float64)
    ranks = [stats.rankdata(column) for column in (x[keep], y[keep], *given[keep].T)]
    held = np.column_stack([indicator, *ranks[2:]])

    def correlation(rows: IntArray) -> float:
        basis, _ = np.linalg.qr(held[rows])
        a, b = ranks[0][rows], ranks[1][rows]
        a, b = a - basis @ (basis.T @ a), b - basis @ (basis.T @ b)
        length = float(np.sqrt((a @ a) * (b @ b)))
        return float(a @ b) / length if length > 1e-9 else 0.0

    count = len(held)
    values = np.array([correlation(rng.integers(0, count, count)) for _ in range(draws)])
    return correlation(np.arange(count)), percentile_interval(values)


def coalitions(players: Sequence[str]) -> list[Coalition]:
    """Every subset of the players, the empty one first, by size."""
    return [frozenset(c) for size in range(len(players) + 1) for c in combinations(players, size)]


def shapley(players: Sequence[str], value: Mapping[Coalition, Floats]) -> dict[str, Floats]:
    """Each player's Shapley value, exact: the mean of its gains over all orders in which players can join.

    ``value`` maps every coalition of `coalitions` to an array (all of one shape, e.g. bootstrap draws).
    Shapley 1953; the values of all players add up to ``value[all] - value[none]``.
    """
    count = len(players)
    result = {}
    for player in players:
        total = np.zeros_like(next(iter(value.values())), dtype=np.float64)
        for coalition in coalitions([p for p in players if p != player]):
            weight = factorial(len(coalition)) * factorial(count - len(coalition) - 1) / factorial(count)
            total = total + weight * (value[coalition | {player}] - value[coalition])
        result[player] = total
    return result


def sampled_orders(players: Sequence[str], count: int, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """``count`` orders of the players, each followed by its reverse (which halves the spread of the estimate)."""
    orders: list[tuple[str, ...]] = []
    while len(orders) < count:
        order = tuple(players[i] for i in rng.permutation(len(players)))
        orders += [order, order[::-1]]
    return orders[:count]


def shapley_of_orders(orders: Iterable[Sequence[str]], value: Callable[[Coalition], Floats]) -> dict[str, Floats]:
    """Shapley values estimated from sampled orders; ``value`` is asked once for each coalition met."""
    known: dict[Coalition, Floats] = {}

    def of(coalition: Coalition) -> Floats:
        if coalition not in known:
            known[coalition] = value(coalition)
        return known[coalition]

    gains: dict[str, list[Floats]] = {}
    for order in orders:
        joined: Coalition = frozenset()
        for player in order:
            gains.setdefault(player, []).append(of(joined | {player}) - of(joined))
            joined = joined | {player}
    return {player: np.mean(np.stack(found), axis=0) for player, found in gains.items()}
