"""Targets without labels: how far the estimated accuracy is off, and whether the verdicts are those with labels.

``python -m benchmarks.unlabelled [--cases N] [--out FILE.json]``, with SHIFTLENS_TEST_DATA set to a folder with
mnist.npz and cifar10-small.zip. Every case plants a change that the classifier never saw and one that it was trained
on, at one severity, analyses the target without its labels and with them, and compares. The planting code is not the
factors' own; the cases differ in data, changes, severity and the classifier's seed. ``--again FILE.json`` makes the
table from the cases of an earlier run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.planted.cases import NAMES, PLANTS
from benchmarks.planted.causes_benchmark import strengths
from benchmarks.planted.data import image_factors, samples_of, scorer, train_with_plugin
from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.causes.find_causes import CausesFound, find_causes
from shiftlens.core.causes.policy import TrialSettings
from shiftlens.core.causes.request import CauseRequest
from shiftlens.core.data.samples import LazySamples
from shiftlens.core.estimate.accuracy import Asked, estimate_accuracy
from shiftlens.core.estimate.known_sets import Changer
from shiftlens.core.files import write_text

SETTINGS = TrialSettings(samples=600, matching_samples=150, rows=0, bootstrap=200, dose_steps=2)
CHANGED = 600
"""Source samples that the estimate changes, as many as there are in a middling analysis."""
SHIFTS = (
    ("figures", "thicken", "turn_hue"),
    ("photographs", "box_blur", "fade_colour"),
    ("figures", "rotate", "turn_hue"),
    ("photographs", "cover", "fade_colour"),
    ("figures", "mirror", "turn_hue"),
    ("photographs", "stripes", "fade_colour"),
    ("figures", "box_blur", "turn_hue"),
    ("photographs", "", "fade_colour"),
    ("figures", "", "turn_hue"),
)
"""Data, the change that the classifier never saw (for mirror and stripes there is no factor), the one that it saw."""
SEVERITIES = (1.0, 0.4, 0.7)


@dataclass(frozen=True)
class Shift:
    """One case."""

    data: str
    unseen: str
    seen: str
    severity: float
    seed: int

    @property
    def listed(self) -> bool:
        """Whether the harmful change is one that a factor stands for."""
        return not self.unseen or self.unseen in NAMES


@dataclass
class Row:
    """What came out of one."""

    case: Shift
    source: float
    truth: float
    value: float
    ci: tuple[float, float]
    estimates: dict[str, float]
    harmful: tuple[list[str], list[str]]
    verdicts: tuple[dict[str, str], dict[str, str]]
    seconds: float


def all_shifts() -> list[Shift]:
    """So that the first ones are of every kind already."""
    return [
        Shift(*shift, SEVERITIES[(place + turn) % len(SEVERITIES)], turn // len(SEVERITIES))
        for turn in range(2 * len(SEVERITIES))
        for place, shift in enumerate(SHIFTS)
    ]


def run_case(case: Shift, kept: Path) -> Row:
    """Analyse one target without labels and with them."""
    begun = time.perf_counter()
    x, y = samples_of(case.data, case.seed)
    half, rng = len(x) // 2, np.random.default_rng([case.seed, 101])
    seen_part = np.where(rng.uniform(size=half) < 0.3, 0.0, rng.uniform(0, 1, half))
    predict = train_with_plugin(PLANTS[case.seen](x[:half], seen_part, rng), y[:half], case.seed, kept)
    middle = half + (len(x) - half) // 2
    source, target = (x[half:middle], y[half:middle]), (x[middle:], y[middle:])
    changed, rng = target[0], np.random.default_rng([case.seed, 103])
    parts = strengths("confounded", len(changed), rng)
    for name, part in zip((case.unseen, case.seen), parts, strict=True):
        if name:
            changed = PLANTS[name](changed, case.severity * part, rng)
    score = scorer(predict)
    source_scores, target_scores = score(*source), score(changed, target[1])
    factors = image_factors()

    def analysed(labels: IntArray | None) -> CausesFound:
        return find_causes(
            CauseRequest(
                source=source[0], source_labels=source[1], source_scores=source_scores, target=changed,
                target_labels=labels, target_scores=target_scores, factors=factors, score=score, sample_kind="image",
                classes=[str(c) for c in range(10)], settings=SETTINGS, seed=case.seed,
            )
        )  # fmt: skip

    def probabilities(some: FloatArray) -> Floats:
        found = [predict(np.ascontiguousarray(some[i : i + 256])) for i in range(0, len(some), 256)]
        return np.concatenate(found).astype(np.float64)

    without, with_labels = analysed(None), analysed(target[1])
    planned = {change.name for change in without.plan}
    estimate = estimate_accuracy(
        Asked(
            source=Changer(LazySamples.of(source[0][:CHANGED]), source[1][:CHANGED], probabilities, case.seed),
            plan=without.plan,
            others=[factor for factor in factors if factor.name not in planned],
            accuracy=float(source_scores.correct.mean()),
            fall=without.joint.value,
            fall_error=float(without.joint.draws.std()),
            target=probabilities(changed),
        )
    )
    both = without, with_labels
    harmful = [sorted(c.factor for c in one.causes if c.verdict == "harmful") for one in both]
    verdicts = [{c.factor: c.verdict for c in one.causes if c.verdict != "unchanged"} for one in both]
    return Row(
        case=case, source=float(source_scores.correct.mean()), truth=float(target_scores.correct.mean()),
        value=estimate.value, ci=estimate.ci, estimates=estimate.estimates, harmful=(harmful[0], harmful[1]),
        verdicts=(verdicts[0], verdicts[1]), seconds=time.perf_counter() - begun,
    )  # fmt: skip


def table_of(rows: Sequence[Row]) -> str:
    """Markdown: one line a case, then errors by estimator, coverage and agreement of the verdicts."""
    lines = [
        "| case | severity | seed | source | target | estimate | error | harmful without labels | with labels |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        c = row.case
        missed = "" if row.ci[0] <= row.truth <= row.ci[1] else " (outside)"
        lines.append(
            f"| {c.data}: {c.unseen or '–'} / {c.seen} | {c.severity:g} | {c.seed} | {100 * row.source:.1f} | "
            f"{100 * row.truth:.1f} | {100 * row.value:.1f} ({100 * row.ci[0]:.0f} to {100 * row.ci[1]:.0f}){missed} | "
            f"{100 * (row.value - row.truth):+.1f} | {', '.join(row.harmful[0]) or '–'} | "
            f"{', '.join(row.harmful[1]) or '–'} |"
        )
    lines += ["", "| | cases | mean error | median | coverage | mean half-width | verdicts as with labels |"]
    lines.append("|---|---|---|---|---|---|---|")
    groups = {
        "all": list(rows),
        "the harmful change is listed": [row for row in rows if row.case.listed],
        "it is on no list": [row for row in rows if not row.case.listed],
    }
    for name, some in groups.items():
        if some:
            lines.append(f"| {name} | {len(some)} | {_figures(some)} |")
    lines += ["", "| estimator alone | mean error, points | median |", "|---|---|---|"]
    for name in ("changed source", "confidence", "threshold", "transport", "regression"):
        errors = [100 * abs(row.estimates[name] - row.truth) for row in rows if name in row.estimates]
        lines.append(f"| {name} | {np.mean(errors):.1f} | {np.median(errors):.1f} |")
    return "\n".join(lines) + "\n"


def _figures(rows: Sequence[Row]) -> str:
    errors = [100 * abs(row.value - row.truth) for row in rows]
    inside = np.mean([row.ci[0] <= row.truth <= row.ci[1] for row in rows])
    width = np.mean([50 * (row.ci[1] - row.ci[0]) for row in rows])
    same = np.mean([row.harmful[0] == row.harmful[1] for row in rows])
    return f"{np.mean(errors):.1f} | {np.median(errors):.1f} | {100 * inside:.0f} % | {width:.1f} | {100 * same:.0f} %"


def _stored(path: Path) -> list[Row]:
    raw = json.loads(path.read_text(encoding="utf-8"))
    return [Row(**{**one, "case": Shift(**one["case"]), "ci": tuple(one["ci"])}) for one in raw]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=len(all_shifts()))
    parser.add_argument("--out", type=Path, default=Path("unlabelled.json"))
    parser.add_argument("--again", type=Path)
    given = parser.parse_args()
    if given.again:
        print(table_of(_stored(given.again)))
        return
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as kept:
        for case in all_shifts()[: given.cases]:
            rows.append(run_case(case, Path(kept)))
            write_text(given.out, json.dumps([asdict(row) for row in rows], indent=1) + "\n")
            print(f"{len(rows)}: {case}, {rows[-1].seconds:.0f} s", flush=True)
    print(table_of(rows))


if __name__ == "__main__":
    main()
