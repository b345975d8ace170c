"""Mutation testing: small wrong changes of the numeric code, one at a time, and whether the default tests see them.

    python -m benchmarks.mutation [--room causes] [--count 35] [--seed 0] [--workers 2] [--out benchmarks/mutation.md]
    python -m benchmarks.mutation --again "core/causes/verdict.py:71"    # those of one place, whatever the sample

Mutants (`benchmarks.mutants`) are drawn by chance, evenly over modules and kinds of change. Each is tried in a copy of
the tree, never in place, with those tests of its room that belong to the default run and execute the changed statement,
the quickest first, until one fails. The whole default run may catch more, so what is counted is a lower bound.

cosmic-ray and mutmut were looked at: the one changes files in place, the other needs a package that is laid out as it
is imported, which four linked folders are not.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Queue
from typing import Any

from benchmarks.mutants import Mutant, drawn, mutants_of, mutated
from benchmarks.mutation_reasons import REASONS
from benchmarks.mutation_runs import Room, Runs, file_of, noted

ROOT = Path(__file__).resolve().parent.parent
VERDICTS = "verdicts.jsonl"
SLOWEST = 600
"""Seconds after which a mutant counts as caught: it hangs."""
HEAVY = (
    "numpy",
    "scipy.stats",
    "scipy.ndimage",
    "scipy.optimize",
    "sklearn.linear_model",
    "torch",
    "onnx",
    "onnxscript",
)
"""Libraries that the process behind all mutants' processes has loaded; nothing of shiftlens is among them."""


ROOMS = {
    "causes": Room("core/causes/*.py", ("tests/core/causes",)),
    "grid": Room("core/grid/*.py", ("tests/core/grid", "tests/core/causes", "tests/export/test_grid_command.py")),
    "export": Room("export/*.py", ("tests/export", "tests/core/commands/test_export.py", "tests/plugins/classifiers")),
    "renderers": Room("plugins/renderers/*.py", ("tests/plugins/renderers",)),
}


