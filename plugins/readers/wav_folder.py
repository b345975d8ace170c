"""Reads sounds from folders: ``class-name/file.wav``; a folder with a ``labels.csv``; or a flat folder without labels.

``labels.csv`` has a header with the columns ``file`` (a path inside the folder) and ``label``; only the files that it
names are read. Every sound is decoded once, by several workers, cut or padded with silence to one length and written
to an array in the scratch folder, which is memory-mapped from then on. Nothing is resampled unless ``rate``
is set: then files of another rate are brought to it. Plain ``.wav`` needs no further library; other
formats are read with soundfile. A few that cannot be read are left out and named.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import wave
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import FloatArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.fingerprint import fingerprint
from shiftlens.core.errors import InputError
from shiftlens.core.files import check_disk, reserve, whole, write_text
from shiftlens.core.host.kinds import ComponentSettings, Proposal, Reader
from shiftlens.plugins.readers import metadata
from shiftlens.plugins.readers.class_tree import Entry, Tree, entries, holds, listed, skipped, table_of
from shiftlens.plugins.readers.folder_proposal import propose
from shiftlens.plugins.readers.text import readable

logger = logging.getLogger("shiftlens")

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")
LABELS = "labels.csv"
FITTING = 0.9  # part of the sounds that must fit into the length that is guessed
LONGEST = 2**16  # values: no longer length is guessed
MOST_RATE = 1_000_000  # Hz
FEW = 0.05  # part of the sounds: a rate that fewer have is no reason to bring all to it
UNREADABLE = (wave.Error, EOFError, RuntimeError, ValueError)
"""What Python's own reader raises where a file is no plain wav, or a damaged one."""
PIPED = 2**31 - 2**16  # bytes: what a pipe writes for a size that it cannot know is at least about this


class Settings(ComponentSettings):
    """Settings of the wav-folder reader."""

    path: Path = Field(description="folder of class folders, or with a labels.csv (file,label); flat: no labels")
    length: int | None = Field(
        None,
        ge=16,
        le=2**22,
        description="values of a sample; longer sounds are cut, shorter ones padded with silence; left out: the length "
        "that all have, or, where they differ, the power of two that nine in ten fit into, at most 65,536",
    )
    keep: Literal["start", "centre"] = Field(
        "start", description="what is kept of longer sounds, and where shorter ones stand"
    )
    rate: int | None = Field(
        None,
        ge=1,
        le=MOST_RATE,
        description="rate in Hz that every file is brought to; left out: the rate that all have",
    )
    channels: Literal["auto", "mono", "stereo"] = Field(
        "auto", description="mono: the mean of the channels; stereo: two; auto: stereo if all files are"
    )
    skip: float = Field(
        0.05, ge=0, lt=1, description="largest share of sounds that may be left out because they cannot be read"
    )
    split: str | None = Field(
        None,
        description="where folders such as train and val stand above those of the classes: the one to read; all; or "
        "none, where they are the classes themselves",
    )
    metadata: Path | None = Field(None, description=metadata.HELP)
    workers: int | None = Field(None, ge=1, le=256, description="sounds decoded at once; left out: one per core")


@dataclass(frozen=True)
class Header:
    """What a file says of itself."""

    rate: int
    channels: int
    length: int


