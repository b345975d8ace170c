"""A run: one analysis in one directory, made by stages that each leave a record of what they read and wrote."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout
from pydantic import ValidationError

from shiftlens.core.arrays import AnyArray
from shiftlens.core.config.resolved import RESOLVED, base_of
from shiftlens.core.config.yaml_file import read_yaml_file
from shiftlens.core.errors import InputError
from shiftlens.core.files import read_text, save_array, sha256_of, write_text
from shiftlens.core.results.report import Report
from shiftlens.core.results.results import Results

if TYPE_CHECKING:
    from shiftlens.core.run.context import Outcome
    from shiftlens.core.run.looked_at import CauseList, GridPicture

logger = logging.getLogger("shiftlens")

RESULTS = "results.json"
LOCK, HOLDER = ".lock", ".lock-holder"
"""Files of the run directory: what the operating system locks, and a line that says who holds it."""


@dataclass(frozen=True)
class Output:
    """One file that a stage wrote or read: enough to see cheaply whether it is still that file."""

    size: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True)
class StageRecord:
    """What a finished stage leaves behind in ``stages/NAME.json``.

    Attributes:
        key: hash of everything the stage depended on.
        outputs: the files it wrote, by their path in the run directory.
        facts: small JSON values that later stages and the results need.
        inputs: files that it was found to read only as it worked, by their path from the run directory.
        sealed: `seal` when it was written: what is read back is not believed where it differs.
    """

    stage: str
    key: str
    seconds: float
    versions: dict[str, str]
    outputs: dict[str, Output] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Output] = field(default_factory=dict)
    sealed: str = ""

    @property
    def seal(self) -> str:
        """Hash of all the rest."""
        return hashlib.sha256(json.dumps({**asdict(self), "sealed": ""}, sort_keys=True).encode()).hexdigest()

    @property
    def content(self) -> str:
        """Text that changes whenever what this stage hands on has changed."""
        return json.dumps(
            [sorted((name, out.sha256) for name, out in self.outputs.items()), self.facts], sort_keys=True
        )


class Arrays(Mapping[str, AnyArray]):
    """The run's arrays by name, memory-mapped when asked for: ``arrays["cells"]`` is ``arrays/cells.npy``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, name: str) -> AnyArray:
        path = self.folder / f"{name}.npy"
        if not path.is_file():
            raise KeyError(name)
        try:
            loaded: AnyArray = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError):
            raise InputError(
                f"{path} is damaged; the analysis writes it anew: `shiftlens run CONFIG --out {self.folder.parent}`"
            ) from None
        return loaded

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(path.stem for path in self.folder.glob("*.npy")))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def save(self, name: str, array: AnyArray) -> str:
        """Write an array whole; returns its path inside the run directory."""
        save_array(self.folder / f"{name}.npy", array)
        return f"arrays/{name}.npy"


