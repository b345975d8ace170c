"""Rules for observers, looked at with runs that only tell: the kit's own small report, and nothing is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import yaml

from shiftlens.core.files import write_text
from shiftlens.core.host.host import Host
from shiftlens.core.run.directory import Run
from shiftlens.core.testing.minireport import report
from shiftlens.core.testing.rules import Subject, expect, rule

STAGES = ("data", "classifier", "score", "trial", "generator", "export", "grid", "explain", "render")


NAMED = {
    "source": {"reader": "npz", "path": "source.npz"},
    "target": {"reader": "npz", "path": "target.npz"},
    "classifier": {"name": "onnx", "path": "classifier.onnx"},
    "reports": [{"name": "html"}],
}
"""What every settings file of a run names; nothing of it is opened."""


@dataclass
class ObserverSubject(Subject):
    """An observer and a run to follow."""

    host: Host = field(default_factory=lambda: Host(entry_points=False))

    def finished(self) -> Run:
        """A new run directory with the results, the settings and the arrays of the kit's report."""
        run = Run(self.folder())
        of = report()
        write_text(run.path / "results.json", of.results.to_json())
        write_text(run.path / "settings.yaml", yaml.safe_dump({**NAMED, **of.settings}))
        for name, array in of.arrays.items():
            run.arrays.save(name, array)
        return run

    @contextmanager
    def watching(self, what: str) -> Iterator[None]:
        """Let a new worker watch; whatever goes wrong breaks the rule."""
        known = len(self.host.problems)
        with self.host.watched_by({self.component.name: self.worker}):
            yield
        told = "; ".join(problem.reason for problem in self.host.problems[known:])
        expect(not told, f"nothing raised {what}", told)

    def stage(self, name: str) -> None:
        """One stage from its start to its end, with steps that have figures and steps that have none."""
        self.host.notify("stage_started", stage=name)
        self.host.notify("step", stage=name, done=1, total=2, values={})
        self.host.notify("step", stage=name, done=2, total=2, values={"loss": 0.5, "held_out": 0.6})
        self.host.notify("stage_finished", stage=name, seconds=0.1)

    def follow(self, run: Run) -> None:
        """A run of all stages."""
        self.host.notify("run_started", run=run)
        for name in STAGES:
            self.stage(name)
        self.host.notify("run_finished", run=run)


@rule("observer", "follows-something", first=True)
def follows_something(subject: ObserverSubject) -> None:
    """The worker has ``close()`` and one or more of the hooks that tell what happens, each marked with ``hookimpl`` and
    spelt as it is called."""
    worker = subject.worker()
    found = [name for name in dir(worker) if name.startswith("shiftlens_")]
    expect(found, "a method such as shiftlens_step", "none whose name begins with shiftlens_")
    expect(callable(getattr(worker, "close", None)), "a method close()", "none")
    with subject.watching("while it joins"):
        pass


@rule("observer", "follows-a-run")
def follows_a_run(subject: ObserverSubject) -> None:
    """It follows a run of all stages without raising; steps may come without figures."""
    with subject.watching("in a run of all stages"):
        subject.follow(subject.finished())


@rule("observer", "follows-a-run-that-does-nothing")
def follows_a_run_that_does_nothing(subject: ObserverSubject) -> None:
    """Where all stages are up to date, a run begins and ends with nothing between."""
    run = subject.finished()
    with subject.watching("in a run whose stages are up to date"):
        subject.host.notify("run_started", run=run)
        subject.host.notify("run_finished", run=run)


@rule("observer", "may-be-cut-off")
def may_be_cut_off(subject: ObserverSubject) -> None:
    """A run may stop anywhere, at its very beginning too: then comes ``close()``, and no end. With ``--until``, a run
    ends without results."""
    with subject.watching("when a run is cut off before it begins"):
        pass
    unfinished = Run(subject.folder())
    with subject.watching("when a run is cut off in a stage"):
        subject.host.notify("run_started", run=unfinished)
        subject.host.notify("stage_started", stage="trial")
    with subject.watching("when a run ends without results"):
        subject.host.notify("run_started", run=unfinished)
        subject.stage("data")
        subject.host.notify("run_finished", run=unfinished)


@rule("observer", "leaves-the-run-alone")
def leaves_the_run_alone(subject: ObserverSubject) -> None:
    """It may add files of its own to the run directory; it changes and removes none."""
    run = subject.finished()
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    with subject.watching("in a run of all stages"):
        subject.follow(run)
    changed = [p.name for p, content in before.items() if not p.is_file() or p.read_bytes() != content]
    expect(not changed, "the files of the run as they were", f"other ones: {', '.join(changed)}")
