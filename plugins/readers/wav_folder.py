"""Reads sounds from folders: ``class-name/file.wav``; a folder with a ``labels.csv``; or a flat folder without labels.

``labels.csv`` has a header with the columns ``file`` (a path inside the folder) and ``label``; only the files that it
names are read. Every sound is decoded once, by several workers, cut or padded with silence to one length and written
to an array in the scratch folder, which is memory-mapped from then on. Nothing is resampled: all files must have one
rate. Plain ``.wav`` needs no further library; other formats are read with soundfile.
"""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import os
import wave
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import FloatArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.fingerprint import fingerprint
from shiftlens.core.errors import InputError
from shiftlens.core.files import whole
from shiftlens.core.host.kinds import ComponentSettings, Reader
from shiftlens.plugins.readers.class_tree import Entry, entries, holds

logger = logging.getLogger("shiftlens")

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")
LABELS = "labels.csv"
FITTING = 0.9  # part of the sounds that must fit into the length that is guessed
LONGEST = 2**16  # values: no longer length is guessed
NAMED = 20  # mistakes that are listed in one message


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
        None, ge=1, description="rate in Hz that every file must have; left out: the rate that all have"
    )
    channels: Literal["auto", "mono", "stereo"] = Field(
        "auto", description="mono: the mean of the channels; stereo: two; auto: stereo if all files are"
    )
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
        """All sounds, and the ``labels.csv`` where there is one."""
        files = [sound.path for sound in find(self.settings.path)]
        labels = self.settings.path / LABELS
        return [*files, labels] if labels.is_file() else files

    def __call__(self, scratch: Path) -> Domain:
        """Decode what has not been decoded yet, and map it."""
        sounds = find(self.settings.path)
        state = [fingerprint(sound.path for sound in sounds), [sound.name for sound in sounds]]
        plain = self.settings.model_dump(mode="json", exclude={"path", "workers"})
        key = hashlib.sha256(json.dumps([1, state, plain], sort_keys=True).encode()).hexdigest()[:16]
        array = scratch / f"sounds-{key}.npy"
        if not array.is_file():
            for old in scratch.glob("sounds-*.npy"):
                old.unlink()
            with ThreadPoolExecutor(self.settings.workers or os.cpu_count()) as pool:
                self._decode_all(sounds, array, pool)
        stored = np.load(array, mmap_mode="r", allow_pickle=False)  # (N, C, T) float32
        return Domain(
            stored=stored,
            sample_shape=stored.shape[1:],
            kind="series",
            labels=np.array([sound.label for sound in sounds]) if sounds[0].label else None,
            names=tuple(sound.name for sound in sounds),
        )

    def _decode_all(self, sounds: list[Entry], array: Path, pool: ThreadPoolExecutor) -> None:
        """Write all sounds as one ``.npy`` ``(N, C, T)`` float32.

        Raises:
            InputError: names every sound that cannot be decoded.
        """
        settings = self.settings
        headers = _all_well(sounds, list(pool.map(header_of, sounds)), "cannot be opened")
        self._check_rates(sounds, headers)
        wide = settings.channels == "stereo" or (settings.channels == "auto" and all(h.channels == 2 for h in headers))
        length = settings.length or self._common_length([header.length for header in headers])
        shape = (2 if wide else 1, length)
        with whole(array) as temporary:
            rows = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=(len(sounds), *shape))

            def decode(index: int) -> str | None:
                decoded = decoded_as(sounds[index], shape, settings.keep)
                if isinstance(decoded, str):
                    return decoded
                rows[index] = decoded
                return None

            _all_well(sounds, list(pool.map(decode, range(len(sounds)))), "cannot be decoded")
            rows.flush()

    def _check_rates(self, sounds: list[Entry], headers: list[Header]) -> None:
        """Every file has the rate that is set, or that most have."""
        rates = Counter(header.rate for header in headers)
        wanted = self.settings.rate or rates.most_common(1)[0][0]
        odd = [
            f"{sound.path}: {header.rate} Hz"
            for sound, header in zip(sounds, headers, strict=True)
            if header.rate != wanted
        ]
        if odd:
            whose = "the setting rate says" if self.settings.rate else "most have"
            raise InputError(
                f"{len(odd)} of {len(sounds)} sounds in {self.settings.path} do not have the {wanted} Hz that {whose}; "
                f"resample them (for example with sox), or leave them out:\n  {_listed(odd)}"
            )

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


