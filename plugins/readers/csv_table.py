"""Reads tables of text: ``.csv`` and ``.tsv`` with a header, one sample per row, a label and values in columns.

Columns are parted by comma, semicolon or tab, whichever the header has most of. What is wrong is told with its line
and its column, all mistakes at once.
"""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import Reader
from shiftlens.plugins.readers import table

SUFFIXES = (".csv", ".tsv")
DELIMITERS = ",;\t"


class Settings(table.TableSettings):
    """Settings of the csv reader."""

    path: Path = Field(description=".csv or .tsv with a header and one sample per row")


class CsvReader:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def files(self) -> list[Path]:
        """The file."""
        if not self.settings.path.is_file():
            raise InputError(f"there is no file {self.settings.path}; correct the path")
        return [self.settings.path]

    def __call__(self, scratch: Path) -> Domain:
        """Read all rows that are wanted."""
        (path,) = self.files()
        settings = self.settings
        rows = rows_of(path)
        _, names = next(rows, (0, []))
        if not names:
            raise InputError(f"{path} is empty; give a file with a header and a row for each sample")
        found = table.roles(names, settings, path)
        places = [names.index(name) for name in found.values]
        place_of_label = None if found.label is None else names.index(found.label)
        present: dict[str, set[str]] = {name: set() for name in settings.where}
        values, labels, lines = array("f"), [], []
        mistakes = table.Mistakes(path)
        for line, row in rows:
            if len(row) != len(names):
                mistakes.add(f"line {line}: {len(row)} cells, and {len(names)} columns in the header")
                continue
            if not self._wants(row, names, present):
                continue
            lines.append(line)
            if place_of_label is not None:
                labels.append(row[place_of_label].strip())
                if not labels[-1]:
                    mistakes.add(f"line {line}, column {found.label}: the label is missing")
            for place in places:
                values.append(as_number(row[place]))
                if not math.isfinite(values[-1]):
                    mistakes.add(f"line {line}, column {names[place]}: {table.wrong_number(row[place])}")
        mistakes.check()
        if not lines:
            raise table.no_rows(path, settings.where, present)
        return table.table(
            np.frombuffer(values, dtype=np.float32).reshape(len(lines), len(places)),
            labels if found.label is not None else None,
            [f"line {line}" for line in lines],
            found,
            settings,
        )

    def _wants(self, row: list[str], names: list[str], present: dict[str, set[str]]) -> bool:
        """Whether the filter lets a row pass; what stands in its columns is noted in ``present``."""
        cells = {name: row[names.index(name)].strip() for name in self.settings.where}
        for name, cell in cells.items():
            if len(present[name]) < table.NAMED:
                present[name].add(cell)
        return all(table.is_wanted(cells[name], wanted) for name, wanted in self.settings.where.items())


def rows_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every row that is not blank, the header first.

    Raises:
        InputError: the file is no text, or its quotes do not close.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline()
            stream.seek(0)
            rows = csv.reader(stream, delimiter=max(DELIMITERS, key=header.count), strict=True)
            first = True
            for row in rows:
                if any(cell.strip() for cell in row):
                    yield rows.line_num, [cell.strip() for cell in row] if first else row
                    first = False
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error.reason}); save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num}: {error}; save it again as CSV") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def as_number(cell: str) -> float:
    """The number in a cell; NaN where there is none, infinite beyond float32."""
    try:
        number = float(cell)
    except ValueError:
        return math.nan
    return number if abs(number) < 3.4e38 else math.inf


def _claims(raw: Mapping[str, Any], base: Path) -> bool:
    return str(raw.get("path", "")).lower().endswith(SUFFIXES)


READER = Reader(
    name="csv",
    summary="a table of text with a header: a column of labels and columns of values",
    settings=Settings,
    build=CsvReader,
    claims=_claims,
)