class WavFolderReader:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def files(self) -> list[Path]:
        """All sounds; the table that names them, and that of metadata, where there are any."""
        beside = (table_of(self.settings.path), self.settings.metadata)
        return [*(sound.path for sound in self._tree().entries), *filter(None, beside)]

    def __call__(self, scratch: Path) -> Domain:
        """Decode what has not been decoded yet, and map it."""
        tree, root = self._tree(), self.settings.path
        sounds = tree.entries
        state = [fingerprint(sound.path for sound in sounds), [sound.name for sound in sounds]]
        plain = self.settings.model_dump(mode="json", exclude={"path", "workers", "skip", "metadata"})
        key = hashlib.sha256(json.dumps([2, state, plain], sort_keys=True).encode()).hexdigest()[:16]
        array, noted = scratch / f"sounds-{key}.npy", scratch / f"sounds-{key}.json"
        if not (array.is_file() and noted.is_file()):
            for old in scratch.glob("sounds-*"):
                old.unlink()
            with ThreadPoolExecutor(self.settings.workers or os.cpu_count()) as pool:
                write_text(noted, json.dumps(self._decode_all(sounds, array, pool)))
        facts = json.loads(noted.read_text(encoding="utf-8"))
        lost = skipped(facts["broken"], len(sounds), self.settings.skip, "sounds", root)
        stored = np.load(array, mmap_mode="r", allow_pickle=False)  # (N, C, T) float32
        kept = [sounds[place] for place in facts["kept"]]
        groups, told = metadata.groups_of(kept, self.settings.metadata)
        return Domain(
            stored=stored,
            sample_shape=stored.shape[1:],
            kind="series",
            labels=np.array([sound.label for sound in kept]) if kept[0].label else None,
            names=tuple(sound.name for sound in kept),
            notes=(*tree.notes(root, "sounds"), *lost, *facts["notes"], *told),
            agrees={"rate": facts["rate"]},
            groups=groups,
        )

    def _tree(self) -> Tree:
        otherwise = f", or a {LABELS} with the columns file and label"
        return entries(self.settings.path, SUFFIXES, "sounds", otherwise, self.settings.split)

    def _decode_all(self, sounds: list[Entry], array: Path, pool: ThreadPoolExecutor) -> dict[str, Any]:
        """Write all sounds that can be read as one ``.npy`` ``(N, C, T)`` float32.

        Returns:
            The places of those that can be, what is wrong with the others, the rate, and what was done to them.

        Raises:
            InputError: none can be read, or they have several rates and none is set.
        """
        settings, root = self.settings, self.settings.path
        found = list(pool.map(header_of, sounds))
        headers = {place: header for place, header in enumerate(found) if isinstance(header, Header)}
        broken = {place: header for place, header in enumerate(found) if isinstance(header, str)}
        if not headers:
            skipped(list(broken.values()), len(sounds), settings.skip, "sounds", root)
        rate, notes = self._rate(sounds, headers)
        wide = settings.channels == "stereo" or (
            settings.channels == "auto" and all(header.channels == 2 for header in headers.values())
        )
        lengths = [-(-header.length * rate // header.rate) for header in headers.values()]
        length = settings.length or self._common_length(lengths)
        shape = (2 if wide else 1, length)
        check_disk(array.parent, 4 * len(sounds) * shape[0] * shape[1], f"what is decoded of {len(sounds)} sounds")
        part = array.with_suffix(".part.npy")
        rows = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=(len(sounds), *shape))
        reserve(part)

        def decode(place: int) -> str | None:
            decoded = decoded_as(sounds[place], shape, settings.keep, rate)
            if isinstance(decoded, str):
                return decoded
            rows[place] = decoded
            return None

        for place, fault in zip(list(headers), pool.map(decode, headers), strict=True):
            if fault is not None:
                broken[place] = fault
        rows.flush()
        kept = [place for place in range(len(sounds)) if place not in broken]
        if broken:
            with whole(array) as temporary:
                few = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=(len(kept), *shape))
                reserve(temporary)
                for row, place in enumerate(kept):
                    few[row] = rows[place]
                few.flush()
            part.unlink()
        else:
            os.replace(part, array)
        return {"kept": kept, "broken": [broken[place] for place in sorted(broken)], "rate": rate, "notes": notes}

    def _rate(self, sounds: list[Entry], headers: Mapping[int, Header]) -> tuple[int, list[str]]:
        """The rate that is set, or that all have; and what is resampled to it."""
        rates = Counter(header.rate for header in headers.values())
        wanted = self.settings.rate or rates.most_common(1)[0][0]
        odd = [f"{sounds[place].path}: {header.rate} Hz" for place, header in headers.items() if header.rate != wanted]
        if odd and self.settings.rate is None:
            raise InputError(
                f"{len(odd)} of {len(sounds)} sounds in {self.settings.path} do not have the {wanted} Hz that most "
                f"have; set rate: {min(rates)} in the settings of both readers to resample all to it:\n  {listed(odd)}"
            )
        others = ", ".join(f"{count} of {rate} Hz" for rate, count in sorted(rates.items()) if rate != wanted)
        return wanted, [f"Sounds were resampled to {wanted} Hz: {others}."] if odd else []

    def _common_length(self, lengths: list[int]) -> int:
        """The length that all have, or a guess that is told."""
        if len(set(lengths)) == 1:
            return lengths[0]
        fitting = float(np.quantile(lengths, FITTING))
        guess = int(min(LONGEST, 2 ** np.ceil(np.log2(max(fitting, 16)))))
        logger.warning(
            "the sounds in %s have from %d to %d values; all are brought to %d: set length to choose another",
            self.settings.path,
            min(lengths),
            max(lengths),
            guess,
        )
        return guess


def header_of(sound: Entry) -> Header | str:
    """Rate, channels and length, or why the file cannot be opened."""
    name = readable(str(sound.path))
    try:
        with wave.open(str(sound.path)) as file:
            width, channels = file.getsampwidth(), file.getnchannels()
            if width <= 4 and channels and file.getframerate():
                frames = file.getnframes()
                if frames * width * channels >= PIPED:  # its size was not known when a pipe wrote the header
                    frames = _bytes_of_data(sound.path) // (width * channels)
                return _checked(Header(file.getframerate(), channels, frames), name)
    except UNREADABLE:
        pass  # no plain wav: soundfile knows more formats
    except OSError as error:
        return f"{name}: {error.strerror}"
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: the package is there, its library is not
        raise InputError(
            f"{name}: not a plain (PCM) wav; other formats need soundfile: pip install 'shiftlens[sound]'"
        ) from None
    try:
        info = soundfile.info(str(sound.path))
    except (RuntimeError, OSError, UnicodeError) as error:
        return f"{name}: {error}"
    return _checked(Header(int(info.samplerate), int(info.channels), int(info.frames)), name)


