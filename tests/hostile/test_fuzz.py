"""Bytes and texts that nobody thought of: a reader works or says what is wrong, and never fails in another way.

``HYPOTHESIS_EXAMPLES=100000 pytest tests/hostile/test_fuzz.py`` looks for as long as you like.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import numpy as np
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftlens import Host
from shiftlens.core.config.settings import Settings
from shiftlens.core.config.yaml_file import parse_yaml
from shiftlens.core.errors import ShiftlensError
from shiftlens.export.manifest import FORMAT, read_manifest
from shiftlens.plugins.readers.npz import READER

often = settings(max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "40")))
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


@often
@given(st.integers(0, 700), st.binary(min_size=1, max_size=8))
def test_npz(place, other):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npz"
        np.savez(path, x=np.zeros((3, 1, 8, 8), np.float32), y=np.arange(3))
        content = bytearray(path.read_bytes())
        content[place : place + len(other)] = other
        path.write_bytes(content)
        with contextlib.suppress(ShiftlensError):
            READER.build(READER.settings(path=path))(Path(folder))
