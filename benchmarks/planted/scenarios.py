"""Scenarios of the grid benchmark: two planted changes, the classifier that knows one of them, and a randomised trial.

A scenario is made once and stored, for all generators and loss axes. Which two factors shifted is given here (whether
they are found is what `python -m benchmarks.planted` measures); how strongly is fitted to the data, as in an analysis.
Photographs are harder to classify than digits, so their classifier gets more of them. All samples are rounded to 8
bits, like the pictures they stand for.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.planted.cases import NAMES, PLANTS, Case
from benchmarks.planted.causes_benchmark import strengths
from benchmarks.planted.data import Train, has_mnist, image_factors, samples_of, train_with_plugin
from shiftlens.core.arrays import FloatArray, Floats, IntArray, Pixels, Predict
from shiftlens.core.causes.changes import ActiveFactor
from shiftlens.core.causes.distance import Matcher, ToMatch
from shiftlens.core.causes.outcomes import Rig, Score, randomised_rows
from shiftlens.core.causes.policy import TrialSettings
from shiftlens.core.causes.search import fit_changes
from shiftlens.core.data.scoring import Scores
from shiftlens.core.files import write_bytes
from shiftlens.core.host.kinds import SOURCE, TARGET, TRIAL, TrainingData

MOST_OF_EACH = 1500
"""Samples of each domain, at most."""
MOST = {"figures": 6000, "photographs": 15_000}
"""Samples that are drawn: half of them for the classifier."""
EPOCHS = {"figures": 6, "photographs": 10}
"""Of the classifier's training."""


