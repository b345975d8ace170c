"""The planted-cause benchmark: does the analysis name the change that costs accuracy, and only that?

Each case plants two changes in real images: one that the classifier has never seen, one that it was trained on. The
planting code (`benchmark_planting`) is not the factors' own. What each change really costs is measured, by making it
alone on source samples, and never assumed. Beside the verdicts stand two naive answers on the same cases: the factor
that drifted most, and the one most correlated with the loss inside the target.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.planted import planting as planting
from benchmarks.planted.cases import NAMES, PLANTS, Case, Mode, Row, all_cases, by_classifier
from benchmarks.planted.data import Train, image_factors, samples_of, scorer, train_with_plugin
from benchmarks.planted.table import cross_readings, table_of
from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.causes.changes import ActiveFactor, FactorFault
from shiftlens.core.causes.find_causes import CausesFound, find_causes
from shiftlens.core.causes.outcomes import Score
from shiftlens.core.causes.policy import TrialSettings
from shiftlens.core.causes.request import CauseRequest
from shiftlens.core.causes.statistics import centre, partial_rank_correlation, shift_test, wrapped
from shiftlens.core.data.scoring import Scores
from shiftlens.core.files import write_text
from shiftlens.core.job import Progress, silent


def run_benchmark(
    quick: bool = False,
    seed: int = 0,
    progress: Progress = silent,
    out: Path | None = None,
    train: Train | None = None,
    workers: int = 1,
) -> str:
    """Run every case and return the table as Markdown.

    Args:
        quick: four cases on scikit-learn's digits, with less measured; under two minutes.
        seed: of the first repeat.
        progress: told of the cases done.
        out: folder for ``causes.md`` and ``causes.json``; nothing is written without it.
        train: trains the classifiers; the plugin ``trained`` when left out.
        workers: processes; above one, ``train`` must be importable.
    """
    cases = all_cases(quick, seed)
    groups = list(by_classifier(cases).values())
    rows: list[Row] = []
    settings = quick_settings() if quick else TrialSettings()
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            for found in pool.map(
                run_group, groups, [quick] * len(groups), [settings] * len(groups), [train] * len(groups)
            ):
                rows += found
                progress(len(rows), len(cases))
    else:
        for group in groups:
            rows += run_group(group, quick, settings, train)
            progress(len(rows), len(cases))
    table = table_of(rows) + "\n" + cross_readings(sorted({case.data for case in cases}), seed, quick)
    if out is not None:
        write_text(out / "causes.md", table)
        write_text(out / "causes.json", json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return table


def quick_settings() -> TrialSettings:
    """Fewer samples and draws, no randomised rows."""
    return TrialSettings(samples=400, matching_samples=120, rows=0, bootstrap=200, dose_steps=2)


def run_group(
    cases: Sequence[Case],
    quick: bool,
    settings: TrialSettings,
    train: Train | None = None,
    keep: Callable[[Case, CausesFound], None] | None = None,
) -> list[Row]:
    """Train one classifier and run every case on it; ``keep`` is handed all that each analysis found."""
    first = cases[0]
    x, y = samples_of(first.data, first.seed, shipped_only=quick)
    half = len(x) // 2
    rng = np.random.default_rng([first.seed, 101])
    strength = np.where(rng.uniform(size=half) < 0.3, 0.0, rng.uniform(0, 1, half))
    shown = PLANTS[first.seen](x[:half], strength, rng) if first.seen else x[:half]
    predict = (train or train_with_plugin)(shown, y[:half], first.seed)
    rest_x, rest_y = x[half:], y[half:]
    middle = len(rest_x) // 2
    source, target = (rest_x[:middle], rest_y[:middle]), (rest_x[middle:], rest_y[middle:])
    factors = image_factors()
    return [_run(case, source, target, scorer(predict), factors, settings, keep) for case in cases]


def _run(
    case: Case,
    source: tuple[FloatArray, IntArray],
    target: tuple[FloatArray, IntArray],
    score: Score,
    factors: Sequence[ActiveFactor],
    settings: TrialSettings,
    keep: Callable[[Case, CausesFound], None] | None,
) -> Row:
    rng = np.random.default_rng([case.seed, 103])
    planted = [name for name in (case.unseen, case.seen) if name]
    parts = strengths(case.mode, len(target[0]), rng)
    source_scores = score(*source)
    truth = {
        name: _truth(PLANTS[name], parts[i], source, source_scores, score, rng)
        for i, name in enumerate((case.unseen, case.seen))
        if name
    }
    changed = target[0]
    for i, name in enumerate((case.unseen, case.seen)):
        if name:
            changed = PLANTS[name](changed, parts[i], rng)
    target_scores = score(changed, target[1])
    begun = time.perf_counter()
    request = CauseRequest(
        source=source[0], source_labels=source[1], source_scores=source_scores,
        target=changed, target_labels=target[1], target_scores=target_scores,
        factors=factors, score=score, sample_kind="image",
        classes=[str(c) for c in range(int(source[1].max()) + 1)], settings=settings, seed=case.seed,
    )  # fmt: skip
    found = find_causes(request)
    seconds = time.perf_counter() - begun
    if keep is not None:
        keep(case, found)
    worth = request.worth
    expected = sorted(NAMES[n] for n in planted if n in NAMES and truth[n][0] > worth)
    undecided = sorted(NAMES[n] for n in planted if n in NAMES and abs(truth[n][0] - worth) < 2 * truth[n][2])
    named = sorted(c.factor for c in found.causes if c.verdict == "harmful")
    usable = [f for f in factors if f.name not in found.left_out]
    drift, correlation = naive_answers(usable, source, (changed, target[1]), target_scores, rng)
    tried = {c.factor: c for c in found.causes if c.effect is not None and c.ci is not None}
    known = {n: tried[NAMES[n]] for n in planted if n in NAMES and NAMES[n] in tried}
    answer = [] if case.kind != "pair" else expected
    return Row(
        case=case,
        accuracy=(float(source_scores.correct.mean()), float(target_scores.correct.mean())),
        truth=truth,
        expected=expected,
        undecided=undecided,
        named=named,
        right=set(named) - set(undecided) == set(expected) - set(undecided)
        and (case.kind != "outside" or _told(found)),
        verdicts={c.factor: c.verdict for c in found.causes if c.verdict != "unchanged"},
        errors={NAMES[n]: 100 * ((c.accuracy_effect or 0.0) - truth[n][1]) for n, c in known.items()},
        effects={NAMES[n]: (c.effect or 0.0, *(c.ci or (0.0, 0.0))) for n, c in known.items()},
        covered={NAMES[n]: bool(c.ci and c.ci[0] <= truth[n][0] <= c.ci[1]) for n, c in known.items()},
        unexplained=found.unexplained.share if found.unexplained else None,
        headline=found.headline,
        drift=drift,
        drift_right=[drift] == answer if drift else not answer,
        correlation=correlation,
        correlation_right=[correlation] == answer if correlation else not answer,
        seconds=seconds,
        left_out=sorted(found.left_out),
    )


def _told(found: CausesFound) -> bool:
    """Whether the report says that most of the loss is not explained, or that the evidence does not decide."""
    return found.unexplained is not None and (
        found.unexplained.share > 0.5 or any(c.verdict == "unclear" for c in found.causes)
    )


def strengths(mode: Mode, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Strengths ``(count,)`` of the unseen and of the seen change in each target sample."""
    if mode == "fixed":
        return np.ones(count), np.ones(count)
    first = rng.uniform(0, 1, count)
    return first, first if mode == "confounded" else rng.uniform(0, 1, count)