class Run:
    """One run directory. See CONTRACT of the files: settings.yaml, results.json, arrays/, bundle/, stages/, log.txt."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.arrays = Arrays(self.path / "arrays")

    @property
    def settings(self) -> dict[str, Any]:
        """The resolved settings, with every default, as plain values; relative paths start from `base`.

        Raises:
            InputError: the file is damaged.
        """
        path = self.path / RESOLVED
        loaded = read_yaml_file(path, self._written_anew)
        if not set(loaded) >= {"source", "target", "classifier"} or not isinstance(loaded.get("reports"), list):
            raise InputError(f"{path} is damaged (it lacks what every analysis has); {self._written_anew}")
        return loaded

    @property
    def base(self) -> Path:
        """The folder that relative paths of `settings` start from: that of the analysis."""
        return base_of(self.path.resolve())

    @property
    def results(self) -> Results:
        """What the run found.

        Raises:
            InputError: the run has not got that far, or the file is damaged.
        """
        path = self.path / RESULTS
        if not path.exists():
            raise InputError(f"{self.path} has no results.json yet; finish it with `shiftlens run`")
        try:
            return Results.model_validate_json(read_text(path))
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"]) or "the file"
            raise InputError(f"{path} is damaged ({place}: {fault['msg']}); {self._written_anew}") from None
        except InputError as error:
            raise InputError(f"{error}; {self._written_anew}") from None

    @property
    def _written_anew(self) -> str:
        return f"the analysis writes it anew: `shiftlens run CONFIG --out {self.path}`"

    @property
    def causes(self) -> CauseList:
        """The verdicts; ``causes.to_frame()`` is a table of pandas."""
        from shiftlens.core.run.looked_at import CauseList

        return CauseList(self.results.causes)

    def pair(self, number: int) -> GridPicture:
        """The generated grid of one pair, to `show`; numbers begin at 0, as in ``results.pairs``.

        Raises:
            InputError: the run has no such pair.
        """
        from shiftlens.core.run.looked_at import pair_of

        return pair_of(self, number)

    def grid(
        self, sample: AnyArray, label: str | None = None, features: int | None = None, losses: int | None = None
    ) -> GridPicture:
        """The intervention grid of a sample of one's own: the fitted changes of this run, made on it.

        Args:
            sample: ``(*sample)`` float32, channels first, as the run's own are.
            label: its class; left out: what the classifier says of it.
            features, losses: columns and rows; left out: as in the settings.

        Raises:
            InputError: the sample or the class does not fit, or nothing was found to have changed.
        """
        from shiftlens.core.run.looked_at import grid_of

        return grid_of(self, sample, label, features, losses)

    def __repr__(self) -> str:
        return f"<Run in {self.path}>"

    def _repr_html_(self) -> str | None:
        """In a notebook: the answer and the intervention grid of the report; nothing before there are results."""
        from shiftlens.core.run.looked_at import page_of

        return page_of(self) if (self.path / RESULTS).is_file() else None

    @property
    def bundle(self) -> Path:
        """The folder of the exported models."""
        return self.path / "bundle"

    def report(self) -> Report:
        """What renderers are given."""
        return Report(results=self.results, settings=self.settings, arrays=self.arrays)

    def folder(self, *parts: str) -> Path:
        """A folder inside the run directory, made if needed."""
        path = self.path.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def record(self, stage: str) -> StageRecord | None:
        """The record of a finished stage; None where it never finished or its record cannot be read."""
        path = self.path / "stages" / f"{stage}.json"
        try:
            raw = json.loads(read_text(path))
            for files in ("outputs", "inputs"):
                raw[files] = {name: Output(**out) for name, out in raw.get(files, {}).items()}
            record = StageRecord(**raw)
            if record.sealed != record.seal:
                raise InputError("it is not as it was written")
            return record
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, InputError) as error:
            if path.exists():
                logger.warning("the record %s cannot be read (%s); the stage is done again", path, error)
            return None

    def is_current(self, stage: str, key: str) -> bool:
        """Whether a stage's record has this key, and every file that it wrote or read is still there, unaltered."""
        record = self.record(stage)
        if record is None or record.key != key:
            return False
        return all(self._unaltered(name, file) for name, file in {**record.outputs, **record.inputs}.items())

    def finish(self, stage: str, key: str, started: float, outcome: Outcome, versions: dict[str, str]) -> StageRecord:
        """Write the record of a stage that was ``started`` at this time (`time.monotonic`)."""
        seconds = round(time.monotonic() - started, 3)
        here = self.path.resolve()
        written = {name: _described(self.path / name) for name in sorted(outcome.outputs)}
        read = {_from(here, path): _described(path) for path in sorted(set(outcome.inputs))}
        record = StageRecord(stage, key, seconds, versions, written, json.loads(json.dumps(outcome.facts)), read)
        record = replace(record, sealed=record.seal)
        write_text(self.path / "stages" / f"{stage}.json", json.dumps(asdict(record), indent=2) + "\n")
        return record

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory while the block runs, so that two runs never write into it at once.

        The operating system lets go of it when the process ends, however it ends.

        Raises:
            InputError: another process, or another run in this one, holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        holder = self.path / HOLDER
        try:
            with FileLock(self.path / LOCK, timeout=0):
                write_text(holder, f"process {os.getpid()} on {platform.node()}, since {time.strftime('%H:%M:%S')}\n")
                try:
                    yield
                finally:
                    holder.unlink(missing_ok=True)
        except Timeout:
            raise InputError(
                f"{self.path} is being written by {_told(holder)}; wait for it, or choose another --out"
            ) from None

    def _unaltered(self, name: str, output: Output) -> bool:
        try:
            status = (self.path / name).stat()
        except OSError:
            return False
        if status.st_size != output.size:
            return False
        return status.st_mtime_ns == output.modified_ns or sha256_of(self.path / name) == output.sha256


def _described(path: Path) -> Output:
    status = path.stat()
    return Output(status.st_size, status.st_mtime_ns, sha256_of(path))


def _from(folder: Path, path: Path) -> str:
    """A path as seen from a folder, so that both can be moved together; absolute where there is no way to it."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return str(path)


def _told(holder: Path) -> str:
    """Who holds a run directory; it may not have said so yet."""
    try:
        return holder.read_text(encoding="utf-8").strip() or "another process"
    except (OSError, UnicodeDecodeError):
        return "another process"


def load_run(path: str | Path) -> Run:
    """Open a run directory.

    Raises:
        InputError: it is none.
    """
    run = Run(path)
    if not (run.path / RESOLVED).is_file():
        raise InputError(
            f"{path} is no run directory: it has no settings.yaml; `shiftlens run CONFIG --out {path}` makes one"
        )
    return run