@dataclass(frozen=True)
class Scenario:
    """Samples of both domains and of the trial ``(n, 3, 32, 32)``, with classes, and the losses of the trial's rows.

    Attributes:
        before: the target's samples before anything was planted in them.
        strength: ``(n, 2)`` of the harmful and of the harmless change in each target sample.
        truth: rise of the mean loss when the harmful, and when the harmless change alone is made on source samples.
        found: names of the factors whose change was fitted, in the order in which they are made.
    """

    source: Pixels
    source_class: IntArray
    target: Pixels
    target_class: IntArray
    before: Pixels
    strength: Floats
    trial: Pixels
    trial_class: IntArray
    trial_loss: Floats
    trial_before: Floats
    truth: Floats
    found: npt.NDArray[np.str_]

    def save(self, path: Path) -> None:
        """Write whole."""
        stream = io.BytesIO()
        np.savez(stream, **vars(self))
        write_bytes(path, stream.getvalue())

    @classmethod
    def load(cls, path: Path) -> Scenario:
        """As `save` wrote it."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(**{field.name: stored[field.name] for field in fields(cls)})


def rounded(x: FloatArray) -> Pixels:
    """Values from 0 to 1 as 8 bits."""
    return np.asarray(np.round(np.clip(x, 0, 1) * 255), dtype=np.uint8)


def as_float(x: Pixels) -> FloatArray:
    """The way back, float32."""
    return np.asarray(x, dtype=np.float32) / np.float32(255)


def classifier_of(case: Case, quick: bool, folder: Path, train: Train | None = None) -> Predict:
    """A classifier trained on samples of which most have some of the harmless change."""
    x, y = samples_of(case.data, case.seed, quick, MOST[case.data])
    x, y = x[: len(x) // 2], y[: len(x) // 2]
    rng = np.random.default_rng([case.seed, 101])
    strength = np.where(rng.uniform(size=len(x)) < 0.3, 0.0, rng.uniform(0, 1, len(x)))
    shown = as_float(rounded(PLANTS[case.seen](x, strength, rng)))
    return train(shown, y, case.seed) if train else train_with_plugin(shown, y, case.seed, folder, EPOCHS[case.data])


def make_scenario(case: Case, quick: bool, rows: int, score: Score) -> Scenario:
    """Plant, fit the strengths of the two factors, randomise them on source samples, score."""
    x, y = samples_of(case.data, case.seed, quick, MOST[case.data])
    x, y = x[len(x) // 2 :], y[len(y) // 2 :]
    count = min(len(x) // 2, MOST_OF_EACH)
    rng = np.random.default_rng([case.seed, 103])
    harmful, harmless = strengths(case.mode, count, rng)
    plain = as_float(rounded(x[:count]))
    planted = PLANTS[case.unseen](x[count : 2 * count], harmful, rng)
    target = as_float(rounded(PLANTS[case.seen](planted, harmless, rng)))
    labels = y[:count], y[count : 2 * count]
    scores = score(plain, labels[0])
    truth = []
    for name, strength in ((case.unseen, harmful), (case.seen, harmless)):
        changed = PLANTS[name](plain, rng.permutation(strength), rng)
        truth.append(float((score(changed, labels[0]).loss - scores.loss).mean()))
    factors = planted_factors(case)
    matched = MATCHED_QUICKLY if quick else TrialSettings().matching_samples
    to_match = ToMatch(plain, labels[0], target, labels[1], factors, "image", matched, case.seed)
    plan = fit_changes(Matcher(to_match), case.seed)
    trial = randomised_rows(Rig(plain, labels[0], score, case.seed), scores, plan, rows)
    return Scenario(
        source=rounded(plain),
        source_class=labels[0],
        target=rounded(target),
        target_class=labels[1],
        before=rounded(x[count : 2 * count]),
        strength=np.column_stack([harmful, harmless]),
        trial=rounded(trial.x),
        trial_class=trial.label,
        trial_loss=trial.loss,
        trial_before=trial.loss_before,
        truth=np.array(truth),
        found=np.array([change.name for change in plan]),
    )


MATCHED_QUICKLY = 80
"""Samples of each domain that the strengths are fitted on, where it has to be quick."""


def planted_factors(case: Case) -> list[ActiveFactor]:
    """The factors that stand for the harmful and the harmless change, in this order."""
    by_name = {factor.name: factor for factor in image_factors()}
    return [by_name[NAMES[name]] for name in (case.unseen, case.seen)]


LEVELS = (np.linspace(-0.6, 1.8, 9), np.linspace(-0.6, 1.8, 9))
"""Strengths of the harmful and of the harmless change that a generated sample is compared at."""


@dataclass(frozen=True)
class Ruler:
    """Samples with both changes planted at every pair of `LEVELS`: what generated samples are held against.

    ``planted`` is ``(n, harmful levels * harmless levels, 3, 32, 32)``.
    """

    planted: Pixels

    @classmethod
    def of(cls, case: Case, x: Pixels) -> Ruler:
        """For samples ``(n, 3, 32, 32)`` as they are before anything is planted."""
        plain, steps = as_float(x), []
        for harmful in LEVELS[0]:
            once = PLANTS[case.unseen](plain, np.full(len(x), harmful), np.random.default_rng(0))
            for harmless in LEVELS[1]:
                both = PLANTS[case.seen](once, np.full(len(x), harmless), np.random.default_rng(0))
                steps.append(rounded(both))
        return cls(np.stack(steps, axis=1))

    def read(self, cells: FloatArray) -> Floats:
        """``(n, 2)`` strengths at which each cell ``(n, 3, 32, 32)`` is most like its sample: least squares.

        Between the levels by the parabola through the best and its neighbours.
        """
        shape = tuple(len(levels) for levels in LEVELS)
        found = np.empty((len(cells), 2))
        for row, (cell, planted) in enumerate(zip(cells, self.planted, strict=True)):
            distance = ((as_float(planted) - cell) ** 2).mean((1, 2, 3)).reshape(shape)
            distance += 1e-9 * (np.abs(LEVELS[0])[:, None] + np.abs(LEVELS[1]))  # of levels that are alike, the least
            best = np.unravel_index(int(distance.argmin()), shape)
            for axis, levels in enumerate(LEVELS):
                line = distance[:, best[1]] if axis == 0 else distance[best[0]]
                found[row, axis] = _lowest(levels, line, int(best[axis]))
        return found


def _lowest(levels: Floats, line: Floats, best: int) -> float:
    """Where the parabola through the best level and its neighbours is lowest; at an end, that level itself."""
    if not 0 < best < len(levels) - 1:
        return float(levels[best])
    left, middle, right = line[best - 1 : best + 2]
    if left - middle < 1e-6:  # a change that cannot be made less than none
        return float(levels[best])
    bend = left - 2 * middle + right
    step = 0.5 * (left - right) / bend if bend > 1e-12 else 0.0
    return float(levels[best] + step * (levels[1] - levels[0]))


def training_data(scenario: Scenario, source: Scores, target: Scores, predict: Predict) -> TrainingData:
    """Source ∪ target ∪ trial, as a generator is trained on."""
    samples = np.concatenate([scenario.source, scenario.target, scenario.trial])
    counts = [len(scenario.source), len(scenario.target), len(scenario.trial)]
    before = np.concatenate([source.loss, target.loss, scenario.trial_before])
    return TrainingData(
        batch=lambda rows: as_float(samples[rows]),
        loss=np.concatenate([source.loss, target.loss, scenario.trial_loss]),
        label=np.concatenate([scenario.source_class, scenario.target_class, scenario.trial_class]),
        role=np.repeat(np.array([SOURCE, TARGET, TRIAL], np.int8), counts),
        loss_before=before,
        sample_shape=samples.shape[1:],
        kind="image",
        classes=int(max(scenario.source_class.max(), scenario.target_class.max())) + 1,
        predict=lambda x: predict(x).astype(np.float64),
    )


def digits_name(quick: bool) -> str:
    """Which digits the figures are."""
    return "MNIST" if has_mnist() and not quick else "scikit-learn"
