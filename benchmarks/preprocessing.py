"""Faults of preprocessing, planted with Pillow and scipy: are they named, with their cost, and is nothing else?

    SHIFTLENS_TEST_DATA=FOLDER python -m benchmarks.preprocessing [--only cifar photos digits] [--cases NAME ...]

*cifar*: photographs of 32 px (CIFAR-10), 700 of each domain, two small classifiers trained here: one on photographs as
they are, one that also saw them with permuted channels, so that it minds the order of the channels less. *photos*: 120
photographs of 224 px of each domain with photos-classifier.onnx. *digits*: spoken digits (FSDD, 8 kHz), 600 of each
domain. Every line is one run up to the verdicts, with default settings. The nulls change nothing, or something that has
a strength and no fault's name.

*named*: the planted fault is found (or one that gives the same images up to what the data can show), whatever its
verdict; *family*: a factor of strength stands in its place (low resolution told as a blur); *wrong*: another fault, or
a harmful factor that is not of its family; *silent*: nothing is. Prints a Markdown table; benchmarks/preprocessing.md
holds the last one.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from scipy.signal import resample

from benchmarks.photos import SIDE, data_file, halves, picture
from shiftlens import Run, Settings, run
from shiftlens.core.arrays import FloatArray, IntArray, Pixels

Fault = Callable[[Image.Image], Image.Image]
EACH = {"cifar": 700, "photos": 120, "digits": 600}
LENGTH = 4096  # values of a spoken digit: half a second
TURN = Image.Transpose
MEAN, SPREAD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def boxed(image: Image.Image, height: float, width: float, colour: tuple[int, int, int]) -> Image.Image:
    """The whole image made smaller, in the middle of an even one."""
    small = image.resize((round(image.width * width), round(image.height * height)), Image.Resampling.BICUBIC)
    made = Image.new("RGB", image.size, colour)
    made.paste(small, ((image.width - small.width) // 2, (image.height - small.height) // 2))
    return made


def coarse(image: Image.Image, part: int, how: Image.Resampling) -> Image.Image:
    """A lower resolution, enlarged."""
    return image.resize((image.width // part, image.height // part), Image.Resampling.BOX).resize(image.size, how)


def normalised(image: Image.Image) -> Image.Image:
    """Normalised, and stored as an image once more: what leaves 0 to 255 is cut."""
    values = (np.asarray(image, dtype=np.float64) / 255 - MEAN) / SPREAD
    return Image.fromarray((255 * values.clip(0, 1)).round().astype(np.uint8))


def squeezed(image: Image.Image) -> Image.Image:
    """A crop of 4:3, stretched to the square."""
    left = round(image.width / 8)
    return image.crop((0, left, image.width, image.height - left)).resize(image.size, Image.Resampling.BICUBIC)


FAULTS: dict[str, tuple[Fault, dict[str, tuple[str, ...]], tuple[str, ...]]] = {
    # name: (the fault, which factor and variants name it, factors of strength that are its family)
    "turned by 90°": (
        lambda i: i.transpose(TURN.ROTATE_90), {"orientation": ("turned-left", "axes-swapped")}, (),
    ),
    "upside down": (lambda i: i.transpose(TURN.ROTATE_180), {"orientation": ("upside-down", "flipped")}, ()),
    "BGR": (lambda i: Image.merge("RGB", i.split()[::-1]), {"channel-order": ("bgr",)}, ("hue",)),
    "inverted": (ImageOps.invert, {"inversion": ("inverted",)}, ()),
    "grey": (lambda i: i.convert("L").convert("RGB"), {"grey-images": ("grey",)}, ("saturation",)),
    "normalised twice": (normalised, {"value-range": ("normalised-twice",)}, ("contrast",)),
    "2x - 1 twice": (
        lambda i: i.point(lambda v: min(255, max(0, 2 * v - 255))),
        {"value-range": ("normalised-twice-by-half",)}, ("contrast",),
    ),
    "linear light": (
        lambda i: i.point(lambda v: round(255 * (v / 255) ** 2.2)), {"gamma": ("linear",)}, ("brightness",),
    ),
    "letterbox 4:3": (
        lambda i: boxed(i, 0.75, 1, (0, 0, 0)), {"padding": ("letterbox-4:3-black",)}, (),
    ),
    "white pillarbox 16:9": (
        lambda i: boxed(i, 1, 9 / 16, (255, 255, 255)), {"padding": ("pillarbox-16:9-white",)}, (),
    ),
    "half resolution": (
        lambda i: coarse(i, 2, Image.Resampling.BICUBIC), {"resolution": ("2-smooth",)}, ("sharpness",),
    ),
    "quarter, repeated": (
        lambda i: coarse(i, 4, Image.Resampling.NEAREST), {"resolution": ("4-repeated",)}, ("sharpness",),
    ),
    "3 bits": (lambda i: ImageOps.posterize(i, 3), {"bit-depth": ("3-bit",)}, ()),
    "stretched 4:3": (squeezed, {"aspect-ratio": ("taller-4:3", "narrower-4:3")}, ("scale",)),
}  # fmt: skip
NULLS: dict[str, Fault] = {
    "nothing": lambda i: i,
    "darker": lambda i: ImageEnhance.Brightness(i).enhance(0.6),
    "less contrast": lambda i: ImageEnhance.Contrast(i).enhance(0.6),
    "paler": lambda i: ImageEnhance.Color(i).enhance(0.4),
    "blurred": lambda i: i.filter(ImageFilter.GaussianBlur(i.width / 45)),
}
"""Nothing that a fault's name is right for; some cost accuracy by their own factor."""
NULL_FACTORS = {
    "darker": ("brightness",), "less contrast": ("contrast",), "paler": ("saturation",), "blurred": ("sharpness",),
}  # fmt: skip
RATES = {"8 kHz read as 16 kHz": ("faster-2", 2.0), "16 kHz read as 8 kHz": ("slower-2", 0.5), "nothing": ("", 1.0)}


