"""Code of others is watched while it is waited for: who is slow is told, and nobody ends the program but its user.

Told, never killed: shiftlens cannot know how long a large model may take. Ctrl-C ends it.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from shiftlens.core.errors import PluginError, ShiftlensError

LOOK = 0.25  # seconds between two looks at what is waited for


@dataclass(eq=False)
class _Wait:
    """One piece of code that is waited for."""

    who: str
    doing: str
    seconds: float
    advice: str
    thread: int = field(default_factory=threading.get_ident)
    begun: float = field(default_factory=time.monotonic)

    def tell(self) -> None:
        frame = sys._current_frames().get(self.thread)
        place = traceback.extract_stack(frame)[-1] if frame is not None else None
        where = f" ({place.filename}, line {place.lineno})" if place is not None else ""
        if sys.stderr is not None:
            sys.stderr.write(
                f"{self.who} has been {self.doing} for {self.seconds:g} s{where}; shiftlens waits for it. "
                f"Ctrl-C stops{self.advice}\n"
            )
            sys.stderr.flush()


_waiting: set[_Wait] = set()
_changed = threading.Condition()
_watcher: threading.Thread | None = None


@contextmanager
def told_when_slow(who: str, doing: str, seconds: float, advice: str = "") -> Iterator[None]:
    """Write one line to stderr if the block takes longer than ``seconds``; costs a few microseconds otherwise.

    Args:
        who, doing: as in "the plugin x has been being imported".
        advice: what else helps, after "Ctrl-C stops".
    """
    global _watcher
    wait = _Wait(who, doing, seconds, advice)
    with _changed:
        _waiting.add(wait)
        if _watcher is None or not _watcher.is_alive():  # never started, or lost in a fork
            _watcher = threading.Thread(target=_watch, name="shiftlens-watchdog", daemon=True)
            _watcher.start()
        elif len(_waiting) == 1:
            _changed.notify()
    try:
        yield
    finally:
        with _changed:
            _waiting.discard(wait)


def _watch() -> None:
    while True:
        with _changed:
            while not _waiting:
                _changed.wait()
            due = [wait for wait in _waiting if time.monotonic() - wait.begun > wait.seconds]
            _waiting.difference_update(due)
        for wait in due:
            wait.tell()
        time.sleep(LOOK)


@contextmanager
def kept_alive(who: str, raised: type[ShiftlensError] = PluginError) -> Iterator[None]:
    """Let ``sys.exit`` in the code of others be a fault of theirs, not an end of the program that looks like success.

    Args:
        who: as in "the classifier x calls sys.exit(0)".
        raised: the error that it becomes.
    """
    try:
        yield
    except SystemExit as exit:
        raise raised(
            f"{who} calls sys.exit({'' if exit.code is None else repr(exit.code)}), which would end the program "
            "without a result; take that out of its code, and let it raise an error instead"
        ) from exit
