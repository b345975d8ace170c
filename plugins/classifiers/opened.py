"""Which files of its own folder a user's code opens while it loads and while it is called: its weights, mostly.

Python tells of every file that it opens (PEP 578). Files that a library opens by itself, in C or Rust, it does not see:
safetensors, HDF5, ONNX Runtime, XGBoost. Those are to be named, under ``depends`` or by ``files()``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

_LISTENING: list[Opened] = []


class Opened:
    """Files below some folders that were opened to be read while this was listening.

    Args:
        folders: of whose files it takes note.
        leave_out: a folder whose files are of no interest.
    """

    def __init__(self, folders: tuple[Path, ...], leave_out: Path) -> None:
        self._folders = tuple(os.path.join(os.path.abspath(folder), "") for folder in folders)
        self._leave_out = os.path.join(os.path.abspath(leave_out), "")
        self._found: set[str] = set()

    @property
    def files(self) -> list[Path]:
        """Those that are there still, sorted; compiled modules are left out, as their sources are known."""
        return [Path(name) for name in sorted(self._found) if "__pycache__" not in name and os.path.isfile(name)]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take note while the block runs."""
        _hear_of_files()
        _LISTENING.append(self)
        try:
            yield
        finally:
            _LISTENING.remove(self)

    def while_called(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that takes note whenever it is called."""

        def called(*arguments: Any) -> Any:
            with self.listening():
                return function(*arguments)

        return called

    def hear(self, name: str) -> None:
        """A file was opened to be read."""
        if name.startswith(self._folders) and not name.startswith(self._leave_out):
            self._found.add(name)


@cache
def _hear_of_files() -> None:
    """Ask Python to tell; that cannot be undone, so it is asked once, and only where a user's code is loaded."""
    sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not _LISTENING:
        return
    path, _, flags = arguments
    reads_only = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR) == 0
    if reads_only and isinstance(path, str | bytes | os.PathLike):  # else a descriptor that is open already
        name = os.path.abspath(os.fsdecode(path))
        for opened in list(_LISTENING):
            opened.hear(name)
