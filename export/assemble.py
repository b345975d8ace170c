"""The bundle of a finished run made ready to leave it: every file says what the manifest says. No torch.

A classifier that was brought along as ONNX is wrapped, never altered: its graph and weights stay byte for byte, and
metadata is put beside them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from shiftlens.core.arrays import FloatArray
from shiftlens.core.files import write_text
from shiftlens.export import graphs
from shiftlens.export.bundle import Bundle
from shiftlens.export.manifest import GRID, MANIFEST, Manifest, metadata_of, read_manifest, renewed

LICENCE = "LICENSE.txt"
LICENCE_TEXT = """\
No licence was given for the models in this folder. Their owner puts its text here, in place of this paragraph.
The programs that shiftlens put beside them (model.py, shiftlens_model.py, the examples) are under Apache-2.0.
"""
INT8_TOLERANCE = 0.2  # a rounding step more or less in one call than in another moves a probability by hundredths


def copied(bundle: Path, folder: Path) -> None:
    """Copy a run's bundle into an empty folder.

    Raises:
        BundleError: the bundle was altered or is incomplete.
    """
    for name in Bundle.open(bundle, device="cpu").manifest.files:
        shutil.copyfile(bundle / name, folder / name)
    shutil.copyfile(bundle / MANIFEST, folder / MANIFEST)
    write_text(folder / LICENCE, LICENCE_TEXT)


def recomposed(folder: Path, samples: FloatArray, label: int) -> None:
    """Take a classifier that was put in the place of the bundle's own, and compose its grid anew.

    Args:
        samples, label: a pair ``(2, *sample)`` and its class, to check the new grid with.
    """
    from shiftlens.export.compose import add_grid

    had_grid = (folder / GRID).is_file()
    (folder / GRID).unlink(missing_ok=True)
    renewed(folder, read_manifest(folder))
    if had_grid:
        add_grid(Bundle.open(folder, device="cpu"), samples, label, INT8_TOLERANCE)


def described(folder: Path, **changes: Any) -> Manifest:
    """Complete the manifest with what is known now, and put what it says into the metadata of every model."""
    manifest = renewed(folder, read_manifest(folder), **changes)
    for name in manifest.files:
        model = graphs.load(folder / name)
        graphs.add_metadata(model, metadata_of(manifest, name.removesuffix(".onnx")))
        graphs.save(model, folder / name, check=False)
    return renewed(folder, manifest)
