"""Files written whole or not at all: to a temporary name beside the target, then renamed."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from shiftlens.core.arrays import AnyArray
from shiftlens.core.errors import InputError

LARGEST_TEXT = 32 * 2**20  # bytes: many times what settings and results of a large analysis take


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well, and is removed otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{path.suffix}")
    # O_EXCL: nobody else's file, and no link, is written to. The mode is that of every new file: what the umask leaves.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk: say of what
    finally:
        temporary.unlink(missing_ok=True)


def check_regular(path: Path) -> Path:
    """A file, and no pipe or device, which would be waited for without end.

    Raises:
        InputError: it is something else, or not there.
    """
    if path.is_file():
        return path
    if path.is_dir():
        raise InputError(f"{path} is a folder; give a file")
    if path.exists():
        raise InputError(f"{path} is a pipe or a device, which is not read; write its content to a file, and give that")
    raise InputError(f"there is no file {path}; correct the path")


def check_disk(folder: Path, size: int, what: str) -> None:
    """Whether so many bytes have room in a folder.

    Raises:
        InputError: they have not.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise InputError(
            f"{what} takes {size / 2**30:.1f} GB on disk, and {free / 2**30:.1f} GB are free in {folder}; make room, "
            "or give --out a folder on a larger disk"
        )


def reserve(path: Path) -> None:
    """Take the room on disk of a file whose size is set, so that a full disk is an `OSError` now.

    Where the values of a memory-mapped file have no room as they are written, the process is ended by a signal.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)


def read_text(path: Path, most_bytes: int = LARGEST_TEXT) -> str:
    """The content of a small UTF-8 text file.

    Raises:
        InputError: no file, or one that may not be read, is too large or not UTF-8.
    """
    try:
        with check_regular(path).open("rb") as stream:
            content = stream.read(most_bytes + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > most_bytes:
        raise InputError(f"{path} is larger than {most_bytes >> 20} MB; give a file of settings or results")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a small file whole."""
    with whole(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a small UTF-8 text file whole."""
    write_bytes(path, text.encode("utf-8"))


def save_array(path: Path, array: AnyArray) -> None:
    """Write one array as .npy, whole."""
    with whole(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def sha256_of(path: Path) -> str:
    """The hash of a file's content, streamed."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
