"""Reads pictures from folders: ``class-name/file.png``, or a flat folder of pictures without labels.

A class folder may hold further folders. Links are followed; names that begin with a dot are passed over. Every
picture is decoded once, by several workers, brought to one size and written to an array in the scratch folder, which
is memory-mapped from then on. A reading that was cut off goes on where it stopped; changed files are noticed.

Pictures are turned upright as their EXIF data say, transparency is laid over ``background``, 16-bit grey becomes
8-bit, and of an animation the first picture counts.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from shiftlens.core.arrays import AnyArray, FloatArray, Pixels
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.fingerprint import fingerprint
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import ComponentSettings, Reader
from shiftlens.plugins.readers.class_tree import Entry, entries, holds

if TYPE_CHECKING:
    from PIL import Image

logger = logging.getLogger("shiftlens")

Side = Annotated[int, Field(ge=1, le=4096)]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif")
GUESSES = (64, 32, 16)  # px: the largest that most pictures reach is taken where sizes differ and none is set
CHUNK = 512  # pictures that are decoded before they are written
TURNED = (5, 6, 7, 8)  # EXIF orientations that swap height and width
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")


class Settings(ComponentSettings):
    """Settings of the image-folder reader."""

    path: Path = Field(description="folder of class folders; a flat folder of pictures has no labels")
    size: Side | tuple[Side, Side] | None = Field(
        None,
        description="side in px, or [height, width]; left out: the size that all have, or, where they differ, a "
        "square of 64, 32 or 16 px, whichever most pictures reach",
    )
    crop: Literal["centre", "stretch", "pad"] = Field(
        "centre", description="how another shape is made to fit: cut off, squeezed, or edged with the background"
    )
    mode: Literal["auto", "L", "RGB"] = Field("auto", description="L: grey, RGB: colour; auto: grey if all are grey")
    background: str = Field("white", description="colour under transparent parts: a CSS name, or '#rrggbb'")
    workers: int | None = Field(None, ge=1, le=256, description="pictures decoded at once; left out: one per core")

    @field_validator("background")
    @classmethod
    def _colour(cls, background: str) -> str:
        from PIL import ImageColor

        ImageColor.getrgb(background)  # raises a ValueError that names the colour
        return background


@dataclass(frozen=True)
class PictureForm:
    """What every picture is brought to."""

    height: int
    width: int
    mode: str
    crop: str
    background: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one sample."""
        return (1 if self.mode == "L" else 3, self.height, self.width)


class ImageFolderReader:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def files(self) -> list[Path]:
        """All pictures, sorted by name."""
        return [picture.path for picture in entries(self.settings.path, SUFFIXES, "pictures")]

    def __call__(self, scratch: Path) -> Domain:
        """Decode what has not been decoded yet, and map it."""
        pictures = entries(self.settings.path, SUFFIXES, "pictures")
        state = fingerprint(picture.path for picture in pictures)
        plain = self.settings.model_dump(mode="json", exclude={"path", "workers"})
        key = hashlib.sha256(json.dumps([1, state, plain], sort_keys=True).encode()).hexdigest()[:16]
        array = scratch / f"pictures-{key}.npy"
        if not array.is_file():
            for old in scratch.glob("pictures-*"):
                if key not in old.name:
                    old.unlink()
            with ThreadPoolExecutor(self.settings.workers or os.cpu_count()) as pool:
                decode_all(pictures, self._form(pictures, pool), array, pool)
        stored = np.load(array, mmap_mode="r", allow_pickle=False)  # (N, C, H, W) uint8
        return Domain(
            stored=stored,
            sample_shape=stored.shape[1:],
            kind="image",
            labels=np.array([picture.label for picture in pictures]) if pictures[0].label else None,
            decode=as_shares,
            names=tuple(picture.name for picture in pictures),
        )

    def _form(self, pictures: list[Entry], pool: ThreadPoolExecutor) -> PictureForm:
        """Size and mode: as set, or found in the pictures' headers."""
        settings = self.settings
        size = (settings.size, settings.size) if isinstance(settings.size, int) else settings.size
        mode = settings.mode
        if size is None or mode == "auto":
            headers = [header for header in pool.map(header_of, pictures) if header is not None]
            if not headers:
                raise InputError(f"none of the {len(pictures)} pictures in {settings.path} can be opened as a picture")
            if mode == "auto":
                mode = "L" if all(grey for _, _, grey in headers) else "RGB"
            if size is None:
                size = _common_size([(height, width) for height, width, _ in headers], settings.path)
        return PictureForm(*size, mode, settings.crop, settings.background)


