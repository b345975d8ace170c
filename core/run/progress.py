"""Progress on stderr, with the time that the whole run still takes: one bar on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.run.pace import Pace

if TYPE_CHECKING:
    from shiftlens.core.run.directory import Run

LINE_EVERY = 5.0  # seconds between two plain lines of one stage


def progress_observer() -> object:
    """The observer that fits where stderr goes."""
    return Bar() if sys.stderr.isatty() else Lines()


def pace_of(run: Run) -> Pace:
    """The pace of a run that goes as its last one did, as far as there was one."""
    from shiftlens.core.run.pipeline import NAMES

    records = {name: run.record(name) for name in NAMES if (run.path / "stages" / f"{name}.json").is_file()}
    return Pace(NAMES, {name: record.seconds for name, record in records.items() if record is not None})


def _figures(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in values.items())


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s left" if minutes else f"{rest} s left"


class Lines:
    """One line when a stage begins and ends, and every few seconds between."""

    def __init__(self) -> None:
        self.pace, self.told = Pace((), {}), time.monotonic()

    @hookimpl
    def shiftlens_run_started(self, run: Run) -> None:
        self.pace = pace_of(run)

    @hookimpl
    def shiftlens_stage_started(self, stage: str) -> None:
        self.pace.start(stage)
        self.told = time.monotonic()
        self._say(f"{stage} ...")

    @hookimpl
    def shiftlens_step(self, stage: str, done: int, total: int, values: Mapping[str, float]) -> None:
        self.pace.step(done, total)
        now = time.monotonic()
        if now - self.told < LINE_EVERY or not 0 < done < total:
            return
        self.told = now
        self._say(
            "  ".join(word for word in (stage, f"{done}/{total}", _left(self.pace.left()), _figures(values)) if word)
        )

    @hookimpl
    def shiftlens_stage_finished(self, stage: str, seconds: float) -> None:
        self.pace.finish(seconds)
        self._say(f"{stage} done in {seconds:.1f} s")

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class Bar:
    """One rich bar for the whole run: the stage, how far it is, and the time that is left of all."""

    def __init__(self) -> None:
        self.pace = Pace((), {})
        self.progress: Any = None
        self.task: Any = None

    @hookimpl
    def shiftlens_run_started(self, run: Run) -> None:
        self.pace = pace_of(run)

    @hookimpl
    def shiftlens_stage_started(self, stage: str) -> None:
        self.pace.start(stage)
        if self.progress is None:
            self._open()
        left = _left(self.pace.left())
        self.progress.reset(self.task, description=stage, total=1, completed=0, figures="", left=left)

    @hookimpl
    def shiftlens_step(self, done: int, total: int, values: Mapping[str, float]) -> None:
        self.pace.step(done, total)
        if self.progress is not None:
            left = _left(self.pace.left())
            self.progress.update(self.task, completed=done, total=total, figures=_figures(values), left=left)

    @hookimpl
    def shiftlens_stage_finished(self, stage: str, seconds: float) -> None:
        self.pace.finish(seconds)
        if self.progress is not None:
            self.progress.console.print(f"{stage:<14} {seconds:.1f} s", highlight=False)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.progress = Progress(
            TextColumn("{task.description:<14}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self.progress.start()
        self.task = self.progress.add_task("", total=1, figures="", left="")

    def close(self) -> None:
        """Leave the terminal as it was; also called when a run is cut off."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
