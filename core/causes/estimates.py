"""Effects with intervals: what each set of changes costs, shares of the loss gap, the rest that nothing explains.

Everything is a mean over the same source samples, so differences are paired. Intervals come from a bootstrap over the
samples (each has its own random part of the change, so the trial's randomness is in them) and over the fitted
strengths: a strength known to ten per cent moves the effect by ten per cent of its slope.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from shiftlens.core.arrays import Floats
from shiftlens.core.causes.outcomes import Outcomes
from shiftlens.core.causes.sentences import interaction_sentence, unexplained_sentence
from shiftlens.core.causes.statistics import (
    EXACT_SHAPLEY,
    Coalition,
    coalitions,
    percentile_interval,
    sampled_orders,
    shapley,
    shapley_of_orders,
)
from shiftlens.core.causes.verdict import Gap
from shiftlens.core.data.scoring import Scores
from shiftlens.core.results.results import Interaction, Interval, Unexplained

CLASS_MIX = "class-mix"
NONE: Coalition = frozenset()
INTERVAL = 1.96
"""Half the width of a 95 % interval, in standard errors."""


def rows_per_coalition(rows: int, players: int, least: int) -> int:
    """How many of the trial's samples every set of changes is measured on, so that the whole stays affordable."""
    if players > EXACT_SHAPLEY:
        return min(rows, max(least, rows // 8))
    return min(rows, max(least, (rows * 16) >> players))


def wanted_coalitions(
    players: Sequence[str], count: int, rng: np.random.Generator
) -> tuple[list[Coalition], list[tuple[str, ...]]]:
    """The sets that shares and interactions need, and ``count`` sampled orders (none where all sets are measured)."""
    if len(players) <= EXACT_SHAPLEY:
        return coalitions(players), []
    orders = sampled_orders(players, count, rng)
    met = {frozenset(order[:size]) for order in orders for size in range(len(players) + 1)}
    pairs = {frozenset(pair) for pair in combinations(players, 2)}
    return sorted(met | pairs | {frozenset([p]) for p in players}, key=lambda c: (len(c), sorted(c))), orders


@dataclass(frozen=True)
class Estimate:
    """A figure with its bootstrap draws."""

    value: float
    draws: Floats

    @property
    def ci(self) -> Interval:
        """The 95 % interval."""
        return percentile_interval(self.draws)

    def __sub__(self, other: Estimate) -> Estimate:
        return Estimate(self.value - other.value, self.draws - other.draws)

    def over(self, other: Estimate) -> Estimate:
        """The ratio; draws whose denominator is not positive say that anything is possible."""
        ratio = np.where(other.draws > 0, self.draws / np.where(other.draws > 0, other.draws, 1.0), np.nan)
        if np.isnan(ratio).any():
            bound = np.nanmax(np.abs(ratio)) if np.isfinite(ratio).any() else 1.0
            ratio = np.where(np.isnan(ratio), np.where(np.arange(len(ratio)) % 2, bound, -bound), ratio)
        return Estimate(self.value / other.value, ratio)


@dataclass(frozen=True)
class Sensitivity:
    """How uncertain a fitted strength is, and what that means for the effect.

    Attributes:
        error: standard error of the strength, as a part of it.
        loss, correct: change of the mean loss and of the accuracy per whole strength, at full strength.
    """

    error: float
    loss: float
    correct: float


@dataclass(frozen=True)
class Measured:
    """Everything that the trial measured.

    Attributes:
        players: names of the changes, and `CLASS_MIX` last where the class mix changed.
        full: outcomes of no change on all rows, of each change alone and of all together on the first rows, as many
            as each needed.
        part: outcomes of every set, all on the same first rows.
        weight: ``(n,)`` weight of each row that gives the source the target's class mix; None where it is the same.
        source: scores of all source samples; ``target``: of all target samples, None without labels.
        sensitivity: per change.
        orders: of the changes, where not every set was measured; see `wanted_coalitions`.
    """

    players: Sequence[str]
    full: Mapping[Coalition, Outcomes]
    part: Mapping[Coalition, Outcomes]
    weight: Floats | None
    source: Scores
    target: Scores | None
    sensitivity: Mapping[str, Sensitivity]
    orders: Sequence[tuple[str, ...]]


class Effects:
    """Means over the trial's samples under every measured set of changes, with bootstrap draws."""

    def __init__(self, measured: Measured, draws: int, rng: np.random.Generator) -> None:
        self.players, self.full, self.part = list(measured.players), measured.full, measured.part
        self.weight, self.source, self.target = measured.weight, measured.source, measured.target
        self.sensitivity, self.orders = measured.sensitivity, measured.orders
        self._rng, self._draws = rng, draws
        sizes = sorted({len(outcome.loss) for table in (self.full, self.part) for outcome in table.values()})
        self._counts = {size: self._multinomial(size) for size in sizes}
        self._strength = {name: rng.standard_normal(draws) for name in self.sensitivity}

    def _multinomial(self, rows: int) -> Floats:
        return self._rng.multinomial(rows, np.full(rows, 1 / rows), size=self._draws).astype(np.float64)

    def value(
        self, coalition: Coalition, what: str = "loss", all_rows: bool = True, rows: int | None = None
    ) -> Estimate:
        """Mean loss (or ``what="correct"``: accuracy) under a set of changes, ``CLASS_MIX`` among them or not.

        ``all_rows``: on all that it was measured on, or on its first ``rows``; else on those that all sets share.
        """
        table = self.full if all_rows else self.part
        values = getattr(table[coalition - {CLASS_MIX}], what)[:rows]
        weight = (
            self.weight[: len(values)] if self.weight is not None and CLASS_MIX in coalition else np.ones(len(values))
        )
        counts = self._counts[len(values)]
        draws = (counts @ (weight * values)) / np.maximum(counts @ weight, 1e-12)
        for name in sorted(coalition - {CLASS_MIX}):  # sets of strings have another order in every process
            known = self.sensitivity.get(name)
            if known is not None:
                draws = draws + known.error * getattr(known, what) * self._strength[name]
        return Estimate(float((weight * values).sum() / weight.sum()), draws)

    def rows_of(self, coalition: Coalition) -> int:
        """Samples that a set of changes was measured on."""
        return len(self.full[coalition - {CLASS_MIX}].loss)

    def rise(self, coalition: Coalition, what: str = "loss") -> Estimate:
        """What a set of changes adds to the mean of the same samples."""
        return self.value(coalition, what) - self.value(NONE, what, rows=self.rows_of(coalition))

    def effect(self, name: str, what: str = "loss") -> Estimate:
        """What one change costs alone: the rise of the mean loss, or (``"correct"``) the fall of the accuracy."""
        rise = self.rise(frozenset([name]), what)
        return rise if what == "loss" else Estimate(-rise.value, -rise.draws)

    def needed(self, name: str, worth: float) -> int | None:
        """Source samples that would set one change's interval clear of what is worth naming.

        None where no number would, because the doubt about the change's strength alone covers it.
        """
        effect, known = self.effect(name), self.sensitivity[name]
        doubt = abs(known.error * known.loss)
        sampling = max(float(effect.draws.var()) - doubt**2, 0.0) * self.rows_of(frozenset([name]))
        room = (abs(effect.value - worth) / INTERVAL) ** 2 - doubt**2
        return int(np.ceil(sampling / room)) if room > 0 else None

    def gap(self, smallest_effect: float, smallest_share: float) -> tuple[Gap, Estimate | None]:
        """How much worse the target is; where that is not known, what all changes cost stands for it in ``worth``."""
        if self.target is None:
            return Gap(None, None, None, max(smallest_effect, smallest_share * self.joint().value)), None
        there, here = (self._mean(scores.loss) for scores in (self.target, self.source))
        rise = there - here
        points = None
        if self.target.labelled and self.source.labelled:
            points = 100 * float(self.source.correct.mean() - self.target.correct.mean())
        return Gap(rise.value, rise.ci, points, max(smallest_effect, smallest_share * rise.value)), rise

    def _mean(self, values: Floats) -> Estimate:
        rows = len(values)
        # Means of thousands of samples are normal: no need to resample them.
        error = float(values.std()) / np.sqrt(rows)
        return Estimate(float(values.mean()), values.mean() + error * self._rng.standard_normal(self._draws))

    def shares(self, rise: Estimate) -> dict[str, Estimate]:
        """Each player's Shapley part of the loss gap."""
        if not self.players:
            return {}
        values: dict[Coalition, Floats] = {}

        def both(coalition: Coalition) -> Floats:
            if coalition not in values:
                found = self.value(coalition, all_rows=False)
                values[coalition] = np.concatenate([[found.value], found.draws])
            return values[coalition]

        if self.orders:
            mix = self.players[len(self.players) - 1 :] if CLASS_MIX in self.players else []
            ends = [(*order, *mix) if i % 4 < 2 else (*mix, *order) for i, order in enumerate(self.orders)]
            parts = shapley_of_orders(ends, both)
        else:
            parts = shapley(self.players, {c: both(c) for c in coalitions(self.players)})
        return {name: Estimate(float(v[0]), v[1:]).over(rise) for name, v in parts.items()}

    def joint(self, what: str = "loss") -> Estimate:
        """What all changes cost together: the rise of the mean loss, or (``"correct"``) the fall of the accuracy."""
        rise = self.rise(frozenset(self.players), what)
        return rise if what == "loss" else Estimate(-rise.value, -rise.draws)

    def unexplained(self, rise: Estimate, large_rest: float, factors: int) -> Unexplained:
        """The part of the loss gap that all changes together leave."""
        rest = (rise - self.joint()).over(rise)
        low, high = rest.ci
        return Unexplained(
            share=rest.value,
            ci=(low, high),
            sentence=unexplained_sentence(rest.value, (low, high), low > large_rest, factors),
        )

    def interactions(self, worth: float, unit: str = "nats") -> list[Interaction]:
        """Pairs that together cost clearly more or less than the sum of both, by more than what is worth naming."""
        found = []
        none = self.value(NONE, all_rows=False)
        for a, b in combinations(self.players, 2):
            if frozenset([a, b]) - {CLASS_MIX} not in self.part:
                continue
            alone = [self.value(frozenset([name]), all_rows=False) - none for name in (a, b)]
            both = self.value(frozenset([a, b]), all_rows=False) - none
            extra = both - Estimate(alone[0].value + alone[1].value, alone[0].draws + alone[1].draws)
            low, high = extra.ci
            if abs(extra.value) > worth and (low > 0 or high < 0):
                sentence = interaction_sentence((a, b), extra.value, both.value, (alone[0].value, alone[1].value), unit)
                found.append(Interaction(factors=(a, b), effect=extra.value, ci=(low, high), sentence=sentence))
        return sorted(found, key=lambda i: -abs(i.effect))
