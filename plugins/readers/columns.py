"""The column plan: what each column of a table is, and how its cells become numbers.

A plan stands under ``columns`` in a reader's settings, and `shiftlens init` writes it from a look at both files. The
same plan must stand in the settings of both domains, so that a category has the same number in both.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import ConfigDict, Field

from shiftlens.core.host.kinds import ComponentSettings

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-", "<na>", "nat", "#n/a"})
TRUE, FALSE = frozenset({"true", "t", "yes", "y"}), frozenset({"false", "f", "no", "n"})
INDEX = re.compile(r"unnamed: ?\d+|__index_level_\d+__|level_\d+|", re.IGNORECASE)
"""Names that pandas gives to a row counter which was saved along; an empty one, too."""
COUNTER = re.compile(
    r"(row|record|sample|customer|user|passenger)?[ _-]?(id|index|idx|nr|no|number|key|#)", re.IGNORECASE
)
THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?")
MOST_CATEGORIES = 200
DAY = datetime.datetime(1970, 1, 1)
DATES = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%m/%d/%Y")

Kind = Literal["number", "true-false", "category", "date", "ignore"]


class Column(ComponentSettings):
    """What one column is."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    as_: Kind = Field(
        "number",
        alias="as",
        description="number; true-false: 1 and 0; category: the place in values; date: days since 1970; ignore",
    )
    missing: float | None = Field(
        None, allow_inf_nan=False, description="the number for an empty cell; left out: an empty cell is a mistake"
    )
    values: tuple[str, ...] | None = Field(None, description="the categories, in the order of their numbers 0, 1, ...")
    decimal: Literal[".", ","] = Field(".", description="what parts whole from broken numbers")


Convert = Callable[[str], float]
"""A cell to its number; NaN where it has none."""


def converter(column: Column) -> Convert:
    """How the cells of one column become numbers."""
    ways: dict[str, Convert] = {
        "number": number_with(column.decimal),
        "true-false": truth,
        "category": _places(column.values or ()),
        "date": days,
        "ignore": lambda cell: 0.0,
    }
    of = ways[column.as_]
    if column.missing is None:
        return of
    filled = column.missing
    return lambda cell: filled if is_missing(cell) else of(cell)


def is_missing(cell: str) -> bool:
    """Whether a cell holds what tools write for nothing."""
    return cell.strip().lower() in MISSING


def number_with(decimal: str) -> Convert:
    """Numbers with a point, or with a comma and perhaps points between thousands."""
    return as_number if decimal == "." else _with_comma


def _with_comma(cell: str) -> float:
    text = cell.strip()
    if "." in text and not THOUSANDS.fullmatch(text):
        return math.nan
    return as_number(text.replace(".", "").replace(",", "."))


def as_number(cell: str) -> float:
    """The number in a cell, True and False being 1 and 0; NaN where there is none, infinite beyond float32."""
    try:
        number = float(cell)
    except ValueError:
        word = cell.strip().lower()
        return 1.0 if word == "true" else 0.0 if word == "false" else math.nan
    return number if abs(number) < 3.4e38 else math.inf


def truth(cell: str) -> float:
    """1 for true or yes, 0 for false or no, and numbers as they are."""
    word = cell.strip().lower()
    return 1.0 if word in TRUE else 0.0 if word in FALSE else as_number(cell)


def days(cell: str) -> float:
    """Days since 1970-01-01; NaN for what is no date."""
    text = cell.strip()
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        found = next((d for form in DATES if (d := _parsed(text, form)) is not None), DAY.replace(year=1))
    if found.year == 1:
        return math.nan
    return (found.replace(tzinfo=None) - DAY).total_seconds() / 86400


def _parsed(text: str, form: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.strptime(text, form)
    except ValueError:
        return None


def _places(values: Sequence[str]) -> Convert:
    places = {value: float(place) for place, value in enumerate(values)}
    return lambda cell: places.get(cell.strip(), math.nan)


def guess(name: str, source: Sequence[str], target: Sequence[str]) -> tuple[Column, Column, str]:
    """What a column is in the source and in the target, by its cells in both; and why (empty for plain numbers)."""
    present = {role: [c for c in cells if not is_missing(c)] for role, cells in (("s", source), ("t", target))}
    both = [*present["s"], *present["t"]]
    missing = len(source) + len(target) - len(both)
    gaps = f"{missing} of {len(source) + len(target)} cells are empty" if missing else ""
    if INDEX.fullmatch(name) or not both:
        why = "a row counter that was saved along" if both else "it holds nothing"
        return Column(as_="ignore"), Column(as_="ignore"), why
    decimals = {role: _decimal(cells) for role, cells in present.items()}
    if None in decimals.values():
        kind: Kind = "true-false" if _all(both, truth) else "date"
        of: dict[str, Convert] = {"s": truth, "t": truth} if kind == "true-false" else {"s": days, "t": days}
        if not all(_all(cells, of[role]) for role, cells in present.items()):
            column, why = _guessed_category(source, target, gaps)
            return column, column, why
        decimals = {"s": ".", "t": "."}
    else:
        kind = "true-false" if {cell.strip().lower() for cell in both} <= {"true", "false"} else "number"
        of = {role: number_with(str(decimal)) for role, decimal in decimals.items()}
    numbers = [of["s"](cell) for cell in present["s"]] or [of["t"](cell) for cell in present["t"]]
    if kind == "number" and COUNTER.fullmatch(name.strip()) and _counts(numbers):
        return Column(as_="ignore"), Column(as_="ignore"), "a row counter: whole numbers, each once"
    middle = sorted(numbers)[len(numbers) // 2]
    notes = [
        gaps and f"{gaps}, which become {middle:g}, the middle value of the source",
        {"true-false": "true and false become 1 and 0", "date": "dates become days since 1970"}.get(kind, ""),
        "its numbers have a decimal comma" if "," in decimals.values() else "",
    ]
    filled = middle if missing else None
    here, there = (Column(as_=kind, missing=filled, decimal=decimals[role]) for role in ("s", "t"))
    return here, there, "; ".join(note for note in notes if note)


def _decimal(cells: Sequence[str]) -> str | None:
    """What parts whole from broken numbers in these cells; None where some are no numbers."""
    return next((mark for mark in (".", ",") if _all(cells, number_with(mark))), None)


def _all(cells: Sequence[str], of: Convert) -> bool:
    return all(math.isfinite(of(cell)) for cell in cells)


def _guessed_category(source: Sequence[str], target: Sequence[str], gaps: str) -> tuple[Column, str]:
    """Text: a category, or too many different ones to be one."""
    here, there = ({cell.strip() for cell in cells if not is_missing(cell)} for cells in (source, target))
    values = (*sorted(here), *sorted(there - here))
    if len(values) > min(MOST_CATEGORIES, max(2, len(source) // 2)):
        return Column(as_="ignore"), f"text of {len(values)} different values, too many to be categories"
    notes = [f"text of {len(values)} values, which become 0 to {len(values) - 1} in this order"]
    if there - here:
        notes.append(f"only in the target: {', '.join(sorted(there - here)[:5])}")
    missing = float(len(values)) if gaps else None
    if gaps:
        notes.append(f"{gaps}, which become {len(values)}")
    return Column(as_="category", values=values, missing=missing), "; ".join(notes)


def _counts(numbers: Sequence[float]) -> bool:
    """Whether these are whole numbers, each once."""
    return len(numbers) > 2 and len(set(numbers)) == len(numbers) and all(n == int(n) for n in numbers)
