"""The intervention grid on planted changes: does it move what costs accuracy downwards, and only that, by how much?

The planting is other code than the factors. Which two factors shifted is given; their strengths are fitted to the data,
and which of them is harmful is decided by their measured cost, as in an analysis. A cell is read with the planting's
own knob, as in the benchmark of the generated grids (`benchmarks/planted/grid_case.py`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.planted.cases import PLANTS, Case, Mode
from benchmarks.planted.causes_benchmark import strengths
from benchmarks.planted.data import Train, samples_of, scorer
from benchmarks.planted.grid import PAIRS as GENERATED_PAIRS
from benchmarks.planted.scenarios import (
    MATCHED_QUICKLY,
    MOST,
    MOST_OF_EACH,
    Ruler,
    as_float,
    classifier_of,
    planted_factors,
    rounded,
)
from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.causes.changes import Plan
from shiftlens.core.causes.distance import Matcher, ToMatch
from shiftlens.core.causes.outcomes import Rig, Score
from shiftlens.core.causes.policy import TrialSettings
from shiftlens.core.causes.search import fit_changes
from shiftlens.core.causes.statistics import percentile_interval
from shiftlens.core.files import write_text
from shiftlens.core.grid.fidelity import fidelity
from shiftlens.core.grid.intervention import InterventionGrid, changed, intervention_grid, sides_of
from shiftlens.core.grid.intervention_samples import samples_to_show
from shiftlens.core.job import Progress, silent

PAIRS = (
    *GENERATED_PAIRS,
    ("photographs", "zoom", "darken"),
    ("photographs", "box_blur", "fade_colour"),
    ("photographs", "cover", "fade_colour"),
)
MODES: tuple[Mode, ...] = ("confounded", "independent")
SIDE = 5
SHOWN = 60
QUICKLY_SHOWN = 20
WORTH = (0.02, 0.1)
"""Smallest rise of the mean loss that counts as harm: nats, and a part of what both changes cost together."""
CLEARLY = 0.1
"""Share of the planted strength by which the harmful change has to move more than the harmless one."""
DRAWS = 500

Move = tuple[float, float, float]


@dataclass(frozen=True)
class Row:
    """What came out of one case.

    Attributes:
        truth: rise of the mean loss by the planted harmful and by the planted harmless change alone, in nats.
        cost: the same by the fitted changes; ``down`` and ``right`` are the factors on each axis because of it.
        harmful, harmless: how far the planted change is moved by ``"loss"`` and ``"feature"`` axis, in shares of the
            mean planted strength, with the 95 % interval over the samples.
        fidelity: Spearman's of requested and measured loss over all rows but the first.
        near: share of these cells within 0.3 of the requested log-loss.
        sharpness: mean absolute slope of the pictures with the whole fitted shift over that of the same samples with
            the planted one.
    """

    case: Case
    accuracy: tuple[float, float]
    truth: tuple[float, float]
    cost: dict[str, float]
    down: list[str]
    right: list[str]
    harmful: dict[str, Move]
    harmless: dict[str, Move]
    fidelity: float | None
    near: float
    sharpness: float
    seconds: float

    @property
    def ranked(self) -> bool:
        """The harmful change moves clearly more along the loss axis than the harmless one."""
        (harmful, low, _), (harmless, *_) = self.harmful["loss"], self.harmless["loss"]
        return harmful - abs(harmless) >= CLEARLY and low > abs(harmless)

    @property
    def solved(self) -> bool:
        """Besides, each moves chiefly along its own axis."""
        return (
            self.ranked
            and abs(self.harmful["loss"][0]) > abs(self.harmful["feature"][0])
            and abs(self.harmless["feature"][0]) > abs(self.harmless["loss"][0])
        )


def cases_of(quick: bool, seed: int) -> list[Case]:
    """All cases, those of photographs first; quick: one pair on scikit-learn's digits."""
    if quick:
        return [Case("figures", "pair", "turn_hue", "rotate", mode, seed) for mode in MODES]
    pairs = sorted(PAIRS, key=lambda pair: pair[0] != "photographs")
    return [
        Case(data, "pair", a, b, mode, seed + repeat) for repeat in (0, 1) for data, a, b in pairs for mode in MODES
    ]


