"""A plan as plain values, and back: what plan.yaml of a run holds, for the stages that make the changes again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from shiftlens.core.causes.changes import ActiveFactor, Change, Plan
from shiftlens.core.errors import InputError

STRENGTHS = ("offset", "slope", "spread", "middle", "skew")


def change_as_values(change: Change) -> dict[str, Any]:
    """One change: its factor, the unit, and the numbers of `Change` to ten significant digits."""
    strengths = {field: float(f"{getattr(change, field):.10g}") for field in STRENGTHS}
    variant = {"variant": change.factor.variant} if change.factor.discrete else {}
    return {"factor": change.name, **variant, "unit": change.factor.description.unit, **strengths}


def plan_as_values(plan: Plan, verdicts: Mapping[str, str]) -> dict[str, Any]:
    """The whole plan, each change with its verdict, in the order in which the changes are made."""
    return {
        "what": "the changes that turn the source into the target, in this order, with what each was found to be",
        "changes": [{**change_as_values(change), "verdict": verdicts[change.name]} for change in plan],
    }


def plan_of_values(values: Mapping[str, Any], factors: Sequence[ActiveFactor], where: str) -> Plan:
    """The changes that `plan_as_values` or augmentation.yaml holds, with the factors of this analysis.

    Raises:
        InputError: the values hold no changes, or one names a factor that is not among ``factors``.
    """
    if not _holds_changes(values):
        raise InputError(
            f"{where} is not as the trial wrote it; do the trial again: `shiftlens run CONFIG --from trial`"
        )
    by_name = {factor.name: factor for factor in factors}
    missing = sorted({change["factor"] for change in values["changes"]} - by_name.keys())
    if missing:
        raise InputError(f"{where} names factors that are not installed here: {', '.join(missing)}")
    return tuple(
        Change(_as_told(by_name[c["factor"]], c, where), *(float(c[field]) for field in STRENGTHS))
        for c in values["changes"]
    )


def _as_told(factor: ActiveFactor, change: Mapping[str, Any], where: str) -> ActiveFactor:
    """The factor, of a discrete one with its variant."""
    if not factor.discrete:
        return factor
    told = factor.as_variant(str(change.get("variant", "")))
    if told.chosen is None:
        raise InputError(f"{where} names a variant of {factor.name} that is not installed here: {told.variant!r}")
    return told


def _holds_changes(values: Mapping[str, Any]) -> bool:
    """Whether these are changes as `change_as_values` gives them, whatever stands beside them."""
    changes = values.get("changes")
    return isinstance(changes, list) and all(
        isinstance(change, dict)
        and isinstance(change.get("factor"), str)
        and all(isinstance(change.get(field), int | float) and math.isfinite(change[field]) for field in STRENGTHS)
        for change in changes
    )