def header_of(picture: Entry) -> tuple[int, int, bool] | None:
    """Height, width and whether it is grey; None where the file cannot be opened, which decoding will tell of."""
    from PIL import Image

    try:
        with Image.open(picture.path) as image:
            width, height = image.size
            if image.getexif().get(0x0112) in TURNED:
                height, width = width, height
            return height, width, image.mode in GREY
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _common_size(sizes: list[tuple[int, int]], root: Path) -> tuple[int, int]:
    """The size that all have, or a guess that is told."""
    if len(set(sizes)) == 1:
        return sizes[0]
    median = float(np.median([min(size) for size in sizes]))
    side = next((guess for guess in GUESSES if guess <= median), GUESSES[-1])
    logger.warning(
        "the pictures in %s have %d different sizes; all are brought to %d×%d px: set size to choose another",
        root,
        len(set(sizes)),
        side,
        side,
    )
    return side, side


def decode_all(pictures: list[Entry], form: PictureForm, array: Path, pool: ThreadPoolExecutor) -> None:
    """Write all pictures as one ``.npy`` ``(N, C, H, W)`` uint8, going on after those that an earlier call wrote.

    Raises:
        InputError: names every picture that cannot be decoded.
    """
    part = array.with_suffix(".part")
    row = int(np.prod(form.shape))
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(pictures), *form.shape)}
    broken: list[str] = []
    with part.open("ab+") as stream:
        if stream.tell() == 0:
            np.lib.format.write_array_header_1_0(stream, header)
        start = _end_of_header(stream)
        done = (os.fstat(stream.fileno()).st_size - start) // row
        stream.truncate(start + done * row)  # a last picture that was written in part is written again
        for first in range(done, len(pictures), CHUNK):
            for picture in pool.map(lambda p: decoded(p, form), pictures[first : first + CHUNK]):
                if isinstance(picture, str):
                    broken.append(picture)
                elif not broken:
                    stream.write(picture.tobytes())
    if broken:
        more = f"\n  and {len(broken) - 50} more" if len(broken) > 50 else ""
        raise InputError(
            f"{len(broken)} of {len(pictures)} pictures cannot be decoded; repair or remove them:\n  "
            + "\n  ".join(broken[:50])
            + more
        )
    os.replace(part, array)


def _end_of_header(stream: Any) -> int:
    """Where the values of an ``.npy`` begin."""
    stream.seek(0)
    np.lib.format.read_magic(stream)
    np.lib.format.read_array_header_1_0(stream)
    return int(stream.tell())


def decoded(picture: Entry, form: PictureForm) -> Pixels | str:
    """One picture ``(C, H, W)``, or what is wrong with it."""
    from PIL import Image

    try:
        with Image.open(picture.path) as image:
            pixels = np.asarray(fitted(flattened(image, form), form))  # (H, W) or (H, W, 3)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"{picture.path}: {error}"
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def flattened(image: Image.Image, form: PictureForm) -> Image.Image:
    """Upright, opaque, and grey or colour."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16-bit grey, which convert() would clip at 255
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, form.background), image)
    return image.convert(form.mode)


def fitted(image: Image.Image, form: PictureForm) -> Image.Image:
    """Of the wanted size."""
    from PIL import Image, ImageOps

    size, bilinear = (form.width, form.height), Image.Resampling.BILINEAR
    if image.size == size:
        return image
    if form.crop == "stretch":
        return image.resize(size, bilinear)
    if form.crop == "centre":
        return ImageOps.fit(image, size, bilinear)
    return ImageOps.pad(image, size, bilinear, color=form.background)


def as_shares(stored: AnyArray) -> FloatArray:
    """uint8 to float32 in [0, 1]."""
    return stored.astype(np.float32) * np.float32(1 / 255)


def _claims(raw: Mapping[str, Any], base: Path) -> bool:
    return holds(raw, base, SUFFIXES)


READER = Reader(
    name="image-folder",
    summary="pictures in one folder per class: png, jpg, bmp, webp, gif",
    settings=Settings,
    build=ImageFolderReader,
    claims=_claims,
)