def run_intervention_benchmark(
    quick: bool = False,
    seed: int = 0,
    progress: Progress = silent,
    out: Path | None = None,
    train: Train | None = None,
    workers: int = 1,
) -> str:
    """Run every case that ``out`` does not hold yet, and return the table as Markdown; always in one process."""
    cases, rows = cases_of(quick, seed), []
    folder = (out or Path("intervention-benchmark")) / "work"
    for number, case in enumerate(cases):
        path = folder / f"{case.data}-{case.unseen}-{case.seen}-{case.mode}-{case.seed}{'-quick' if quick else ''}.json"
        if not path.is_file():
            write_text(path, json.dumps(asdict(run_case(case, quick, folder / "classifiers", train)), indent=1) + "\n")
        raw = json.loads(path.read_text(encoding="utf-8"))
        rows.append(Row(**{**raw, "case": Case(**raw["case"])}))
        progress(number + 1, len(cases))
        if out is not None:
            write_text(out / "intervention-table.md", table_of(rows, len(cases)))
    return table_of(rows, len(cases))


def run_case(case: Case, quick: bool, classifiers: Path, train: Train | None) -> Row:
    """Plant, fit, decide by the measured cost what goes where, make the grids, and read them."""
    begun = time.process_time()
    score = scorer(classifier_of(case, quick, classifiers, train))
    source, target, strength, before = _planted(case, quick)
    labels = before[1]
    matched = MATCHED_QUICKLY if quick else TrialSettings().matching_samples
    matcher = Matcher(ToMatch(source, labels[0], target, labels[1], planted_factors(case), "image", matched, case.seed))
    plan = fit_changes(matcher, case.seed)
    scores = score(source, labels[0]), score(target, labels[1])
    truth = _truth(case, source, labels[0], strength, score)
    cost = _cost(plan, source, labels[0], score, case.seed)
    worth = max(WORTH[0], WORTH[1] * sum(max(rise, 0.0) for rise in cost.values()))
    sides = sides_of(plan, {name: "harmful" if rise > worth else "harmless" for name, rise in cost.items()})
    whole = changed(plan, source, {change.name: np.ones(len(source)) for change in plan}, case.seed)
    shown = samples_to_show(scores[0], score(whole, labels[0]), bool(sides.down), QUICKLY_SHOWN if quick else SHOWN)
    grids = [
        intervention_grid(Rig(source[[i]], labels[0][[i]], score, case.seed), plan, sides, SIDE, SIDE)
        for i in shown.places
    ]
    ruler, usual = Ruler.of(case, rounded(source[shown.places])), strength.mean(0)
    down = ruler.read(np.stack([grid.cells[-1, 0] for grid in grids])) / usual
    right = ruler.read(np.stack([grid.cells[0, -1] for grid in grids])) / usual
    asked = np.concatenate([np.repeat(grid.requested[1:], len(grid.right)) for grid in grids])
    measured = np.concatenate([grid.measured[1:].ravel() for grid in grids])
    return Row(
        case=case,
        accuracy=(float(scores[0].correct.mean()), float(scores[1].correct.mean())),
        truth=truth,
        cost=cost,
        down=list(sides.down),
        right=list(sides.right),
        harmful={"loss": _share(down[:, 0]), "feature": _share(right[:, 0])},
        harmless={"loss": _share(down[:, 1]), "feature": _share(right[:, 1])},
        fidelity=fidelity(asked, measured).spearman,
        near=float(np.concatenate([grid.reached[1:].ravel() for grid in grids]).mean()),
        sharpness=_sharpness(case, source[shown.places], usual, grids),
        seconds=time.process_time() - begun,
    )


