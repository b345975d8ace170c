"""Reads pictures from folders: ``class-name/file.png``, a flat folder with a ``labels.csv``, or one without labels.

A class folder may hold further folders. Links are followed; names that begin with a dot are passed over. Every
picture is decoded once, by several workers, brought to one size and written to an array in the scratch folder, which
is memory-mapped from then on. A reading that was cut off goes on where it stopped; changed files are noticed.

Pictures are turned upright as their EXIF data say, unless ``exif`` says otherwise; transparency is laid over
``background``, grey of more than 8 bits is scaled by the bits that are used, and of an animation the first picture
counts. A few that cannot be read are left out and named.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from shiftlens.core.arrays import AnyArray, FloatArray, IntArray
from shiftlens.core.data.domain import Domain, Otherwise
from shiftlens.core.data.fingerprint import fingerprint
from shiftlens.core.errors import InputError
from shiftlens.core.files import check_disk, whole, write_text
from shiftlens.core.host.kinds import ComponentSettings, Proposal, Reader
from shiftlens.plugins.readers import metadata
from shiftlens.plugins.readers.class_tree import Entry, Tree, entries, holds, skipped, table_of
from shiftlens.plugins.readers.folder_proposal import propose
from shiftlens.plugins.readers.pictures import SUFFIXES, PictureForm, PictureHeader, bits_of, decoded, header_of

logger = logging.getLogger("shiftlens")

Side = Annotated[int, Field(ge=1, le=4096)]

GUESSES = (64, 32, 16)  # px: the largest that most pictures reach is taken where sizes differ and none is set
CHUNK = 512  # pictures that are decoded before they are written...
LARGEST_CHUNK = 64 * 2**20  # ...as long as they take no more bytes
TRIED = 512  # turned pictures that are read the other way, to tell both accuracies


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
    exif: Literal["turn", "ignore"] = Field(
        "turn",
        description="turn: pictures upright, as their EXIF data say; ignore: as the pixels lie, like PIL's open and "
        "torchvision's ImageFolder",
    )
    bits: int | None = Field(
        None,
        ge=8,
        le=16,
        description="bits that grey of more than 8 bits uses, such as 12 of a camera's 16-bit files; left out: the "
        "fewest that hold the largest value",
    )
    skip: float = Field(
        0.05, ge=0, lt=1, description="largest share of pictures that may be left out because they cannot be read"
    )
    split: str | None = Field(
        None,
        description="where folders such as train and val stand above those of the classes: the one to read; all; or "
        "none, where they are the classes themselves",
    )
    metadata: Path | None = Field(None, description=metadata.HELP)
    workers: int | None = Field(None, ge=1, le=256, description="pictures decoded at once; left out: one per core")

    @field_validator("background")
    @classmethod
    def _colour(cls, background: str) -> str:
        from PIL import ImageColor

        ImageColor.getrgb(background)  # raises a ValueError that names the colour
        return background


@dataclass(frozen=True)
class PictureFacts:
    """What is noted beside the array.

    Attributes:
        form: what every picture was brought to.
        kept: places of the pictures that could be read.
        broken: a line for each of the others.
        turned: places of those whose EXIF data speak of a turn.
        bits: that grey of more than 8 bits uses; None where there is none.
    """

    form: PictureForm
    kept: list[int]
    broken: list[str]
    turned: list[int]
    bits: int | None


class ImageFolderReader:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def files(self) -> list[Path]:
        """All pictures, sorted by name; the table that names them, and that of metadata, where there are any."""
        beside = (table_of(self.settings.path), self.settings.metadata)
        return [*(picture.path for picture in self._tree().entries), *filter(None, beside)]

    def __call__(self, scratch: Path) -> Domain:
        """Decode what has not been decoded yet, and map it."""
        tree, root = self._tree(), self.settings.path
        state = fingerprint(picture.path for picture in tree.entries)
        plain = self.settings.model_dump(mode="json", exclude={"path", "workers", "skip", "metadata"})
        key = hashlib.sha256(json.dumps([2, state, plain], sort_keys=True).encode()).hexdigest()[:16]
        array, noted = scratch / f"pictures-{key}.npy", scratch / f"pictures-{key}.json"
        if not (array.is_file() and noted.is_file()):
            for old in scratch.glob("pictures-*"):
                if key not in old.name:
                    old.unlink()
            with ThreadPoolExecutor(self.settings.workers or os.cpu_count()) as pool:
                self._decode_all(tree.entries, array, noted, pool)
        facts = _read(noted)
        lost = skipped(facts.broken, len(tree.entries), self.settings.skip, "pictures", root)
        stored = np.load(array, mmap_mode="r", allow_pickle=False)  # (N, C, H, W) uint8
        pictures = [tree.entries[place] for place in facts.kept]
        groups, told = metadata.groups_of(pictures, self.settings.metadata)
        return Domain(
            stored=stored,
            sample_shape=stored.shape[1:],
            kind="image",
            labels=np.array([picture.label for picture in pictures]) if pictures[0].label else None,
            decode=as_shares,
            names=tuple(picture.name for picture in pictures),
            otherwise=self._otherwise(pictures, facts),
            notes=(*tree.notes(root, "pictures"), *lost, *_deep(facts, root), *told),
            agrees={} if facts.bits is None else {"bits": facts.bits},
            groups=groups,
        )

    def _tree(self) -> Tree:
        return entries(self.settings.path, SUFFIXES, "pictures", split=self.settings.split)

    def _decode_all(self, pictures: list[Entry], array: Path, noted: Path, pool: ThreadPoolExecutor) -> None:
        """Write the array of those that can be read, and what is to be noted."""
        headers = list(pool.map(header_of, pictures))
        form, bits = self._form(headers)
        broken = decode_all(pictures, form, array, pool)
        kept = [place for place in range(len(pictures)) if place not in broken]
        turned = [i for i, header in enumerate(headers) if header is not None and header.orientation != 1]
        facts = PictureFacts(form, kept, list(broken.values()), [i for i in turned if i not in broken], bits)
        write_text(noted, json.dumps(asdict(facts)))

    def _form(self, headers: list[PictureHeader | None]) -> tuple[PictureForm, int | None]:
        """Size, mode and bits: as set, or found in the pictures' headers."""
        settings = self.settings
        found = [header for header in headers if header is not None]
        if not found:
            raise InputError(f"none of the {len(headers)} pictures in {settings.path} can be opened as a picture")
        size = (settings.size, settings.size) if isinstance(settings.size, int) else settings.size
        turn = settings.exif == "turn"
        mode = settings.mode
        if mode == "auto":
            mode = "L" if all(header.grey for header in found) else "RGB"
        if size is None:
            size = _common_size([header.size(turn) for header in found], settings.path)
        largest = max((header.largest for header in found if header.largest is not None), default=None)
        if largest is None:
            return PictureForm(*size, mode, settings.crop, settings.background, turn, 255.0), None
        bits = settings.bits or bits_of(largest)
        top = 1.0 if largest <= 1 else float(2**bits - 1)  # floats are shares already
        return PictureForm(*size, mode, settings.crop, settings.background, turn, top), bits

    def _otherwise(self, pictures: list[Entry], facts: PictureFacts) -> tuple[Otherwise, ...]:
        """The turned pictures, as they would be read with the other setting of ``exif``."""
        if not facts.turned:
            return ()
        place_of = {place: row for row, place in enumerate(facts.kept)}
        rows = np.array([place_of[place] for place in facts.turned], dtype=np.int64)
        form = replace(facts.form, turn=not facts.form.turn)

        def read(chosen: IntArray) -> FloatArray:
            found = [decoded(pictures[row], form) for row in chosen]
            wrong = [one for one in found if isinstance(one, str)]
            if wrong:
                raise InputError(wrong[0])
            return as_shares(np.stack([one for one in found if not isinstance(one, str)]))

        ways = ("exif: turn", "exif: ignore") if facts.form.turn else ("exif: ignore", "exif: turn")
        some = rows[np.linspace(0, len(rows) - 1, min(len(rows), TRIED)).astype(np.int64)]
        return (Otherwise("pictures with an EXIF turn", *ways, some, len(rows), read),)


