"""The trial's measurements: every change alone, the sets of changes, and each change at several strengths.

Samples are drawn in rounds, each as large as all before it, until every effect is known as precisely as is wanted, or
its verdict is beyond doubt, or more samples would not help because the strength of the change is the greater doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftlens.core.arrays import Floats
from shiftlens.core.causes.changes import Change, Plan, individual_parts
from shiftlens.core.causes.estimates import (
    CLASS_MIX,
    INTERVAL,
    NONE,
    Effects,
    Measured,
    Sensitivity,
    rows_per_coalition,
    wanted_coalitions,
)
from shiftlens.core.causes.outcomes import Dosed, Outcomes, Rig, measure_coalitions, measure_dose, outcomes
from shiftlens.core.causes.policy import TrialPolicy
from shiftlens.core.causes.request import CauseRequest
from shiftlens.core.causes.search import Match
from shiftlens.core.causes.statistics import Coalition
from shiftlens.core.data.scoring import Scores
from shiftlens.core.results.results import TrialSize


@dataclass(frozen=True)
class Trial:
    """The trial's samples with everything that was measured on them."""

    rig: Rig
    scores: Scores
    effects: Effects
    dosed: Mapping[str, Dosed]
    size: TrialSize


def costless(request: CauseRequest, change: Change) -> bool:
    """A first look, on few samples: whether a change alone surely costs less than what is worth naming."""
    few, alone = slice(0, request.policy.trial.probed), frozenset([change.name])
    made = measure_coalitions(request.rig.some(few), (change,), [alone])
    rise = made[alone].loss - request.source_scores.loss[few]
    return float(rise.mean() + 2 * rise.std() / np.sqrt(len(rise))) < request.worth


def run_trial(
    request: CauseRequest, match: Match, suspects: Plan, mix: Floats | None, rng: np.random.Generator
) -> Trial:
    """Measure every change at several strengths, then each alone and all together in rounds, then the sets of some.

    Args:
        suspects: changes that are measured alone, but do not count among the plan's.
        mix: weight of each class that gives the source the target's mix; None where it is the same.
    """
    settings, policy = request.settings, request.policy.trial
    plan, changes = match.plan, (*match.plan, *suspects)
    names = [change.name for change in plan]
    order = rng.permutation(len(request.source_samples))[: settings.samples]
    rig, scores = request.rig.some(order), request.source_scores.rows(order)
    parts = np.linspace(0, 1, settings.dose_steps + 1)
    before = outcomes(scores)
    few = rig.some(slice(0, policy.first))
    begun = scores.rows(np.arange(len(few.labels)))
    dosed, sensitivity = {}, {}
    for change in changes:
        dosed[change.name] = measure_dose(few, request.sample_kind, change, begun, parts)
        dose = dosed[change.name].dose
        slopes = (_last_slope(parts, values.mean(1)) for values in (dose.loss, dose.correct))
        sensitivity[change.name] = Sensitivity(match.errors.get(change.name, 0.0), *slopes)
        request.show(0.7 + 0.07 * len(dosed) / len(changes))
    full = {NONE: before}
    full |= {frozenset([name]): Outcomes(d.dose.loss[-1], d.dose.correct[-1]) for name, d in dosed.items()}
    size = _in_rounds(request, Rounds(rig, changes, full, sensitivity), frozenset(names))
    request.show(0.79)
    wanted, orders = wanted_coalitions(names, policy.orders, rng)
    shared = min(
        rows_per_coalition(len(rig.labels), len(names), policy.least_rows),
        *(len(full[c].loss) for c in full if c <= frozenset(names)),
    )
    known = {c: Outcomes(o.loss[:shared], o.correct[:shared]) for c, o in full.items() if len(o.loss) >= shared}
    measured = Measured(
        players=[*names, CLASS_MIX] if mix is not None else names,
        full=full,
        part=measure_coalitions(rig.some(slice(0, shared)), plan, wanted, known),
        weight=None if mix is None else mix[rig.labels],
        source=request.source_scores,
        target=request.target_scores if request.gap_is_known else None,
        sensitivity=sensitivity,
        orders=orders,
    )
    effects = Effects(measured, settings.bootstrap, rng)
    request.show(0.8)
    return Trial(rig, scores, effects, dosed, size)


@dataclass(frozen=True)
class Rounds:
    """What is measured in rounds, on more and more samples: ``full`` grows in place."""

    rig: Rig
    changes: Plan
    full: dict[Coalition, Outcomes]
    sensitivity: Mapping[str, Sensitivity]

    def rise(self, one: Coalition) -> Floats:
        """What a set of changes adds to the loss of each sample that it was measured on."""
        return self.full[one].loss - self.full[NONE].loss[: len(self.full[one].loss)]

    def measure(self, sets: Sequence[Coalition], rows: slice, own: Mapping[str, Floats]) -> None:
        """These sets of changes on these rows, too."""
        rig = replace(self.rig.some(rows), seed=self.rig.seed + rows.start)
        found = measure_coalitions(rig, self.changes, sets, own={name: numbers[rows] for name, numbers in own.items()})
        for one in sets:
            if rows.start == 0:
                self.full[one] = found[one]
            else:
                self.full[one] = Outcomes(
                    np.concatenate([self.full[one].loss, found[one].loss]),
                    np.concatenate([self.full[one].correct, found[one].correct]),
                )


