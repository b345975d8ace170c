"""Stage ``render``: each renderer turns the results into files of the run directory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from shiftlens.core.config.settings import EVERY_SETTING, Choice
from shiftlens.core.errors import PluginError, ShiftlensError
from shiftlens.core.files import write_bytes
from shiftlens.core.run.context import Context, Outcome, Stage
from shiftlens.core.run.directory import Run

KEPT = ("results.json",)
"""Written by an earlier stage; the json renderer gives the same content, and the file is left as it is."""


def render(run: Run, reports: Iterable[Choice]) -> list[str]:
    """Write what each renderer makes of a run; returns the files' names in the run directory.

    Raises:
        PluginError: a renderer failed; what the others wrote stays.
    """
    report = run.report()
    written: list[str] = []
    failures: list[str] = []
    for choice in reports:
        try:
            files = choice.build()(report)
        except ShiftlensError as error:
            failures.append(str(error))
            continue
        except (Exception, SystemExit) as error:
            failures.append(f'the renderer "{choice.name}" failed: {type(error).__name__}: {error}')
            continue
        for name, content in files.items():
            _check_name(choice.name, name)
            path = run.path / name
            if name not in KEPT or path.read_bytes() != content:
                write_bytes(path, content)
            written.append(name)
    if failures:
        raise PluginError("; ".join(failures) + ". The other reports are written")
    return written


def _check_name(renderer: str, name: str) -> None:
    """A renderer writes files of its own into the run directory, nowhere else."""
    parts = PurePosixPath(name).parts
    reserved = parts and parts[0] in (
        "arrays",
        "bundle",
        "stages",
        "scratch",
        "work",
        "settings.yaml",
        "origin.json",
        "log.txt",
    )
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or reserved:
        raise PluginError(f'the renderer "{renderer}" wants to write {name!r}, which is not a file of its own')


def work(context: Context) -> Outcome:
    return Outcome([name for name in render(context.run, context.settings.reports) if name not in KEPT])


STAGE = Stage(
    "render",
    settings=EVERY_SETTING,  # a renderer is given all of them, and every array
    after=("classifier", "score", "trial", "intervention", "grid", "explain"),
    work=work,
)