def _read(noted: Path) -> PictureFacts:
    """What was noted beside the array."""
    values = json.loads(noted.read_text(encoding="utf-8"))
    return PictureFacts(**{**values, "form": PictureForm(**values["form"])})


def _deep(facts: PictureFacts, root: Path) -> list[str]:
    """How grey of more than 8 bits was scaled."""
    if facts.bits is None or facts.form.top == 1.0:
        return []
    return [
        f"The pictures in {root} have more than 8 bits; their values use {facts.bits} of them, so 0 to "
        f"{2**facts.bits - 1} became black to white (setting bits)."
    ]


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


def decode_all(pictures: list[Entry], form: PictureForm, array: Path, pool: ThreadPoolExecutor) -> dict[int, str]:
    """Write all pictures as one ``.npy`` ``(N, C, H, W)`` uint8, going on after those that an earlier call wrote.

    Returns:
        What is wrong with those that cannot be decoded, by their places; the array does not hold them.
    """
    part, faults = array.with_suffix(".part"), array.with_suffix(".faults")
    size = int(np.prod(form.shape))
    check_disk(array.parent, len(pictures) * size, f"what is decoded of {len(pictures)} pictures (setting size)")
    at_once = max(1, min(CHUNK, LARGEST_CHUNK // size))
    broken: dict[int, str] = {}
    with part.open("ab+") as stream, faults.open("a+", encoding="utf-8") as lines:
        if stream.tell() == 0:
            _begin(stream, len(pictures), form)
        start = _end_of_header(stream)
        done = (os.fstat(stream.fileno()).st_size - start) // size
        stream.truncate(start + done * size)  # a last picture that was written in part is written again
        lines.seek(0)
        for line in lines:
            number, _, why = line.partition("\t")
            if why.endswith("\n") and int(number) < done:
                broken[int(number)] = why.strip()
        for first in range(done, len(pictures), at_once):
            chunk = pictures[first : first + at_once]
            for place, picture in enumerate(pool.map(lambda p: decoded(p, form), chunk), first):
                if isinstance(picture, str):
                    broken[place] = " ".join(picture.split())
                    lines.write(f"{place}\t{broken[place]}\n")
                    lines.flush()
                    stream.write(bytes(size))  # its place is kept until all are there
                else:
                    stream.write(picture.tobytes())
    if broken:
        written = np.load(part, mmap_mode="r", allow_pickle=False)
        with whole(array) as temporary, temporary.open("wb") as stream:
            _begin(stream, len(pictures) - len(broken), form)
            for place in range(len(pictures)):
                if place not in broken:
                    stream.write(written[place].tobytes())
        part.unlink()
    else:
        os.replace(part, array)
    faults.unlink()
    return broken


def _begin(stream: Any, count: int, form: PictureForm) -> None:
    """The header of an ``.npy`` of that many pictures."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *form.shape)}
    np.lib.format.write_array_header_1_0(stream, header)


def _end_of_header(stream: Any) -> int:
    """Where the values of an ``.npy`` begin."""
    stream.seek(0)
    np.lib.format.read_magic(stream)
    np.lib.format.read_array_header_1_0(stream)
    return int(stream.tell())


def as_shares(stored: AnyArray) -> FloatArray:
    """uint8 to float32 in [0, 1]."""
    return stored.astype(np.float32) * np.float32(1 / 255)


def _proposes(source: Path, target: Path) -> Proposal:
    """Which part of a data set is read, where folders such as train and val stand above the classes; and how EXIF."""
    return propose(source, target, SUFFIXES)


def _claims(raw: Mapping[str, Any], base: Path) -> bool:
    return holds(raw, base, SUFFIXES)


READER = Reader(
    name="image-folder",
    summary="pictures in one folder per class, or with a labels.csv: png, jpg, tif, webp and what else Pillow reads",
    settings=Settings,
    build=ImageFolderReader,
    claims=_claims,
    proposes=_proposes,
)
