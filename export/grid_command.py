"""``shiftlens grid``: a grid for a new pair of samples, or of changes made on one, from a bundle. No torch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from shiftlens.core.arrays import AnyArray, FloatArray
from shiftlens.core.data.scoring import Scores
from shiftlens.core.errors import InputError
from shiftlens.core.files import check_regular, whole, write_text
from shiftlens.core.grid.interpolate import ScoredGrid
from shiftlens.core.grid.intervention import near
from shiftlens.core.results.results import Cell
from shiftlens.export.bundle import Bundle, grid_for_pair
from shiftlens.export.manifest import Manifest

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
OUTPUTS = (".png", ".json", ".npz")
SIDES = {"right": "costs nothing or little", "down": "costs accuracy"}


def write_grid(
    bundle: Path, source: Path, target: Path, out: Path, label: str | None, features: int, losses: int
) -> list[Path]:
    """Make the grid of a source and a target sample and write it.

    Args:
        source, target: one sample each, an image file or ``.npy``.
        out: ``.png`` (a sheet of all cells, and the figures beside it as .json), ``.json`` (the figures) or ``.npz``
            (cells and figures as arrays).
        label: class of both samples; None: what the classifier says of the source sample.

    Returns:
        The files written.

    Raises:
        InputError: a file that cannot be read, does not fit the bundle, or an ``out`` of another kind.
    """
    _check_out(out, source, target)
    opened = Bundle.open(bundle)
    pair = [read_sample(path, opened.manifest) for path in (source, target)]
    made = grid_for_pair(opened, pair[0], pair[1], label, features, losses)
    return _written(out, made, opened.manifest, arrays(made, opened.manifest), {
        **figures(made, opened.manifest, source), "target": target.name,
        "loss": [float(made.requested[0, 0]), float(made.requested[-1, -1])],
    })  # fmt: skip


def write_intervention(
    bundle: Path, source: Path, out: Path, label: str | None, features: int, losses: int
) -> list[Path]:
    """Make the fitted changes on one sample and write the cells, as `write_grid` does.

    Raises:
        InputError: a file that cannot be read, does not fit the bundle, or an ``out`` of another kind.
        BundleError: the bundle holds no intervention.onnx, with the reason.
    """
    _check_out(out, source)
    opened = Bundle.open(bundle)
    manifest = opened.manifest
    sample = read_sample(source, manifest)
    index = int(opened.predict(sample[None]).argmax()) if label is None else opened.class_index(label)
    found = opened.intervention(sample, index, features, losses)
    shape = found.measured.shape
    wanted = np.broadcast_to(found.requested[:, None], shape).astype(np.float64)
    flat = found.probabilities.reshape(-1, len(manifest.classes))
    scores = Scores(
        found.measured.ravel().astype(np.float64),
        np.full(len(flat), index),
        flat.argmax(1),
        flat.max(1).astype(np.float64),
    )
    made = ScoredGrid(
        found.cells, wanted, scores, np.arange(len(flat)).reshape(shape) == 0, near(found.measured, wanted)
    )
    facts = figures(made, manifest, source)
    for row, line in enumerate(facts["cells"]):
        for column, cell in enumerate(line):
            cell |= {"right": float(found.right[column]), "down": float(found.down[row, column])}
    facts["intervention"] = manifest.intervention
    axes = {way: f"{words}: {', '.join(manifest.intervention[way]) or 'nothing'}" for way, words in SIDES.items()}
    values = {**arrays(made, manifest), "right": found.right, "down": found.down}
    return _written(out, made, manifest, values, facts, axes)


def _check_out(out: Path, *samples: Path) -> None:
    """A name that can be written, and is none of the samples."""
    if out.suffix.lower() not in OUTPUTS:
        raise InputError(f"--out {out}: the name must end in one of {', '.join(OUTPUTS)}")
    for path in samples:
        if out.resolve() == path.resolve():
            raise InputError(f"--out {out} is the sample itself, which would be lost; give another name")


def _written(
    out: Path,
    made: ScoredGrid,
    manifest: Manifest,
    values: dict[str, AnyArray],
    facts: dict[str, Any],
    axes: dict[str, Any] | None = None,
) -> list[Path]:
    """The files that ``out`` asks for."""
    suffix = out.suffix.lower()
    if suffix == ".npz":
        with whole(out) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **values)
        return [out]
    told = out.with_suffix(".json")
    write_text(told, json.dumps(facts, indent=2) + "\n")
    if suffix == ".json":
        return [told]
    from shiftlens.export.sheet import drawn_of, sheet

    image = sheet(replace(drawn_of(made, manifest), **(axes or {})))
    with whole(out) as temporary:
        image.save(temporary, format="PNG")
    return [out, told]


def read_sample(path: Path, manifest: Manifest) -> FloatArray:
    """One sample ``(*sample)`` float32 from an image file or an ``.npy``.

    An image is scaled and cropped around its centre to the bundle's size; transparent parts become white. An array
    may be ``(*sample)``, with a leading 1, or an image with its channels last; uint8 images are taken as 0–255.
    """
    check_regular(path)
    if path.suffix.lower() in PICTURES:
        return _from_picture(path, manifest)
    if path.suffix.lower() != ".npy":
        raise InputError(f"{path} is no sample; give {', '.join(PICTURES)} or .npy")
    try:
        stored: AnyArray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} cannot be read as .npy: {error}") from None
    return _from_array(path, stored, manifest)


def _from_picture(path: Path, manifest: Manifest) -> FloatArray:
    from PIL import Image, ImageOps, UnidentifiedImageError

    shape = manifest.sample_shape
    if manifest.kind != "image":
        raise InputError(
            f"{path} is an image; the bundle is made for {manifest.kind} samples of shape {shape}: give .npy"
        )
    modes = {1: "L", 3: "RGB"}
    if shape[0] not in modes:
        raise InputError(f"{path}: the bundle is made for images of {shape[0]} channels: give .npy")
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):  # 16-bit grey, which convert() would clip at 255
                upright = Image.fromarray((np.asarray(upright).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
            if upright.has_transparency_data:
                upright = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
            opaque = upright.convert(modes[shape[0]])
            fitted = ImageOps.fit(opaque, (shape[2], shape[1]), Image.Resampling.BILINEAR)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as an image: {error}") from None
    pixels = np.asarray(fitted, dtype=np.float32).reshape(shape[1], shape[2], shape[0]) / 255
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _from_array(path: Path, stored: AnyArray, manifest: Manifest) -> FloatArray:
    shape = manifest.sample_shape
    if not np.issubdtype(stored.dtype, np.number):
        raise InputError(f"{path} holds {stored.dtype}; give numbers")
    x = stored.astype(np.float32)
    if manifest.kind == "image" and stored.dtype == np.uint8:
        x /= 255
    if x.ndim == len(shape) + 1 and len(x) == 1:
        x = x[0]
    if x.shape != shape and x.ndim == 3 and x.transpose(2, 0, 1).shape == shape:
        x = x.transpose(2, 0, 1)
    if x.shape != shape and x.ndim == len(shape) - 1 and shape[0] == 1:
        x = x[None]
    if x.shape != shape:
        raise InputError(f"{path} holds an array of shape {stored.shape}; the bundle is made for {shape}")
    return np.ascontiguousarray(x)


def arrays(grid: ScoredGrid, manifest: Manifest) -> dict[str, AnyArray]:
    """Cells ``(losses, features, *sample)`` and the figures of each, ``(losses, features)``."""
    shape = grid.requested.shape
    return {
        "cells": grid.cells,
        "requested": grid.requested,
        "measured": grid.measured,
        "predicted": np.array(manifest.classes)[grid.scores.prediction].reshape(shape),
        "confidence": grid.scores.confidence.reshape(shape),
        "real": grid.real,
        "reached": grid.reached,
    }


def cells_of(grid: ScoredGrid, manifest: Manifest) -> list[list[Cell]]:
    """The figures of each cell, by row, as results.json holds them."""
    rows, columns = grid.requested.shape
    return [[_cell(grid, manifest, row, column) for column in range(columns)] for row in range(rows)]


def _cell(grid: ScoredGrid, manifest: Manifest, row: int, column: int) -> Cell:
    here = row * grid.requested.shape[1] + column
    prediction = int(grid.scores.prediction[here])
    return Cell(
        requested=float(grid.requested[row, column]),
        measured=float(grid.measured[row, column]),
        predicted=manifest.classes[prediction],
        confidence=float(grid.scores.confidence[here]),
        correct=prediction == int(grid.scores.label[here]),
        real=bool(grid.real[row, column]),
        reached=bool(grid.reached[row, column]),
    )


def figures(grid: ScoredGrid, manifest: Manifest, source: Path) -> dict[str, Any]:
    """What the .json of every grid holds: the sample, its label, and every cell."""
    losses, features = grid.requested.shape
    return {
        "schema": 1,
        "shiftlens": manifest.shiftlens,
        "name": manifest.name,
        "source": source.name,
        "label": manifest.classes[int(grid.scores.label[0])],
        "loss_name": manifest.loss.name,
        "loss_unit": manifest.loss.unit,
        "grid": {"features": features, "losses": losses},
        "cells": [[cell.model_dump(mode="json") for cell in row] for row in cells_of(grid, manifest)],
    }
