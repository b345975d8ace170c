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
    return {"factor": change.name, "unit": change.factor.description.unit, **strengths}


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
    return tuple(Change(by_name[c["factor"]], *(float(c[field]) for field in STRENGTHS)) for c in values["changes"])


def _holds_changes(values: Mapping[str, Any]) -> bool:
    """Whether these are changes as `change_as_values` gives them, whatever stands beside them."""
    changes = values.get("changes")
    return isinstance(changes, list) and all(
        isinstance(change, dict)
        and isinstance(change.get("factor"), str)
        and all(isinstance(change.get(field), int | float) and math.isfinite(change[field]) for field in STRENGTHS)
        for change in changes
    )
