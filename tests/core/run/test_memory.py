"""What does not fit into memory is told before it is worked on."""

from __future__ import annotations

import numpy as np
import pytest

from shiftlens import Host, Settings, run
from shiftlens.core.errors import InputError
from shiftlens.core.run import memory


def test_large_samples_need_more_than_there_is(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2 * 2**30)
    memory.check_memory((3, 224, 224), "image")
    with pytest.raises(InputError, match=r"3 × 3000 × 3000 values need about .* GB .* 2.0 GB are free: set size"):
        memory.check_memory((3, 3000, 3000), "image")


def test_nothing_is_said_where_the_machine_tells_nothing(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: None)
    memory.check_memory((3, 30000, 30000), "image")


def test_the_machine_tells_what_is_free():
    free = memory.available()
    assert free is None or 2**20 < free < 2**50


def test_a_run_stops_at_its_first_stage(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2**20)
    rng = np.random.default_rng(0)
    for role in ("source", "target"):
        np.savez(tmp_path / f"{role}.npz", x=rng.random((40, 16, 16), dtype=np.float32), y=np.arange(40) % 2)
    settings = Settings.parse(
        {"source": "source.npz", "target": "target.npz", "classifier": {"train": {"epochs": 1}}}, base=tmp_path
    )
    with pytest.raises(InputError, match="memory"):
        run(settings, tmp_path / "run", host=Host())
    assert not (tmp_path / "run" / "bundle").exists()
