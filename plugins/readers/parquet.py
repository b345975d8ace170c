"""Reads Parquet tables, one sample per row, a label and values in columns. Needs pyarrow, the extra ``tables``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError
from shiftlens.core.files import check_regular
from shiftlens.core.host.kinds import Proposal, Reader
from shiftlens.core.run.memory import available
from shiftlens.plugins.readers import table
from shiftlens.plugins.readers.columns import Column, converter
from shiftlens.plugins.readers.table_proposal import Cells, propose
from shiftlens.plugins.readers.text import decoded

SUFFIXES = (".parquet", ".pq")
LOOKED_AT = 20_000  # rows by which `shiftlens init` tells what a column is
ROWS = 2**14  # that are read at once
BYTES_PER_ROW = 100  # of its name and its label, beside its values


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
        """Read the columns and the rows that are wanted, some at a time."""
        path, settings = self.settings.path, self.settings
        files = [opened(part) for part in self.files()]
        schema = files[0].schema_arrow
        found = table.roles(schema.names, settings, path, index_of(schema))
        labelled = [] if found.label is None else [found.label]
        needed = sorted({*found.values, *settings.where, *settings.groups, *labelled})
        for file in files:
            _check_types(file.schema_arrow, found, needed, path)
        check_rows(sum(file.metadata.num_rows for file in files), len(found.values), path)
        present: dict[str, set[str]] = {name: set() for name in settings.where}
        parts, places = [], []
        labels: list[str] = []
        groups: dict[str, list[str]] = {name: [] for name in settings.groups}
        before = 0
        for batch in batches(files, needed, path):
            rows = np.ones(batch.num_rows, dtype=bool)
            for name, wanted in settings.where.items():
                texts = _texts(batch.column(name))
                present[name].update(texts)
                rows &= np.array([table.is_wanted(text, wanted) for text in texts], dtype=bool)
            chosen = np.flatnonzero(rows)
            values = np.empty((len(chosen), len(found.values)), dtype=np.float32)
            for place, name in enumerate(found.values):
                with np.errstate(over="ignore"):  # what does not fit into float32 is infinite, and told below
                    values[:, place] = _numbers(batch.column(name).take(chosen), found.column(name))
            parts.append(values)
            places.append(before + chosen)
            if found.label is not None:
                labels += map(sys.intern, _texts(batch.column(found.label).take(chosen)))
            for name, texts in groups.items():
                texts += map(sys.intern, _texts(batch.column(name).take(chosen)))
            before += batch.num_rows
        if not sum(map(len, parts)):
            raise table.no_rows(path, settings.where, present)
        values, chosen = np.concatenate(parts), np.concatenate(places)
        _check(path, values, labels if found.label is not None else None, chosen, found)
        told = None if found.label is None else labels
        return table.table(values, told, [f"row {row}" for row in chosen], found, settings, groups)


def _check_types(schema: Any, found: table.Roles, needed: list[str], path: Path) -> None:
    """The columns of one file are there, and of types that can be read."""
    missing = [name for name in needed if name not in schema.names]
    if missing:
        raise InputError(f"{path}: its parts differ, one has no column {', '.join(missing)}; make or copy it again")
    for name in found.values:
        kind = _of_values(schema.field(name).type)
        if not _is_number(kind) and found.column(name).as_ == "number":
            raise InputError(
                f'{path}, column "{name}": it is of type {kind}, not of numbers; leave it out with '
                f"ignore: [{name}], or say with columns what it is (`shiftlens init` writes such a plan)"
            )
    if found.label is not None and _is_nested(schema.field(found.label).type):
        raise InputError(
            f"{path}, column {found.label}: it is of type {schema.field(found.label).type}; a sample of several labels "
            "at once cannot be judged: give one label, or name another column with label"
        )


def check_rows(rows: int, columns: int, path: Path) -> None:
    """Whether so many rows, of which a small file may tell many, have room in memory, those of the other domain beside.

    Raises:
        InputError: they have not.
    """
    there, wanted = available(), rows * (4 * columns + BYTES_PER_ROW)
    if there is not None and 2 * wanted > there:
        raise InputError(
            f"{path} has {rows:,} rows of {columns} values, which take {wanted / 2**30:.1f} GB of memory for each "
            f"domain, and {there / 2**30:.1f} GB are free; give some of the rows, evenly spread"
        )


def parts_of(path: Path) -> list[Path]:
    """The file itself, or the files of a folder.

    Raises:
        InputError: there is no such file, or no Parquet in the folder.
    """
    if not path.is_dir():
        return [check_regular(path)]
    parts = sorted(part for part in path.iterdir() if part.name.lower().endswith(SUFFIXES) and part.name[0] not in "._")
    if not parts:
        raise InputError(f"{path} is a folder without Parquet files; correct the path")
    return [check_regular(part) for part in parts]


def batches(files: list[Any], names: list[str], path: Path) -> Iterator[Any]:
    """Some columns of all files, some rows at a time."""
    import pyarrow

    try:
        for file in files:
            yield from file.iter_batches(ROWS, columns=names)
    except (pyarrow.ArrowException, OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}); make or copy it again") from None


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
        from pyarrow import float64, types

        if types.is_decimal(column.type):
            column = column.cast(float64())
        values = column.to_numpy(zero_copy_only=False).astype(np.float64)
        return values if choice.missing is None else np.where(np.isnan(values), choice.missing, values)
    convert = converter(choice)
    return np.array([convert(text) for text in _texts(column)])


def cells_of(path: Path) -> Cells:
    """The first rows as text, by columns, for a look at them."""
    files = [opened(part) for part in parts_of(path)]
    schema = files[0].schema_arrow
    table.check_names(schema.names, path)
    index = index_of(schema)
    nested = tuple(field.name for field in schema if _is_nested(field.type))
    pictures = [name for name in nested if "bytes" in _fields(schema.field(name).type)]
    if pictures:
        raise InputError(
            f"{path} holds files in its column {pictures[0]}, as Hugging Face keeps pictures and sounds; write each of "
            f"them, row[{pictures[0]!r}]['bytes'], to a file in a folder of its class, and give the folder above"
        )
    names = [name for name in schema.names if name not in index and name not in nested]
    columns: dict[str, list[str]] = {name: [] for name in names}
    rows = 0
    for batch in batches(files, names, path):
        some = batch.slice(0, LOOKED_AT - rows)
        rows += some.num_rows
        for name in names:
            columns[name] += _texts(some.column(name))
        if rows >= LOOKED_AT:
            break
    if not rows:
        raise table.no_rows(path, {}, {})
    return Cells(columns, rows, left_out=nested)


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
        file = parquet.ParquetFile(path)
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        return parquet.ParquetFile(path, read_dictionary=texts) if texts else file  # one that stands often is kept once
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} is not a readable Parquet file ({error}); make or copy it again") from None


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind))


def _of_values(kind: Any) -> Any:
    """The type of the values, where they are kept in a dictionary."""
    from pyarrow import types

    return kind.value_type if types.is_dictionary(kind) else kind


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind))


def _is_nested(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_nested(kind))


def _fields(kind: Any) -> list[str]:
    """The names of a structure's fields."""
    from pyarrow import types

    return [field.name for field in kind] if types.is_struct(kind) else []


def _texts(column: Any) -> list[str]:
    """Values as text; missing ones (null or NaN) are empty. Bytes, and texts that are no UTF-8, are read as such."""
    from pyarrow import binary, types

    if types.is_dictionary(column.type):
        known = [*_texts(column.dictionary), ""]
        return [known[-1 if place is None else place] for place in column.indices.to_pylist()]
    if types.is_string(column.type):
        column = column.cast(binary())
    return [_text(value) for value in column.to_pylist()]


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    return decoded(value) if isinstance(value, bytes) else str(value)


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
