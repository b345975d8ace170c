"""What the tests of a room run, noted once, so that a mutant is tried with the tests that can see it alone."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.mutants import Mutant

ENOUGH = 40.0
"""Seconds of processor time that a mutant is tried for at most, as the tests took them when they were noted."""


@dataclass(frozen=True)
class Room:
    """Modules and the tests that speak of them."""

    modules: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Runs:
    """What the room's tests run: seconds of each test, and the tests of each line of each module."""

    seconds: dict[str, float]
    tests: dict[str, dict[int, list[str]]]

    def of(self, mutant: Mutant) -> list[str]:
        """The tests that run a mutant, and after them the rest of their files, as many as `ENOUGH` allows.

        The rest, for what a test's helper keeps in a cache is noted for the first test alone that needs it.
        """
        lines, (first, last) = self.tests.get(mutant.path, {}), mutant.statement
        found = {test for line in range(first, last + 1) for test in lines.get(line, [])}
        if "" in found:  # it runs when the module is loaded, so any test of the module may see it
            found |= {test for tests in lines.values() for test in tests}
        files: dict[str, float] = defaultdict(float)
        for test in found - {""}:
            files[file_of(test)] += self.seconds[test]
        tests = [test for test in self.seconds if file_of(test) in files]
        tests.sort(key=lambda test: (test not in found, files[file_of(test)], file_of(test), self.seconds[test]))
        spent = list(accumulate(self.seconds[test] for test in tests))
        return [test for test, so_far in zip(tests, spent, strict=True) if so_far <= max(ENOUGH, spent[0])]


def file_of(test: str) -> str:
    return test.split("::")[0]


def noted(tree: Path, room: Room, kept: Path | None) -> Runs:
    """What the room's tests run; of what was kept, only files of tests that have changed since are run again."""
    files = [
        path
        for test in room.tests
        for path in ([tree / test] if test.endswith(".py") else tree.glob(f"{test}/**/test_*.py"))
    ]
    contents = {str(path.relative_to(tree)): _hash(path) for path in sorted(files)}
    modules = "".join(_hash(path) for path in sorted(tree.glob(room.modules)))
    before = json.loads(kept.read_text(encoding="utf-8")) if kept and kept.is_file() else {}
    known = before["files"] if before.get("modules") == modules else {}
    changed = [file for file, content in contents.items() if known.get(file, {}).get("content") != content]
    fresh = recorded(tree, room.modules, changed) if changed else {}
    parts = {file: {"content": contents[file], **fresh.get(file, {"seconds": {}, "tests": {}})} for file in changed}
    parts = {**{file: part for file, part in known.items() if file in contents}, **parts}
    if kept:
        kept.write_text(json.dumps({"modules": modules, "files": parts}), encoding="utf-8")
    tests: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for part in parts.values():
        for path, lines in part["tests"].items():
            for line, names in lines.items():
                tests[path][int(line)] += names
    return Runs({test: took for part in parts.values() for test, took in part["seconds"].items()}, tests)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def recorded(tree: Path, modules: str, files: list[str]) -> dict[str, Any]:
    """Run files of tests once, with no mutant: by file, the seconds of each test and the tests of each line."""
    out = tree / "runs.json"
    environment = {**os.environ, "ROOM_MODULES": str(tree / modules), "ROOM_RUNS": str(out)}
    environment["PYTHONPATH"] = os.pathsep.join(str(tree / part) for part in ("src", "tests", "."))
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is compiled now is not compiled for each mutant
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-p", "benchmarks.mutation_coverage"]
    command = [sys.executable, "-m", "pytest", *options, *files]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 5):  # 5: nothing of these belongs to the default run
        sys.exit(f"the tests fail without any mutant: {done.stdout[-2000:]}")
    both = json.loads(out.read_text(encoding="utf-8"))
    found: dict[str, Any] = {file: {"seconds": {}, "tests": defaultdict(dict)} for file in files}
    for test, took in both["seconds"].items():
        found[file_of(test)]["seconds"][test] = took
    for path, lines in both["runs"].items():
        for line, names in lines.items():
            for name in names:
                for file in [file_of(name)] if name else files:
                    found[file]["tests"][path].setdefault(line, []).append(name)
    return found
