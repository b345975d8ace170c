"""Settings that all tests share."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # one process for each core: none of them, nor what they start, needs more
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from madeonce import made_once

import shiftlens

QUICK = (
    "classifier.train.epochs=6",
    "generator.steps=150",
    "selector.pairs=4",
    "trial.matching_samples=60",
    "trial.samples=400",
    "trial.bootstrap=200",
    "trial.dose_steps=3",
    "trial.rows=300",
    "remedy.seeds=2",
    "remedy.samples=300",
    "factors=[stroke-thickness, hue, brightness, rotation]",
)

WITHOUT_SECOND_OPINION = {"features": 3, "losses": 3, "second_opinion": False}

# Real data and two busy cores make single examples slow at times: no deadline, fewer examples, same every time.
settings.register_profile("shiftlens", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("shiftlens")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One module that uses the demo's run first and the others last: one process makes it, and none waits for it."""
    modules = {item.path for item in items if "demo_run" in getattr(item, "fixturenames", ())}
    first = next((item.path for item in items if item.path in modules), None)
    items.sort(key=lambda item: 0 if item.path == first else 2 if item.path in modules else 1)


@dataclass(frozen=True)
class DemoRun:
    """A finished run, its settings file, and what was changed in it to make it quick."""

    config: Path
    run: shiftlens.Run
    overrides: tuple[str, ...] = QUICK


@pytest.fixture(scope="session")
def finished_analysis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small analysis of digits as vectors (`smallanalysis`) and its run, in one folder; tests work on copies."""
    from smallanalysis import stages_done, write_analysis

    def make(folder: Path) -> None:
        columns = [{"name": "column", "column": index} for index in (5, 12, 13, 14)]
        generator = {"name": "autoencoder", "steps": 20, "loss_axis": "observed"}  # which is worth a warning
        quick = {"grid": WITHOUT_SECOND_OPINION, "remedy": {"measure": ["undo"]}}
        write_analysis(folder, factors=columns, generator=generator, **quick)
        stages_done(folder / "analysis.yaml", folder / "run")

    return made_once(tmp_path_factory, "finished", make)


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """The whole pipeline on the demo's real digits, with short training and few pairs.

    It is run once in a test session. Each process of the session has a copy, into whose run directory its tests
    may run again, as long as the results stay as they are.
    """
    from shiftlens.core.data.demo import write_demo

    def make(folder: Path) -> None:
        settings = shiftlens.load_settings(write_demo(folder), overrides=QUICK)
        shiftlens.run(settings, folder / "run")

    made = made_once(tmp_path_factory, "demo", make)
    folder = tmp_path_factory.mktemp("demo-run") / "demo"
    shutil.copytree(made, folder)  # the data too: a run directory below its settings is moved with them
    return DemoRun(folder / "analysis.yaml", shiftlens.load_run(folder / "run"))
