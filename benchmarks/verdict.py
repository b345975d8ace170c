"""How long one verdict takes: what the `trial` stage does with 2 × 5,000 digits in colour and 12 factors.

    SHIFTLENS_TEST_DATA=FOLDER python -m benchmarks.verdict [--repeats 3]

MNIST drawn in colour at 32×32; the target's strokes are thicker and its hue is turned, by one common strength in each
sample. The classifier, the built-in small CNN, has seen turned hues and no thick strokes. Loading and its training are
not timed; every change, measure and score is. Prints a Markdown table; benchmarks/causes.md holds the last one.
"""

from __future__ import annotations

import argparse
import os
import platform
import time

import numpy as np

from benchmarks.planted.cases import PLANTS
from benchmarks.planted.data import image_factors, samples_of, scorer, train_with_plugin
from shiftlens.core.causes.find_causes import find_causes
from shiftlens.core.causes.policy import TrialSettings
from shiftlens.core.causes.request import CauseRequest

EACH = 5000
LEFT_OUT = ("occlusion", "scale", "position-x")  # so that as many factors as the aim names are left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="verdicts (default 3)")
    arguments = parser.parse_args()
    x, labels = samples_of("figures", 5, most=2 * EACH + 2000)
    rng = np.random.default_rng(0)
    strength = rng.uniform(0, 1, len(x))
    seen = PLANTS["turn_hue"](x[2 * EACH :], strength[2 * EACH :], rng)
    score = scorer(train_with_plugin(seen, labels[2 * EACH :], 5))
    source, target = slice(0, EACH), slice(EACH, 2 * EACH)
    changed = PLANTS["turn_hue"](PLANTS["thicken"](x[target], strength[target], rng), strength[target], rng)
    before, after = score(x[source], labels[source]), score(changed, labels[target])
    factors = [factor for factor in image_factors() if factor.name not in LEFT_OUT]
    request = CauseRequest(
        source=x[source], source_labels=labels[source], source_scores=before,
        target=changed, target_labels=labels[target], target_scores=after,
        factors=factors, score=score, sample_kind="image", classes=[str(digit) for digit in range(10)],
        settings=TrialSettings(), seed=0,
    )  # fmt: skip
    machine = f"{os.cpu_count()} cores of {platform.machine()}, Python {platform.python_version()}"
    print(f"{machine}, {len(factors)} factors\n")
    print("| seconds | of the processor | harmful | headline |")
    print("|---|---|---|---|")
    for _ in range(arguments.repeats):
        begun, worked = time.perf_counter(), time.process_time()
        found = find_causes(request)
        seconds, of_processor = time.perf_counter() - begun, time.process_time() - worked
        harmful = ", ".join(cause.factor for cause in found.causes if cause.verdict == "harmful")
        print(f"| {seconds:.0f} | {of_processor:.0f} | {harmful} | {found.headline} |", flush=True)


if __name__ == "__main__":
    main()
