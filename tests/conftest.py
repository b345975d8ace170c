"""Settings that all tests share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

import shiftlens

QUICK = (
    "generator.steps=150",
    "selector.pairs=4",
    "trial.matching_samples=150",
    "trial.rows=600",
    "factors=[stroke-thickness, hue, brightness, sharpness, noise, rotation]",
)

# Real data and two busy cores make single examples slow at times: no deadline, fewer examples, same every time.
settings.register_profile("shiftlens", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("shiftlens")


@dataclass(frozen=True)
class DemoRun:
    """A finished run, its settings file, and what was changed in it to make it quick."""

    config: Path
    run: shiftlens.Run
    overrides: tuple[str, ...] = QUICK


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """The whole pipeline, once for all tests, on the demo's real digits with short training and few pairs."""
    from shiftlens.core.data.demo import write_demo

    folder = tmp_path_factory.mktemp("demo")
    config = write_demo(folder)
    settings = shiftlens.load_settings(config, overrides=QUICK)
    return DemoRun(config, shiftlens.run(settings, folder / "run"))
