"""Progress and warnings on stderr while a command works."""

from __future__ import annotations

import logging

import click

from shiftlens.core.host.host import Host


class _Warnings(logging.Handler):
    """What goes wrong without stopping a run, on stderr as it happens."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:  # what stops a run is the message that the command ends with
            click.echo(f"warning: {record.getMessage()}", err=True)


class shown:
    """Show progress and warnings while the block runs, and leave the terminal as it was whatever happens."""

    def __init__(self, host: Host, quiet: bool) -> None:
        from shiftlens.core.run.progress import progress_observer

        self.observer = None if quiet else progress_observer()
        self.warnings = _Warnings(logging.WARNING)
        if self.observer is not None:
            host.register(self.observer, "progress")

    def __enter__(self) -> None:
        logging.getLogger("shiftlens").addHandler(self.warnings)

    def __exit__(self, *exception: object) -> None:
        logging.getLogger("shiftlens").removeHandler(self.warnings)
        if hasattr(self.observer, "close"):
            self.observer.close()
