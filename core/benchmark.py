"""The planted-cause benchmark: does the analysis name the change that costs accuracy, and only that?

Each case plants two changes in real images: one that the classifier has never seen, one that it was trained on. The
planting code (`benchmark_planting`) is not the factors' own. What each change really costs is measured, by making it
alone on source samples, and never assumed. Beside the verdicts stand two naive answers on the same cases: the factor
that drifted most, and the one most correlated with the loss inside the target.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from shiftlens.core import benchmark_planting as planting
from shiftlens.core.causes import CausesFound, find_causes
from shiftlens.core.domain import Domain, FloatArray, IntArray
from shiftlens.core.errors import InputError
from shiftlens.core.factors_table import cross_response
from shiftlens.core.files import write_text
from shiftlens.core.host import Host
from shiftlens.core.job import Job, Progress, silent
from shiftlens.core.kinds import Classifier, Factor
from shiftlens.core.scoring import Scores, probabilities_of, score_batch
from shiftlens.core.statistics import Floats, centre, partial_rank_correlation, shift_test, wrapped
from shiftlens.core.trial import ActiveFactor, FactorFault, Score, TrialSettings

Predict = Callable[[FloatArray], FloatArray]
Train = Callable[[FloatArray, IntArray, int], Predict]
"""``train(x (n, *sample), labels (n,), seed) -> predict``, which gives probabilities ``(n, classes)``."""

DATA_FOLDER = "SHIFTLENS_TEST_DATA"
FACTOR_OF = {
    planting.thicken: "stroke-thickness",
    planting.turn_hue: "hue",
    planting.rotate: "rotation",
    planting.slide: "position-x",
    planting.raise_ground: "background",
    planting.box_blur: "sharpness",
    planting.speckle: "noise",
    planting.zoom: "scale",
    planting.cover: "occlusion",
    planting.darken: "brightness",
    planting.fade_colour: "saturation",
    planting.flatten_contrast: "contrast",
    planting.jpeg: "jpeg",
}
PLANTS: dict[str, planting.Plant] = {
    plant.__name__: plant
    for plant in (*FACTOR_OF, planting.mirror, planting.swirl, planting.stripes, planting.shuffle_quarters)
}
NAMES = {plant.__name__: name for plant, name in FACTOR_OF.items()}

Mode = Literal["independent", "confounded", "fixed"]
MODES: tuple[Mode, ...] = ("independent", "confounded", "fixed")
PAIRS = {
    "figures": (
        ("thicken", "turn_hue"),
        ("rotate", "turn_hue"),
        ("raise_ground", "turn_hue"),
        ("box_blur", "turn_hue"),
        ("turn_hue", "thicken"),
    ),
    "photographs": (("zoom", "darken"), ("box_blur", "fade_colour"), ("cover", "fade_colour")),
}
NULLS = (
    ("figures", ()),
    ("figures", ("turn_hue",)),
    ("figures", ("thicken",)),
    ("photographs", ()),
    ("photographs", ("darken",)),
    ("photographs", ("fade_colour",)),
)
OUTSIDE = (
    ("figures", "mirror", "turn_hue"),
    ("figures", "swirl", "turn_hue"),
    ("figures", "shuffle_quarters", "thicken"),
    ("photographs", "stripes", "darken"),
)


@dataclass(frozen=True)
class Case:
    """One planted scenario.

    Attributes:
        data: ``"figures"`` (handwritten digits in colour) or ``"photographs"``.
        kind: ``"pair"``, ``"null"`` (nothing harmful) or ``"outside"`` (the cause is on no list of factors).
        unseen: the change that the classifier was not trained on; "" for none.
        seen: the change that it was trained on; "" for none.
        mode: how the strengths of both vary over the target samples.
        seed: of data, classifier and analysis.
    """

    data: str
    kind: str
    unseen: str
    seen: str
    mode: Mode
    seed: int

    @property
    def name(self) -> str:
        """As the table calls it."""
        return f"{self.data}: {self.unseen or '–'} / {self.seen or '–'}, {self.mode}, seed {self.seed}"


@dataclass
class Row:
    """What came out of one case.

    Attributes:
        truth: per planted change its rise of the loss, fall of the accuracy, and the standard error of the first.
        expected, named: factors that are harmful by the measured truth, and by the verdicts.
        undecided: planted factors whose true rise is worth naming or not within its own error: either answer is right.
        right: the verdicts name exactly the expected ones (outside cases: they name none, and tell that most of the
            loss is unexplained or undecided).
        errors: per planted factor that was tried: accuracy it costs by the trial minus the truth, in points.
        effects: per planted factor that was tried: its rise of the loss by the trial, and the interval.
        covered: per planted factor that was tried: is the true rise of the loss inside its interval?
        drift, correlation: the naive answers; ``drift_right`` and ``correlation_right`` as ``right``.
    """

    case: Case
    accuracy: tuple[float, float]
    truth: dict[str, tuple[float, float, float]]
    expected: list[str]
    undecided: list[str]
    named: list[str]
    right: bool
    verdicts: dict[str, str]
    errors: dict[str, float]
    effects: dict[str, tuple[float, float, float]]
    covered: dict[str, bool]
    unexplained: float | None
    headline: str
    drift: str
    drift_right: bool
    correlation: str
    correlation_right: bool
    seconds: float
    left_out: list[str] = field(default_factory=list)


def all_cases(quick: bool, seed: int) -> list[Case]:
    """Every case; the quick ones use the digits that ship with scikit-learn only."""
    if quick:
        pairs = [Case("figures", "pair", "thicken", "turn_hue", mode, seed) for mode in ("confounded", "fixed")]
        return [
            *pairs,
            Case("figures", "null", "", "turn_hue", "independent", seed),
            Case("figures", "outside", "shuffle_quarters", "turn_hue", "fixed", seed),
        ]
    cases = [
        Case(data, "pair", unseen, seen, mode, seed + repeat)
        for data, pairs_of in PAIRS.items()
        for unseen, seen in pairs_of
        for repeat in (0, 1)
        for mode in MODES
    ]
    cases += [Case(data, "null", "", seen[0] if seen else "", "independent", seed) for data, seen in NULLS]
    cases += [Case(data, "outside", unseen, seen, "independent", seed) for data, unseen, seen in OUTSIDE]
    return cases


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
    groups = list(_by_classifier(cases).values())
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


def _by_classifier(cases: Iterable[Case]) -> dict[tuple[str, str, int], list[Case]]:
    """Cases that share data, the change that was trained on, and the seed share the classifier."""
    groups: dict[tuple[str, str, int], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.data, case.seen, case.seed), []).append(case)
    return groups


def run_group(cases: Sequence[Case], quick: bool, settings: TrialSettings, train: Train | None = None) -> list[Row]:
    """Train one classifier and run every case on it."""
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
    return [_run(case, source, target, scorer(predict), factors, settings) for case in cases]


def _run(
    case: Case,
    source: tuple[FloatArray, IntArray],
    target: tuple[FloatArray, IntArray],
    score: Score,
    factors: Sequence[ActiveFactor],
    settings: TrialSettings,
) -> Row:
    rng = np.random.default_rng([case.seed, 103])
    planted = [name for name in (case.unseen, case.seen) if name]
    strengths = _strengths(case.mode, len(target[0]), rng)
    source_scores = score(*source)
    truth = {
        name: _truth(PLANTS[name], strengths[i], source, source_scores, score, rng)
        for i, name in enumerate((case.unseen, case.seen))
        if name
    }
    changed = target[0]
    for i, name in enumerate((case.unseen, case.seen)):
        if name:
            changed = PLANTS[name](changed, strengths[i], rng)
    target_scores = score(changed, target[1])
    begun = time.perf_counter()
    found = find_causes(
        source[0], source[1], changed, target[1], source_scores, target_scores, factors, score, "image",
        [str(c) for c in range(int(source[1].max()) + 1)], settings, case.seed, silent,
    )  # fmt: skip
    seconds = time.perf_counter() - begun
    gap = float(target_scores.loss.mean() - source_scores.loss.mean())
    worth = max(settings.smallest_effect, settings.smallest_share * gap)
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


def _strengths(mode: Mode, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
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


def table_of(rows: Sequence[Row]) -> str:
    """Figures first, then one line per case."""
    lines = ["| | cases | right | largest drift right | partial correlation right |", "|---|---|---|---|---|"]
    kinds = [("pair", mode) for mode in MODES] + [("null", None), ("outside", None)]
    for kind, mode in kinds:
        chosen = [r for r in rows if r.case.kind == kind and (mode is None or r.case.mode == mode)]
        if chosen:
            title = {"pair": f"harmful and harmless, {mode}", "null": "nothing harmful", "outside": "cause not listed"}
            lines.append(
                f"| {title[kind]} | {len(chosen)} | {_count(r.right for r in chosen)} | "
                f"{_count(r.drift_right for r in chosen)} | {_count(r.correlation_right for r in chosen)} |"
            )
    errors = [abs(e) for r in rows if r.case.kind != "outside" for e in r.errors.values()]
    covered = [c for r in rows if r.case.kind != "outside" for c in r.covered.values()]
    wrong = [n for r in rows for n in r.named if n not in r.expected and n not in r.undecided]
    seconds = np.array([r.seconds for r in rows])
    lines += [
        "",
        f"- factors called harmful that are not, over all cases: {len(wrong)}{f' ({_listed(wrong)})' if wrong else ''}",
        f"- accuracy that a planted factor costs, within 3 points of the truth: {_count(e <= 3 for e in errors)}; "
        f"mean distance {np.mean(errors) if errors else 0:.1f} points",
        f"- true rise of the loss inside the 95 % interval: {_count(covered)}",
        f"- seconds for one verdict: median {np.median(seconds):.0f}, longest {seconds.max():.0f}",
        "",
        "| case | accuracy | truth: nats, points | harmful | other verdicts | rest | drift | correlation | right |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        truth = "; ".join(f"{n} {v[0]:+.2f}, {100 * v[1]:+.1f}" for n, v in r.truth.items())
        verdicts = ", ".join(f"{n} {v}" for n, v in r.verdicts.items() if v != "harmful")
        rest = "" if r.unexplained is None else f"{100 * r.unexplained:.0f} %"
        lines.append(
            f"| {r.case.name} | {100 * r.accuracy[0]:.0f} → {100 * r.accuracy[1]:.0f} | {truth} | "
            f"{', '.join(r.named) or '–'} | {verdicts or '–'} | {rest} | {r.drift or '–'} | {r.correlation or '–'} | "
            f"{'yes' if r.right else '**no**'} |"
        )
    return "\n".join(lines) + "\n"


def cross_readings(data: Sequence[str], seed: int, quick: bool) -> str:
    """What each factor, changed by a step of its own, does to all the measures, on samples of each kind of data."""
    parts = []
    for name in data:
        x = samples_of(name, seed, shipped_only=quick)[0][:READ]
        fitting = [(factor.name, factor.worker) for factor in image_factors() if not factor.refuses(x)]
        found = cross_response(fitting, x, np.random.default_rng([seed, 109]))
        parts.append(
            f"What each factor, changed by one step on {name}, does to every measure, in steps of that measure:\n\n"
            f"```\n{found}\n```\n"
        )
    return "\n".join(parts)


def _count(values: Iterable[bool]) -> str:
    found = list(values)
    return f"{sum(found)} of {len(found)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"{n} {names.count(n)}×" if names.count(n) > 1 else n for n in sorted(set(names)))


def image_factors() -> list[ActiveFactor]:
    """Every installed factor for images, with its default settings."""
    host = Host()
    found = [host.find(Factor, name) for name in host.names(Factor)]
    return [ActiveFactor(f.name, f, f.build(f.settings())) for f in found if "image" in f.kinds]


def scorer(predict: Predict) -> Score:
    """Cross-entropy, in batches."""

    def loss(probabilities: Floats, labels: IntArray | None) -> Floats:
        assert labels is not None
        return -np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, None))

    def score(x: FloatArray, labels: IntArray) -> Scores:
        parts = [predict(np.ascontiguousarray(x[i : i + 256])) for i in range(0, len(x), 256)]
        return score_batch(np.concatenate(parts).astype(np.float64), labels, loss)

    return score


def train_with_plugin(x: FloatArray, labels: IntArray, seed: int) -> Predict:
    """Train with the plugin ``trained``, and predict with the file that it exports."""
    from shiftlens.export.session import Session

    component = Host().find(Classifier, "trained")
    domain = Domain(x, x.shape[1:], "image", np.array([str(label) for label in labels]))
    with tempfile.TemporaryDirectory() as folder:
        worker = component.build(component.settings.model_validate({"train": {"epochs": EPOCHS}}))
        provided = worker(domain, Job(Path(folder), seed, "cpu"))
        session = Session(provided.onnx, device="cpu")
    (name,) = (tensor.name for tensor in session.inputs)
    (result,) = (tensor.name for tensor in session.outputs)
    # Class names are sorted as text: bring the columns back into the order of the numbers.
    order = np.argsort([int(c) for c in provided.classes])

    def predict(batch: FloatArray) -> FloatArray:
        outputs = probabilities_of(session.run(**{name: batch})[result], provided.output)
        return np.asarray(outputs[:, order], dtype=np.float32)

    return predict


EPOCHS = 6
READ = 300  # samples that the factors' measures of each other's changes are taken on


def samples_of(data: str, seed: int, shipped_only: bool = False) -> tuple[FloatArray, IntArray]:
    """Shuffled real images ``(n, 3, 32, 32)`` with labels.

    Raises:
        InputError: photographs are asked for and no data folder holds them.
    """
    rng = np.random.default_rng([seed, 107])
    if data == "photographs":
        x, y = _photographs()
    else:
        masks, y = _shipped_digits() if shipped_only or _file("mnist.npz") is None else _mnist()
        colour = np.array([0.9, 0.25, 0.2]) + rng.uniform(-0.08, 0.08, (len(masks), 3))
        ground = np.array([0.12, 0.12, 0.14]) + rng.uniform(-0.05, 0.05, (len(masks), 3))
        ink = masks[:, None]
        x = (ground[:, :, None, None] * (1 - ink) + colour[:, :, None, None] * ink).astype(np.float32)
    order = rng.permutation(len(x))[:MOST_SAMPLES]
    return x[order], y[order]


MOST_SAMPLES = 6000


def _file(name: str) -> Path | None:
    folder = os.environ.get(DATA_FOLDER)
    path = Path(folder) / name if folder else None
    return path if path is not None and path.is_file() else None


@cache
def _mnist() -> tuple[FloatArray, IntArray]:
    path = _file("mnist.npz")
    assert path is not None
    with np.load(path, allow_pickle=False) as loaded:
        images, labels = loaded["train_images"][:12000], loaded["train_labels"][:12000]
    ink = np.pad(images.reshape(-1, 28, 28).astype(np.float32) / 255, ((0, 0), (2, 2), (2, 2)))
    return ink, labels.astype(np.int64)


@cache
def _shipped_digits() -> tuple[FloatArray, IntArray]:
    """scikit-learn's 8×8 digits, drawn larger: ``(1797, 32, 32)``."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    loaded = load_digits()
    large = zoom(loaded.images / 16, (1, 3, 3), order=1, grid_mode=True, mode="grid-constant")
    ink = np.clip(np.pad(large, ((0, 0), (4, 4), (4, 4))) * 1.6 - 0.3, 0, 1)
    return ink.astype(np.float32), loaded.target.astype(np.int64)


@cache
def _photographs() -> tuple[FloatArray, IntArray]:
    from PIL import Image

    path = _file("cifar10-small.zip")
    if path is None:
        raise InputError(
            f"the full benchmark needs photographs: set {DATA_FOLDER} to a folder with cifar10-small.zip "
            "(class/number.jpg) and mnist.npz, or use --quick"
        )
    images, labels = [], []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            folder, _, file = name.partition("/")
            if file:
                with Image.open(io.BytesIO(archive.read(name))) as image:
                    images.append(np.asarray(image.convert("RGB"), dtype=np.float32).transpose(2, 0, 1) / 255)
                labels.append(folder)
    return np.stack(images), np.unique(labels, return_inverse=True)[1].astype(np.int64)
