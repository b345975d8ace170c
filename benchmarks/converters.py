"""The style converters side by side: accuracy on converted samples, and how much of the planted gaps they close.

    SHIFTLENS_TEST_DATA=DIR python -m benchmarks.converters [--steps 600] [--seeds 1]

Coloured digits (MNIST where the data folder holds it, else scikit-learn's). The target domain has a change that the
classifier has never seen and a change of hue that it was trained on, each sample its own strength of either. Figures
are measured on 500 target samples that no converter has seen, with the classifier that the converters worked with and
with a second one, trained from another seed: what only fools the first does not help there.
CPU seconds on one thread. Prints a Markdown table; benchmarks/converters.md holds the last one with its machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.planted import planting as planting
from benchmarks.planted.data import image_factors, samples_of, train_with_plugin
from shiftlens.core.arrays import FloatArray, IntArray, Predict
from shiftlens.core.causes.statistics import centre, wrapped
from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import (
    SOURCE,
    TARGET,
    ConversionData,
    Converter,
    Generator,
    TrainedConverter,
    TrainedGenerator,
    TrainingData,
)
from shiftlens.core.job import Job

SCENES = {"rotation": (planting.rotate, 50.0), "stroke-thickness": (planting.thicken, 2.5)}
PARTS = (2000, 3750, 5500, 6000)  # samples: the classifiers' own, then source, target, and the target's test samples
CONVERTERS = ("latent-transport", "cyclegan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600, help="training steps of cyclegan (default 600)")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds (default 1)")
    parser.add_argument("--only", choices=SCENES, help="one of the planted changes (default: all)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| planted | converter | accuracy | second classifier | harmful gap closed | hue gap closed | CPU s |")
    print("|---|---|---|---|---|---|---|")
    for seed in range(arguments.seeds):
        for factor in [arguments.only] if arguments.only else SCENES:
            for row in scene(factor, seed, arguments.steps):
                print(row, flush=True)


def scene(factor: str, seed: int, steps: int) -> list[str]:
    """Plant, train two classifiers and a generator, and measure every converter."""
    plant, full = SCENES[factor]
    x, y = samples_of("figures", seed)
    rng = np.random.default_rng([seed, 211])
    own, source, target, test = np.split(np.arange(len(x)), [len(x) * part // PARTS[-1] for part in PARTS[:-1]])
    shown = planting.turn_hue(x[own], rng.uniform(0, 1, len(own)) * (rng.uniform(size=len(own)) > 0.3), rng)
    first, second = (train_with_plugin(shown, y[own], seed + 1000 * number) for number in range(2))
    for rows in (target, test):
        turned = planting.turn_hue(x[rows], rng.uniform(0.5, 1, len(rows)), rng)
        x[rows] = plant(turned, rng.uniform(0.5, 1, len(rows)), rng, full)
    rows = domains(x, y, source, target, first)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        generator = trained_generator(rows, Path(folder), seed)
        cost = {"latent-transport": time.process_time() - begun, "cyclegan": 0.0}  # the first is nothing without one
        lines = []
        for name in CONVERTERS:
            begun = time.process_time()
            trained = trained_converter(name, rows, first, generator, Path(folder), seed, steps)
            seconds = time.process_time() - begun + cost[name]
            made = converted(trained, x[test], y[test])
            rates = [
                f"{rate(predict, x[test], y[test]):.2f} → {rate(predict, made, y[test]):.2f}"
                for predict in (first, second)
            ]
            gaps = [closed(each, x[source], x[test], made) for each in (factor, "hue")]
            figures = " | ".join([*rates, *(f"{gap:.2f}" for gap in gaps), f"{seconds:.0f}"])
            lines.append(f"| {factor} / hue, seed {seed} | {name} | {figures} |")
    return lines


def domains(x: FloatArray, y: IntArray, source: IntArray, target: IntArray, predict: Predict) -> TrainingData:
    """Source and target as a converter is given them."""
    rows = np.concatenate([source, target])
    chance = np.concatenate([predict(x[rows[i : i + 250]]) for i in range(0, len(rows), 250)])
    loss = -np.log(np.clip(chance[np.arange(len(rows)), y[rows]].astype(np.float64), 1e-7, None))
    return TrainingData(
        batch=lambda indices: x[rows[indices]],
        loss=loss,
        label=y[rows],
        role=np.repeat(np.array([SOURCE, TARGET], np.int8), [len(source), len(target)]),
        loss_before=loss,
        sample_shape=x.shape[1:],
        kind="image",
        classes=10,
    )


def trained_generator(rows: TrainingData, folder: Path, seed: int) -> TrainedGenerator:
    component = Host().find(Generator, "autoencoder")
    (folder / "generator").mkdir()
    trained: TrainedGenerator = component.build(component.settings())(rows, Job(folder / "generator", seed, "cpu"))
    return trained


def trained_converter(
    name: str, rows: TrainingData, predict: Predict, generator: TrainedGenerator, folder: Path, seed: int, steps: int
) -> TrainedConverter:
    component = Host().find(Converter, name)
    settings = component.settings.model_validate({"steps": steps} if name == "cyclegan" else {})
    (folder / name).mkdir()
    data = ConversionData(rows, labelled=True, predict=predict, generator=generator)
    trained: TrainedConverter = component.build(settings)(data, Job(folder / name, seed, "cpu"))
    return trained


def converted(trained: TrainedConverter, x: FloatArray, y: IntArray) -> FloatArray:
    given = (torch.from_numpy(x), torch.from_numpy(y)) if trained.needs_label else (torch.from_numpy(x),)
    with torch.no_grad():
        made: FloatArray = trained.module(*given).numpy()
    return made


def rate(predict: Predict, x: FloatArray, y: IntArray) -> float:
    return float((predict(x).argmax(1) == y).mean())


def closed(name: str, source: FloatArray, target: FloatArray, made: FloatArray) -> float:
    """Share of the gap in a factor's mean measure that the conversion closes."""
    factor = next(factor for factor in image_factors() if factor.name == name)
    start, end, now = (centre(factor.measure(x), factor.period) for x in (source, target, made))
    return float(wrapped(end - now, factor.period)) / float(wrapped(end - start, factor.period))


if __name__ == "__main__":
    main()
