"""The state of input files: a cheap one to see whether they have changed, and a hash of what is in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shiftlens.core.errors import InputError
from shiftlens.core.files import sha256_of


def fingerprint(files: Iterable[Path]) -> dict[str, Any]:
    """Number of files and a hash of their names, sizes and times of change; nothing is read.

    Names are relative to the folder that all files share, so that moving that folder changes nothing.

    Raises:
        InputError: a file is missing.
    """
    lines = []
    for name, path in _relative(files):
        try:
            status = path.stat()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from None
        lines.append(f"{name}\0{status.st_size}\0{status.st_mtime_ns}")
    return {"files": len(lines), "state": hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()}


def sha256_of_files(files: Iterable[Path]) -> str:
    """A hash of what the files hold, streamed: the same wherever they lie and in whatever order they are given.

    For one file it is the hash of its content, as ``sha256sum`` prints it; for several, the hash of the lines that
    ``sha256sum`` would print for them, sorted by name, in the folder that they share.

    Raises:
        InputError: a file is missing or cannot be read.
    """
    named = _relative(files)
    try:
        lines = [f"{sha256_of(path)}  {name}\n" for name, path in named]
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}") from None
    if len(lines) == 1:
        return lines[0].partition(" ")[0]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _relative(files: Iterable[Path]) -> list[tuple[str, Path]]:
    """The files with their names in the folder that they share, sorted by name, each once."""
    paths = {Path(os.path.abspath(path)) for path in files}
    if not paths:
        return []
    shared = os.path.commonpath([path.parent for path in paths])
    return sorted((path.relative_to(shared).as_posix(), path) for path in paths)