def _truth(
    plant: planting.Plant,
    strength: Floats,
    source: tuple[FloatArray, IntArray],
    before: Scores,
    score: Score,
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """Rise of the mean loss and fall of the accuracy when this change alone is made on source samples.

    The third is the standard error of the rise.
    """
    changed = plant(source[0], np.resize(rng.permutation(strength), len(source[0])), rng)
    after = score(changed, source[1])
    rise = after.loss - before.loss
    error = float(rise.std()) / np.sqrt(len(rise))
    return float(rise.mean()), float(before.correct.mean() - after.correct.mean()), error


def naive_answers(
    factors: Sequence[ActiveFactor],
    source: tuple[FloatArray, IntArray],
    target: tuple[FloatArray, IntArray],
    target_scores: Scores,
    rng: np.random.Generator,
    most: int = 600,
) -> tuple[str, str]:
    """The factor that drifted most, and the one most tied to the target's loss, the others held; "" for none."""
    drift: dict[str, float] = {}
    measured: dict[str, Floats] = {}
    for factor in factors:
        try:
            here, there = factor.measure(source[0][:most]), factor.measure(target[0][:most])
        except FactorFault:
            continue
        spread = float(np.nanstd(wrapped(here - centre(here, factor.period), factor.period))) + 1e-9
        middle = centre(there, factor.period)
        if shift_test(here, there, source[1][:most], target[1][:most], factor.period) < 0.01 / len(factors):
            gap = wrapped(middle - centre(here, factor.period), factor.period)
            drift[factor.name] = abs(float(gap)) / spread
        around = wrapped(there - middle, factor.period)
        measured[factor.name] = np.where(np.isfinite(around), around, 0.0)
    tied: dict[str, float] = {}
    for name, values in measured.items():
        others = np.column_stack([v for other, v in measured.items() if other != name] or [np.zeros(len(values))])
        rho, (low, high) = partial_rank_correlation(
            values, target_scores.loss[:most], others, target[1][:most], 60, rng
        )
        if (low > 0 or high < 0) and abs(rho) > 0.1:
            tied[name] = abs(rho)
    return max(drift, key=drift.__getitem__, default=""), max(tied, key=tied.__getitem__, default="")
