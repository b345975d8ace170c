"""Reads arrays: an ``.npz`` with ``x``, ``y`` and ``names``, or ``.npy`` files of samples and of labels.

A ``.npy`` is memory-mapped where it lies. The members of an ``.npz`` cannot be mapped (they are compressed), so each
is copied once into the scratch folder as ``.npy``, under a name that holds the checksum of its content.

What the shapes mean, where ``kind`` and ``layout`` are left to ``auto``:

- two axes are a series ``(N, T)``; vectors ``(N, F)`` need ``kind: tabular``, or an array ``columns`` with their names;
- three axes are grey images ``(N, H, W)`` where both sides have at least 8 values, neither is more than four times
  the other, and the values are uint8, or lie in [0, 1]; with sides like these and other values they are asked about;
  otherwise a series ``(N, C, T)``;
- four axes are images; the channels are the axis that has 1, 3 or 4 entries, else the shorter one, and where both
  would do the first.
"""

from __future__ import annotations

import logging
import lzma
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from shiftlens.core.arrays import AnyArray, FloatArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError, near_miss
from shiftlens.core.files import check_disk, whole
from shiftlens.core.host.kinds import ComponentSettings, Proposal, Reader
from shiftlens.plugins.readers import metadata
from shiftlens.plugins.readers.npz_names import archive_names
from shiftlens.plugins.readers.text import decoded, readable

logger = logging.getLogger("shiftlens")


SUFFIXES = (".npz", ".npy")
UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, NotImplementedError)
"""What the readers of archives raise where one is damaged."""
LOOKED_AT = 64  # samples whose values tell images and series apart


class Settings(ComponentSettings):
    """Settings of the npz reader."""

    path: Path = Field(description=".npz with x, y and names; or a .npy of samples")
    kind: Literal["auto", "image", "series", "tabular"] = Field(
        "auto", description="what a sample is; auto goes by shape and values, and takes two axes for series"
    )
    layout: Literal["auto", "channels-first", "channels-last"] = Field(
        "auto", description="where the channels stand; auto: the axis of 1, 3 or 4, and first for series"
    )
    white: float | None = Field(
        None,
        gt=0,
        description="of images: the value that is white, such as 255 or 4095; left out: 255 for uint8, or 1",
    )
    x: str = Field("x", description="name of the samples' array in an .npz")
    y: str = Field("y", description="name of the labels' array in an .npz; it may be missing from a target")
    labels: Path | None = Field(None, description=".npy of labels, for a .npy of samples")
    groups: tuple[str, ...] = Field(
        (), description="arrays (N,) of an .npz that hold metadata, such as camera or site, to be looked at as groups"
    )
    metadata: Path | None = Field(None, description=metadata.HELP)


@dataclass(frozen=True)
class Decode:
    """Stored samples to float32 with the channels first: uint8 to [0, 1] for images, other values as they are."""

    sample_shape: tuple[int, ...]
    channels_last: bool
    scale: float

    def __call__(self, stored: AnyArray) -> FloatArray:
        """``(n, ...)`` as stored to ``(n, *sample_shape)``."""
        if self.channels_last:
            stored = np.moveaxis(stored, -1, 1)  # (n, H, W, C) -> (n, C, H, W)
        # Turned while still small, then widened: six times faster than both at once.
        decoded = np.ascontiguousarray(stored).astype(np.float32).reshape(len(stored), *self.sample_shape)
        if self.scale != 1:
            decoded *= np.float32(self.scale)
        return decoded