def copied(to: Path) -> Path:
    """The tree as git knows it, links as links."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name, follow_symlinks=False)
    return to


class Chosen:
    """A plugin of pytest that runs some tests in their order and keeps the name of the first that fails."""

    def __init__(self, tests: list[str]) -> None:
        self.place, self.failed = {test: place for place, test in enumerate(tests)}, ""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        chosen = [item for item in items if item.nodeid in self.place]
        items[:] = sorted(chosen, key=lambda item: self.place[item.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid.rsplit("/", 1)[-1].split("[")[0]


def run_tests(tree: str, tests: list[str], answer: Connection) -> None:
    """In a process of its own: answer ``""`` if all pass, else with the first that fails."""
    os.chdir(tree)
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(quiet, stream)
    sys.path[:0] = [str(Path(tree) / part) for part in ("src", "tests", ".")]
    sys.dont_write_bytecode = True
    import pytest

    chosen = Chosen(tests)
    files = list(dict.fromkeys(map(file_of, tests)))
    code = pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", *files], plugins=[chosen])
    answer.send(chosen.failed or ("" if code == 0 else f"pytest ends with {int(code)}: it cannot be imported"))


def tried(tree: Path, tests: list[str]) -> str:
    """What the tests say in a tree: ``""`` if they pass, else the first that fails."""
    if not tests:
        return ""
    here, there = multiprocessing.get_context("forkserver").Pipe(duplex=False)
    process = multiprocessing.get_context("forkserver").Process(target=run_tests, args=(str(tree), tests, there))
    process.start()
    there.close()
    try:
        return here.recv() if here.poll(SLOWEST) else "it hangs"
    except EOFError:
        return "the process dies"
    finally:
        process.kill()
        process.join()


def attempt(mutant: Mutant, source: str, tree: Path, runs: Runs) -> str:
    """Try one mutant in a tree, which is afterwards as it was."""
    path = tree / mutant.path
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
        compiled.unlink()
    try:
        path.write_text(mutated(source, mutant), encoding="utf-8")
        return tried(tree, runs.of(mutant))
    finally:
        path.write_text(source, encoding="utf-8")


def counts(verdicts: dict[Mutant, str]) -> tuple[int, int, int, str]:
    """Of some mutants: how many, caught, explained, and the share caught of those that mean something."""
    caught = sum(bool(said) for said in verdicts.values())
    explained = sum(not said and m.name in REASONS for m, said in verdicts.items())
    meaningful = len(verdicts) - explained
    return len(verdicts), caught, explained, f"{100 * caught / max(meaningful, 1):.0f} %"


def summary(rooms: dict[str, dict[Mutant, str]], every: dict[str, int]) -> list[str]:
    lines = [
        "| room | mutants | tried | caught | survived, and why is known | survived | caught of the meaningful |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, verdicts in [*rooms.items(), ("all", {m: s for v in rooms.values() for m, s in v.items()})]:
        number, caught, explained, share = counts(verdicts)
        whole = sum(every.values()) if name == "all" else every[name]
        lines.append(
            f"| {name} | {whole} | {number} | {caught} | {explained} | {number - caught - explained} | {share} |"
        )
    return [*lines, ""]


def table(room: str, verdicts: dict[Mutant, str]) -> list[str]:
    lines = [f"## {room}", "", "| mutant | kind | seen by, or why it may survive |", "|---|---|---|"]
    for mutant, said in verdicts.items():
        why = said or (f"survived: {REASONS[mutant.name]}" if mutant.name in REASONS else "**survived**")
        lines.append(f"| {mutant.name} | {mutant.kind} | {why} |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--room", choices=ROOMS, action="append", help="which rooms (default: all)")
    parser.add_argument("--count", type=int, default=35, help="mutants of each room (default 35)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--again", default="", metavar="PATH:LINE", help="only the mutants of this line")
    parser.add_argument("--kept", type=Path, help="folder of what was tried already; goes on where it stopped")
    parser.add_argument("--out", type=Path, help="where the tables go (default: printed only)")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(HEAVY))
    begun, kept = time.monotonic(), dict[str, str]()
    if arguments.kept:
        arguments.kept.mkdir(parents=True, exist_ok=True)
        (arguments.kept / VERDICTS).touch()
        lines = (arguments.kept / VERDICTS).read_text(encoding="utf-8").splitlines()
        kept = dict(json.loads(line) for line in lines)
    rooms, every = dict[str, dict[Mutant, str]](), dict[str, int]()
    for name in arguments.room or ROOMS:
        room = ROOMS[name]
        sources = {str(p.relative_to(ROOT)): p.read_text("utf-8") for p in sorted(ROOT.glob(room.modules))}
        found = [mutant for path, source in sources.items() for mutant in mutants_of(path, source)]
        chosen = drawn(found, arguments.count, arguments.seed)
        if arguments.again:
            chosen = [m for m in found if f"{m.path}:{m.line}" == arguments.again]
        verdicts = {mutant: kept.get(mutant.name, "") for mutant in chosen}
        waiting = [mutant for mutant in chosen if not verdicts[mutant]]  # survivors: there may be a new test
        if waiting:
            runs = arguments.kept / f"{name}.json" if arguments.kept else None
            for mutant, said in outcomes(room, waiting, sources, arguments.workers, runs):
                verdicts[mutant] = said
                print(f"{mutant.path}:{mutant.line} {mutant.name}: {said or 'SURVIVED'}", flush=True)
                if arguments.kept:
                    with (arguments.kept / VERDICTS).open("a", encoding="utf-8") as stream:
                        stream.write(json.dumps([mutant.name, said]) + "\n")
        rooms[name], every[name] = verdicts, len(found)
    report = [*summary(rooms, every), *(line for name, verdicts in rooms.items() for line in table(name, verdicts))]
    print("\n".join(report))
    if arguments.out:
        command = f"python -m benchmarks.mutation --count {arguments.count} --seed {arguments.seed}"
        head = [
            "# What the default tests see of wrong changes",
            "",
            f"`{command}`, {os.cpu_count()} cores, shared; {(time.monotonic() - begun) / 60:.0f} minutes.",
            "",
        ]
        arguments.out.write_text("\n".join([*head, *report]), encoding="utf-8")


def outcomes(room: Room, mutants: list[Mutant], sources: dict[str, str], workers: int, kept: Path | None) -> Any:
    """Try mutants in copies of the tree, as many at a time as there are workers; pairs of each and what was said."""
    with tempfile.TemporaryDirectory(prefix="shiftlens-mutants-") as folder:
        trees: Queue[Path] = Queue()
        trees.put(copied(Path(folder) / "0"))
        runs = noted(Path(folder) / "0", room, kept)
        for i in range(1, workers):
            trees.put(Path(shutil.copytree(Path(folder) / "0", Path(folder) / str(i), symlinks=True)))

        def one(mutant: Mutant) -> tuple[Mutant, str]:
            tree = trees.get()
            try:
                return mutant, attempt(mutant, sources[mutant.path], tree, runs)
            finally:
                trees.put(tree)

        with ThreadPoolExecutor(workers) as pool:
            yield from pool.map(one, mutants)


if __name__ == "__main__":
    main()
