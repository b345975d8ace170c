"""The stages in their order: each is done when its inputs have changed, and otherwise left as it is."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

import shiftlens
from shiftlens.core.config.resolved import ORIGIN, RESOLVED, base_of, write_resolved
from shiftlens.core.config.settings import SLOTS, General, RawSettings, Settings
from shiftlens.core.errors import InputError, ShiftlensError, near_miss
from shiftlens.core.files import write_text
from shiftlens.core.host.host import Host
from shiftlens.core.host.watchdog import kept_alive
from shiftlens.core.run import given
from shiftlens.core.run.context import DOMAINS, Context, Stage
from shiftlens.core.run.directory import HOLDER, LOCK, RESULTS, Run, StageRecord
from shiftlens.core.run.kept import kept
from shiftlens.core.run.stages import (
    classifier,
    conversion,
    converter,
    data,
    estimate,
    explain,
    export,
    generate,
    grid,
    groups,
    intervention,
    remedy,
    render,
    score,
    second_opinion,
    trial,
)
from shiftlens.core.run.versions import versions

logger = logging.getLogger("shiftlens")

STAGES: tuple[Stage, ...] = (
    data.STAGE,
    classifier.STAGE,
    score.STAGE,
    groups.STAGE,
    trial.STAGE,
    estimate.STAGE,
    intervention.STAGE,
    remedy.STAGE,
    generate.STAGE,
    converter.STAGE,
    export.STAGE,
    conversion.STAGE,
    second_opinion.STAGE,
    grid.STAGE,
    explain.STAGE,
    render.STAGE,
)
NAMES = tuple(stage.name for stage in STAGES)
TAKING_IN = ("data", "classifier", "score")
"""The stages that fail where input is wrong: what they wrote for an earlier run is kept until the last is done."""


def run(
    settings: Settings | Mapping[str, Any] | str | Path | None = None,
    out: str | Path | None = None,
    until: str | None = None,
    from_: str | None = None,
    host: Host | None = None,
    **values: Any,
) -> Run:
    """Do an analysis; a second call does only what has changed, and goes on where an earlier one stopped.

    ``run("analysis.yaml")``, or without any file ``run(source=(x, y), target=(x2, y2), classifier=model)``.

    Args:
        settings: a settings file, a mapping of its form, or the settings as of `load_settings` or `Settings.parse`.
        out: the run directory; left out: ``runs/NAME`` beside the settings, or in the working directory.
        until: the last stage to do.
        from_: the first stage to do again even if nothing has changed.
        host: the host that the settings were resolved with.
        **values: settings by name, which take the place of those in ``settings``, such as ``name="night"`` or
            ``grid={"features": 7}``. ``source`` and ``target`` may be arrays: ``x``, ``(x, y)`` or ``{"x": x, "y": y,
            "kind": "tabular"}``, in the forms of the npz reader; they are kept in the run directory. ``classifier``
            may be a torch module, an estimator with ``predict_proba``, or a function ``(N, *sample)`` float32 ->
            ``(N, classes)``.

    Raises:
        ShiftlensError: something that a person can act on; nothing written so far is lost.
    """
    for asked in (until, from_):
        if asked is not None and asked not in NAMES:
            raise InputError(f'there is no stage "{asked}"; {near_miss(asked, NAMES)}there are: {", ".join(NAMES)}')
    if until and from_ and NAMES.index(from_) > NAMES.index(until):
        raise InputError(f"--from {from_} comes after --until {until}: nothing would be done")
    host = host or Host()
    if isinstance(settings, Settings):
        if values:
            raise InputError(f"{', '.join(values)}: these settings are resolved; give them with a file or a mapping")
        directory = Run(out or settings.base / "runs" / _slug(settings.general.name))
        _refuse_foreign(directory.path)
        return _run(settings, directory, until, from_, host)
    raw = (
        RawSettings.read(settings)
        if isinstance(settings, str | Path)
        else RawSettings(dict(settings or {}), base_of(Path.cwd()))
    )
    raw.values |= values
    directory = Run(out or raw.base / "runs" / _slug(str(raw.values.get("name") or General().name)))
    _refuse_foreign(directory.path)
    for role in [role for role in DOMAINS if raw.values.get(role) is not None]:
        raw.values[role] = given.domain_of(raw.values[role], role, (directory.path / given.FOLDER).resolve())
    model = None
    if raw.values.get("classifier") is not None:
        raw.values["classifier"], model = given.classifier_of(raw.values["classifier"])
    with given.known(model):
        return _run(raw.resolved(host), directory, until, from_, host)


def _run(settings: Settings, directory: Run, until: str | None, from_: str | None, host: Host) -> Run:
    another = _other_analysis(directory, settings)
    observers = {choice.name: choice.build for choice in settings.observers}
    with directory.lock(), _logging_to(directory.path / "log.txt"), host.watched_by(observers):
        logger.info("shiftlens %s, %s -> %s", shiftlens.__version__, settings.general.name, directory.path)
        if another:
            logger.warning("%s is of the analysis %s; it becomes that of %s", directory.path, another, _title(settings))
        host.notify("run_started", run=directory)
        context = Context(settings, host, directory)
        again = {*(NAMES[NAMES.index(from_) :] if from_ else ()), *given.asked_anew()}
        records: dict[str, StageRecord] = {}
        with kept(directory, TAKING_IN) as earlier:
            for stage in STAGES:
                with (
                    kept_alive(f"code that the stage {stage.name} runs"),
                    context.inside(stage, records) as after,
                ):
                    key = _key(stage, context, settings, {name: records[name] for name in after})
                    records[stage.name] = _do(stage, context, directory, key, stage.name in again)
                if stage.name == TAKING_IN[-1]:
                    earlier.let_go()
                if stage is explain.STAGE or not (directory.path / RESULTS).is_file():
                    write_resolved(directory.path, settings)  # results.json and settings.yaml belong together
                if stage.name == until:
                    earlier.let_go()
                    break
        host.notify("run_finished", run=directory)
    return directory


def _do(stage: Stage, context: Context, directory: Run, key: str, again: bool) -> StageRecord:
    """Do one stage unless its record says that nothing it depends on has changed, or it is asked for again."""
    if not again and directory.is_current(stage.name, key):
        record = directory.record(stage.name)
        assert record is not None
        logger.info("%s: up to date", stage.name)
        return record
    context.host.notify("stage_started", stage=stage.name)
    _clear_foreign_work(directory.path / "work", stage.name, key)
    logger.info("%s: begun", stage.name)
    started = time.monotonic()
    try:
        outcome = stage.work(context)
    except ShiftlensError:
        logger.info("%s: stopped after %.1f s", stage.name, time.monotonic() - started)
        raise
    record = directory.finish(stage.name, key, started, outcome, versions())
    logger.info("%s: done in %.1f s", stage.name, record.seconds)
    context.host.notify("stage_finished", stage=stage.name, seconds=record.seconds)
    return record


def _key(stage: Stage, context: Context, settings: Settings, records: dict[str, StageRecord]) -> str:
    """Hash of all that a stage depends on: settings, plugins, earlier stages, files outside."""
    plain = settings.plain()
    parts = [
        stage.name,
        shiftlens.__version__,
        {path: _value_at(plain, path) for path in stage.settings},
        {path: _origins(context, path) for path in stage.settings},
        {name: record.content for name, record in records.items()},
        stage.outside(context),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _value_at(plain: dict[str, Any], path: str) -> Any:
    """The value of a setting, ``key`` or ``key.inner``."""
    key, _, inner = path.partition(".")
    return plain[key][inner] if inner else plain[key]


def _origins(context: Context, path: str) -> list[str]:
    """The code behind one slot: each component chosen, or, where none is named, each that could be."""
    if path not in SLOTS:
        return []
    chosen = getattr(context.settings, path)
    if chosen is None and SLOTS[path].auto:
        return sorted(offer.identity for offer in context.host.offers(SLOTS[path].kind))
    choices = chosen if isinstance(chosen, tuple) else (chosen,)
    return [
        context.host.origin(type(choice.component), choice.name).identity for choice in choices if choice is not None
    ]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "analysis"


def _refuse_foreign(path: Path) -> None:
    """Never write into a folder that holds something else."""
    if path.exists() and not path.is_dir():
        raise InputError(f"--out {path} is a file; give a folder")
    if path.is_dir() and any(path.iterdir()) and not (path / RESOLVED).is_file() and not _is_begun(path):
        raise InputError(f"--out {path} holds other files and is no run directory; give an empty or a new folder")


def _other_analysis(directory: Run, settings: Settings) -> str:
    """What the directory holds, where that is not an earlier state of this analysis; else an empty string."""
    if not (directory.path / RESOLVED).is_file():
        return ""
    try:
        raw, base = directory.settings, directory.base
        held = {role: base / raw[role]["path"] for role in ("source", "target")}
        title = f'"{raw["name"]}" of {base}'
    except (ShiftlensError, OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return ""  # one that cannot be read, or whose readers take no path, cannot be told apart
    now = {role: getattr(getattr(settings, role).settings, "path", None) for role in held}
    return "" if any(held[role] == now[role] for role in held) else title


def _title(settings: Settings) -> str:
    return f'"{settings.general.name}" of {settings.base}'


def _is_begun(path: Path) -> bool:
    """Whether only the traces of a run that did not get past its first stage are there."""
    return all(
        entry.name in (LOCK, HOLDER, ORIGIN, given.FOLDER, "log.txt", "scratch", "stages", "work")
        for entry in path.iterdir()
    )


def _clear_foreign_work(folder: Path, stage: str, key: str) -> None:
    """Checkpoints belong to one key: those of other settings or data must not be resumed."""
    mark = folder / f"{stage}.key"
    if not mark.is_file() or mark.read_text() != key:
        shutil.rmtree(folder / stage, ignore_errors=True)
        write_text(mark, key)


class _Log(logging.FileHandler):
    """A log that ends where the disk is full, which is told by what fails on it, and not by a traceback of logging."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Append what is logged meanwhile to a file."""
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise InputError(f"{path} is no file; remove it")
    handler = _Log(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(min(level or logging.INFO, logging.INFO))
    try:
        yield
    except ShiftlensError as error:
        logger.error("%s", error)
        raise
    except BaseException:
        logger.exception("the run was cut off")
        raise
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        handler.close()
