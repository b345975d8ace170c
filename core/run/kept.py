"""What an earlier run wrote stays until new inputs have proved usable."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shiftlens.core.config.resolved import ORIGIN, RESOLVED
from shiftlens.core.run.directory import Run


class Kept:
    """Files as they were, until they are let go of."""

    def __init__(self, folder: Path, held: list[tuple[Path, Path]]) -> None:
        self.folder, self.held = folder, held

    def let_go(self) -> None:
        """The new ones are good: the earlier ones are not put back any more."""
        self.held.clear()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def kept(run: Run, stages: Iterable[str]) -> Iterator[Kept]:
    """Put back what these stages had written before, and the settings, if the block ends badly before `Kept.let_go`.

    Every file of a run directory is written whole, under a new name that then takes its place: a second link to what
    was there is enough to keep it, and costs nothing.
    """
    names = [RESOLVED, ORIGIN]
    for stage in stages:
        record = run.record(stage)
        names += [f"stages/{stage}.json", *(record.outputs if record else ())]
    folder = run.path / "work" / "kept"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir(parents=True)
    held = []
    for number, name in enumerate(names):
        path, second = run.path / name, folder / str(number)
        if path.is_file():
            _link(path, second)
            held.append((path, second))
    kept = Kept(folder, held)
    try:
        yield kept
    finally:
        for path, second in kept.held:
            os.replace(second, path)
        kept.let_go()


def _link(path: Path, second: Path) -> None:
    try:
        os.link(path, second)
    except OSError:  # a file system without links
        shutil.copy2(path, second)
