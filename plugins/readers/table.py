"""What the readers of tables share: which column holds the label, which hold values, which rows are wanted."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from shiftlens.core.arrays import FloatArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError, near_miss
from shiftlens.core.host.kinds import ComponentSettings

logger = logging.getLogger("shiftlens")

LABELS = ("label", "class", "y", "target")
"""Names that are taken for the label's column, in any case, the first one that is there."""
NAMED = 10  # mistakes that are listed in one message

Wanted = str | int | float | bool


class TableSettings(ComponentSettings):
    """Settings of the readers of tables."""

    label: str | None = Field(
        None, description="name of the column of labels; left out: label, class, y or target, where there is one"
    )
    columns: tuple[str, ...] | None = Field(None, description="names of the columns of values; left out: all others")
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


def roles(names: Sequence[str], settings: TableSettings, path: Path) -> Roles:
    """Find the columns that the settings speak of.

    Raises:
        InputError: a column is not there, is there twice, or none is left for the values.
    """
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise InputError(f"{path} has more than one column {_quoted(twice)}; give each column its own name")
    spoken_of: dict[str, Iterable[str]] = {
        "label": [settings.label] if settings.label else [],
        "columns": settings.columns or (),
        "ignore": settings.ignore,
        "where": settings.where,
    }
    for setting, wanted in spoken_of.items():
        for name in wanted:
            if name not in names:
                raise InputError(
                    f'{path} has no column "{name}", which the setting {setting} names; {near_miss(name, names)}'
                    f"there are: {', '.join(filter(None, names))}"
                )
    label = settings.label or _guessed_label(names, settings, path)
    taken = {label, *settings.ignore, *settings.where, ""}  # a column without a name is a counter that was saved along
    values = settings.columns or tuple(name for name in names if name not in taken)
    if label in values:
        raise InputError(f'{path}: the column "{label}" is named as a label and as a value; take it out of columns')
    if not values:
        raise InputError(f"{path} has no columns of values, only {', '.join(names)}; name them with columns")
    return Roles(label, values)


def _guessed_label(names: Sequence[str], settings: TableSettings, path: Path) -> str | None:
    free = [name for name in names if name not in (*(settings.columns or ()), *settings.ignore)]
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
    values: FloatArray, labels: Sequence[str] | None, names: Sequence[str], found: Roles, settings: TableSettings
) -> Domain:
    """The domain of values ``(N, F)`` float32, all finite, with their labels and the names of the rows."""
    series = settings.kind == "series"
    stored = values[:, None, :] if series else values  # (N, 1, T) or (N, F)
    return Domain(
        stored=stored,
        sample_shape=stored.shape[1:],
        kind=settings.kind,
        labels=None if labels is None else _as_labels(labels),
        names=tuple(names),
        columns=() if series else found.values,
    )


def _as_labels(labels: Sequence[str]) -> npt.NDArray[np.str_]:
    """Labels as strings; whole numbers written as broken ones (``1.0``) are the same as ``1``."""
    return np.array([re.sub(r"^(-?\d+)\.0+$", r"\1", label) for label in labels])


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
            f"{self.path} has {cells} that cannot be used; fill or correct them, leave the rows out, or name columns "
            "that are no values with ignore:\n  " + "\n  ".join(self.lines + more)
        )


def wrong_number(text: str) -> str:
    """What is wrong with a cell that is not a finite number in float32."""
    text = text.strip()
    if text.lower() in ("", "na", "n/a", "nan", "null", "none", "?"):
        return f"the value is missing ({text})" if text else "the value is missing"
    try:
        float(text)
    except ValueError:
        return f'"{text}" is not a number'
    return f"{text} is infinite, or too large"


def _quoted(names: Iterable[Any]) -> str:
    return ", ".join(f'"{name}"' for name in names)