def find(root: Path) -> list[Entry]:
    """All sounds of a folder: those that its ``labels.csv`` names, or class by class.

    Raises:
        InputError: no such folder, no sounds, sounds beside class folders, or mistakes in the ``labels.csv``.
    """
    if (root / LABELS).is_file():
        return _named_sounds(root)
    return entries(root, SUFFIXES, "sounds", f", or a {LABELS} with the columns file and label")


def _named_sounds(root: Path) -> list[Entry]:
    """The sounds that ``labels.csv`` names, in its order."""
    table = root / LABELS
    sounds: list[Entry] = []
    mistakes: list[str] = []
    seen: set[str] = set()
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, skipinitialspace=True)
            missing = [name for name in ("file", "label") if name not in (rows.fieldnames or ())]
            if missing:
                raise InputError(
                    f"{table}, line 1: there is no column {' and no column '.join(missing)}; begin it with file,label"
                )
            for row in rows:
                file, label = (str(row[name] or "").strip() for name in ("file", "label"))
                path = root / file
                if not file or not label:
                    mistakes.append(f"line {rows.line_num}: the {'label' if file else 'file'} is empty")
                elif file in seen:
                    mistakes.append(f"line {rows.line_num}: {file} is named a second time")
                elif not path.is_file():
                    mistakes.append(f"line {rows.line_num}: there is no file {path}")
                seen.add(file)
                sounds.append(Entry(path, file, label))
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{table} cannot be read ({error}); save it as UTF-8 with the columns file,label") from None
    if mistakes:
        raise InputError(f"{table} has mistakes; correct them:\n  {_listed(mistakes)}")
    if not sounds:
        raise InputError(f"{table} names no sounds; add a line file,label for each")
    return sounds


def header_of(sound: Entry) -> Header | str:
    """Rate, channels and length, or why the file cannot be opened."""
    try:
        with wave.open(str(sound.path)) as file:
            width = file.getsampwidth()
            header = Header(file.getframerate(), file.getnchannels(), file.getnframes())
        if width > 4:
            return f"{sound.path}: values of {8 * width} bits; save it with at most 32"
        return header if header.length else f"{sound.path}: it holds no sound"
    except (wave.Error, EOFError):
        pass  # no plain wav: soundfile knows more formats
    except OSError as error:
        return f"{sound.path}: {error.strerror}"
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: the package is there, its library is not
        return f"{sound.path}: not a plain (PCM) wav; other formats need soundfile: pip install 'shiftlens[sound]'"
    try:
        info = soundfile.info(str(sound.path))
    except (RuntimeError, OSError) as error:
        return f"{sound.path}: {error}"
    if not info.frames:
        return f"{sound.path}: it holds no sound"
    return Header(int(info.samplerate), int(info.channels), int(info.frames))


def decoded_as(sound: Entry, shape: tuple[int, int], keep: str) -> FloatArray | str:
    """One sound brought to ``(C, T)`` float32 in [-1, 1], or what is wrong with it."""
    try:
        with wave.open(str(sound.path)) as file:
            count, width, channels = file.getnframes(), file.getsampwidth(), file.getnchannels()
            raw = file.readframes(count)
        if len(raw) < count * width * channels:
            return f"{sound.path}: it is cut off; {count} values were announced, {len(raw) // (width * channels)} came"
        values = from_pcm(raw, width).reshape(-1, channels)
    except (wave.Error, EOFError):
        import soundfile

        try:
            values = soundfile.read(str(sound.path), dtype="float32", always_2d=True)[0]  # (T, C)
        except (RuntimeError, OSError) as error:
            return f"{sound.path}: {error}"
    except OSError as error:
        return f"{sound.path}: {error.strerror}"
    return fitted(values.T, shape, keep)


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


def _all_well(sounds: list[Entry], found: list[Any], what: str) -> list[Any]:
    """What was found; an error where some of it are messages."""
    broken = [one for one in found if isinstance(one, str)]
    if broken:
        raise InputError(f"{len(broken)} of {len(sounds)} sounds {what}; repair or remove them:\n  {_listed(broken)}")
    return found


def _listed(lines: list[str]) -> str:
    more = [f"and {len(lines) - NAMED} more"] if len(lines) > NAMED else []
    return "\n  ".join(lines[:NAMED] + more)


def _claims(raw: Mapping[str, Any], base: Path) -> bool:
    return holds(raw, base, SUFFIXES)


READER = Reader(
    name="wav-folder",
    summary="sounds in one folder per class, or with a labels.csv: wav, flac, ogg, mp3, aiff",
    settings=Settings,
    build=WavFolderReader,
    claims=_claims,
)