@dataclass(frozen=True)
class Bench:
    """Samples ``(N, ...)`` of one sort with their labels, and a classifier's file."""

    name: str
    x: Pixels | FloatArray
    label: IntArray
    source: IntArray
    target: IntArray
    classifier: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=EACH, default=list(EACH), help="which samples (default all)")
    parser.add_argument("--cases", nargs="*", default=[], help="names of cases (default all)")
    parser.add_argument("--keep", type=Path, help="folder that keeps classifiers and runs")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores of {platform.machine()}, Python {platform.python_version()}\n")
    print("| samples | planted | points lost | told | harmful (points), harmless, unclear? | s |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for bench in benches(arguments.only, folder):
            names = [*RATES] if bench.name == "digits" else [*FAULTS, *NULLS]
            for name in names:
                if not arguments.cases or name in arguments.cases:
                    print(line(bench, name, folder), flush=True)


def benches(only: Sequence[str], folder: Path) -> list[Bench]:
    found = []
    if "cifar" in only:
        x, label = cifar()
        rest = np.arange(3000, 3000 + 2 * EACH["cifar"])
        source, target = rest[::2], rest[1::2]
        for name, seed, permuted in (("cifar, A", 0, False), ("cifar, B", 1, True)):
            seen = x[:3000].copy()
            if permuted:
                rng = np.random.default_rng(seed)
                seen = np.stack([image[..., rng.permutation(3)] for image in seen])
            found.append(Bench(name, x, label, source, target, trained(seen, label[:3000], seed, folder, 10)))
    if "photos" in only:
        each = EACH["photos"]
        source, target = halves(each)
        classes, x = photos([*source, *target])
        found.append(
            Bench("photos", x, classes, np.arange(each), np.arange(each, 2 * each), data_file("photos-classifier.onnx"))
        )
    if "digits" in only:
        sounds, label = spoken()
        each = EACH["digits"]
        made = trained(sounds[: -2 * each], label[: -2 * each], 0, folder, 12)
        last = np.arange(len(sounds) - 2 * each, len(sounds))
        found.append(Bench("digits", sounds, label, last[::2], last[1::2], made))
    return found


def cifar() -> tuple[Pixels, IntArray]:
    """Shuffled photographs ``(N, 32, 32, 3)`` uint8 with their classes."""
    images, labels = [], []
    with zipfile.ZipFile(data_file("cifar10-small.zip")) as archive:
        for name in sorted(n for n in archive.namelist() if not n.endswith("/")):
            images.append(np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")))
            labels.append(name.split("/")[0])
    order = np.random.default_rng(0).permutation(len(images))[:6000]
    return np.stack(images)[order], np.unique(labels, return_inverse=True)[1][order]


def photos(numbers: Sequence[int]) -> tuple[IntArray, Pixels]:
    """Classes by name and photographs ``(N, 224, 224, 3)`` uint8."""
    from benchmarks.photos import photographs

    classes = np.array(photographs()[0])[list(numbers)]
    x = np.stack([np.asarray(picture(number, 0, 0)) for number in numbers])
    assert x.shape[1:] == (SIDE, SIDE, 3)
    return classes, x


def spoken() -> tuple[FloatArray, IntArray]:
    """Shuffled spoken digits ``(N, 1, T)``, padded with silence."""
    import wave

    sounds, labels = [], []
    with zipfile.ZipFile(data_file("fsdd.zip")) as archive:
        for name in sorted(archive.namelist()):
            with wave.open(io.BytesIO(archive.read(name))) as opened:
                values = np.frombuffer(opened.readframes(opened.getnframes()), dtype="<i2") / 32768
            sounds.append(np.pad(values, (0, max(0, 2 * LENGTH - len(values))))[: 2 * LENGTH])
            labels.append(int(name[0]))
    order = np.random.default_rng(0).permutation(len(sounds))
    return np.stack(sounds)[order, None].astype(np.float32), np.array(labels)[order]


def trained(x: Pixels | FloatArray, label: IntArray, seed: int, folder: Path, epochs: int) -> Path:
    """A small classifier's ONNX file, trained by the built-in plugin; a second call finds the first one's."""
    kept = folder / f"classifier-{x.shape[1]}-{seed}"
    if not (kept / "run" / "bundle" / "classifier.onnx").is_file():
        kept.mkdir(exist_ok=True)
        np.savez(kept / "train.npz", x=x[..., :LENGTH] if x.ndim == 3 else x, y=label)
        raw = {"source": "train.npz", "target": "train.npz", "seed": seed, "classifier": {"train": {"epochs": epochs}}}
        run(Settings.parse(raw, kept), out=kept / "run", until="classifier")
    return kept / "run" / "bundle" / "classifier.onnx"


def planted(bench: Bench, name: str) -> Pixels | FloatArray:
    """The target's samples with the fault."""
    x = bench.x[bench.target]
    if bench.name == "digits":
        ratio = RATES[name][1]
        return resample(x, round(x.shape[2] / ratio), axis=2)[..., :LENGTH].astype(np.float32)
    fault = FAULTS[name][0] if name in FAULTS else NULLS[name]
    return np.stack([np.asarray(fault(Image.fromarray(image)).convert("RGB")) for image in x])


def line(bench: Bench, name: str, folder: Path) -> str:
    """One line of the table."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        here = Path(temporary)
        source = bench.x[bench.source]
        np.savez(
            here / "source.npz",
            x=source[..., :LENGTH] if bench.name == "digits" else source,
            y=bench.label[bench.source],
        )
        np.savez(here / "target.npz", x=planted(bench, name), y=bench.label[bench.target])
        raw = {"source": "source.npz", "target": "target.npz", "classifier": str(bench.classifier.resolve())}
        begun = time.perf_counter()
        finished = run(Settings.parse(raw | {"remedy": {"measure": "off"}}, here), out=here / "run", until="trial")
        return _told(bench, name, finished, time.perf_counter() - begun)


def _told(bench: Bench, name: str, finished: Run, seconds: float) -> str:
    from shiftlens.core.results.results import Cause

    trial, score = finished.record("trial"), finished.record("score")
    assert trial is not None
    assert score is not None
    causes = [Cause(**cause) for cause in trial.facts["causes"]]
    accuracy = [score.facts[role]["accuracy"] for role in ("source", "target")]
    named = (
        {"sampling-rate": (RATES[name][0],)}
        if bench.name == "digits" and RATES[name][0]
        else (FAULTS[name][1] if name in FAULTS else {})
    )
    family = FAULTS[name][2] if name in FAULTS else NULL_FACTORS.get(name, ())
    right = [c for c in causes if c.variant in named.get(c.factor, ())]
    harmful = [c for c in causes if c.verdict == "harmful"]
    wrong = [c for c in harmful if c not in right and c.factor not in family]
    others = [c for c in causes if c.variant and c not in right]
    if wrong or (others and not right):
        told = "wrong"
    elif name in FAULTS or named:
        told = "named" if right else "family" if harmful else "silent"
    else:
        told = "right"
    shown = [f"**{_called(c)}** {100 * (c.accuracy_effect or 0):.0f}" for c in harmful]
    shown += [_called(c) for c in causes if c.verdict == "harmless"]
    shown += [f"{_called(c)}?" for c in causes if c.verdict == "unclear" and c.effect is not None]
    lost = 100 * (accuracy[0] - accuracy[1])
    return f"| {bench.name} | {name} | {lost:.1f} | {told} | {', '.join(shown) or '–'} | {seconds:.0f} |"


def _called(cause: object) -> str:
    return f"{cause.factor}: {cause.variant}" if cause.variant else cause.factor  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
