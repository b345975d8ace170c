"""Files in one folder per class, ``class-name/file``, as deep below as they stand; or named by a table beside them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from shiftlens.core.errors import InputError
from shiftlens.plugins.readers.csv_table import rows_of
from shiftlens.plugins.readers.text import readable

TABLES = ("labels.csv", "metadata.csv", "annotations.csv")
"""Names of the tables that name files and labels, the first one that is there."""
FILE_COLUMNS = ("file", "file_name", "filename", "path", "image", "image_id", "img", "id", "name", "sound", "audio")
LABEL_COLUMNS = ("label", "labels", "class", "class_name", "category", "target", "y")
SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing", "dev", "eval", "holdout"})
"""Folder names, in any case, that mean a part of a data set and not a class."""
ALL, NONE = "all", "none"
FOLDER = "folder"
"""What the folders between class and file are called as a column of metadata: ``cat/site-a/001.png``."""
NAMED = 20  # mistakes, or files that are left out, that are listed in one message


@dataclass(frozen=True)
class Entry:
    """One file: where it is, its name below the root, its class (empty in a flat folder), and its metadata.

    Metadata are the other columns of the table that names the files, or the folders between class and file.
    """

    path: Path
    name: str
    label: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tree:
    """The files of a folder, and how many others of which suffix stand among them."""

    entries: list[Entry]
    left_out: Counter[str] = field(default_factory=Counter)

    def notes(self, root: Path, what: str) -> list[str]:
        """What was left out, in a sentence."""
        if not self.left_out:
            return []
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in self.left_out.most_common(8))
        total = sum(self.left_out.values())
        return [f"{total} files in {readable(str(root))} are no {what} that can be read, and are left out: {kinds}."]


def entries(root: Path, suffixes: tuple[str, ...], what: str, otherwise: str = "", split: str | None = None) -> Tree:
    """All files with these suffixes, class by class, each class in the order of the names.

    Args:
        what: what they are called in messages, in the plural.
        otherwise: what else the folder might hold, as the end of the advice.
        split: which part of a data set is read, where its folders stand above those of the classes.

    Raises:
        InputError: no such folder, no such files, files beside the class folders, or parts of a data set and no word
            about which is meant.
    """
    if not root.is_dir():
        problem = "is a file, not a folder" if root.is_file() else "does not exist"
        raise InputError(f"{root} {problem}; give a folder that holds one folder of {what} per class{otherwise}")
    table = table_of(root)
    if table is not None:
        return Tree(_named_files(root, table, suffixes, what))
    found, left_out = [], Counter[str]()
    for path in _walk(root, ()):
        if path.is_symlink() and not path.exists():
            left_out["links that lead nowhere"] += 1
            continue
        if not path.name.lower().endswith(suffixes):
            left_out[path.suffix.lower() or "without a suffix"] += 1
            continue
        parts = path.relative_to(root).parts
        found.append((path, parts))
    splits = splits_of([parts for _, parts in found])
    if split is None and splits:
        raise InputError(
            f"{root} holds the folders {', '.join(splits)}, which look like parts of a data set, not like classes; "
            f"say which one is meant with split: {splits[0]} in the reader's settings, split: {ALL} for all of them, "
            f"or split: {NONE} if they are the classes"
        )
    if split not in (None, NONE):
        found = [(path, parts) for path, parts in found if len(parts) > 1 and split in (ALL, parts[0])]
        if not found:
            raise InputError(f"{root} holds no folder {split} with {what}; correct split")
    depth = 0 if split in (None, NONE) else 1
    made = [
        Entry(path, readable("/".join(parts)), readable(parts[depth]) if len(parts) > depth + 1 else "", below)
        for path, parts in found
        for below in [{FOLDER: readable("/".join(parts[depth + 1 : -1]))} if len(parts) > depth + 2 else {}]
    ]
    flat = [entry for entry in made if not entry.label]
    if flat and len(flat) < len(made):
        raise InputError(
            f"{root} holds {len(flat)} {what} beside its class folders (such as {flat[0].name}); move them into a "
            "class folder, or away"
        )
    if not made:
        others = f"; it holds {', '.join(f'{n} {s}' for s, n in left_out.most_common(5))}" if left_out else ""
        raise InputError(
            f"{root} holds no {what} ({', '.join(suffixes)}){others}; give a folder that holds one folder per class"
            f"{otherwise}"
        )
    return Tree(made, left_out)


def table_of(root: Path) -> Path | None:
    """The table that names the files, where there is one; beside class folders, only one that is called labels.csv."""
    names = TABLES if not any(entry.is_dir() for entry in os.scandir(root)) else TABLES[:1]
    return next((root / name for name in names if (root / name).is_file()), None)


def splits_of(found: list[tuple[str, ...]]) -> list[str]:
    """The folders at the top that are parts of a data set: all of them are, and each holds class folders."""
    tops = sorted({parts[0] for parts in found if len(parts) > 1})
    if not tops or any(top.lower() not in SPLITS for top in tops):
        return []
    return tops if all(len(parts) > 2 for parts in found) else []


def holds(raw: Mapping[str, Any], base: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether the ``path`` of raw settings is a folder with at least one such file: what a reader's ``claims`` asks."""
    root = base / Path(str(raw.get("path", ""))).expanduser()
    try:
        if "path" not in raw or not root.is_dir():
            return False
        return any(islice(files_of(root, suffixes), 1))
    except OSError:
        return False


