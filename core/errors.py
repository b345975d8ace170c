"""The few exceptions of shiftlens. Every message says what is wrong, where, and the next step."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class ShiftlensError(Exception):
    """Base of all errors that a person can act on; the command line prints its message and exits with 2."""


class InputError(ShiftlensError):
    """Data, files or arguments that cannot be used."""


class PluginError(ShiftlensError):
    """A plugin that could not be loaded, found, or told apart from another."""


class ClassifierError(InputError):
    """A classifier that could not be loaded, or whose output does not fit the data."""


class ExportError(ShiftlensError):
    """A network that could not be exported, or whose export does not agree with the original."""


class TrainingError(ShiftlensError):
    """Training that cannot start or must stop: too few samples, values that are not finite."""


class NoPairError(InputError):
    """No two samples can be shown as a pair; the verdicts need none, so a run goes on without its grid."""


class BundleError(InputError):
    """A bundle that is incomplete, altered, foreign, or of another format version."""


@dataclass(frozen=True)
class Mistake:
    """One mistake in a settings file: where it is, and what to do about it."""

    key: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}, " if self.line is not None else ""
        return f"{place}{self.key}: {self.message}"


class SettingsError(InputError):
    """All the mistakes of one settings file, reported together."""

    def __init__(self, origin: str, mistakes: list[Mistake]) -> None:
        self.origin = origin
        self.mistakes = sorted(mistakes, key=lambda m: (m.line or 0, m.key))
        count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
        super().__init__(f"{origin} has {count}:\n" + "\n".join(f"  {m}" for m in self.mistakes))


def near_miss(word: str, known: Iterable[str]) -> str:
    """``'did you mean "x"? '`` or nothing: the beginning of the sentence that lists what there is."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"? ' if close else ""