class NpzReader:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.path = settings.path

    def files(self) -> list[Path]:
        """The file of samples and, where there is one, that of labels."""
        given = (self.path, self.settings.labels, self.settings.metadata)
        files = [path for path in given if path is not None]
        for path in files:
            if not path.is_file():
                raise InputError(f"there is no file {path}; correct the path")
        return files

    def __call__(self, scratch: Path) -> Domain:
        """Map the arrays; nothing but the labels and names is read into memory."""
        self.files()
        settings = self.settings
        if self.path.suffix.lower() == ".npz":
            archive = Archive(self.path, scratch)
            samples, labels = archive_names(list(archive.members), settings.x, settings.y, self.path)
            x = archive.get(samples, "x")
            y = archive.labels(labels, samples) if settings.labels is None else None
            names = archive.get("names", "names") if "names" in archive.members else None
            columns = archive.get("columns", "columns") if "columns" in archive.members else None
            groups = {name: _group(archive.get(name, "groups"), len(x), name, self.path) for name in settings.groups}
        else:
            x, y, names, columns = mapped(self.path, self.path), None, None, None
            groups = {}
        if settings.labels is not None:
            y = mapped(settings.labels, settings.labels)
        where = str(self.path)
        if x.ndim == 0 or len(x) == 0:
            raise InputError(f"{where} holds no samples (its x has shape {x.shape})")
        wanted = "tabular" if settings.kind == "auto" and columns is not None and x.ndim == 2 else settings.kind
        kind = _kind(x, wanted, settings.white, where)
        decode = _decode(x, kind, settings.layout, settings.white, where)
        called = () if names is None else _names(names, len(x), "names", where)
        notes: list[str] = []
        if settings.metadata is not None:
            more, notes = metadata.beside(settings.metadata, called, len(x))
            groups |= more
        return Domain(
            stored=x,
            sample_shape=decode.sample_shape,
            kind=kind,
            labels=None if y is None else _as_labels(y, len(x), where),
            decode=decode,
            names=called,
            columns=_columns(columns, decode.sample_shape[0], where) if kind == "tabular" else (),
            notes=tuple(notes),
            groups=groups,
        )