def files_of(root: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The files below a folder that have one of these suffixes."""
    return (path for path in _walk(root, ()) if path.name.lower().endswith(suffixes))


def _walk(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    """Files below a folder in the order of their names, but hidden ones; a link to a folder above is not entered."""
    here = os.path.realpath(folder)
    if here in above:
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if _is(entry.is_dir):
            yield from _walk(Path(entry.path), (*above, here))
        elif _is(entry.is_file) or entry.is_symlink():  # a pipe or a socket would be waited for, for ever
            yield Path(entry.path)


def _is(kind: Callable[[], bool]) -> bool:
    """What an entry is; a link to itself is nothing."""
    try:
        return kind()
    except OSError:
        return False


def _named_files(root: Path, table: Path, suffixes: tuple[str, ...], what: str) -> list[Entry]:
    """The files that a table names, in its order."""
    found: list[Entry] = []
    mistakes: list[str] = []
    seen: set[str] = set()
    rows = rows_of(table)
    _, header = next(rows, (0, []))
    places = {name.lower(): place for place, name in enumerate(header)}
    file_column = next((places[guess] for guess in FILE_COLUMNS if guess in places), None)
    label_column = next((places[guess] for guess in LABEL_COLUMNS if guess in places), None)
    if label_column is None and file_column is not None and len(header) == 2:
        label_column = 1 - file_column  # whatever it is called
    missing = [name for name, found in (("file", file_column), ("label", label_column)) if found is None]
    if file_column is None or label_column is None:
        raise InputError(
            f"{table}, line 1: there is no column {' and no column '.join(missing)}; begin it with file,label"
        )
    columns = {name: place for place, name in enumerate(header) if name}
    below: dict[str, list[Path]] = {}  # by their names: the table often leaves out the folder that they lie in
    for below_root in files_of(root, suffixes):
        for name in (below_root.name, below_root.stem):
            below.setdefault(name, []).append(below_root)
    for line, row in rows:
        cells = [*row, *[""] * (len(header) - len(row))]
        file, label = cells[file_column].strip(), cells[label_column].strip()
        path = _inside(root, file, suffixes)
        if path is None and len(same := below.get(file, [])) == 1:
            path = same[0]
        if not file or not label:
            mistakes.append(f"line {line}: the {'label' if file else 'file'} is empty")
        elif file in seen:
            mistakes.append(f"line {line}: {file} is named a second time")
        elif path is None:
            mistakes.append(f"line {line}: there is no file {root / file}")
        else:
            others = {name: cells[i].strip() for name, i in columns.items() if i not in (file_column, label_column)}
            found.append(Entry(path, file, label, others))
        seen.add(file)
    if mistakes:
        raise InputError(f"{table} has mistakes; correct them:\n  {listed(mistakes)}")
    if not found:
        raise InputError(f"{table} names no {what}; add a line file,label for each")
    return found


def _inside(root: Path, file: str, suffixes: tuple[str, ...]) -> Path | None:
    """The file of that name, also where the table leaves its suffix out; None where there is none."""
    if (root / file).is_file():
        return root / file
    if not file or file.lower().endswith(suffixes):
        return None
    return next((path for suffix in suffixes if (path := root / (file + suffix)).is_file()), None)


def listed(lines: list[str]) -> str:
    """One a line, the first few of them."""
    more = [f"and {len(lines) - NAMED} more"] if len(lines) > NAMED else []
    return "\n  ".join(lines[:NAMED] + more)


def skipped(broken: list[str], total: int, limit: float, what: str, root: Path) -> list[str]:
    """What is said of files that cannot be read and are left out.

    Args:
        broken: a line for each, with its name and the reason.
        limit: the largest share of ``total`` that may be left out.

    Raises:
        InputError: there are more of them than the setting ``skip`` allows, or nothing else is there.
    """
    if not broken:
        return []
    some = f"{len(broken)} of {total} {what} in {readable(str(root))} cannot be read"
    if len(broken) > max(limit * total, 1 if limit > 0 else 0) or len(broken) == total:
        raise InputError(
            f"{some}; repair or remove them, or let more be left out with skip (now {limit:g}, as a share of all):\n  "
            + listed(broken)
        )
    return [f"{some} and are left out: {'; '.join(broken[:5])}{'; ...' if len(broken) > 5 else ''}."]
