"""How long a whole run still takes: from what its stages took last time, or take usually, and how far this one is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

USUAL = {
    "data": 0.5, "classifier": 5, "score": 0.5, "groups": 0, "trial": 40, "estimate": 0, "intervention": 3,
    "remedy": 10, "generator": 34, "converter": 0, "export": 5, "conversion": 0, "second-opinion": 6, "grid": 6,
    "explain": 0.3, "render": 2,
}  # fmt: skip
"""Shares of the demo's time, in hundredths, nearly: used for a stage until a run of this analysis has measured it."""
ENOUGH = 0.04  # of the work must be done before the usual shares say anything about the time


class Pace:
    """The time left of a run, stage by stage.

    Args:
        stages: all stages in their order; one that does not begin is up to date, and costs nothing.
        last: seconds that stages took in the last run, where that is known.
        now: the clock, in seconds.
    """

    def __init__(
        self, stages: Sequence[str], last: Mapping[str, float], now: Callable[[], float] = time.monotonic
    ) -> None:
        self.stages, self.last, self.now = stages, last, now
        self.stage, self.begun, self.fraction = "", now(), 0.0
        self.took: dict[str, float] = {}

    def start(self, stage: str) -> None:
        """A stage begins."""
        self.stage, self.begun, self.fraction = stage, self.now(), 0.0

    def step(self, done: int, total: int) -> None:
        """So much of it is done; a total that grows does not take back what was said."""
        self.fraction = max(self.fraction, min(1.0, done / total if total else 0.0))

    def finish(self, seconds: float) -> None:
        """The stage is done."""
        self.took[self.stage] = seconds
        self.stage = ""

    def left(self) -> float | None:
        """Seconds until the whole run is done; None while nothing is known."""
        if self.stage not in self.stages:  # a command of one stage of its own
            return self._by_steps()
        after = self.stages[self.stages.index(self.stage) + 1 :]
        here, later = self._expected(self.stage), [self._expected(stage) for stage in after]
        if any(seconds is None for seconds in later):
            return None
        own = self._of_stage(here)
        return None if own is None else own + sum(seconds for seconds in later if seconds is not None)

    def _of_stage(self, expected: float | None) -> float | None:
        """What is left of the stage: as expected at its begin, by its own steps towards its end."""
        by_steps = self._by_steps()
        if expected is None:
            return by_steps
        by_plan = expected * (1 - self.fraction)
        if by_steps is None:
            return max(by_plan - (self.now() - self.begun), 0.0)
        return (1 - self.fraction) * by_plan + self.fraction * by_steps

    def _by_steps(self) -> float | None:
        if self.fraction < 0.02:
            return None
        return (self.now() - self.begun) / self.fraction * (1 - self.fraction)

    def _expected(self, stage: str) -> float | None:
        """Seconds that a stage is expected to take."""
        if stage in self.last:
            return self.last[stage] * self._speed()
        done = sum(USUAL.get(name, 1.0) for name in self.took)
        if done < 100 * ENOUGH:
            return None
        return USUAL.get(stage, 1.0) * sum(self.took.values()) / done

    def _speed(self) -> float:
        """How much longer than last time the stages take that were done; 1 while none was long enough to tell."""
        known = [name for name in self.took if self.last.get(name, 0.0) >= 1.0]
        before = sum(self.last[name] for name in known)
        return sum(self.took[name] for name in known) / before if before else 1.0
