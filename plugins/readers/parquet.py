"""Reads Parquet tables, one sample per row, a label and values in columns. Needs pyarrow, the extra ``tables``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import Reader
from shiftlens.plugins.readers import table

SUFFIXES = (".parquet", ".pq")


class Settings(table.TableSettings):
    """Settings of the parquet reader."""

    path: Path = Field(description=".parquet with one sample per row")


class ParquetReader:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def files(self) -> list[Path]:
        """The file."""
        if not self.settings.path.is_file():
            raise InputError(f"there is no file {self.settings.path}; correct the path")
        return [self.settings.path]

    def __call__(self, scratch: Path) -> Domain:
        """Read the columns and the rows that are wanted."""
        (path,) = self.files()
        settings = self.settings
        file = opened(path)
        found = table.roles(file.schema_arrow.names, settings, path)
        for name in found.values:
            kind = file.schema_arrow.field(name).type
            if not _is_number(kind):
                raise InputError(
                    f'{path}, column "{name}": it is of type {kind}, not of numbers; leave it out with ignore: [{name}]'
                )
        needed = {*found.values, *settings.where, *([] if found.label is None else [found.label])}
        try:
            read = file.read(columns=sorted(needed))
        except OSError as error:
            raise InputError(f"{path} is damaged ({error}); make or copy it again") from None
        rows = np.ones(read.num_rows, dtype=bool)
        present: dict[str, set[str]] = {}
        for name, wanted in settings.where.items():
            texts = _texts(read.column(name))
            present[name] = set(texts)
            rows &= np.array([table.is_wanted(text, wanted) for text in texts], dtype=bool)
        chosen = np.flatnonzero(rows)
        if not len(chosen):
            raise table.no_rows(path, settings.where, present)
        values = np.empty((len(chosen), len(found.values)), dtype=np.float32)
        for place, name in enumerate(found.values):
            with np.errstate(over="ignore"):  # what does not fit into float32 is infinite, and told below
                values[:, place] = read.column(name).to_numpy()[chosen]
        labels = None if found.label is None else _texts(read.column(found.label).take(chosen))
        _check(path, values, labels, chosen, found)
        return table.table(values, labels, [f"row {row}" for row in chosen], found, settings)


def opened(path: Path) -> Any:
    """The file by pyarrow.

    Raises:
        InputError: pyarrow is missing, or the file is no Parquet.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(f"{path}: reading Parquet needs pyarrow: pip install 'shiftlens[tables]'") from None
    try:
        return parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path} is not a readable Parquet file ({error}); make or copy it again") from None


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _texts(column: Any) -> list[str]:
    """Values as text; missing ones (null or NaN) are empty."""
    return ["" if value is None or value != value else str(value) for value in column.to_pylist()]


def _check(path: Path, values: FloatArray, labels: list[str] | None, rows: IntArray, found: table.Roles) -> None:
    """Every value is a finite number, and every label is there."""
    mistakes = table.Mistakes(path)
    if labels is not None:
        for place, label in enumerate(labels):
            if not label:
                mistakes.add(f"row {rows[place]}, column {found.label}: the label is missing")
    for row, place in np.argwhere(~np.isfinite(values)):
        what = "the value is missing (null or NaN)" if np.isnan(values[row, place]) else "infinite, or too large"
        mistakes.add(f"row {rows[row]}, column {found.values[place]}: {what}")
    mistakes.check()


def _claims(raw: Mapping[str, Any], base: Path) -> bool:
    return str(raw.get("path", "")).lower().endswith(SUFFIXES)


READER = Reader(
    name="parquet",
    summary="a Parquet table: a column of labels and columns of values; needs pyarrow",
    settings=Settings,
    build=ParquetReader,
    claims=_claims,
)
