"""An analysis that is killed again and again, at moments drawn by a seed, comes to the results of one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from tinyanalysis import write_tiny

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
KILLS = 9  # in each of six chains: 54


def heard():
    """Hear Ctrl-C, which what a shell starts in the background does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(config, out):
    return subprocess.Popen(
        [sys.executable, "-m", "shiftlens", "run", str(config), "--out", str(out), "--quiet"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heard,
    )


def lines(log):
    return log.read_text().count("\n") if log.is_file() else 0


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The analysis, and the results of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    config = write_tiny(folder)
    process = start(config, folder / "run")
    assert process.wait(timeout=500) == 0, process.stderr.read()
    return config, (folder / "run" / "results.json").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_killed_again_and_again(undisturbed, tmp_path, seed):
    config, expected = undisturbed
    draw, out = random.Random(seed), tmp_path / "run"
    log = out / "log.txt"
    for _ in range(KILLS):
        wanted, process = lines(log) + draw.randint(1, 6), start(config, out)
        while process.poll() is None and lines(log) < wanted:  # so many lines of the log further, and a little more
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.3))
        process.send_signal(draw.choice(SIGNALS))
        _, told = process.communicate(timeout=120)
        assert "Traceback" not in told, told
    process = start(config, out)
    assert process.wait(timeout=500) == 0, process.stderr.read()
    assert (out / "results.json").read_bytes() == expected


def export(run, out):
    return subprocess.Popen(
        [sys.executable, "-m", "shiftlens", "export", str(run), "--target", "directory", "--out", str(out), "--quiet"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heard,
    )


def files_in(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_export_killed_again_and_again(undisturbed, tmp_path):
    """A folder is there whole or not at all, what a killed export left is in no way, and the files are the same."""
    run = undisturbed[0].parent / "run"
    before = files_in(run)
    begun = time.monotonic()
    first = export(run, tmp_path / "whole")
    assert first.wait(timeout=300) == 0, first.stderr.read()
    takes = time.monotonic() - begun
    expected = files_in(tmp_path / "whole")
    draw = random.Random(0)
    for number in range(12):
        out = tmp_path / f"out{number}"
        process = export(run, out)
        time.sleep(draw.uniform(0.3, 1.05) * takes)
        process.send_signal(draw.choice(SIGNALS))
        _, told = process.communicate(timeout=120)
        assert "Traceback" not in told, told
        assert not out.exists() or files_in(out) == expected
        if not out.exists():
            again = export(run, out)
            assert again.wait(timeout=300) == 0, again.stderr.read()
        assert files_in(out) == expected
    assert files_in(run) == before
