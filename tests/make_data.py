"""Makes tests/data, the real samples that come with the repository, from the whole data sets.

    python tests/make_data.py FOLDER

FOLDER holds mnist.npz, cifar10-small.zip, fsdd.zip and italy-power-demand.csv (the form of each: tests/data/README.md).
The same FOLDER gives the same files, byte for byte.
"""

from __future__ import annotations

import io
import sys
import wave
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent / "data"
DIGITS = 1500
PHOTOGRAPHS_PER_CLASS = 40
RECORDINGS_PER_DIGIT = 20
RECORDED = 4096  # samples at 8 kHz: half a second
CURVES = 500


def write_archive(path: Path, files: dict[str, bytes]) -> None:
    """A zip file without times, so that the same content is the same file."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, compresslevel=9)


def digits(folder: Path) -> None:
    """The first handwritten digits, as they come, in an .npz."""
    with np.load(folder / "mnist.npz", allow_pickle=False) as whole:
        arrays = {name: whole[name][:DIGITS] for name in ("train_images", "train_labels")}
    files = {}
    for name, array in arrays.items():
        content = io.BytesIO()
        np.lib.format.write_array(content, array, allow_pickle=False)
        files[f"{name}.npy"] = content.getvalue()
    write_archive(DATA / "mnist.npz", files)


def photographs(folder: Path) -> None:
    """The first photographs of each class, the files as they are."""
    with zipfile.ZipFile(folder / "cifar10-small.zip") as whole:
        names = [n for n in sorted(whole.namelist()) if int(Path(n).stem) < PHOTOGRAPHS_PER_CLASS]
        write_archive(DATA / "cifar10-small.zip", {name: whole.read(name) for name in names})


def cut(recording: bytes) -> bytes:
    """A recording's first half second."""
    with wave.open(io.BytesIO(recording)) as read:
        frames, rate = read.readframes(RECORDED), read.getframerate()
    content = io.BytesIO()
    with wave.open(content, "wb") as written:
        written.setparams((1, 2, rate, 0, "NONE", ""))
        written.writeframes(frames)
    return content.getvalue()


def recordings(folder: Path) -> None:
    """As many recordings of each digit, the speakers in turn."""
    with zipfile.ZipFile(folder / "fsdd.zip") as whole:
        taken: Counter[str] = Counter()
        files = {}
        for name in sorted(whole.namelist(), key=lambda name: (name.rsplit("_", 1)[1], name)):
            if taken[name[0]] < RECORDINGS_PER_DIGIT:
                taken[name[0]] += 1
                files[name] = cut(whole.read(name))
    write_archive(DATA / "fsdd.zip", files)


def curves(folder: Path) -> None:
    """The first daily curves."""
    lines = (folder / "italy-power-demand.csv").read_text(encoding="utf-8").splitlines()
    (DATA / "italy-power-demand.csv").write_text("\n".join(lines[: CURVES + 1]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    for make in (digits, photographs, recordings, curves):
        make(Path(sys.argv[1]))
