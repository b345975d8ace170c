"""Observers that break one rule each, and one that keeps them all."""

from __future__ import annotations

from rulebreakers.tried import Tried
from shiftlens import hookimpl
from shiftlens.core.host.kinds import (
    Observer,
)


class Watching:
    def __init__(self, settings=None):
        self.told = []

    @hookimpl
    def shiftlens_step(self, stage, done, values):
        self.told.append((stage, done, dict(values)))

    def close(self):
        self.told.clear()


def observer(**methods):
    marked = {name: hookimpl(method) if name.startswith("shiftlens_") else method for name, method in methods.items()}
    return Tried(Observer(name="broken", summary="an observer", build=type("Worker", (Watching,), marked)))


def wants_a_loss(self, values):
    self.told.append(values["loss"])


def wants_a_stage(self, run):
    self.told.append(self.stage)


def remembers_the_stage(self, stage):
    self.stage = stage


def wants_results(self, run):
    self.told.append(run.results.headline)


def tidies(self, run):
    (run.path / "settings.yaml").unlink(missing_ok=True)


GOOD = observer()

BREAKERS = {
    "observer-follows-something": observer(shiftlens_stepp=lambda self, stage: None),
    "observer-follows-a-run": observer(shiftlens_step=wants_a_loss),
    "observer-follows-a-run-that-does-nothing": observer(
        shiftlens_stage_started=remembers_the_stage, shiftlens_run_finished=wants_a_stage
    ),
    "observer-may-be-cut-off": observer(shiftlens_run_finished=wants_results),
    "observer-leaves-the-run-alone": observer(shiftlens_run_finished=tidies),
}
