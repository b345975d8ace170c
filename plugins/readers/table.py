"""What the readers of tables share: which column holds the label, which hold values, which rows are wanted."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from shiftlens.core.arrays import FloatArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError, near_miss
from shiftlens.core.host.kinds import ComponentSettings
from shiftlens.plugins.readers.columns import INDEX, MISSING, Column, Kind

logger = logging.getLogger("shiftlens")

LABELS = ("label", "class", "y", "target")
"""Names that are taken for the label's column, in any case, the first one that is there."""
NAMED = 10  # mistakes that are listed in one message
LISTED = 40  # columns that are
MOST_COMPARED = 2000  # columns that a misspelt name is compared with
MOST_OF_LABELS = 2**30  # bytes of labels, each as long as the longest

Wanted = str | int | float | bool


class TableSettings(ComponentSettings):
    """Settings of the readers of tables."""

    label: str | None = Field(
        None, description="name of the column of labels; left out: label, class, y or target, where there is one"
    )
    columns: tuple[str, ...] | dict[str, Kind | Column] | None = Field(
        None,
        description="the columns of values, in their order: a list of names, or a plan that says what each is, as "
        "`shiftlens init` writes it, e.g. {age: number, member: true-false, since: date, city: {as: category, values: "
        "[Bern, Rome]}, income: {as: number, missing: 40.5}}; left out: all others, as numbers",
    )
    groups: tuple[str, ...] = Field(
        (), description="names of columns of metadata, such as camera or site, to be looked at as groups; no values"
    )
    ignore: tuple[str, ...] = Field((), description="names of columns that are no values, such as an id or a date")
    kind: Literal["tabular", "series"] = Field(
        "tabular", description="tabular: each row is a vector; series: the columns are the time steps of one channel"
    )
    where: dict[str, Wanted] = Field(
        default_factory=dict,
        description="only the rows with these values, e.g. {split: train}: one file can hold both domains",
    )


@dataclass(frozen=True)
class Roles:
    """What each column of a table is used for, by name."""

    label: str | None
    values: tuple[str, ...]
    plan: Mapping[str, Column] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """What a column of values is."""
        return self.plan.get(name, Column())


def roles(names: Sequence[str], settings: TableSettings, path: Path, index: Sequence[str] = ()) -> Roles:
    """Find the columns that the settings speak of.

    Args:
        index: columns of which the file itself says that they count its rows.

    Raises:
        InputError: a column is not there, is there twice, or none is left for the values.
    """
    check_names(names, path)
    known = set(names)
    plan = _plan(settings)
    spoken_of: dict[str, Iterable[str]] = {
        "label": [settings.label] if settings.label else [],
        "columns": [name for name in settings.columns or () if plan.get(name, Column()).as_ != "ignore"],
        "groups": settings.groups,
        "ignore": settings.ignore,
        "where": settings.where,
    }
    for setting, wanted in spoken_of.items():
        for name in wanted:
            if name not in known:
                near = near_miss(name, names[:MOST_COMPARED])
                raise InputError(
                    f'{path} has no column "{name}", which the setting {setting} names; {near}'
                    f"there are: {_listed(filter(None, names))}"
                )
    label = settings.label or _guessed_label(names, settings, path)
    notes: list[str] = []
    if settings.columns is not None:
        values = tuple(name for name in settings.columns if plan.get(name, Column()).as_ != "ignore")
    else:
        taken = {label, *settings.groups, *settings.ignore, *settings.where}
        counters = [name for name in names if name not in taken and (INDEX.fullmatch(name) or name in index)]
        if counters:
            notes.append(f"{_quoted(counters)} in {path} counts the rows, is no value, and is left out.")
        taken |= {*counters}
        values = tuple(name for name in names if name not in taken)
    if label in values:
        raise InputError(f'{path}: the column "{label}" is named as a label and as a value; take it out of columns')
    if not values:
        raise InputError(f"{path} has no columns of values, only {_listed(names)}; name them with columns")
    return Roles(label, values, plan, tuple(notes))


def check_names(names: Sequence[str], path: Path) -> None:
    """Every column that has a name has its own.

    Raises:
        InputError: some have not.
    """
    twice = sorted(name for name, count in Counter(names).items() if name and count > 1)
    if twice:
        raise InputError(f"{path} has more than one column {_quoted(twice)}; give each column its own name")


def _plan(settings: TableSettings) -> dict[str, Column]:
    """What the settings say of each column."""
    if not isinstance(settings.columns, dict):
        return {}
    return {
        name: column if isinstance(column, Column) else Column(as_=column) for name, column in settings.columns.items()
    }


