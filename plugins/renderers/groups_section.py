"""The tables of groups: each column of metadata with its mix, and the groups that make most of the loss."""

from __future__ import annotations

from shiftlens.core.results.results import GroupColumn, GroupRow, Results
from shiftlens.plugins.renderers.context import GroupRowView, GroupsView
from shiftlens.plugins.renderers.words import interval, percent, signed, with_unit

SHOWN = 12
"""Groups of one column in the table."""


def groups_section(results: Results) -> tuple[GroupsView, ...]:
    return tuple(_column(column, results.loss_unit) for column in results.groups)


def _column(column: GroupColumn, unit: str) -> GroupsView:
    parts = [f"changed mix {with_unit(column.mix, unit, signed)}{interval(column.mix_ci, signed)}"]
    if column.gap is not None:
        within = f"became worse within the groups {with_unit(column.within, unit, signed)}"
        parts = [f"Rise of the mean loss {with_unit(column.gap, unit, signed)}", *parts, within]
        parts[-1] += interval(column.within_ci, signed)
    return GroupsView(
        column=column.column,
        words=tuple([*column.sentences, *column.remarks]),
        sums="; ".join(parts),
        rows=tuple(_row(row) for row in column.groups[:SHOWN]),
        more=max(0, len(column.groups) - SHOWN),
    )


def _row(row: GroupRow) -> GroupRowView:
    return GroupRowView(
        label=row.value,
        shares=f"{percent(row.share_source)} → {percent(row.share_target)}",
        source=percent(row.accuracy_source),
        target=percent(row.accuracy_target),
        source_at=None if row.accuracy_source is None else round(100 * row.accuracy_source, 1),
        target_at=None if row.accuracy_target is None else round(100 * row.accuracy_target, 1),
        mix=signed(row.mix),
        within=signed(row.within) + interval(row.within_ci, signed),
        worse=row.worse,
    )
