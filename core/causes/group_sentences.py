"""Sentences about groups, such as "More of the target has light night (20 % → 61 %): the changed mix costs 6"."""

from __future__ import annotations

from dataclasses import dataclass

from shiftlens.core.results.numbers import percent, signed, with_unit
from shiftlens.core.results.results import GroupRow, Interval


@dataclass(frozen=True)
class Said:
    """What all sentences on one column need.

    Attributes:
        column: its name.
        unit: of the loss.
        points: fall of the accuracy that the results state, in points; None where it is not known.
        gap: rise of the mean loss; None where it is not known.
    """

    column: str
    unit: str
    points: float | None
    gap: float | None


def mix_sentence(said: Said, verdict: str, top: GroupRow, mix: float, ci: Interval, fall: float) -> str:
    """What the changed mix costs; ``top`` is the group that makes most of it."""
    more = "More" if top.share_target >= top.share_source else "Less"
    shares = f"{percent(top.share_source)} → {percent(top.share_target)}"
    begin = f"{more} of the target has {said.column} {top.value} ({shares})"
    if verdict == "harmful":
        cost = _points(said, fall) if fall > 0.002 else with_unit(mix, said.unit, signed)
        return f"{begin}: the changed mix of {said.column} costs {cost}."
    range_ = f"{signed(ci[0])} to {with_unit(ci[1], said.unit, signed)}"
    if verdict == "harmless":
        return f"The mix of {said.column} changed, and costs nothing worth naming ({range_})."
    return f"The mix of {said.column} changed and costs {range_}, which does not decide."


def worse_sentence(said: Said, row: GroupRow) -> str:
    """A group that became worse by more than the others."""
    begin = f"{said.column} {row.value} became worse"
    if row.accuracy_source is not None and row.accuracy_target is not None:
        begin += f" ({percent(row.accuracy_source)} → {percent(row.accuracy_target)} right)"
    elif row.rise is not None:
        begin += f" ({with_unit(row.rise, said.unit, signed)})"
    elif row.accuracy_target is not None:
        begin = (
            f"{said.column} {row.value} is worse, and the source has none of it ({percent(row.accuracy_target)} right)"
        )
    makes = row.within_accuracy if row.within_accuracy is not None and row.within_accuracy > 0.002 else None
    if makes is not None:
        return f"{begin[:1].upper()}{begin[1:]}, by more than the others: that makes {_points(said, makes)}."
    return f"{begin[:1].upper()}{begin[1:]}, by more than the others."


def _points(said: Said, part: float) -> str:
    """``6.1 of the 14 points of accuracy lost``."""
    text = f"{100 * part:.0f}" if part >= 0.1 else f"{100 * part:.1f}"
    if said.points is None or said.points < 0.5:
        return f"{text} points of accuracy"
    if 100 * part > said.points + 0.5:
        return f"{text} points of accuracy (the target lost {said.points:.0f}, other parts bring some back)"
    return f"{text} of the {said.points:.0f} points of accuracy lost"
