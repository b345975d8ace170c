"""A disk that is full, at whatever size: told in one message, nothing half-written, and the same command goes on."""

from __future__ import annotations

import re
import resource

import numpy as np
import pytest
from hostilecases import run_alone
from tinyanalysis import write_tiny

from shiftlens.core.files import reserve, whole

SIZES = (200, 2_000, 12_000, 40_000, 100_000)  # bytes of the largest file; the bundle's reach to 140 kB


def limited(size):
    """No file of this process can be larger: a write beyond is an error of the disk, as on one that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_run_on_a_full_disk(tmp_path, size):
    command = ["run", str(write_tiny(tmp_path)), "--out", "out", "--quiet"]
    done = run_alone(command, tmp_path, preexec_fn=limited(size))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert len(re.findall(r"^error: ", done.stderr, re.MULTILINE)) == 1, done.stderr
    assert done.stdout == ""
    assert not [path for path in tmp_path.rglob(".*") if re.match(r"\..+\..{8}", path.name)]
    assert not (tmp_path / "out" / "results.json").exists()
    again = run_alone(command, tmp_path)
    assert again.returncode == 0, again.stderr


def fill(path):
    with whole(path) as temporary, open("/dev/full", "wb", buffering=0) as full:  # a disk that is always full
        temporary.write_text("half")
        full.write(b"x")


def test_a_full_disk_names_the_file_and_leaves_what_was_there(tmp_path):
    (tmp_path / "a.json").write_text("before")
    with pytest.raises(OSError, match=r"No space left on device: .*a\.json"):
        fill(tmp_path / "a.json")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "before"


def test_a_mapped_file_has_its_room_before_it_is_written(tmp_path):
    path = tmp_path / "x.npy"
    np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(1000, 100))
    reserve(path)
    assert path.stat().st_blocks * 512 >= 400_000  # not a hole that a full disk could not fill
    assert np.load(path).shape == (1000, 100)