def _planted(
    case: Case, quick: bool
) -> tuple[FloatArray, FloatArray, Floats, tuple[FloatArray, tuple[IntArray, IntArray]]]:
    """Source, target, the planted strengths ``(n, 2)``; the target before planting, and both domains' classes."""
    x, y = samples_of(case.data, case.seed, quick, MOST[case.data])
    x, y = x[len(x) // 2 :], y[len(y) // 2 :]
    count = min(len(x) // 2, MOST_OF_EACH)
    rng = np.random.default_rng([case.seed, 103])
    harmful, harmless = strengths(case.mode, count, rng)
    source, plain = as_float(rounded(x[:count])), x[count : 2 * count]
    target = PLANTS[case.seen](PLANTS[case.unseen](plain, harmful, rng), harmless, rng)
    labels = y[:count], y[count : 2 * count]
    return source, as_float(rounded(target)), np.column_stack([harmful, harmless]), (plain, labels)


def _truth(case: Case, source: FloatArray, label: IntArray, strength: Floats, score: Score) -> tuple[float, float]:
    rng = np.random.default_rng([case.seed, 105])
    before = score(source, label).loss.mean()
    rises = []
    for which, name in enumerate((case.unseen, case.seen)):
        planted = PLANTS[name](source, rng.permutation(strength[:, which]), rng)
        rises.append(float(score(as_float(rounded(planted)), label).loss.mean() - before))
    return rises[0], rises[1]


def _cost(plan: Plan, source: FloatArray, label: IntArray, score: Score, seed: int) -> dict[str, float]:
    """Rise of the mean loss by each fitted change alone, at its usual strength."""
    before = score(source, label).loss.mean()
    full = np.ones(len(source))
    return {c.name: float(score(changed([c], source, {c.name: full}, seed), label).loss.mean() - before) for c in plan}


def _share(moved: Floats) -> Move:
    picks = np.random.default_rng(29).integers(0, len(moved), (DRAWS, len(moved)))
    return float(moved.mean()), *percentile_interval(moved[picks].mean(1))


def _sharpness(case: Case, x: FloatArray, usual: Floats, grids: Sequence[InterventionGrid]) -> float:
    """Of the lower right cells, over that of the same samples with both changes planted at their mean strength."""
    rng = np.random.default_rng(0)
    planted = PLANTS[case.unseen](x, np.full(len(x), usual[0]), rng)
    planted = PLANTS[case.seen](planted, np.full(len(x), usual[1]), rng)
    return _slope(np.stack([grid.cells[-1, -1] for grid in grids])) / _slope(planted)


def _slope(x: FloatArray) -> float:
    return float(np.abs(np.diff(x, axis=2)).mean() + np.abs(np.diff(x, axis=3)).mean())


def table_of(rows: Sequence[Row], total: int) -> str:
    """A summary by kind of data, then one line per case."""
    lines = [
        f"{len(rows)} of {total} cases.",
        "",
        "| data | cases | ranked right | solved | median fidelity (≥ 0.95) | near | sharpness: median, range | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for data in dict.fromkeys(row.case.data for row in rows):
        here = [row for row in rows if row.case.data == data]
        fidelities = [row.fidelity for row in here if row.fidelity is not None]
        sharp = [row.sharpness for row in here]
        lines.append(
            f"| {'digits' if data == 'figures' else data} | {len(here)} | {sum(r.ranked for r in here)} | "
            f"{sum(r.solved for r in here)} | {np.median(fidelities) if fidelities else float('nan'):.3f} "
            f"({sum(f >= 0.95 for f in fidelities)} of {len(here)}) | {np.mean([r.near for r in here]):.2f} | "
            f"{np.median(sharp):.2f}, {min(sharp):.2f} to {max(sharp):.2f} | "
            f"{np.median([r.seconds for r in here]):.0f} |"
        )
    lines += [
        "",
        "| harmful / harmless | | accuracy | truth: nats alone | fitted: nats alone | down | harmful: loss, feature "
        "| harmless: loss, feature | fidelity | near | sharpness | ranked, solved |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(row) for row in rows]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    case = row.case

    def both(moves: dict[str, Move]) -> str:
        return f"{moves['loss'][0]:.2f}, {moves['feature'][0]:.2f}"

    cost = ", ".join(f"{name} {rise:+.2f}" for name, rise in row.cost.items())
    spearman = "–" if row.fidelity is None else f"{row.fidelity:.2f}"
    return (
        f"| {case.unseen} / {case.seen} | {case.mode}, {case.seed} | {row.accuracy[0]:.2f} → {row.accuracy[1]:.2f} "
        f"| {row.truth[0]:+.2f}, {row.truth[1]:+.2f} | {cost} | {', '.join(row.down) or '–'} | {both(row.harmful)} "
        f"| {both(row.harmless)} | {spearman} | {row.near:.2f} | {row.sharpness:.2f} "
        f"| {'yes' if row.ranked else '**no**'}, {'yes' if row.solved else '**no**'} |"
    )
