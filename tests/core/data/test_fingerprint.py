"""The state and the hash of input files."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from shiftlens.core.data.fingerprint import fingerprint, sha256_of_files
from shiftlens.core.errors import InputError


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "data" / name for name in ("a/1.txt", "a/2.txt", "b/1.txt")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.as_posix()[-7:])
    return paths


def test_one_file_has_the_hash_of_its_content(files: list[Path]) -> None:
    assert sha256_of_files(files[:1]) == hashlib.sha256(b"a/1.txt").hexdigest()


def test_order_and_place_do_not_matter_and_names_do(files: list[Path], tmp_path: Path) -> None:
    expected = sha256_of_files(files), fingerprint(files)
    assert (sha256_of_files(files[::-1]), fingerprint(files[::-1])) == expected
    shutil.copytree(tmp_path / "data", tmp_path / "elsewhere" / "copy")  # keeps the times
    moved = sorted((tmp_path / "elsewhere").rglob("*.txt"))
    assert (sha256_of_files(moved), fingerprint(moved)) == expected
    moved[0].rename(moved[0].with_name("9.txt"))
    renamed = sorted((tmp_path / "elsewhere").rglob("*.txt"))
    assert sha256_of_files(renamed) != expected[0]
    assert fingerprint(renamed) != expected[1]


def test_content_decides_the_hash_and_times_the_state(files: list[Path]) -> None:
    before = sha256_of_files(files), fingerprint(files)
    os.utime(files[1], ns=(1, 1))
    assert sha256_of_files(files) == before[0]
    assert fingerprint(files) != before[1]
    files[1].write_text("altered")
    assert sha256_of_files(files) != before[0]


def test_swapped_contents_are_another_hash(files: list[Path]) -> None:
    before = sha256_of_files(files)
    first, last = files[0].read_text(), files[2].read_text()
    files[0].write_text(last)
    files[2].write_text(first)
    assert sha256_of_files(files) != before


def test_no_files_and_missing_ones(files: list[Path]) -> None:
    assert fingerprint([])["files"] == 0
    assert sha256_of_files([]) == hashlib.sha256(b"").hexdigest()
    missing = [*files, files[0].with_name("gone.txt")]
    for question in (fingerprint, sha256_of_files):
        with pytest.raises(InputError, match=r"gone\.txt cannot be read"):
            question(missing)
