"""Metadata beside the samples: a table of text with a row a sample, every column of which is a candidate for groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from shiftlens.core.errors import InputError
from shiftlens.plugins.readers.class_tree import FILE_COLUMNS, Entry
from shiftlens.plugins.readers.csv_table import rows_of
from shiftlens.plugins.readers.text import readable

HELP = "table (.csv) of metadata such as camera, site or hour: a column that names the files, or a row a sample"
NAMED = 3

Texts = npt.NDArray[np.str_]


def as_groups(rows: Sequence[Mapping[str, str]]) -> dict[str, Texts]:
    """Columns ``(N,)`` of each sample's own metadata; a sample that lacks one has an empty text there."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, "") for row in rows]) for name in names}


def groups_of(entries: Sequence[Entry], path: Path | None) -> tuple[dict[str, Texts], list[str]]:
    """What the files' own places and table say, and a table of metadata beside them; and what has to be told."""
    groups = as_groups([entry.metadata for entry in entries])
    if path is None:
        return groups, []
    more, notes = beside(path, [entry.name for entry in entries], len(entries))
    return {**groups, **more}, notes


def beside(path: Path, names: Sequence[str], count: int) -> tuple[dict[str, Texts], list[str]]:
    """The columns of a table, brought into the order of the samples, and what has to be told.

    Args:
        names: of the samples, such as ``cat/001.png``; empty where they have none.
        count: of the samples.

    Raises:
        InputError: there is no such file, or its rows belong to no sample.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}; correct metadata")
    rows = rows_of(path)
    _, header = next(rows, (0, []))
    if not header:
        raise InputError(f"{path} is empty; give a header and a row for each sample")
    twice = sorted(name for name, found in Counter(header).items() if found > 1)
    if twice:
        raise InputError(f"{path} has more than one column {', '.join(twice)}; give each column its own name")
    cells = [[cell.strip() for cell in row] for _, row in rows]
    wrong = next((line for line, row in enumerate(cells, 2) if len(row) != len(header)), None)
    if wrong is not None:
        raise InputError(f"{path}, row {wrong}: {len(cells[wrong - 2])} cells, and {len(header)} columns in the header")
    column = _naming(header, cells, names)
    if column is None:
        if len(cells) != count:
            known = f" (such as {readable(names[0])})" if names else ""
            raise InputError(
                f"{path} has {len(cells)} rows for {count} samples, and no column of it names them{known}; give a "
                f"column file with the samples' names, or a row for each sample in their order"
            )
        return {name: np.array([row[i] for row in cells]) for i, name in enumerate(header)}, []
    place_of = _places([row[column] for row in cells])
    found = [_place(name, place_of) for name in names]
    notes = []
    lacking = [name for name, place in zip(names, found, strict=True) if place is None]
    if lacking:
        notes.append(
            f"{len(lacking)} of {count} samples have no row in {path.name}, such as "
            f"{', '.join(map(readable, lacking[:NAMED]))}; they are a group of their own."
        )
    unused = len(cells) - len({place for place in found if place is not None})
    if unused:
        notes.append(f"{unused} rows of {path.name} belong to no sample.")
    others = [i for i in range(len(header)) if i != column]
    return {header[i]: np.array(["" if place is None else cells[place][i] for place in found]) for i in others}, notes


def _naming(header: Sequence[str], cells: Sequence[Sequence[str]], names: Sequence[str]) -> int | None:
    """The column that names the samples, by its own name and by at least one of its cells."""
    if not names:
        return None
    spoken = [header.index(name) for guess in FILE_COLUMNS for name in header if name.lower() == guess]
    for column in spoken:
        place_of = _places([row[column] for row in cells])
        if any(_place(name, place_of) is not None for name in names):
            return column
    return None


def _keys(name: str) -> list[str]:
    """A sample's name as a table may write it: whole, without its folder, without its suffix."""
    path = PurePosixPath(name)
    return list(dict.fromkeys([name, path.name, str(path.with_suffix("")) if path.name else name, path.stem]))


def _places(files: Sequence[str]) -> dict[str, int]:
    """The row of each name; names that stand for several rows when shortened are left out."""
    found: dict[str, int] = {}
    for depth in range(4):
        level = [keys[depth] if depth < len(keys) else None for keys in map(_keys, files)]
        counts = Counter(key for key in level if key is not None)
        for place, key in enumerate(level):
            if key is not None and counts[key] == 1:
                found.setdefault(key, place)
    return found


def _place(name: str, place_of: Mapping[str, int]) -> int | None:
    return next((place_of[key] for key in _keys(name) if key in place_of), None)
