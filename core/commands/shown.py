"""Progress and warnings on stderr while a command works."""

from __future__ import annotations

import logging

import click

from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.host.host import Host


class _Warnings(logging.Handler):
    """What goes wrong without stopping a run, on stderr as it happens."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:  # what stops a run is the message that the command ends with
            self.told.add(record.getMessage())
            click.echo(f"warning: {record.getMessage()}", err=True)


class _Work:
    """Whether any stage had to be done."""

    def __init__(self) -> None:
        self.done = False

    @hookimpl
    def shiftlens_stage_started(self) -> None:
        self.done = True


class shown:
    """Show progress and warnings while the block runs, and leave the terminal as it was whatever happens.

    Attributes:
        warnings: ``warnings.told`` are those shown.
        work: ``work.done`` says whether there was anything to do.
    """

    def __init__(self, host: Host, quiet: bool) -> None:
        from shiftlens.core.run.progress import progress_observer

        self.observer = None if quiet else progress_observer()
        self.warnings, self.work = _Warnings(), _Work()
        host.register(self.work, "work")
        if self.observer is not None:
            host.register(self.observer, "progress")

    def __enter__(self) -> shown:
        logging.getLogger("shiftlens").addHandler(self.warnings)
        return self

    def __exit__(self, *exception: object) -> None:
        logging.getLogger("shiftlens").removeHandler(self.warnings)
        if hasattr(self.observer, "close"):
            self.observer.close()
