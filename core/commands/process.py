"""What the process of a command needs before anything else: its streams, and an end that no code of others can stop."""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
import threading

from shiftlens.core.commands.options import INTERRUPTED

GRACE = 10.0  # seconds from Ctrl-C until the process ends whatever it is doing
GOES_ON = "interrupted; the same command goes on where it stopped"


def prepare() -> None:
    """Make sure of the standard streams, of Ctrl-C, and that a crash in C code names the Python code that called it."""
    _fill_closed_streams()
    faulthandler.enable()
    _end_when_interrupted()


def _fill_closed_streams() -> None:
    """Give a stream that the caller has closed (``2>&-``) to nobody: else the next file opened would take its place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _end_when_interrupted() -> None:
    """Let Ctrl-C end the process even where Python's handler cannot run, as in C code or in code that catches all.

    The first asks, as always. The second, or the first after a while, ends it; what is written, is written whole.
    """
    if os.name != "posix":
        return
    asked, ask = os.pipe()
    os.set_blocking(ask, False)
    signal.set_wakeup_fd(ask, warn_on_full_buffer=False)
    threading.Thread(target=_wait_for_end, args=(asked,), name="shiftlens-interrupt", daemon=True).start()


def _wait_for_end(asked: int) -> None:
    while os.read(asked, 1) != bytes([signal.SIGINT]):
        pass
    select.select([asked], [], [], GRACE)
    os.write(2, f"{GOES_ON}\n".encode())
    os._exit(INTERRUPTED)
