"""What long work is handed: where to write, how to be seeded, on which device, and whom to tell."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

logger = logging.getLogger("shiftlens")


class Progress(Protocol):
    """``progress(done, total, **values)``: called often; cheap; ``values`` are figures such as a loss."""

    def __call__(self, done: int, total: int, **values: float) -> None: ...


def silent(done: int, total: int, **values: float) -> None:
    """A progress that tells nobody."""


@dataclass(frozen=True)
class Job:
    """One piece of long work inside a run.

    Attributes:
        folder: an existing folder of its own, kept between calls: checkpoints and files go there.
        seed: every random number must follow from it.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
        progress: told of the steps done.
    """

    folder: Path
    seed: int = 0
    device: str = "auto"
    progress: Progress = field(default=silent)
