"""Reads Parquet tables, one sample per row, a label and values in columns. Needs pyarrow, the extra ``tables``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import Proposal, Reader
from shiftlens.plugins.readers import table
from shiftlens.plugins.readers.columns import Column, converter
from shiftlens.plugins.readers.table_proposal import Cells, propose

SUFFIXES = (".parquet", ".pq")
LOOKED_AT = 20_000  # rows by which `shiftlens init` tells what a column is


class Settings(table.TableSettings):
    """Settings of the parquet reader."""

    path: Path = Field(description=".parquet with one sample per row, or a folder of such files, as Spark writes it")


class ParquetReader:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def files(self) -> list[Path]:
        """The file, or those of the folder."""
        return parts_of(self.settings.path)

    def __call__(self, scratch: Path) -> Domain:
        """Read the columns and the rows that are wanted."""
        path, settings = self.settings.path, self.settings
        files = [opened(part) for part in self.files()]
        schema = files[0].schema_arrow
        found = table.roles(schema.names, settings, path, index_of(schema))
        for name in found.values:
            kind = schema.field(name).type
            if not _is_number(kind) and found.column(name).as_ == "number":
                raise InputError(
                    f'{path}, column "{name}": it is of type {kind}, not of numbers; leave it out with '
                    f"ignore: [{name}], or say with columns what it is (`shiftlens init` writes such a plan)"
                )
        needed = {*found.values, *settings.where, *([] if found.label is None else [found.label])}
        read = joined(files, sorted(needed), path)
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
                values[:, place] = _numbers(read.column(name).take(chosen), found.column(name))
        labels = None if found.label is None else _texts(read.column(found.label).take(chosen))
        _check(path, values, labels, chosen, found)
        return table.table(values, labels, [f"row {row}" for row in chosen], found, settings)


def parts_of(path: Path) -> list[Path]:
    """The file itself, or the files of a folder.

    Raises:
        InputError: there is no such file, or no Parquet in the folder.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"there is no file {path}; correct the path")
    parts = sorted(part for part in path.iterdir() if part.name.lower().endswith(SUFFIXES) and part.name[0] not in "._")
    if not parts:
        raise InputError(f"{path} is a folder without Parquet files; correct the path")
    return parts


def joined(files: list[Any], names: list[str], path: Path) -> Any:
    """Some columns of all files, one below the other."""
    import pyarrow

    try:
        return pyarrow.concat_tables([file.read(columns=names) for file in files], promote_options="permissive")
    except (pyarrow.ArrowException, OSError, KeyError) as error:
        raise InputError(f"{path} is damaged, or its parts differ ({error}); make or copy it again") from None


def index_of(schema: Any) -> tuple[str, ...]:
    """The columns of which pandas noted that they were the index of its frame."""
    noted = (schema.metadata or {}).get(b"pandas")
    try:
        columns = json.loads(noted)["index_columns"] if noted else []
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()
    return tuple(name for name in columns if isinstance(name, str)) if isinstance(columns, list) else ()


def _numbers(column: Any, choice: Column) -> Any:
    """The values of a column ``(N,)`` as its choice says; NaN where there is none."""
    if choice.as_ in ("number", "true-false") and _is_number(column.type):
        values = column.to_numpy().astype(np.float64)
        return values if choice.missing is None else np.where(np.isnan(values), choice.missing, values)
    convert = converter(choice)
    return np.array([convert(text) for text in _texts(column)])


def cells_of(path: Path) -> Cells:
    """The first rows as text, by columns, for a look at them."""
    files = [opened(part) for part in parts_of(path)]
    schema = files[0].schema_arrow
    index = index_of(schema)
    names = [name for name in schema.names if name not in index]
    read = joined(files, names, path).slice(0, LOOKED_AT)
    return Cells({name: _texts(read.column(name)) for name in names}, read.num_rows)


def _proposes(source: Path, target: Path) -> Proposal:
    return propose(source, target, cells_of)


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
    path = str(raw.get("path", ""))
    if path.lower().rstrip("/").endswith(SUFFIXES):
        return True
    folder = base / Path(path).expanduser()
    try:
        return bool(path) and folder.is_dir() and any(p.name.lower().endswith(SUFFIXES) for p in folder.iterdir())
    except OSError:
        return False


READER = Reader(
    name="parquet",
    summary="a Parquet table: a column of labels and columns of values; needs pyarrow",
    settings=Settings,
    build=ParquetReader,
    claims=_claims,
    proposes=_proposes,
)