class Archive:
    """The arrays of an ``.npz``, copied into the scratch folder as ``.npy`` when asked for."""

    def __init__(self, path: Path, scratch: Path) -> None:
        self.path, self.scratch = path, scratch
        try:
            with zipfile.ZipFile(path) as archive:
                entries = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
        except UNREADABLE as error:
            raise InputError(f"{path} is not a readable .npz file ({error}); write it again with numpy.savez") from None
        self.members = {entry.filename.removesuffix(".npy"): entry for entry in entries}
        if len(self.members) < len(entries):
            names = Counter(entry.filename.removesuffix(".npy") for entry in entries)
            twice = _listed(name for name, count in names.items() if count > 1)
            raise InputError(f"{path} holds more than one array {twice}; write it again with numpy.savez")

    def get(self, name: str, setting: str) -> AnyArray:
        """One array, memory-mapped."""
        if name not in self.members:
            known = list(self.members)
            raise InputError(
                f'{self.path} holds no array "{name}"; {near_miss(name, known)}there are: {_listed(known)}. '
                f"Say which one it is with {setting}: NAME"
            )
        return mapped(self._copy(name), f"{self.path}, array {name}")

    def labels(self, name: str, x: str) -> AnyArray | None:
        """The labels; None where the default name is not there, for the target may have none."""
        if name not in self.members and name == Settings.model_fields["y"].default:
            others = [other for other in self.members if other not in (x, "names", "columns")]
            if others:
                logger.warning(
                    "%s holds no array y, so its samples count as unlabelled; it also holds %s: if those are the "
                    "labels, say so with y: NAME",
                    self.path,
                    _listed(others),
                )
            return None
        return self.get(name, "y")

    def _copy(self, name: str) -> Path:
        """The member as a file of its own; one of the same content is there already on a second run."""
        entry = self.members[name]
        safe = "".join(c if c.isalnum() else "_" for c in name)
        copy = self.scratch / f"{safe}-{entry.CRC:08x}-{entry.file_size}.npy"
        if copy.is_file() and copy.stat().st_size == entry.file_size:
            return copy
        for old in self.scratch.glob(f"{safe}-????????-*.npy"):
            old.unlink()
        check_disk(self.scratch, entry.file_size, f"the array {name} of {self.path}")
        with zipfile.ZipFile(self.path) as archive, whole(copy) as temporary, temporary.open("wb") as plain:
            for block in self._unpacked(archive, entry):
                plain.write(block)
            if plain.tell() != entry.file_size:
                raise InputError(
                    f"{self.path} is damaged (its array {name} has {plain.tell()} bytes, and {entry.file_size} are "
                    "announced); make or copy it again"
                )
        return copy

    def _unpacked(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        """The content of a member in blocks; what is wrong with it is told, and not mistaken for a full disk."""
        try:
            with archive.open(entry) as packed:
                while block := packed.read(1 << 20):
                    yield block
        except (NotImplementedError, RuntimeError) as error:  # an unknown method, a password
            raise InputError(
                f"{self.path} is packed in a way that is not read ({error}); write it again with numpy.savez"
            ) from None
        except UNREADABLE as error:
            raise InputError(f"{self.path} is damaged ({error}); make or copy it again") from None


def mapped(path: Path, where: object) -> AnyArray:
    """A ``.npy`` as a memory-mapped array."""
    try:
        array: AnyArray = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy evaluates a header of any content, and raises whatever comes of that
        if "object" in str(error).lower():
            raise InputError(
                f"{where} holds Python objects, which are not read because they could run code; "
                "save numbers or strings, for example with array.astype(str)"
            ) from None
        raise InputError(f"{where} cannot be read as a NumPy array: {error}") from None
    if not isinstance(array, np.ndarray):  # an .npz under the name of an .npy
        raise InputError(f"{where} is an archive of several arrays; rename it to end in .npz")
    return array


def _kind(x: AnyArray, wanted: str, white: float | None, where: str) -> str:
    """What a sample is, by the setting or by shape and values, checked against the number of axes."""
    axes = {"image": (3, 4), "series": (2, 3), "tabular": (2,)}
    if wanted == "auto":
        kind = {2: "series", 4: "image"}.get(x.ndim) or _kind_of_three(x, white, where)
    else:
        kind = wanted
    if x.ndim not in axes[kind] or 0 in x.shape:
        raise InputError(
            f"{where} holds samples in an array of shape {x.shape}, which does not fit kind: {kind}. Images are "
            "(N, H, W), (N, H, W, C) or (N, C, H, W); series (N, T) or (N, C, T); vectors (N, F) with kind: tabular"
        )
    if x.dtype.kind not in "buif":
        raise InputError(f"{where} holds samples of type {x.dtype}; they must be numbers")
    if kind == "image" and x.dtype.kind in "iu" and x.dtype != np.uint8 and white is None:
        raise InputError(
            f"{where} holds images of type {x.dtype}, the largest value being {largest_of(x):g}; say which value is "
            f"white with white: {usual_white(largest_of(x)):g} in the settings of both readers, or save them as uint8 "
            "(0 to 255)"
        )
    return kind


def _kind_of_three(x: AnyArray, white: float | None, where: str) -> str:
    """Whether ``(N, A, B)`` are grey images or series of A channels.

    Raises:
        InputError: the sides are those of images and the values are not: both could be meant.
    """
    if x.ndim != 3 or not has_sides_of_images(x.shape):
        return "series"
    if white is not None or x.dtype in (np.uint8, np.bool_) or x.dtype.kind not in "iuf":
        return "series" if x.dtype.kind not in "buif" else "image"
    some = np.asarray(x[:LOOKED_AT])
    some = some[np.isfinite(some)]  # what is not is told with the sample that holds it
    if not some.size:
        raise InputError(f"{where} holds no finite values in its first {LOOKED_AT} samples, only NaN or infinite ones")
    if x.dtype.kind == "f" and some.min() >= 0 and some.max() <= 1:
        return "image"
    if some.min() < 0:
        return "series"
    low, high = float(some.min()), largest_of(x)
    raise InputError(
        f"{where} holds {x.dtype} values from {low:g} to {high:g} in an array of shape {x.shape}: grey images, or "
        f"series of {x.shape[1]} channels? Set kind: image and white: {usual_white(high):g} in the settings of both "
        "readers, or kind: series"
    )


def has_sides_of_images(shape: tuple[int, ...]) -> bool:
    """Whether the last two axes of ``(N, A, B)`` could be those of a picture."""
    short, long = sorted(shape[1:])
    return short >= 8 and long <= 4 * short


def largest_of(x: AnyArray) -> float:
    """The largest finite value of some samples, evenly spread; 0 where there is none."""
    some = np.linspace(0, len(x) - 1, min(len(x), 16 * LOOKED_AT)).astype(np.int64)
    values = np.asarray(x[some], dtype=np.float64)
    return float(values[np.isfinite(values)].max(initial=0.0))


def usual_white(largest: float) -> float:
    """The usual value of white that a largest one speaks of."""
    return next((white for white in (1.0, 16.0, 255.0, 1023.0, 4095.0, 65535.0) if largest <= white), largest)


def _decode(x: AnyArray, kind: str, layout: str, white: float | None, where: str) -> Decode:
    """How a batch becomes float32 samples with the channels first."""
    scale = 1 / (white or (255.0 if x.dtype == np.uint8 else 1.0)) if kind == "image" else 1.0
    shape: tuple[int, ...] = x.shape[1:]
    if kind == "tabular":
        return Decode(shape, False, scale)
    if len(shape) == (2 if kind == "image" else 1):  # no axis of channels: (H, W) or (T,)
        return Decode((1, *shape), False, scale)
    last = _channels_last(shape) if kind == "image" and layout == "auto" else layout == "channels-last"
    if last:
        shape = (shape[-1], *shape[:-1])
    if kind == "image" and shape[0] > 16:
        raise InputError(
            f"{where} seems to hold images of {shape[0]} channels (its x has shape {x.shape}); "
            "say where the channels stand with layout: channels-first or channels-last"
        )
    return Decode(shape, last, scale)


def _channels_last(shape: tuple[int, ...]) -> bool:
    """Whether the channels of an image of this shape ``(A, B, C)`` are its last axis."""
    usual = (1, 3, 4)
    if (shape[0] in usual) != (shape[-1] in usual):
        return shape[-1] in usual
    return shape[0] not in usual and shape[-1] < shape[0]


def _as_labels(y: AnyArray, count: int, where: str) -> npt.NDArray[np.str_]:
    """Labels as strings ``(N,)``: integers, whole floats, booleans and strings are understood."""
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and y.dtype.kind in "buif" and set(np.unique(y).tolist()) <= {0, 1} and (y.sum(axis=1) == 1).all():
        y = y.argmax(axis=1)  # one-hot rows, as Keras makes them
    if y.ndim != 1:
        hint = "; a sample of several labels at once (multi-label) cannot be judged" if y.ndim == 2 else ""
        raise InputError(f"{where}: the labels have shape {y.shape}, not (N,){hint}")
    if len(y) != count:
        raise InputError(f"{where}: there are {count} samples and {len(y)} labels; give one label per sample")
    if y.dtype.kind == "f":
        if not np.isfinite(y).all() or (y != np.round(y)).any():
            raise InputError(f"{where}: the labels are numbers that are not whole; give integers or class names")
        y = y.astype(np.int64)
    if y.dtype.kind == "b":
        y = y.astype(np.int64)
    if y.dtype.kind == "S":
        y = np.array([decoded(label) for label in y.tolist()])
    if y.dtype.kind not in "iuU":
        raise InputError(f"{where}: the labels are of type {y.dtype}; give integers or class names")
    return np.array([readable(label) for label in y.astype(np.str_).tolist()])


def _group(values: AnyArray, count: int, name: str, where: Path) -> npt.NDArray[np.str_]:
    """One array of metadata as strings ``(N,)``."""
    if values.shape != (count,):
        raise InputError(f"{where}, array {name}: it has shape {values.shape}; groups need one value a sample")
    if values.dtype.kind == "S":
        return np.array([decoded(value) for value in values.tolist()])
    return np.asarray(values).astype(np.str_)


def _names(names: AnyArray, count: int, what: str, where: str) -> tuple[str, ...]:
    if names.shape != (count,):
        raise InputError(f"{where}: {what} has shape {names.shape}; it must be ({count},)")
    return tuple(decoded(name) if isinstance(name, bytes) else readable(str(name)) for name in names.tolist())


def _columns(columns: AnyArray | None, count: int, where: str) -> tuple[str, ...]:
    """The names of a vector's values; ``x0``, ``x1`` ... where the file names none."""
    if columns is None:
        return tuple(f"x{i}" for i in range(count))
    names = _names(columns, count, "columns", where)
    if len(set(names)) < count:
        twice = _listed(name for name, times in Counter(names).items() if times > 1)
        raise InputError(f"{where} has more than one column {twice}; give each column its own name")
    return names


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _proposes(source: Path, target: Path) -> Proposal:
    from shiftlens.plugins.readers.npz_proposal import propose

    return propose(source, target)


def _claims(raw: Mapping[str, Any], base: Path) -> bool:
    return str(raw.get("path", "")).lower().endswith(SUFFIXES)


READER = Reader(
    name="npz",
    summary="arrays: an .npz with x, y and names, or .npy files; images, series or vectors",
    settings=Settings,
    build=NpzReader,
    claims=_claims,
    proposes=_proposes,
)
