"""Photographs of 224 px in folders by class, and changes planted in them with Pillow: nothing of the factors' code.

The photographs are those of photos.zip in the data folder (``photo/class/number.jpg``, 227 px, seven classes), with
``photos-classifier.onnx`` beside it. More than there are come from small random crops and mirror images of the same.
Every change takes a picture and a strength in [0, 1]; 0 changes nothing (or next to nothing), 1 is the full change.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter

SIDE = 224
DATA_FOLDER = "SHIFTLENS_TEST_DATA"

Change = Callable[[Image.Image, float, np.random.Generator], Image.Image]


def data_file(name: str) -> Path:
    """A file of the data folder."""
    path = Path(os.environ.get(DATA_FOLDER, "")) / name
    if not os.environ.get(DATA_FOLDER) or not path.is_file():
        raise SystemExit(f"set {DATA_FOLDER} to a folder with {name}")
    return path


@cache
def photographs() -> tuple[list[str], list[bytes]]:
    """Class and file content of each photograph, sorted by name."""
    with zipfile.ZipFile(data_file("photos.zip")) as archive:
        names = sorted(n for n in archive.namelist() if n.startswith("photo/") and not n.endswith("/"))
        return [name.split("/")[1] for name in names], [archive.read(name) for name in names]


def blur(image: Image.Image, s: float, rng: np.random.Generator) -> Image.Image:
    """Gaussian, up to a radius of 4 px."""
    return image.filter(ImageFilter.GaussianBlur(4 * s))


def darken(image: Image.Image, s: float, rng: np.random.Generator) -> Image.Image:
    """Down to 35 % of the light."""
    return ImageEnhance.Brightness(image).enhance(1 - 0.65 * s)


def fade_colour(image: Image.Image, s: float, rng: np.random.Generator) -> Image.Image:
    """Down to a tenth of the colour."""
    return ImageEnhance.Color(image).enhance(1 - 0.9 * s)


def flatten_contrast(image: Image.Image, s: float, rng: np.random.Generator) -> Image.Image:
    """Down to 30 % of the contrast."""
    return ImageEnhance.Contrast(image).enhance(1 - 0.7 * s)


def zoom(image: Image.Image, s: float, rng: np.random.Generator) -> Image.Image:
    """The middle, up to 2.2 times as large."""
    width, height = image.size
    part = 1 / (1 + 1.2 * s)
    box = [(1 - part) / 2 * width, (1 - part) / 2 * height, (1 + part) / 2 * width, (1 + part) / 2 * height]
    return image.resize(image.size, Image.Resampling.BICUBIC, box=tuple(box))


def turn(image: Image.Image, s: float, rng: np.random.Generator) -> Image.Image:
    """Up to 50 degrees, with mirrored borders."""
    pixels = np.asarray(image)
    pad = max(image.size) // 2
    wide = Image.fromarray(np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric"))
    turned = wide.rotate(50 * s, Image.Resampling.BICUBIC)
    return turned.crop((pad, pad, pad + image.width, pad + image.height))


def speckle(image: Image.Image, s: float, rng: np.random.Generator) -> Image.Image:
    """Normal noise on every value, up to a standard deviation of 0.2 of the full range."""
    pixels = np.asarray(image, dtype=np.float32)
    noisy = pixels + 255 * 0.2 * s * rng.standard_normal(pixels.shape, dtype=np.float32)
    return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))


def compress(image: Image.Image, s: float, rng: np.random.Generator) -> Image.Image:
    """As a JPEG file, of a quality from 95 down to 4."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=round(95 * (4 / 95) ** s))
    return Image.open(content).convert("RGB")


def turn_hue(image: Image.Image, s: float, rng: np.random.Generator) -> Image.Image:
    """By up to half a turn of the colour wheel."""
    hue, saturation, value = image.convert("HSV").split()
    shifted = hue.point(lambda h: (h + round(128 * s)) % 256)
    return Image.merge("HSV", (shifted, saturation, value)).convert("RGB")


def cover(image: Image.Image, s: float, rng: np.random.Generator) -> Image.Image:
    """A grey square anywhere, up to 45 % of the area."""
    side = round(np.sqrt(0.45 * s) * image.width)
    left, top = (int(rng.integers(0, image.width - side + 1)) for _ in range(2))
    covered = image.copy()
    covered.paste((124, 116, 104), (left, top, left + side, top + side))
    return covered


CHANGES: Mapping[str, Change] = {
    change.__name__: change
    for change in (
        blur,
        darken,
        fade_colour,
        flatten_contrast,
        zoom,
        turn,
        speckle,
        compress,
        turn_hue,
        cover,
    )
}
FACTOR_OF = {
    "blur": "sharpness",
    "darken": "brightness",
    "fade_colour": "saturation",
    "flatten_contrast": "contrast",
    "zoom": "scale",
    "turn": "rotation",
    "speckle": "noise",
    "compress": "jpeg",
    "turn_hue": "hue",
    "cover": "occlusion",
}


def halves(each: int, seed: int = 0) -> tuple[list[int], list[int]]:
    """Numbers of the photographs of either domain, none in both; repeated where more are asked for than there are."""
    order = np.random.default_rng([seed, 1]).permutation(len(photographs()[0]))
    middle = len(order) // 2
    source, target = (np.resize(part, each) for part in (order[:middle], order[middle:]))
    return source.tolist(), target.tolist()


def picture(number: int, place: int, seed: int) -> Image.Image:
    """One photograph at 224 px; the second time it is asked for (``place`` counts), cut and mirrored at random."""
    image = Image.open(io.BytesIO(photographs()[1][number])).convert("RGB")
    again = place >= len(photographs()[0]) // 2
    rng = np.random.default_rng([seed, 2, place])
    if again:
        side = rng.uniform(0.9, 1.0) * image.width
        left, top = (rng.uniform(0, image.width - side) for _ in range(2))
        image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else image
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def changed(
    image: Image.Image, planted: Sequence[tuple[str, npt.NDArray[np.float64]]], place: int, seed: int
) -> Image.Image:
    """With each planted change at this sample's strength."""
    for name, strength in planted:
        image = CHANGES[name](image, float(strength[place]), np.random.default_rng([seed, 3, place, *name.encode()]))
    return image


def write_folder(
    folder: Path, numbers: Sequence[int], planted: Sequence[tuple[str, npt.NDArray[np.float64]]] = (), seed: int = 0
) -> None:
    """``class/number.png`` of every sample; strengths are one for each sample."""
    classes = photographs()[0]
    for name in set(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)

    def write(place: int) -> None:
        image = changed(picture(numbers[place], place, seed), planted, place, seed)
        image.save(folder / classes[numbers[place]] / f"{place:06d}.png", compress_level=1)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(len(numbers))))


def strengths(mode: str, count: int, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Of two changes, ``(count,)`` each: independent, confounded (one common strength) or fixed (the full one)."""
    rng = np.random.default_rng([seed, 4])
    if mode == "fixed":
        return np.ones(count), np.ones(count)
    first = rng.uniform(0, 1, count)
    return first, first if mode == "confounded" else rng.uniform(0, 1, count)
