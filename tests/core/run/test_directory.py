"""The run directory: records, unaltered files, whole writes, the lock."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from shiftlens import load_run
from shiftlens.core.errors import InputError
from shiftlens.core.files import whole, write_text
from shiftlens.core.run.directory import Run


def finished(run: Run, content: str = "hello") -> None:
    write_text(run.path / "out.txt", content)
    run.finish("score", "key", time.monotonic(), ["out.txt"], {"loss": 1.0}, {})


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


def test_a_directory_held_by_a_living_process_is_refused(tmp_path):
    (tmp_path / ".lock").write_text(str(os.getppid()))
    with pytest.raises(InputError, match="is being written by process"):
        Run(tmp_path).lock()


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    (tmp_path / ".lock").write_text("999999999")
    assert Run(tmp_path).lock().read_text() == str(os.getpid())


def test_a_folder_that_is_no_run_is_told(tmp_path):
    with pytest.raises(InputError, match="no run directory"):
        load_run(tmp_path)