def _in_rounds(request: CauseRequest, rounds: Rounds, together: Coalition) -> TrialSize:
    """Measure each change alone and all of the plan together on more and more samples."""
    policy, count, sensitivity = request.policy.trial, len(rounds.rig.labels), rounds.sensitivity
    gap, error = _gap(request)
    wanted = max(request.settings.precision * gap, request.settings.smallest_effect / 2)
    alone = [frozenset([change.name]) for change in rounds.changes]
    sets = [*alone, together] if len(together) > 1 else alone
    own = individual_parts([change.name for change in rounds.changes], count, rounds.rig.seed)
    reached = min(policy.first, count)
    if len(together) > 1:
        rounds.measure([together], slice(0, reached), own)

    def known(one: Coalition) -> tuple[Floats, float, float | None]:
        """What this set costs so far, the doubt that no more samples take away, and what is worth naming."""
        doubt = [sensitivity[name].error * sensitivity[name].loss for name in sorted(one)]
        if one == together and len(one) > 1:  # its use is to be held against the gap
            doubt.append(error)
        return rounds.rise(one), float(np.linalg.norm(doubt)), request.worth if one in alone else None

    def scored() -> int:
        """Changed samples so far: those of the dose-response curves, the last of which are also the first round's."""
        rest = (request.settings.dose_steps - 1) * min(policy.first, count) * len(alone)
        return rest + sum(len(rounds.full[one].loss) for one in sets)

    unsettled, budget = list(sets), request.settings.budget
    while True:
        unsettled = [one for one in unsettled if not _settled(policy, *known(one), wanted)]
        if not unsettled or reached == count:
            break
        rows = slice(reached, min(2 * reached, count))
        if budget is not None:
            left = max(0, budget - scored())
            if left < len(unsettled) * (rows.stop - rows.start):  # not enough for all: where a verdict is open
                unsettled = [one for one in unsettled if _open(*known(one))] or unsettled
            rows = slice(reached, min(rows.stop, reached + left // len(unsettled)))
            if rows.stop - rows.start < min(policy.fewest, count - reached):
                break
        rounds.measure(unsettled, rows, own)
        reached = rows.stop
    short = {
        one: min(_wanting(policy, *known(one), wanted), count - len(rounds.full[one].loss))
        for one in (sets if budget is not None else [])
        if not _settled(policy, *known(one), wanted) and len(rounds.full[one].loss) < count
    }
    widths = [
        INTERVAL * float(np.hypot(_error(rounds.rise(one)), sensitivity[name].error * sensitivity[name].loss))
        for one in alone
        for name in one
    ]
    return TrialSize(
        available=len(request.source_samples), drawn=reached if sets else 0, most=count, wanted=wanted,
        reached=not widths or max(widths) <= wanted, widest=max(widths, default=None),
        scored=scored(), cut_off=sorted(min(one) if len(one) == 1 else "all together" for one in short),
        more=sum(short.values()) or None,
    )  # fmt: skip


def _gap(request: CauseRequest) -> tuple[float, float]:
    """Rise of the mean loss from source to target (0 where it is not known), and its error."""
    if not request.gap_is_known:
        return 0.0, 0.0
    there, here = request.target_scores.loss, request.source_scores.loss
    return max(0.0, float(there.mean() - here.mean())), float(np.hypot(_error(there), _error(here)))


def _error(values: Floats) -> float:
    return float(values.std() / np.sqrt(len(values)))


def _open(rise: Floats, doubt: float, worth: float | None) -> bool:
    """Whether the interval holds what is worth naming, so that the verdict could become either."""
    half = INTERVAL * float(np.hypot(_error(rise), doubt))
    return worth is not None and abs(float(rise.mean()) - worth) < half


def _wanting(policy: TrialPolicy, rise: Floats, doubt: float, worth: float | None, wanted: float) -> int:
    """About how many more samples settle this change."""
    enough = max(wanted, abs(float(rise.mean()) - worth) / policy.early if worth is not None else 0.0) / INTERVAL
    error = max(float(np.sqrt(max(enough**2 - doubt**2, 0.0))), policy.drowned * doubt, 1e-9)
    return max(1, round(len(rise) * ((_error(rise) / error) ** 2 - 1)))


def _settled(policy: TrialPolicy, rise: Floats, doubt: float, worth: float | None, wanted: float) -> bool:
    """Whether more samples of this change are not needed: it is precise, decided, or in doubt for another reason."""
    sampling, middle = _error(rise), float(rise.mean())
    half = INTERVAL * float(np.hypot(sampling, doubt))
    if half <= wanted or sampling < policy.drowned * doubt:
        return True
    return worth is not None and (middle - policy.early * half > worth or middle + policy.early * half < worth)


def _last_slope(parts: Floats, values: Floats) -> float:
    """Rise per whole strength over the last two steps of a dose-response curve."""
    first = max(0, len(parts) - 3)
    return float((values[-1] - values[first]) / (parts[-1] - parts[first]))
