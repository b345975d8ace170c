"""The trial's measurements: every change alone, the sets of changes, and each change at several strengths.

Samples are drawn in rounds, each as large as all before it, until every effect is known as precisely as is wanted, or
its verdict is beyond doubt, or more samples would not help because the strength of the change is the greater doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shiftlens.core.arrays import Floats, IntArray
from shiftlens.core.causes.changes import Change, Plan, individual_parts
from shiftlens.core.causes.estimates import (
    CLASS_MIX,
    INTERVAL,
    NONE,
    Effects,
    Sensitivity,
    rows_per_coalition,
    wanted_coalitions,
)
from shiftlens.core.causes.marginal_shifts import Compared
from shiftlens.core.causes.outcomes import Dosed, Outcomes, measure_coalitions, measure_dose, outcomes
from shiftlens.core.causes.search import Match
from shiftlens.core.causes.statistics import Coalition
from shiftlens.core.data.samples import Samples
from shiftlens.core.data.scoring import Scores
from shiftlens.core.results.results import TrialSize

PROBED = 300
"""Samples that a change is tried on before it is let into the plan."""
FIRST = 400
"""Samples of the first round, and those that the dose-response curves are measured on."""
EARLY = 1.5
"""A verdict before the last round must hold for an interval so many times as wide, three standard errors: who looks
several times at growing data gives chance several tries (Peto et al. 1976, https://doi.org/10.1038/bjc.1976.220)."""


@dataclass(frozen=True)
class Trial:
    """The trial's samples with everything that was measured on them."""

    x: Samples
    labels: IntArray
    scores: Scores
    effects: Effects
    dosed: Mapping[str, Dosed]
    size: TrialSize


def costless(data: Compared, change: Change) -> bool:
    """A first look, on few samples: whether a change alone surely costs less than what is worth naming."""
    settings, few, alone = data.settings, slice(0, PROBED), frozenset([change.name])
    x, labels = data.source.some(few), data.source_labels[few]
    made = measure_coalitions((change,), [alone], x, labels, data.score, data.seed, lambda done: None)
    rise = made[alone].loss - data.source_scores.loss[few]
    worth = settings.smallest_effect
    if data.target_labels is not None:
        gap = float(data.target_scores.loss.mean() - data.source_scores.loss.mean())
        worth = max(worth, settings.smallest_share * gap)
    return float(rise.mean() + 2 * rise.std() / np.sqrt(len(rise))) < worth


def run_trial(data: Compared, match: Match, suspects: Plan, mix: Floats | None, rng: np.random.Generator) -> Trial:
    """Measure every change at several strengths, then each alone and all together in rounds, then the sets of some.

    Args:
        suspects: changes that are measured alone, but do not count among the plan's.
        mix: weight of each class that gives the source the target's mix; None where it is the same.
    """
    settings, plan, changes = data.settings, match.plan, (*match.plan, *suspects)
    order = rng.permutation(len(data.source))[: settings.samples]
    x, labels, scores = data.source.some(order), data.source_labels[order], data.source_scores.rows(order)
    parts = np.linspace(0, 1, settings.dose_steps + 1)
    before = outcomes(scores)
    few = slice(0, FIRST)
    begun = scores.rows(np.arange(len(x))[few])
    dosed, sensitivity = {}, {}
    for change in changes:
        dosed[change.name] = measure_dose(
            data.kind, change, x.some(few), labels[few], begun, data.score, data.seed, parts
        )
        dose = dosed[change.name].dose
        slopes = (_last_slope(parts, values.mean(1)) for values in (dose.loss, dose.correct))
        sensitivity[change.name] = Sensitivity(match.errors.get(change.name, 0.0), *slopes)
        data.told(0.7 + 0.07 * len(dosed) / len(changes))
    full = {NONE: before}
    full |= {frozenset([name]): Outcomes(d.dose.loss[-1], d.dose.correct[-1]) for name, d in dosed.items()}
    size = _in_rounds(data, changes, frozenset(change.name for change in plan), x, labels, full, sensitivity)
    data.told(0.79)
    names = [change.name for change in plan]
    wanted, orders = wanted_coalitions(names, rng)
    shared = min(rows_per_coalition(len(x), len(names)), *(len(full[c].loss) for c in full if c <= frozenset(names)))
    known = {c: Outcomes(o.loss[:shared], o.correct[:shared]) for c, o in full.items() if len(o.loss) >= shared}
    part = measure_coalitions(
        plan, wanted, x.some(slice(0, shared)), labels[:shared], data.score, data.seed, lambda done: None, known
    )
    effects = Effects(
        [*names, CLASS_MIX] if mix is not None else names, full, part, None if mix is None else mix[labels],
        data.source_scores, data.target_scores if data.gap_is_known else None, sensitivity, orders,
        settings.bootstrap, rng,
    )  # fmt: skip
    data.told(0.8)
    return Trial(x, labels, scores, effects, dosed, size)


def _in_rounds(
    data: Compared,
    changes: Plan,
    together: Coalition,
    x: Samples,
    labels: IntArray,
    full: dict[Coalition, Outcomes],
    sensitivity: Mapping[str, Sensitivity],
) -> TrialSize:
    """Measure each change alone and all of the plan together on more and more samples; ``full`` grows in place."""
    gap, worth, error = _gap(data)
    wanted = max(data.settings.precision * gap, data.settings.smallest_effect / 2)
    alone = [frozenset([change.name]) for change in changes]
    sets = [*alone, together] if len(together) > 1 else alone
    own = individual_parts([change.name for change in changes], len(x), data.seed)
    none, reached = full[NONE], min(FIRST, len(x))
    if len(together) > 1:
        _extend(data, changes, [together], x, labels, own, full, slice(0, reached))
    unsettled = list(sets)
    while True:
        still = []
        for one in unsettled:
            doubt = [sensitivity[name].error * sensitivity[name].loss for name in sorted(one)]
            if one == together and len(one) > 1:  # its use is to be held against the gap
                doubt.append(error)
            rise = full[one].loss - none.loss[: len(full[one].loss)]
            if not _settled(rise, float(np.linalg.norm(doubt)), worth if one in alone else None, wanted):
                still.append(one)
        if not still or reached == len(x):
            break
        unsettled, rows = still, slice(reached, min(2 * reached, len(x)))
        _extend(data, changes, unsettled, x, labels, own, full, rows)
        reached = rows.stop
    widths = [
        INTERVAL * float(np.hypot(_error(full[one].loss - none.loss[: len(full[one].loss)]), s.error * s.loss))
        for one in alone
        for s in [sensitivity[name] for name in one]
    ]
    return TrialSize(
        available=len(data.source), drawn=reached if sets else 0, most=len(x), wanted=wanted,
        reached=not widths or max(widths) <= wanted, widest=max(widths, default=None),
    )  # fmt: skip


def _gap(data: Compared) -> tuple[float, float, float]:
    """Rise of the mean loss from source to target (0 where it is not known), what is worth naming, and its error."""
    settings = data.settings
    if not data.gap_is_known:
        return 0.0, settings.smallest_effect, 0.0
    there, here = data.target_scores.loss, data.source_scores.loss
    gap = max(0.0, float(there.mean() - here.mean()))
    worth = max(settings.smallest_effect, settings.smallest_share * gap)
    return gap, worth, float(np.hypot(_error(there), _error(here)))


def _error(values: Floats) -> float:
    return float(values.std() / np.sqrt(len(values)))


def _settled(rise: Floats, doubt: float, worth: float | None, wanted: float) -> bool:
    """Whether more samples of this change are not needed: it is precise, decided, or in doubt for another reason."""
    sampling, middle = _error(rise), float(rise.mean())
    half = INTERVAL * float(np.hypot(sampling, doubt))
    if half <= wanted or sampling < 0.5 * doubt:
        return True
    return worth is not None and (middle - EARLY * half > worth or middle + EARLY * half < worth)


def _extend(
    data: Compared,
    changes: Plan,
    sets: list[Coalition],
    x: Samples,
    labels: IntArray,
    own: Mapping[str, Floats],
    full: dict[Coalition, Outcomes],
    rows: slice,
) -> None:
    """Measure these sets of changes on these rows, too."""
    found = measure_coalitions(
        changes, sets, x.some(rows), labels[rows], data.score, data.seed + rows.start, lambda done: None,
        own={name: numbers[rows] for name, numbers in own.items()},
    )  # fmt: skip
    for one in sets:
        if rows.start == 0:
            full[one] = found[one]
        else:
            full[one] = Outcomes(
                np.concatenate([full[one].loss, found[one].loss]),
                np.concatenate([full[one].correct, found[one].correct]),
            )


def _last_slope(parts: Floats, values: Floats) -> float:
    """Rise per whole strength over the last two steps of a dose-response curve."""
    first = max(0, len(parts) - 3)
    return float((values[-1] - values[first]) / (parts[-1] - parts[first]))
