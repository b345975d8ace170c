"""Bytes and texts that nobody thought of: a reader works or says what is wrong, and never fails in another way.

``make fuzz`` looks for ten minutes at each of them, ``make fuzz MINUTES=60`` for longer.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import time
import warnings
import wave
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftlens import Host, Reader
from shiftlens.core.config.settings import Settings
from shiftlens.core.config.yaml_file import parse_yaml
from shiftlens.core.data.domain import check_pair
from shiftlens.core.errors import ShiftlensError
from shiftlens.export.manifest import FORMAT, read_manifest

MINUTES = float(os.environ.get("SHIFTLENS_FUZZ_MINUTES", "0"))
"""For how long each target is tried; nothing: some examples by default, the same ones each time."""


def often(target):
    """Try a target with some examples, or with others for some minutes."""
    if not MINUTES:
        return settings(max_examples=40, derandomize=True, deadline=None)(target)

    tried = settings(max_examples=500, database=None, deadline=None)(target)

    def for_long():
        end = time.monotonic() + 60 * MINUTES
        while time.monotonic() < end:
            tried()

    for_long.__name__ = target.__name__
    return pytest.mark.timeout(120 * MINUTES + 600)(for_long)


HOST = Host()
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@often
@given(st.text(max_size=60) | st.from_regex(r"[\[\]{}&*!:, a0-9\n-]{0,40}", fullmatch=True))
def test_yaml(text):
    with contextlib.suppress(yaml.YAMLError):
        parse_yaml(text)


@often
@given(st.dictionaries(st.sampled_from(["source", "trial", "grid", "factors", "seed", "generator", "x"]), plain))
def test_settings(raw):
    with contextlib.suppress(ShiftlensError):
        Settings.parse(raw, Path("/nowhere"), HOST)


KEYS = ("kind", "sample_shape", "classes", "loss", "grid", "latent", "files", "models", "limits", "name", "shiftlens")


@often
@given(st.dictionaries(st.sampled_from(KEYS), plain))
def test_manifest(raw):
    import json

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "manifest.json").write_text(json.dumps({"format": FORMAT, **raw}))
        with contextlib.suppress(ShiftlensError):
            read_manifest(Path(folder))


def read(reader, path, folder, **more):
    """Read a file, and every sample of it; how both domains are compared is the same for all readers."""
    with contextlib.suppress(ShiftlensError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        domain = HOST.find(Reader, reader)
        domain = domain.build(domain.settings(path=path, **more))(folder)
        check_pair(domain, domain)


def overwritten(content, changes):
    """Bytes with others put in their place, cut or added to."""
    content = bytearray(content)
    for place, other in changes:
        place %= len(content) + 1
        content[place : place + len(other)] = other
    return bytes(content)


changes = st.lists(st.tuples(st.integers(0, 2**16), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4)


@often
@given(changes, st.booleans())
def test_npz(changes, packed):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npz"
        (np.savez_compressed if packed else np.savez)(path, x=np.zeros((3, 1, 8, 8), np.float32), y=np.arange(3))
        path.write_bytes(overwritten(path.read_bytes(), changes))
        read("npz", path, Path(folder))


@often
@given(changes)
def test_npy(changes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, np.zeros((3, 1, 8, 8), np.float32))
        path.write_bytes(overwritten(path.read_bytes(), changes))
        read("npz", path, Path(folder))


def wav():
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((1000 * np.sin(np.arange(64))).astype("<i2").tobytes())
    return stream.getvalue()


@often
@given(changes, st.sampled_from([None, 16]))
def test_wav(changes, length):
    with tempfile.TemporaryDirectory() as folder:
        sounds = Path(folder) / "sounds" / "a"
        sounds.mkdir(parents=True)
        for name, content in (("1.wav", wav()), ("2.wav", overwritten(wav(), [(p % 60, c) for p, c in changes]))):
            (sounds / name).write_bytes(content)
        read("wav-folder", sounds.parent, Path(folder), length=length, skip=0.9, rate=8000)


cells = st.text(max_size=6) | st.sampled_from(
    ["1", "0.5", "", "nan", '"', '""', "1,5", "True", "2024-01-01", "\0", "1e999"]
)
rows = st.lists(st.lists(cells, max_size=5), max_size=6)


@often
@given(rows, st.sampled_from(",;\t |"), st.sampled_from(["utf-8", "utf-16", "latin-1"]), st.binary(max_size=6))
def test_csv(rows, between, encoding, tail):
    text = "\n".join(between.join(row) for row in [["a", "b", "label"], ["1", "2", "x"], *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes(text.encode(encoding, "replace") + tail)
        read("csv", path, Path(folder))


@often
@given(rows, st.sampled_from(",;\t "), st.binary(max_size=40))
def test_csv_looked_at(rows, between, head):
    text = "\n".join(between.join(row) for row in rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes(head + text.encode("utf-8", "replace"))
        with contextlib.suppress(ShiftlensError):
            HOST.find(Reader, "csv").proposes(path, path)
