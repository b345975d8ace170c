"""The grid part of the planted-cause benchmark: does the loss axis move what costs accuracy, and only that?

Each scenario plants two changes in real images, one that costs accuracy and one that does not, either each with a
strength of its own or both with a common one. On it every generator is trained with every loss axis, and the grids of
sixty pairs of samples tell how far each planted change moves along the two axes, in shares of the pairs' own gap.
Finished cases are stored one by one, so that a second call goes on.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.planted.cases import Case, Mode
from benchmarks.planted.data import Train, scorer
from benchmarks.planted.grid_case import Bench, GridRow
from benchmarks.planted.grid_table import table_of
from benchmarks.planted.scenarios import Scenario, classifier_of, digits_name, make_scenario
from shiftlens.core.files import write_text
from shiftlens.core.job import Progress, silent

FITTED = ("randomised", "observed")
"""Loss axes that share one training of the networks."""
AXES = (*FITTED, "joint")
BACKENDS = ("autoencoder", "vae", "gan")
MODES: tuple[Mode, ...] = ("confounded", "independent")
PAIRS = (
    ("figures", "thicken", "turn_hue"),
    ("figures", "turn_hue", "thicken"),
    ("figures", "rotate", "turn_hue"),
    ("figures", "slide", "rotate"),
    ("figures", "raise_ground", "turn_hue"),
    ("figures", "turn_hue", "rotate"),
    ("photographs", "turn_hue", "darken"),
    ("photographs", "flatten_contrast", "turn_hue"),
)
"""Data, the change that the classifier has never seen, the change that it was trained on."""


@dataclass(frozen=True)
class Size:
    """How much is spent: rows of the trial, steps of training (None: as many as by default), pairs of samples."""

    rows: int = 4000
    steps: int | None = None
    pairs: int = 60


QUICK = Size(rows=800, steps=200)
FEWER = {"gan": 600}
"""Steps of generators that would take too long by default: half of the GAN's."""


@dataclass(frozen=True)
class Task:
    """Cases of one scenario that are run together, one after the other."""

    case: Case
    wanted: tuple[tuple[str, str], ...]


def tasks_of(quick: bool, seed: int) -> list[Task]:
    """All cases, in an order that tells most soonest.

    Slow generators, joint axes and the second seed come later, those of photographs last.
    """
    if quick:
        cases = [Case("figures", "pair", "turn_hue", "rotate", mode, seed) for mode in MODES]
        return [Task(case, (("autoencoder", "randomised"), ("autoencoder", "observed"))) for case in cases]
    found: dict[tuple[int, bool, bool, int, Case], list[tuple[str, str]]] = {}
    for repeat in (0, 1):
        for number, (mode, (data, unseen, seen)) in enumerate((m, p) for m in MODES for p in PAIRS):
            case = Case(data, "pair", unseen, seen, mode, seed + repeat)
            for backend in BACKENDS:
                for axis in AXES:
                    slow, joint = backend == "gan", axis == "joint"
                    late = (slow + joint) * (1 + 2 * (data == "photographs")) + repeat
                    key = (late, slow, joint, number, case)
                    found.setdefault(key, []).append((backend, axis))
    return [Task(key[-1], tuple(found[key])) for key in sorted(found, key=lambda key: key[:4])]


def run_grid_benchmark(
    quick: bool = False,
    seed: int = 0,
    progress: Progress = silent,
    out: Path | None = None,
    train: Train | None = None,
    workers: int = 1,
) -> str:
    """Run every case that ``out`` does not hold yet, and return the table as Markdown.

    Args:
        quick: one pair on scikit-learn's digits, one generator, few steps; some minutes.
        seed: of the first repeat.
        progress: told of the cases done.
        out: folder for ``grid.md``, ``grid.json`` and, case by case, what a second call goes on from.
        train: trains the classifiers; the plugin ``trained`` when left out.
        workers: processes; above one, ``train`` must be importable.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = (out or Path(temporary)) / "work"
        tasks = tasks_of(quick, seed)
        total = sum(len(task.wanted) for task in tasks)
        todo = [left for task in tasks if (left := _left(task, quick, folder)).wanted]
        done = total - sum(len(task.wanted) for task in todo)
        progress(done, total)
        for finished in _each(todo, quick, folder, train, workers):
            done += finished
            progress(done, total)
        stored = (_stored(task.case, wanted, quick, folder) for task in tasks for wanted in task.wanted)
        rows = [row for row in stored if row is not None]
    return _write_table(rows, total, out)


def _write_table(rows: list[GridRow], total: int, out: Path | None) -> str:
    """The table as Markdown, and in ``out`` beside the rows as JSON."""
    table = table_of(rows, total)
    if out is not None:
        write_text(out / "grid.md", table)
        verdicts = [{**asdict(row), "clean": row.clean, "ranked": row.ranked, "solved": row.solved} for row in rows]
        write_text(out / "grid.json", json.dumps(verdicts, indent=1) + "\n")
    return table


def _each(tasks: list[Task], quick: bool, folder: Path, train: Train | None, workers: int) -> Iterator[int]:
    """Run the tasks; yields how many cases each has finished."""
    if workers == 1:
        for task in tasks:
            yield run_task(task, quick, folder, train)
        return
    with ProcessPoolExecutor(workers) as pool:
        try:
            for future in as_completed([pool.submit(run_task, task, quick, folder, train) for task in tasks]):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_task(task: Task, quick: bool, folder: Path, train: Train | None = None) -> int:
    """Run the cases of one task and store each; returns their number."""
    size = QUICK if quick else Size()
    case, setup = task.case, setup_of(quick)
    predict = classifier_of(case, quick, folder / "classifiers", train)
    kept = folder / "scenarios" / f"{_slug(case)}-{digits_name(quick)}-{size.rows}.npz"
    if not kept.is_file():
        make_scenario(case, quick, size.rows, scorer(predict)).save(kept)
    bench = Bench(case, Scenario.load(kept), predict, size.pairs)
    for backend, axis in task.wanted:
        networks = folder / "networks" / f"{_slug(case)}-{backend}{'-joint' if axis == 'joint' else ''}"
        row = bench.run(backend, axis, size.steps or FEWER.get(backend), networks, setup)
        write_text(_path(case, (backend, axis), folder), json.dumps(asdict(row), indent=1) + "\n")
    return len(task.wanted)


def setup_of(quick: bool) -> str:
    """What cases are measured with, in words."""
    size = QUICK if quick else Size()
    steps = size.steps or f"default ({', '.join(f'{name} {count}' for name, count in FEWER.items())})"
    return f"{digits_name(quick)} digits, {size.rows} trial rows, {steps} steps, {size.pairs} pairs"


def _left(task: Task, quick: bool, folder: Path) -> Task:
    """The task without the cases that are stored."""
    left = tuple(wanted for wanted in task.wanted if _stored(task.case, wanted, quick, folder) is None)
    return replace(task, wanted=left)


def _slug(case: Case) -> str:
    return f"{case.data}-{case.unseen}-{case.seen}-{case.mode}-{case.seed}"


def _path(case: Case, wanted: tuple[str, str], folder: Path) -> Path:
    return folder / "cases" / f"{_slug(case)}-{'-'.join(wanted)}.json"


def _stored(case: Case, wanted: tuple[str, str], quick: bool, folder: Path) -> GridRow | None:
    """What an earlier call found with the same setup; None where there is nothing, or half a file."""
    try:
        raw: dict[str, Any] = json.loads(_path(case, wanted, folder).read_text(encoding="utf-8"))
        raw["case"] = Case(**raw["case"])
        row = GridRow(**raw)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return row if row.setup == setup_of(quick) else None
