"""Files in one folder per class: ``class-name/file``, as deep below as they stand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from shiftlens.core.errors import InputError


@dataclass(frozen=True)
class Entry:
    """One file: where it is, its name below the root, and its class (empty in a flat folder)."""

    path: Path
    name: str
    label: str


def entries(root: Path, suffixes: tuple[str, ...], what: str, otherwise: str = "") -> list[Entry]:
    """All files with these suffixes, class by class, each class in the order of the names.

    Args:
        what: what they are called in messages, in the plural.
        otherwise: what else the folder might hold, as the end of the advice.

    Raises:
        InputError: no such folder, no such files, or files beside the class folders.
    """
    if not root.is_dir():
        problem = "is a file, not a folder" if root.is_file() else "does not exist"
        raise InputError(f"{root} {problem}; give a folder that holds one folder of {what} per class{otherwise}")
    found = []
    for path in _walk(root, suffixes, ()):
        name = path.relative_to(root)
        found.append(Entry(path, name.as_posix(), name.parts[0] if len(name.parts) > 1 else ""))
    flat = [entry for entry in found if not entry.label]
    if flat and len(flat) < len(found):
        raise InputError(
            f"{root} holds {len(flat)} {what} beside its class folders (such as {flat[0].name}); move them into a "
            "class folder, or away"
        )
    if not found:
        raise InputError(
            f"{root} holds no {what} ({', '.join(suffixes)}); give a folder that holds one folder per class{otherwise}"
        )
    return found


def holds(raw: Mapping[str, Any], base: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether the ``path`` of raw settings is a folder with at least one such file: what a reader's ``claims`` asks."""
    root = base / Path(str(raw.get("path", ""))).expanduser()
    try:
        return "path" in raw and root.is_dir() and any(islice(_walk(root, suffixes, ()), 1))
    except OSError:
        return False


def _walk(folder: Path, suffixes: tuple[str, ...], above: tuple[str, ...]) -> Iterator[Path]:
    """Files below a folder in the order of their names, but hidden ones; a link to a folder above is not entered."""
    here = os.path.realpath(folder)
    if here in above:
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(Path(entry.path), suffixes, (*above, here))
        elif entry.name.lower().endswith(suffixes):
            yield Path(entry.path)