def _checked(header: Header, name: str) -> Header | str:
    """The header, or what is wrong with what it says."""
    if header.length < 1 or header.channels < 1:
        return f"{name}: it holds no sound"
    if not 1 <= header.rate <= MOST_RATE:
        return f"{name}: it says that it has {header.rate} Hz, which no sound has"
    return header


def _bytes_of_data(path: Path) -> int:
    """How many bytes stand behind the header of the ``data`` chunk, whatever it announces."""
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        stream.seek(12)
        while len(head := stream.read(8)) == 8:
            length = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                return size - stream.tell()
            stream.seek(length + length % 2, os.SEEK_CUR)
    return 0


def decoded_as(sound: Entry, shape: tuple[int, int], keep: str, rate: int) -> FloatArray | str:
    """One sound brought to ``(C, T)`` float32 in [-1, 1] at ``rate``, or what is wrong with it."""
    name = readable(str(sound.path))
    try:
        with wave.open(str(sound.path)) as file:
            count, width, channels = file.getnframes(), file.getsampwidth(), file.getnchannels()
            own = file.getframerate()
            raw = file.readframes(min(count, _bytes_of_data(sound.path) // (width * channels)))
        if len(raw) < count * width * channels and count * width * channels < PIPED:
            return f"{name}: it is cut off; {count} values were announced, {len(raw) // (width * channels)} came"
        values = from_pcm(raw[: len(raw) - len(raw) % (width * channels)], width).reshape(-1, channels)
    except UNREADABLE:
        import soundfile

        try:
            values, own = soundfile.read(str(sound.path), dtype="float32", always_2d=True)  # (T, C)
        except (RuntimeError, OSError, UnicodeError) as error:
            return f"{name}: {error}"
    except OSError as error:
        return f"{name}: {error.strerror}"
    return fitted(resampled(values.T, own, rate), shape, keep)


def resampled(values: FloatArray, own: int, wanted: int) -> FloatArray:
    """``(channels, T)`` at another rate, by a polyphase filter that lets nothing fold over."""
    if own == wanted:
        return values
    from scipy.signal import resample_poly

    common = math.gcd(own, wanted)
    made: FloatArray = resample_poly(values, wanted // common, own // common, axis=1).astype(np.float32)
    return np.clip(made, -1, 1)


def from_pcm(raw: bytes, width: int) -> FloatArray:
    """Whole numbers of ``width`` bytes, little-endian, to float32 in [-1, 1]; one byte has its silence at 128."""
    if width == 1:
        whole_numbers: FloatArray = np.frombuffer(raw, dtype=np.uint8).astype(np.float32) - np.float32(128)
    elif width == 3:  # made four bytes wide by one of zeros below, and so 256 times as large
        three = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 3)
        four = np.concatenate([np.zeros((len(three), 1), dtype=np.uint8), three], axis=1)
        whole_numbers = four.reshape(-1).view("<i4").astype(np.float32) / np.float32(256)
    else:
        whole_numbers = np.frombuffer(raw, dtype=f"<i{width}").astype(np.float32)
    scaled: FloatArray = whole_numbers / np.float32(2 ** (8 * width - 1))
    return scaled


def fitted(values: FloatArray, shape: tuple[int, int], keep: str) -> FloatArray:
    """``(channels, T)`` mixed to the wanted channels, and cut or padded with silence."""
    channels, length = shape
    if len(values) != channels:  # stereo to mono, mono to stereo, or more channels to either
        mean: FloatArray = values.mean(0, keepdims=True)
        values = mean if channels == 1 else np.concatenate([mean, mean])
    surplus = values.shape[1] - length
    before = 0 if keep == "start" else abs(surplus) // 2
    if surplus >= 0:
        return values[:, before : before + length]
    padded: FloatArray = np.pad(values, ((0, 0), (before, -surplus - before)))
    return padded


def _proposes(source: Path, target: Path) -> Proposal:
    """Which part of a data set is read, and one rate where the files have several."""
    proposal = propose(source, target, SUFFIXES)
    rates: Counter[int] = Counter()
    for root, settings in ((source, proposal.source), (target, proposal.target)):
        root = Path(settings.get("path", root))
        for sound in entries(root, SUFFIXES, "sounds", split=settings.get("split")).entries:
            header = header_of(sound)
            if isinstance(header, Header):
                rates[header.rate] += 1
    if len(rates) < 2:
        return proposal
    kinds = ", ".join(f"{count} of {rate} Hz" for rate, count in sorted(rates.items()))
    lowest = min(rate for rate, count in rates.items() if count >= FEW * rates.total())
    note = f"The sounds have several rates ({kinds}); all are resampled to {lowest} Hz."
    same = {"rate": lowest}
    return replace(
        proposal,
        source={**proposal.source, **same},
        target={**proposal.target, **same},
        notes=(*proposal.notes, note),
    )


def _claims(raw: Mapping[str, Any], base: Path) -> bool:
    return holds(raw, base, SUFFIXES)


READER = Reader(
    name="wav-folder",
    summary="sounds in one folder per class, or with a labels.csv: wav, flac, ogg, mp3, aiff",
    settings=Settings,
    build=WavFolderReader,
    claims=_claims,
    proposes=_proposes,
)
