"""Watches what a component writes and whom it calls while a rule is looked at: nothing outside its folder, nobody.

Python's audit events tell of every file opened for writing and every connection tried, by whatever library. A
connection is refused; a file is written and told, for its folder is the author's own. Files that C++ code opens by
itself (``torch.save`` to a path) are not seen.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.symlink", "os.link")
CALLS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
STANDARD = sysconfig.get_paths()["stdlib"]
NOT_FILES = ("/dev/", "/proc/", "/sys/")
TORCH_CACHE = "TORCHINDUCTOR_CACHE_DIR"
"""Where torch remembers, from the first export on and for child processes too, the folder that it then makes."""

_active: Sandbox | None = None
_installed = False


class Sandbox:
    """One folder that may be written to, and what was tried beside it.

    Attributes:
        root: may be written to; temporary files go there too while it watches.
        work: where `Subject.folder` makes its folders.
        writes, calls: what was tried that must not be, with the line of code behind it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.work, self.temporary = self.root / "work", self.root / "tmp"
        self.work.mkdir(parents=True, exist_ok=True)
        self.temporary.mkdir(exist_ok=True)
        self.writes: list[str] = []
        self.calls: list[str] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs."""
        global _active, _installed
        if not _installed:  # an audit hook cannot be taken away again, only be told to look elsewhere
            sys.addaudithook(_audit)
            _installed = True
        outer, temporary, cache = _active, tempfile.tempdir, os.environ.get(TORCH_CACHE)
        _active, tempfile.tempdir = self, str(self.temporary)
        os.environ[TORCH_CACHE] = str(self.temporary / "torch")
        try:
            yield
        finally:
            _active, tempfile.tempdir = outer, temporary
            del os.environ[TORCH_CACHE]
            if cache is not None:
                os.environ[TORCH_CACHE] = cache

    def opened(self, path: str) -> None:
        """A file or folder is about to be made, changed or removed."""
        full = os.path.abspath(path)
        if "__pycache__" in full or full.startswith(NOT_FILES) or Path(full).is_relative_to(self.root):
            return
        if Path(os.path.realpath(full)).is_relative_to(self.root):
            return
        self.writes.append(f"{full}{_line()}")

    def called(self, whom: str) -> None:
        """A connection or a look-up of a name was tried."""
        self.calls.append(f"{whom}{_line()}")
        raise PermissionError(f"shiftlens.testing lets nothing out on the network; refused: {whom}")


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    sandbox = _active
    if sandbox is None:
        return
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, str | bytes) and (set(mode or "") & set("wax+") or (flags or 0) & WRITES):
            sandbox.opened(os.fsdecode(path))
    elif event in CHANGES:
        for path in arguments[: 2 if event in ("os.rename", "os.link") else 1]:
            if isinstance(path, str | bytes | os.PathLike):
                sandbox.opened(os.fsdecode(path))
    elif event in CALLS:
        whom = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[:2]
        if not isinstance(whom, str | bytes):  # a string is a socket file of this machine
            sandbox.called(f"{event.removeprefix('socket.')} {whom}")


def _line() -> str:
    """The innermost line of code that is neither ours nor the standard library's."""
    for frame in reversed(traceback.extract_stack()):
        ours = frame.filename == __file__ or "<frozen" in frame.filename
        if not ours and (not frame.filename.startswith(STANDARD) or "site-packages" in frame.filename):
            return f" ({frame.filename}, line {frame.lineno})"
    return ""