def _guessed_label(names: Sequence[str], settings: TableSettings, path: Path) -> str | None:
    spoken_of = {*(settings.columns or ()), *settings.groups, *settings.ignore}
    free = [name for name in names if name not in spoken_of]
    for guess in LABELS:
        for name in free:
            if name.lower() == guess:
                return name
    logger.warning(
        "%s has no column %s, so its samples count as unlabelled; if another one holds the labels, say so with "
        "label: NAME",
        path,
        " or ".join(LABELS),
    )
    return None


def table(
    values: FloatArray,
    labels: Sequence[str] | None,
    names: Sequence[str],
    found: Roles,
    settings: TableSettings,
    groups: Mapping[str, Sequence[str]],
) -> Domain:
    """The domain of values ``(N, F)`` float32, all finite, with labels, names of the rows, and metadata by column."""
    series = settings.kind == "series"
    stored = values[:, None, :] if series else values  # (N, 1, T) or (N, F)
    return Domain(
        stored=stored,
        sample_shape=stored.shape[1:],
        kind=settings.kind,
        labels=None if labels is None else _as_labels(labels, found.label),
        names=tuple(names),
        columns=() if series else found.values,
        groups={name: np.array([cell.strip() for cell in cells]) for name, cells in groups.items()},
        categories=_categories(found),
        notes=found.notes,
    )


def _categories(found: Roles) -> dict[str, tuple[str, ...]]:
    return {name: found.column(name).values or () for name in found.values if found.column(name).as_ == "category"}


def _as_labels(labels: Sequence[str], column: str | None) -> npt.NDArray[np.str_]:
    """Labels as strings; whole numbers written as broken ones (``1.0``) are the same as ``1``."""
    plain = {label: re.sub(r"^(-?\d+)\.0+$", r"\1", label) for label in set(labels)}
    longest = max(map(len, plain.values()))
    if 4 * longest * len(labels) > MOST_OF_LABELS:
        raise InputError(
            f"the column {column} holds texts of up to {longest} characters in {len(labels)} rows; is it the one of "
            "the labels? Name that one with label: NAME"
        )
    return np.array([plain[label] for label in labels])


def is_wanted(found: str, wanted: Wanted) -> bool:
    """Whether the text of a cell is the value that ``where`` asks for: as text, or as a number."""
    if isinstance(wanted, bool):
        return found.strip().lower() == str(wanted).lower()
    if found.strip() == str(wanted):
        return True
    try:
        return not isinstance(wanted, str) and float(found) == wanted
    except ValueError:
        return False


def no_rows(path: Path, where: dict[str, Wanted], present: dict[str, set[str]]) -> InputError:
    """The error for a filter that leaves nothing."""
    if not where:
        return InputError(f"{path} holds no rows of data; give a file with a header and a row for each sample")
    held = "; ".join(f"{name} holds {', '.join(sorted(values)[:NAMED])}" for name, values in present.items() if values)
    asked = " and ".join(f"{name}: {value}" for name, value in where.items())
    return InputError(f"{path} has no row with {asked}{' (' + held + ')' if held else ''}; correct where")


class Mistakes:
    """The cells of one file that cannot be used: how many, and the first few in words."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self.total = 0

    def add(self, text: str) -> None:
        """Count one cell: where it is, and what is wrong with it."""
        self.total += 1
        if len(self.lines) < NAMED:
            self.lines.append(text)

    def check(self) -> None:
        """Raise an `InputError` that names them, if there are any."""
        if not self.total:
            return
        cells = "1 cell" if self.total == 1 else f"{self.total} cells"
        more = [f"and {self.total - len(self.lines)} more"] if self.total > len(self.lines) else []
        raise InputError(
            f"{self.path} has {cells} that cannot be used; fill or correct them, leave the rows out, name columns "
            "that are no values with ignore, or say with columns what they are (`shiftlens init` writes such a plan):"
            "\n  " + "\n  ".join(self.lines + more)
        )


def wrong_number(text: str) -> str:
    """What is wrong with a cell that is not a finite number in float32."""
    text = text.strip()
    if text.lower() in MISSING:
        return f"the value is missing ({text})" if text else "the value is missing"
    try:
        float(text)
    except ValueError:
        return f'"{text}" is not a number'
    return f"{text} is infinite, or too large"


def _quoted(names: Iterable[Any]) -> str:
    return _listed(f'"{name}"' for name in names)


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
