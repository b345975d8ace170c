"""What a stage declares that it depends on, and views of the settings and of the run that hold it to that.

A stage's key is made of what it declares. A stage that could read anything else would keep stale figures when that
changes, in silence; so reading anything else raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shiftlens.core.arrays import AnyArray
from shiftlens.core.config.settings import EVERY_SETTING, SLOTS, Settings
from shiftlens.core.run.directory import Arrays, Run, StageRecord


class Undeclared(Exception):
    """A stage reads what it does not say it depends on: a fault of shiftlens."""


@dataclass(frozen=True)
class Declared:
    """What one stage may read.

    Attributes:
        stage: its name.
        settings: keys of the settings, such as ``seed``, or ``grid.calibrate`` for one of a group.
        after: the stages whose facts and files it may read.
        records: of the stages done so far in this run.
    """

    stage: str
    settings: tuple[str, ...]
    after: tuple[str, ...]
    records: Mapping[str, StageRecord] = field(default_factory=dict)

    def reads_setting(self, path: str) -> None:
        """Raise `Undeclared` unless the setting is declared, alone or with its group."""
        if path not in self.settings and path.partition(".")[0] not in self.settings:
            raise Undeclared(
                f'the stage "{self.stage}" reads the setting "{path}" and does not declare it: add it to the settings '
                f"of its Stage(...), so that the stage is done again when it changes (declared: {self.settings})"
            )

    def reads_stage(self, name: str) -> None:
        """Raise `Undeclared` unless it is the stage itself or one that it comes after."""
        if name != self.stage and name not in self.after:
            raise Undeclared(
                f'the stage "{self.stage}" reads what the stage "{name}" made and does not declare it: add it to the '
                f"`after` of its Stage(...), so that the stage is done again when that changes (declared: {self.after})"
            )

    def writer_of(self, file: str) -> str | None:
        """The stage of this run that wrote a file; None where none did, such as for one that an earlier run left."""
        return next((name for name, record in self.records.items() if file in record.outputs), None)


class DeclaredSettings:
    """`Settings` as one stage may read them."""

    def __init__(self, settings: Settings, declared: Declared) -> None:
        self._settings, self._declared = settings, declared

    @property
    def general(self) -> DeclaredGroup:
        """The values that belong to no component."""
        return DeclaredGroup(self._settings.general, "", self._declared)

    @property
    def sha256(self) -> str:
        """Of all settings, so that all must be declared."""
        for path in EVERY_SETTING:
            self._declared.reads_setting(path)
        return self._settings.sha256

    @property
    def remedies(self) -> Any:
        """What ``remedy.measure`` asks for."""
        self._declared.reads_setting("remedy.measure")
        return self._settings.remedies

    def __getattr__(self, slot: str) -> Any:
        if slot not in SLOTS:
            raise AttributeError(f"a stage reads slots of the settings ({', '.join(SLOTS)}) or general, not {slot}")
        self._declared.reads_setting(slot)
        return getattr(self._settings, slot)


class DeclaredGroup:
    """The general settings, or one group of them such as ``grid``, as one stage may read them."""

    def __init__(self, values: Any, prefix: str, declared: Declared) -> None:
        self._values, self._prefix, self._declared = values, prefix, declared

    def __getattr__(self, name: str) -> Any:
        path = f"{self._prefix}{name}"
        value = getattr(self._values, name)
        if path not in self._declared.settings and any(d.startswith(f"{path}.") for d in self._declared.settings):
            return DeclaredGroup(value, f"{path}.", self._declared)
        self._declared.reads_setting(path)
        return value


class DeclaredArrays(Arrays):
    """`Arrays` as one stage may read them: its own, and those that stages before it wrote in this very run."""

    def __init__(self, folder: Path, declared: Declared) -> None:
        super().__init__(folder)
        self._declared = declared
        self._own: set[str] = set()

    def __getitem__(self, name: str) -> AnyArray:
        if name not in self._own:
            writer = self._declared.writer_of(f"arrays/{name}.npy")
            if writer is None:
                raise KeyError(name)
            self._declared.reads_stage(writer)
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[str]:
        written = {name: self._declared.writer_of(f"arrays/{name}.npy") for name in super().__iter__()}
        return iter([name for name, writer in written.items() if name in self._own or writer in self._declared.after])

    def save(self, name: str, array: AnyArray) -> str:
        """Write an array whole; returns its path inside the run directory."""
        self._own.add(name)
        return super().save(name, array)


class DeclaredRun(Run):
    """`Run` as one stage may read it; anybody may write."""

    def __init__(self, path: Path, declared: Declared) -> None:
        super().__init__(path)
        self._declared = declared
        self.arrays = DeclaredArrays(self.arrays.folder, declared)

    @property
    def settings(self) -> dict[str, Any]:
        """The resolved settings; all of them, so that all must be declared."""
        for path in EVERY_SETTING:
            self._declared.reads_setting(path)
        return super().settings

    @property
    def results(self) -> Any:
        """What the stage explain wrote."""
        self._declared.reads_stage("explain")
        return super().results

    def record(self, stage: str) -> StageRecord | None:
        """The record of a stage that this one comes after."""
        self._declared.reads_stage(stage)
        return super().record(stage)
