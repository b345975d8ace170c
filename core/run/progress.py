"""Progress on stderr: a bar on a terminal, plain lines in a pipe. Both are observers of the run."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from shiftlens.core.host.hookspecs import hookimpl

LINE_EVERY = 5.0  # seconds between two plain lines of one stage


def progress_observer() -> object:
    """The observer that fits where stderr goes."""
    return Bar() if sys.stderr.isatty() else Lines()


def _figures(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in values.items())


def _left(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s left" if minutes else f"{rest} s left"


class Lines:
    """One line when a stage begins and ends, and every few seconds between."""

    def __init__(self) -> None:
        self.begun = self.told = time.monotonic()

    @hookimpl
    def shiftlens_stage_started(self, stage: str) -> None:
        self.begun = self.told = time.monotonic()
        self._say(f"{stage} ...")

    @hookimpl
    def shiftlens_step(self, stage: str, done: int, total: int, values: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self.told < LINE_EVERY or not 0 < done < total:
            return
        self.told = now
        left = _left((now - self.begun) / done * (total - done))
        self._say(f"{stage}  {done}/{total}  {left}  {_figures(values)}".rstrip())

    @hookimpl
    def shiftlens_stage_finished(self, stage: str, seconds: float) -> None:
        self._say(f"{stage} done in {seconds:.1f} s")

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class Bar:
    """One rich progress bar per stage."""

    def __init__(self) -> None:
        self.progress: Any = None
        self.task: Any = None

    @hookimpl
    def shiftlens_stage_started(self, stage: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self.progress = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True),
        )
        self.progress.start()
        self.task = self.progress.add_task(stage, total=1, figures="")

    @hookimpl
    def shiftlens_step(self, done: int, total: int, values: Mapping[str, float]) -> None:
        if self.progress is not None:
            self.progress.update(self.task, completed=done, total=total, figures=_figures(values))

    @hookimpl
    def shiftlens_stage_finished(self, stage: str) -> None:
        if self.progress is not None:
            task = self.progress.tasks[0]
            self.progress.update(self.task, completed=task.total)
            self.close()

    def close(self) -> None:
        """Leave the terminal as it was; also called when a run is cut off."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
