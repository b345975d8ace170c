"""Tells, while a plugin is waited for, which one it is and where it stands. It is told, never killed."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def told_when_slow(plugin: str, doing: str, seconds: float) -> Iterator[None]:
    """Write one line to stderr if the block takes longer than ``seconds``."""
    waiting = threading.get_ident()

    def tell() -> None:
        frame = sys._current_frames().get(waiting)
        place = traceback.extract_stack(frame)[-1] if frame is not None else None
        where = f" ({place.filename}, line {place.lineno})" if place is not None else ""
        sys.stderr.write(
            f"the plugin {plugin} has been {doing} for {seconds:g} s{where}; shiftlens waits for it. "
            f"Ctrl-C stops; SHIFTLENS_BLOCK={plugin} leaves it out\n"
        )
        sys.stderr.flush()

    timer = threading.Timer(seconds, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
