"""One hostile input with its right outcome, and what is asked of every outcome.

``works``: exit code 0. ``told``: exit code 2, one message on stderr that holds the words given (the place, and what to
do next), nothing on stdout, no traceback, and nothing half-written.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from shiftlens.core import cli

EVERY = 8  # one case in so many runs by default, the others where slow tests do


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        name: what is wrong, or right, with it.
        make: writes it into a folder and returns the command line after ``shiftlens``.
        told: parts of the one message; empty: the command works.
        quick: run by default whatever its place in the list.
        alone: in a process of its own, which it could end, or whose memory counts.
    """

    name: str
    make: Callable[[Path], Iterable[object]]
    told: tuple[str, ...] = ()
    quick: bool = False
    alone: bool = False


def cases(table: list[Case]) -> pytest.MarkDecorator:
    """Parametrise a test by ``case``; what is not quick is marked slow."""
    assert len({case.name for case in table}) == len(table), "two cases have one name"
    parameters = []
    for number, case in enumerate(table):
        quick = case.quick or (number % EVERY == 0 and not case.alone)
        parameters.append(pytest.param(case, id=case.name, marks=() if quick else pytest.mark.slow))
    return pytest.mark.parametrize("case", parameters)


def check(case: Case, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Run the command of a case and hold it to its outcome."""
    command = [str(word) for word in case.make(folder)]
    before = set(folder.rglob("*"))
    capfd.readouterr()
    if case.alone:
        done = run_alone(command, folder)
        code, out, err = done.returncode, done.stdout, done.stderr
    else:
        code = cli._run_command_line(command)
        out, err = capfd.readouterr()
    err = err.replace(str(folder), "FOLDER")  # whose name is that of the case
    outcome = f"exit code {code}\n{out}\n{err}"
    assert "Traceback" not in err, outcome
    half_written = [path for path in set(folder.rglob("*")) - before if re.match(r"\..+\..{8}", path.name)]
    assert not half_written, half_written
    if not case.told:
        assert code == 0, outcome
        return
    assert code == 2, outcome
    assert out == "", outcome
    messages = re.findall(r"^(?:error: |Error: |Usage: )", err, re.MULTILINE)
    assert len(set(messages)) >= 1, outcome
    assert messages.count("error: ") <= 1, outcome
    for words in case.told:
        assert words in err, f"no {words!r} in\n{outcome}"


def run_alone(command: list[str], folder: Path, **more: object) -> subprocess.CompletedProcess[str]:
    """``shiftlens`` in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "shiftlens", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        **more,  # type: ignore[call-overload]
    )
