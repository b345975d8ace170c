"""Readers hold no more than four times what their input honestly takes, measured in a process of its own.

That is its values as they stand in it, unpacked, or as float32, which an analysis works with, where that is more.
"""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from realdata import cifar, spoken

MOST = 4.0  # times the input's honest size
CODE = """
import sys, tempfile
from pathlib import Path
import numpy
from shiftlens import Host, Reader
from shiftlens.core.data.domain import check_pair
if sys.argv[1] == "parquet":
    import pyarrow.parquet
if sys.argv[1] == "image-folder":
    import PIL.Image
def kilobytes(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))
reader = Host().find(Reader, sys.argv[1])
Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
before = kilobytes("VmRSS")
with tempfile.TemporaryDirectory(dir=Path(sys.argv[2]).parent) as scratch:
    domain = reader.build(reader.settings(path=Path(sys.argv[2])))(Path(scratch))
    check_pair(domain, domain)
print(1024 * (kilobytes("VmHWM") - before))
"""


def npz(folder: Path) -> tuple[Path, int]:
    x = np.tile(cifar()[0], (12, 1, 1, 1)).astype(np.float32)
    np.savez(folder / "x.npz", x=x, y=np.arange(len(x)) % 10)
    return folder / "x.npz", x.nbytes


def rows() -> np.ndarray:
    return spoken()[0][:, 0].reshape(-1, 16)  # (51200, 16) real values


def csv(folder: Path) -> tuple[Path, int]:
    path = folder / "x.csv"
    with path.open("w") as stream:
        stream.write(",".join(f"v{i}" for i in range(16)) + ",label\n")
        for number, row in enumerate(rows()):
            stream.write(",".join(f"{value:.6f}" for value in row) + f",{'ab'[number % 2]}\n")
    return path, path.stat().st_size


def parquet(folder: Path) -> tuple[Path, int]:
    import pandas

    values = np.tile(rows(), (12, 1)).astype(np.float64)
    frame = pandas.DataFrame(values, columns=[f"v{i}" for i in range(16)])
    frame.assign(label=np.where(np.arange(len(frame)) % 2, "a", "b")).to_parquet(folder / "x.parquet")
    return folder / "x.parquet", values.nbytes


def sounds(folder: Path) -> tuple[Path, int]:
    x = spoken()[0][:, 0]
    long = x[:100].reshape(-1)
    size = 0
    for number in range(40):
        path = folder / "x" / "ab"[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes((np.roll(long, number) * 32767).astype("<i2").tobytes())
        size += 4 * len(long)  # as float32
    return folder / "x", size


def pictures(folder: Path) -> tuple[Path, int]:
    x = (cifar()[0].transpose(0, 2, 3, 1) * 255).astype(np.uint8)
    for number in range(60):
        path = folder / "x" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x[number]).resize((512, 512)).save(path)
    return folder / "x", 60 * 512 * 512 * 3 * 4


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux, to forget an earlier peak")
@pytest.mark.parametrize(
    ("reader", "write"),
    [("npz", npz), ("csv", csv), ("parquet", parquet), ("wav-folder", sounds), ("image-folder", pictures)],
)
def test_memory_is_bounded_by_the_honest_size(tmp_path, reader, write):
    path, honest = write(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", CODE, reader, str(path)], capture_output=True, text=True, check=True, timeout=300
    )
    assert int(done.stdout) <= MOST * honest, f"{int(done.stdout) / honest:.1f} times {honest / 2**20:.0f} MB"
