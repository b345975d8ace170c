"""Files of a run directory that are empty, cut, or something else: told with what writes them anew, or done again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hostilecases import Case, check
from smallanalysis import vectors

DAMAGES = {
    "empty": b"",
    "cut": None,
    "binary": bytes(range(256)) * 4,
    "latin-1": "name: Größe".encode("latin-1"),
    "a list": b"[]",
    "a word": b'"x"',
    "a number": b"1",
    "nothing": b"null",
    "an empty mapping": b"{}",
    "100,000 lists in each other": b"[" * 100_000,
    "an alias inside what it names": b"&a [*a]",
}
READ_BY = {  # the command that reads a file, and what it tells of one that is damaged; nothing: it works all the same
    "settings.yaml": {"report": ("settings.yaml", "the analysis writes it anew"), "run": ()},
    "results.json": {"report": ("results.json", "the analysis writes it anew"), "run": ()},
    "augmentation.yaml": {"augment": ("augmentation.yaml", "trial"), "run": ()},
    "plan.yaml": {"run": ()},
    "origin.json": {"augment": ("origin.json", "run the analysis again"), "run": ()},
    "stages/score.json": {"export": ("is not finished: score is missing", "finish it"), "run": ()},
    "stages/explain.json": {"export": ("is not finished: explain is missing",), "run": ()},
    "bundle/manifest.json": {"grid": ("manifest.json", "bundle"), "run": ()},
    "bundle/encoder.onnx": {"grid": ("encoder.onnx is not the file", "copy the bundle again"), "run": ()},
    "arrays/scores-source.npy": {"run": ()},
    "arrays/cells.npy": {"report": ("cells",), "run": ()},
    "work/score.key": {"run": ()},
    ".lock": {"run": ()},
    ".lock-holder": {"run": ()},
    "log.txt": {"run": ()},
}
QUICK = {("settings.yaml", "empty"), ("results.json", "cut"), ("stages/score.json", "100,000 lists in each other")}


@pytest.fixture(scope="module")
def finished(finished_analysis, tmp_path_factory):
    """A folder with a finished run and its analysis, and two samples."""
    folder = shutil.copytree(finished_analysis, tmp_path_factory.mktemp("finished") / "analysis")
    for name, sample in zip(("one", "other"), vectors()[0][[0, -1]], strict=True):
        np.save(folder / f"{name}.npy", sample)
    return folder


def command(name, folder):
    run, pair = folder / "run", ("--source", folder / "one.npy", "--target", folder / "other.npy")
    return {
        "report": ("report", run),
        "run": ("run", folder / "analysis.yaml", "--out", run, "--quiet", "--until", "score"),
        "augment": ("augment", run, "--out", folder / "more.npz", "--quiet"),
        "export": ("export", run, "--target", "directory", "--out", folder / "exported", "--quiet"),
        "grid": ("grid", run, *pair, "--out", folder / "grid.json"),
    }[name]


def cases():
    for name, readers in READ_BY.items():
        for damage, content in DAMAGES.items():
            for reader, told in readers.items():
                quick = reader != "run" and (name, damage) in QUICK
                marks = () if quick else pytest.mark.slow
                yield pytest.param(name, content, reader, told, id=f"{name}-{damage}-{reader}", marks=marks)


@pytest.mark.parametrize(("name", "content", "reader", "told"), list(cases()))
def test_a_damaged_file(finished, tmp_path, capfd, name, content, reader, told):
    def make(folder):
        shutil.copytree(finished, folder, dirs_exist_ok=True)
        path = folder / "run" / name
        whole = path.read_bytes() if path.is_file() else b"12345678"
        path.write_bytes(whole[: len(whole) // 2] if content is None else content)
        return command(reader, folder)

    check(Case(name, make, told), tmp_path, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in READ_BY if name != ".lock"])
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_something_else_in_the_place_of_a_file(finished, tmp_path, capfd, name, kind):
    reader = next(iter(READ_BY[name]))

    def make(folder):
        shutil.copytree(finished, folder, dirs_exist_ok=True)
        path = folder / "run" / name
        path.unlink(missing_ok=True)
        path.mkdir() if kind == "folder" else os.mkfifo(path)
        return command(reader, folder)

    # What a run writes takes the place of a pipe, but not of a folder; log.txt is added to.
    works = reader == "run" and kind == "pipe" and name != "log.txt"
    works = works or name in ("plan.yaml", "work/score.key")  # which this command has no need of
    told = () if works else (name.rpartition("/")[2].partition(".")[0],)
    check(Case(name, make, told), tmp_path, capfd)


@pytest.mark.slow
def test_a_run_directory_in_any_bytes(tmp_path):
    from tinyanalysis import write_tiny

    config, out = write_tiny(tmp_path), tmp_path / "out-\udcff"
    for command in (
        ("run", config, "--out", out, "--quiet"),
        ("report", out),
        ("export", out, "--target", "directory", "--out", tmp_path / "bundle-\udcff", "--quiet"),
    ):
        # In a process of its own: what pytest captures of the log could not be sent from worker to worker.
        done = subprocess.run([sys.executable, "-m", "shiftlens", *map(os.fsencode, command)], capture_output=True)
        assert done.returncode == 0, done.stderr
    assert "done" in (out / "log.txt").read_text(encoding="utf-8")
