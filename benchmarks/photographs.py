"""What a generator makes of photographs: four classes of CIFAR-10, of which the target's are much darker.

    python benchmarks/photographs.py ../shared/data/cifar10-small.zip [--pairs 24] [--only perceptual ...]

A small classifier is trained on photographs of its own and brought along as ONNX; 400 others of each class are the
source, and 400 more, darkened to 35 %, the target. Every line is a whole run. *Class kept* is the share of real
source samples of which the classifier says the same before and after encoding and decoding; *accuracy* its accuracy
on what comes back (on the real ones in the first line). *Moved* is the share of the gap by which the loss axis moves
the brightness, the planted cause. *Realism*: as the encoder sees it; by plain statistics; and that in the row of the
grids where it is lowest. Seconds are of the CPU, from the generator to the report. Prints a Markdown table;
benchmarks/training.md holds the last one.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from shiftlens import Run, Settings, run
from shiftlens.export.bundle import Bundle

CLASSES = ("airplane", "frog", "ship", "truck")
DARKENED = 0.35
PARTS = {"train": range(700), "source": range(700, 1100), "target": range(1100, 1500)}
LINES: dict[str, dict[str, object]] = {
    "default": {},
    "perceptual off": {"perceptual": "off"},
    "perceptual 4": {"perceptual": 4.0},
    "latent 32, 600 steps, perceptual off": {"latent": 32, "steps": 600, "perceptual": "off"},
    "vae": {"name": "vae"},
    "gan": {"name": "gan"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, help="cifar10-small.zip: class/0000.jpg")
    parser.add_argument("--pairs", type=int, default=24, help="pairs of samples in the grid (default 24)")
    parser.add_argument("--only", nargs="*", choices=LINES, default=list(LINES), help="lines of the table to make")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        write_data(arguments.archive, base)
        print("| generator | error | class kept | accuracy | fidelity | second opinion | realism | moved | CPU s |")
        print("|---|---|---|---|---|---|---|---|---|")
        for number, name in enumerate(arguments.only):
            print(line(name, base, arguments.pairs, first=number == 0), flush=True)


def write_data(archive: Path, base: Path) -> None:
    """train.npz, source.npz, target.npz, and classifier.onnx trained on the first."""
    with zipfile.ZipFile(archive) as opened:
        for part, numbers in PARTS.items():
            images, labels = [], []
            for name in CLASSES:
                for number in numbers:
                    image = Image.open(io.BytesIO(opened.read(f"{name}/{number:04d}.jpg"))).convert("RGB")
                    images.append(
                        np.asarray(ImageEnhance.Brightness(image).enhance(DARKENED if part == "target" else 1))
                    )
                    labels.append(name)
            np.savez(base / f"{part}.npz", x=np.stack(images), y=np.array(labels))
    made = {"source": "train.npz", "target": "target.npz", "classifier": {"train": {"epochs": 14}}}
    finished = run(Settings.parse(made, base), out=base / "made", until="classifier")
    shutil.copy(finished.bundle / "classifier.onnx", base / "classifier.onnx")


def line(name: str, base: Path, pairs: int, first: bool) -> str:
    """One run, from the trial that all share."""
    raw = {"source": "source.npz", "target": "target.npz", "classifier": "classifier.onnx", "reports": []}
    raw |= {"selector": {"name": "threshold", "pairs": pairs}, "generator": LINES[name]}
    out = base / "run"
    settings = Settings.parse(raw, base)
    run(settings, out=out, until="trial")
    begun = time.process_time()
    finished = run(settings, out=out)
    taken = time.process_time() - begun
    results = finished.results
    kept, before, after = given_back(base, finished)
    moved = [cause.grid.loss_axis for cause in results.causes if cause.factor == "brightness" and cause.grid]
    assert results.second_opinion is not None
    real = results.realism
    assert real is not None
    assert real.plain_near is not None
    assert real.plain_lowest is not None
    return (
        f"| {name} | {results.generator['reconstruction_mse']:.4f} | {kept:.2f} | {after:.2f}"
        f"{f' (real: {before:.2f})' if first else ''} | {results.fidelity.spearman:.2f} | "
        f"{results.second_opinion.fidelity:.2f} | {real.near:.2f}, {real.plain_near:.2f} ({real.plain_lowest:.2f}) | "
        f"{np.mean(moved):.2f} | {taken:.0f} |"
    )


def given_back(base: Path, finished: Run) -> tuple[float, float, float]:
    """Share of source samples of which the classifier says the same afterwards; its accuracy before and after."""
    bundle = Bundle.open(finished.bundle)
    with np.load(base / "source.npz") as stored:
        x = (stored["x"].transpose(0, 3, 1, 2) / 255).astype(np.float32)
        label = np.array([bundle.class_index(name) for name in stored["y"]])
    before = bundle.score(x, label)
    after = bundle.score(bundle.decode(bundle.encode(x, before.loss, label), before.loss, label), label)
    return (
        float((after.prediction == before.prediction).mean()),
        float(before.correct.mean()),
        float(after.correct.mean()),
    )


if __name__ == "__main__":
    main()
