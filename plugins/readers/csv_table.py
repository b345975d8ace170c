"""Reads tables of text, such as ``.csv`` and ``.tsv``: one sample per row, a label and values in columns.

Columns are parted by comma, semicolon or tab, whichever the header has most of, or by spaces where it has none of
them. What is wrong is told with its line and its column, all mistakes at once.
"""

from __future__ import annotations

import csv
import math
import sys
from array import array
from collections.abc import Iterator, Mapping
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from pydantic import Field

from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import Proposal, Reader
from shiftlens.plugins.readers import table
from shiftlens.plugins.readers.columns import as_number, converter
from shiftlens.plugins.readers.table_proposal import Cells, propose
from shiftlens.plugins.readers.text import AS_CP1252

SUFFIXES = (".csv", ".tsv", ".tab", ".data", ".txt")
DELIMITERS = ",;\t"
LONGEST_LINE = 2**25  # characters: of a million columns and more
LOOKED_AT = 20_000  # rows by which `shiftlens init` tells what a column is

Rows = Iterator[tuple[int, list[str]]]


class Settings(table.TableSettings):
    """Settings of the csv reader."""

    path: Path = Field(description=".csv, .tsv, .txt or .data with one sample per row")
    header: bool | None = Field(
        None,
        description="whether the first line names the columns; without one they are column-0, column-1, ...; left out: "
        "it does unless it holds numbers",
    )


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
        names, rows = names_of(rows, settings.header, path)
        found = table.roles(names, settings, path)
        place_of = {name: place for place, name in enumerate(names)}
        places = [(place_of[name], converter(found.column(name))) for name in found.values]
        place_of_label = None if found.label is None else place_of[found.label]
        present: dict[str, set[str]] = {name: set() for name in settings.where}
        values, labels, lines = array("f"), [], []
        groups: dict[str, list[str]] = {name: [] for name in settings.groups}
        mistakes = table.Mistakes(path)
        for line, row in rows:
            if len(row) != len(names):
                mistakes.add(f"line {line}: {len(row)} cells, and {len(names)} columns in the header")
                continue
            if not self._wants(row, place_of, present):
                continue
            lines.append(line)
            for name, cells in groups.items():
                cells.append(row[place_of[name]])
            if place_of_label is not None:
                labels.append(sys.intern(row[place_of_label].strip()))
                if not labels[-1]:
                    mistakes.add(f"line {line}, column {found.label}: the label is missing")
            for place, convert in places:
                values.append(convert(row[place]))
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
            groups,
        )

    def _wants(self, row: list[str], place_of: dict[str, int], present: dict[str, set[str]]) -> bool:
        """Whether the filter lets a row pass; what stands in its columns is noted in ``present``."""
        cells = {name: row[place_of[name]].strip() for name in self.settings.where}
        for name, cell in cells.items():
            if len(present[name]) < table.NAMED:
                present[name].add(cell)
        return all(table.is_wanted(cells[name], wanted) for name, wanted in self.settings.where.items())


def names_of(rows: Rows, header: bool | None, path: Path) -> tuple[list[str], Rows]:
    """The names of the columns, and the rows of data.

    Raises:
        InputError: the file is empty.
    """
    line, first = next(rows, (0, []))
    if not first:
        raise InputError(f"{path} is empty; give a file with a header and a row for each sample")
    if header is False or (header is None and is_data(first)):
        return [f"column-{place}" for place in range(len(first))], chain([(line, first)], rows)
    return first, rows


def is_data(row: list[str]) -> bool:
    """Whether a row holds numbers, and not those that columns are counted with, perhaps beside a word for the label."""
    numbers = [number for cell in row if math.isfinite(number := as_number(cell))]
    if numbers == list(range(len(numbers))) or numbers == list(range(1, len(numbers) + 1)):
        return False
    if len(numbers) == len(row):
        return True
    counted = all(n == int(n) for n in numbers) and numbers == sorted(set(numbers))  # years, say
    return len(numbers) > 1 and not counted


def rows_of(path: Path) -> Rows:
    """Line number and cells of every row that is not blank, the header first; bytes that are not UTF-8 are cp1252.

    Raises:
        InputError: the file is no text, or its quotes do not close.
    """
    try:
        with path.open("rb") as raw:
            encoding = "utf-16" if raw.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        with path.open(encoding=encoding, errors=AS_CP1252, newline="") as stream:
            header = stream.readline(LONGEST_LINE)
            stream.seek(0)
            lines, delimiter = _lines(stream, path), max(DELIMITERS, key=header.count)
            if (
                delimiter not in header and len(header.split()) > 1
            ):  # columns set apart by spaces, as in the UCI archive
                lines = ("\t".join(line.split()) + "\n" for line in lines)
                delimiter = "\t"
            rows = csv.reader(lines, delimiter=delimiter, strict=True)
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


def _lines(stream: TextIO, path: Path) -> Iterator[str]:
    """The lines of a text, none of them longer than a table's can be."""
    for number in count(1):
        line = stream.readline(LONGEST_LINE)
        if not line:
            return
        if len(line) == LONGEST_LINE:
            raise InputError(
                f"{path}, line {number} is longer than {LONGEST_LINE >> 20} MB; give a file with a line for each sample"
            )
        yield line


def cells_of(path: Path) -> Cells:
    """The first rows of a file, by columns, for a look at them."""
    rows = rows_of(path)
    names, rows = names_of(rows, None, path)
    headerless = names[0] == "column-0"
    table.check_names(names, path)
    few = [row for _, row in islice(rows, LOOKED_AT) if len(row) == len(names)]
    if not few:
        raise table.no_rows(path, {}, {})
    columns = {name: [row[place].strip() for row in few] for place, name in enumerate(names)}
    return Cells(columns, len(few), headerless=headerless)


def _proposes(source: Path, target: Path) -> Proposal:
    return propose(source, target, cells_of)


def _claims(raw: Mapping[str, Any], base: Path) -> bool:
    return str(raw.get("path", "")).lower().endswith(SUFFIXES)


READER = Reader(
    name="csv",
    summary="a table of text with a header: a column of labels and columns of values",
    settings=Settings,
    build=CsvReader,
    claims=_claims,
    proposes=_proposes,
)
