"""The run directory: records, unaltered files, whole writes, the lock."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from shiftlens import load_run
from shiftlens.core.errors import InputError
from shiftlens.core.files import whole, write_text
from shiftlens.core.run.context import Outcome
from shiftlens.core.run.directory import Run


def finished(run: Run, content: str = "hello") -> None:
    write_text(run.path / "out.txt", content)
    run.finish("score", "key", time.monotonic(), Outcome(["out.txt"], {"loss": 1.0}), {})


def test_a_finished_stage_is_current_until_something_changes(tmp_path):
    run = Run(tmp_path)
    assert not run.is_current("score", "key")
    finished(run)
    assert run.is_current("score", "key")
    assert not run.is_current("score", "another key")
    assert run.record("score").facts == {"loss": 1.0}


def test_an_altered_or_missing_output_is_noticed(tmp_path):
    run = Run(tmp_path)
    finished(run)
    (tmp_path / "out.txt").write_text("hallo")
    assert not run.is_current("score", "key")
    finished(run)
    (tmp_path / "out.txt").unlink()
    assert not run.is_current("score", "key")


def test_a_touched_output_with_the_same_content_is_the_same(tmp_path):
    run = Run(tmp_path)
    finished(run)
    os.utime(tmp_path / "out.txt", (1, 1))
    assert run.is_current("score", "key")


def test_a_record_that_cannot_be_read_means_the_stage_is_done_again(tmp_path):
    run = Run(tmp_path)
    finished(run)
    (tmp_path / "stages" / "score.json").write_text("{half")
    assert run.record("score") is None


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")

    def cut_off():
        with whole(path) as temporary:
            temporary.write_text("half of the new")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        cut_off()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_arrays_come_back_as_they_were_and_by_name(tmp_path):
    run = Run(tmp_path)
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert run.arrays.save("cells", values) == "arrays/cells.npy"
    assert np.array_equal(run.arrays["cells"], values)
    assert list(run.arrays) == ["cells"]
    with pytest.raises(KeyError):
        run.arrays["nothing"]


RACING = """
import sys, time
from pathlib import Path
from shiftlens.core.errors import InputError
from shiftlens.core.run.directory import Run

folder, rounds, me = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
for number in range(rounds):
    (folder / f"ready-{number}-{me}").touch()
    while len(list(folder.glob(f"ready-{number}-*"))) < 6:
        time.sleep(0.001)
    try:
        with Run(folder / f"run-{number}").lock():
            print("in", number, flush=True)
            (folder / f"tried-{number}-{me}").touch()
            while len(list(folder.glob(f"tried-{number}-*"))) < 6:  # hold it until every other one has tried
                time.sleep(0.001)
    except InputError as error:
        print(error, flush=True)
        (folder / f"tried-{number}-{me}").touch()
"""


def test_of_six_processes_that_want_a_directory_at_once_exactly_one_gets_it(tmp_path):
    rounds = 25
    command = [sys.executable, "-c", RACING, str(tmp_path), str(rounds)]
    racing = [subprocess.Popen([*command, str(me)], stdout=subprocess.PIPE, text=True) for me in range(6)]
    said = [process.communicate(timeout=240)[0].splitlines() for process in racing]
    assert [process.returncode for process in racing] == [0] * 6
    got_in = [line for lines in said for line in lines if line.startswith("in ")]
    assert sorted(got_in) == sorted(f"in {number}" for number in range(rounds))
    refused = [line for lines in said for line in lines if not line.startswith("in ")]
    assert len(refused) == 5 * rounds
    assert all("is being written by" in line for line in refused)


HOLDING = """
import sys
from shiftlens.core.run.directory import Run
with Run(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_who_holds_a_directory_is_told_and_one_that_was_killed_holds_it_no_longer(tmp_path):
    holding = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holding.stdout.readline() == "held\n"
    with pytest.raises(InputError, match=f"is being written by process {holding.pid} on .*; wait for it"):
        Run(tmp_path).lock().__enter__()
    holding.kill()
    holding.communicate()
    with Run(tmp_path).lock(), pytest.raises(InputError, match=f"by process {os.getpid()} "):
        Run(tmp_path).lock().__enter__()  # another run in this very process is refused as well


def test_a_file_has_the_mode_of_any_new_file_and_the_umask_is_left_alone(tmp_path, monkeypatch):
    """The umask belongs to the whole process: who sets it, even for a moment, sets it for every thread."""
    before = os.umask(0o027)
    try:
        monkeypatch.setattr(os, "umask", lambda mode: pytest.fail("the umask was set"))
        write_text(tmp_path / "ours.txt", "x")
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert (tmp_path / "ours.txt").stat().st_mode & 0o777 == 0o640


def test_a_folder_that_is_no_run_is_told(tmp_path):
    with pytest.raises(InputError, match="no run directory"):
        load_run(tmp_path)
