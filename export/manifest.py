"""``manifest.json``: what a bundle's models take, give and were made of. Standard library alone; no torch, no pydantic.

The file names every model with its hash, its inputs and outputs (names, shapes, types, ranges, meaning) and its opset;
`metadata_of` gives the same for the metadata of one ONNX file, so that a file alone is still understood.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from shiftlens.core.errors import BundleError, InputError
from shiftlens.core.files import read_text, sha256_of, write_text
from shiftlens.core.grid.interpolate import LARGEST_SIDE

FORMAT = 2
VERSION = metadata.version("shiftlens")
MANIFEST = "manifest.json"
GRID = "grid.onnx"
INTERVENTION = "intervention.onnx"
CONVERTED = "converted"  # the converter's output: one graph cannot call both its input and its output x
LOG_VARIANCE = "log_variance"  # of z: the second output of an encoder that gives a distribution
MODELS = ("classifier", "encoder", "decoder", "converter", "grid", "intervention")
REQUIRED = ("encoder", "decoder")
NEED_CLASSIFIER = ("classifier", "grid", "intervention")
WITH_OWN_BATCH = ("grid", "intervention")
"""Models whose calls hold many cells already: servers do not batch them, and their bound stands inside."""
KINDS_OF_SAMPLE = ("image", "series", "tabular")

MOST_VALUES = 2**23  # values of the cells of one call of grid.onnx: 32 MB, and some tens of that inside the networks
MOST_CELLS = LARGEST_SIDE**2
FEWEST_CELLS = 64  # whatever their size: two grids of 5 × 5

LOSS_TRANSFORM = "none outside the models: encoder, decoder and grid take the loss in its unit and transform it inside"
LICENCE = "LICENSE.txt beside this file, where the owner of the models puts their licence; none was given"
MEANING = {
    "x": "samples",
    "source": "one source sample for each pair",
    "target": "one target sample for each pair",
    CONVERTED: "target samples as they would look in the source domain",
    "z": "latents: the features of a sample without what goes with the loss",
    LOG_VARIANCE: "of z, in z's units: how closely the encoder knows each dimension",
    "label": "class of each row, as an index into classes",
    "loss": "loss of each row, in the unit of the loss",
    "n_features": "columns of the grid",
    "n_losses": "rows of the grid",
    "cells": "the grid: rows from the source's loss to the target's, columns from its features to the target's, the "
    "two real samples in the upper left and lower right corner",
    "requested": "loss asked for in each cell, interpolated on the straight line",
    "measured": "loss that the classifier has on each cell",
    "probabilities": "the classifier's probability of each class",
}
OF_INTERVENTION = {
    "source": "the sample that is changed",
    "label": "its class, as an index into classes",
    "n_right": "columns: even parts of the changes that are named under intervention.right; 1 where there are none",
    "n_down": "rows: the changes named under intervention.down, at strengths chosen by loss; 1 where there are none",
    "cells": "the sample changed: itself in the upper left, with the whole fitted shift in the lower right",
    "requested": "loss asked for in each row, even steps of log(loss + 0.05)",
    "right": "part of the full strength of the changes to the right, of each column",
    "down": "part of the full strength of the changes downwards, of each cell",
}
GRID_LOSS = "losses of source and target; a negative value is measured by the classifier instead"


@dataclass(frozen=True)
class LossFacts:
    """The loss that the models were made for, as a plugin offers it."""

    name: str
    unit: str = "nats"
    needs_labels: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    transform: str = LOSS_TRANSFORM


@dataclass(frozen=True)
class GridFacts:
    """How the run made its grids, so that a grid of a new pair is made alike."""

    interpolation: str = "linear"
    calibrate: bool = True


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What stands in manifest.json. Keys that a newer shiftlens adds within one format are left unread.

    Attributes:
        format: version of this file.
        sample_shape, kind: as in `Domain`.
        classes: names in the order of the classifier's outputs.
        classifier_output: what the classifier gives, ``"logits"`` or ``"probabilities"``; None: the bundle holds none.
        why_no_classifier: why it holds none.
        latent: number of latent dimensions.
        precision: of the classifier: ``{"classifier": "float32"}``, or of int8 the accuracies before and after.
        normalisation: what samples are like, and what is done to them inside classifier.onnx.
        accuracy, fidelity: of the run; None where they are not known yet.
        limits: steps along an axis and cells in one call of grid.onnx or intervention.onnx.
        intervention: the factors that intervention.onnx changes along the columns (``right``) and the rows (``down``).
        why_no_intervention: why there is no intervention.onnx.
        licence: where the licence of the models stands.
        files: sha256 of each model, by file name.
        models: opset, inputs and outputs of each model, by file name.
        versions: of the libraries that made the models.
        provenance: where they come from: hashes of the data and of the classifier.
    """

    format: int
    shiftlens: str
    name: str
    kind: str
    sample_shape: tuple[int, ...]
    classes: tuple[str, ...]
    loss: LossFacts
    grid: GridFacts
    classifier_output: str | None
    latent: int
    files: dict[str, str]
    models: dict[str, Any]
    why_no_classifier: str = ""
    precision: dict[str, Any] = field(default_factory=lambda: {"classifier": "float32"})
    normalisation: dict[str, Any] = field(default_factory=dict)
    accuracy: dict[str, float | None] | None = None
    fidelity: dict[str, Any] | None = None
    limits: dict[str, Any] = field(default_factory=dict)
    intervention: dict[str, Any] = field(default_factory=dict)
    why_no_intervention: str = ""
    licence: str = LICENCE
    versions: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of manifest.json."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def write_manifest(
    folder: Path,
    *,
    name: str,
    kind: str,
    sample_shape: Sequence[int],
    classes: Sequence[str],
    loss: LossFacts,
    classifier_output: str | None,
    latent: int,
    provenance: Mapping[str, Any],
    grid: GridFacts | None = None,
    **facts: Any,
) -> Path:
    """Describe the models that stand in a folder; returns the path of manifest.json.

    Args:
        facts: further fields of `Manifest`.

    Raises:
        BundleError: a model is missing.
    """
    shape = tuple(sample_shape)
    manifest = Manifest(
        format=FORMAT,
        shiftlens=VERSION,
        name=name,
        kind=kind,
        sample_shape=shape,
        classes=tuple(classes),
        loss=loss,
        grid=grid or GridFacts(),
        classifier_output=classifier_output,
        latent=latent,
        files={},
        models={},
        limits={"steps": [2, LARGEST_SIDE], "cells": most_cells(shape)},
        provenance=dict(provenance),
        **facts,
    )
    renewed(folder, manifest)
    return folder / MANIFEST


def renewed(folder: Path, manifest: Manifest, **changes: Any) -> Manifest:
    """Write a manifest again, with changed fields, for the models that stand in its folder now.

    Raises:
        BundleError: a model is missing.
    """
    manifest = replace(manifest, **changes)
    with_classifier = manifest.classifier_output is not None
    models = [model for model in MODELS if with_classifier or model not in NEED_CLASSIFIER]
    present = [model for model in models if (folder / f"{model}.onnx").is_file()]
    required = [*REQUIRED, *(["classifier"] if with_classifier else [])]
    missing = [f"{model}.onnx" for model in required if model not in present]
    if missing:
        raise BundleError(f"{folder} lacks {', '.join(missing)}; run the analysis again")
    described = replace(
        manifest,
        files={f"{model}.onnx": sha256_of(folder / f"{model}.onnx") for model in present},
        models={f"{model}.onnx": _described(folder, model, manifest) for model in present},
    )
    write_text(folder / MANIFEST, described.to_json())
    return described


def most_cells(sample_shape: Sequence[int]) -> int:
    """How many cells one call of grid.onnx may ask for: what a server's memory bears, for samples of this size."""
    return max(FEWEST_CELLS, min(MOST_CELLS, MOST_VALUES // math.prod(sample_shape)))


def metadata_of(manifest: Manifest, model: str) -> dict[str, str]:
    """What the ONNX file ``model`` (a name without suffix) says of itself: the manifest's fields, JSON where nested."""
    facts: dict[str, Any] = {**asdict(manifest), **manifest.models.get(f"{model}.onnx", {}), "part": model}
    for key in ("files", "models"):  # hashes of the other files, and this one's own, which cannot stand inside it
        del facts[key]
    for key, value in facts.pop("provenance").items():
        facts[key.removeprefix("shiftlens.")] = value
    facts["version"] = facts.pop("shiftlens")
    return {f"shiftlens.{k}": v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in facts.items()}


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle.

    Raises:
        BundleError: none there, not readable, of another format version, or naming files that are none of ours.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise BundleError(f"{folder} is no bundle: it has no {MANIFEST}; give the folder `bundle` of a run")
    try:
        raw = json.loads(read_text(path))
    except (InputError, ValueError, RecursionError) as error:
        raise BundleError(f"{path} cannot be read: {error}; copy the bundle again, whole") from None
    version = raw.get("format") if isinstance(raw, dict) else None
    if version != FORMAT:
        made = f" by shiftlens {raw['shiftlens']}" if isinstance(raw, dict) and "shiftlens" in raw else ""
        raise BundleError(
            f"{path} was written{made} in format {version}; shiftlens {VERSION} reads format {FORMAT}: "
            "export the run again with this version, or install the other"
        )
    manifest = _parsed(path, raw)
    known = {f"{model}.onnx" for model in MODELS}
    foreign = sorted({*manifest.files, *(file.name for file in folder.glob("*.onnx"))} - known)
    foreign += sorted(name for name in known if (folder / name).is_file() and name not in manifest.files)
    missing = [f"{model}.onnx" for model in REQUIRED if f"{model}.onnx" not in manifest.files]
    if foreign:
        raise BundleError(
            f"{folder}: files that do not belong there: {', '.join(foreign)}; remove them, or export again"
        )
    if missing:
        raise BundleError(f"{path} lacks {missing[0]}; export the run again")
    return manifest


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


MUST_BE: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "shiftlens": ("a version", _is_name),
    "name": ("a name", _is_name),
    "kind": (f"one of {', '.join(KINDS_OF_SAMPLE)}", lambda kind: kind in KINDS_OF_SAMPLE),
    "sample_shape": ("a list of sizes", lambda v: isinstance(v, list) and 0 < len(v) < 5 and all(map(_is_size, v))),
    "classes": (
        "a list of at least two different names",
        lambda v: isinstance(v, list) and all(isinstance(c, str) for c in v) and len(set(v)) == len(v) > 1,
    ),
    "loss": ("a mapping with a name", lambda v: isinstance(v, dict) and _is_name(v.get("name"))),
    "grid": (
        "linear or spherical, calibrated or not",
        lambda v: (
            isinstance(v, dict)
            and v.get("interpolation", "linear") in ("linear", "spherical")
            and isinstance(v.get("calibrate", True), bool)
        ),
    ),
    "classifier_output": ("logits, probabilities or null", lambda v: v in ("logits", "probabilities", None)),
    "latent": ("a number of dimensions", _is_size),
    "files": (
        "names with their sha256",
        lambda v: isinstance(v, dict) and all(isinstance(hash_, str) for hash_ in v.values()),
    ),
    "models": ("a mapping", lambda v: isinstance(v, dict) and all(map(_is_mapping, v.values()))),
}
MAY_BE: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "why_no_classifier": ("text", lambda v: isinstance(v, str)),
    "why_no_intervention": ("text", lambda v: isinstance(v, str)),
    "licence": ("text", lambda v: isinstance(v, str)),
    "accuracy": ("a mapping or null", lambda v: v is None or isinstance(v, dict)),
    "fidelity": ("a mapping or null", lambda v: v is None or isinstance(v, dict)),
    **dict.fromkeys(
        ("precision", "normalisation", "limits", "intervention", "versions", "provenance"), ("a mapping", _is_mapping)
    ),
}


def _parsed(path: Path, raw: dict[str, Any]) -> Manifest:
    """A manifest of JSON values, each checked for its form."""
    for key, (wanted, is_that) in {**MUST_BE, **{key: MAY_BE[key] for key in MAY_BE if key in raw}}.items():
        if key not in raw or not is_that(raw[key]):
            found = f"is {raw[key]!r:.80}" if key in raw else "is missing"
            raise BundleError(f"{path}: {key}: {found}; it must be {wanted}: export the run again")
    fields = {key: value for key, value in raw.items() if key in Manifest.__dataclass_fields__}
    try:
        fields["loss"] = LossFacts(**{k: v for k, v in raw["loss"].items() if k in LossFacts.__dataclass_fields__})
        fields["grid"] = GridFacts(**{k: v for k, v in raw["grid"].items() if k in GridFacts.__dataclass_fields__})
    except TypeError as error:
        raise BundleError(f"{path}: {error}; export the run again") from None
    return Manifest(**{**fields, "sample_shape": tuple(raw["sample_shape"]), "classes": tuple(raw["classes"])})


def _described(folder: Path, model: str, manifest: Manifest) -> dict[str, Any]:
    """Opset, IR version, inputs and outputs of one model, as they stand in its file."""
    from shiftlens.export import graphs

    version, inputs, outputs = graphs.signature(folder / f"{model}.onnx")
    return {
        **version,
        "inputs": [{**tensor, **_told(model, tensor["name"], manifest, True)} for tensor in inputs],
        "outputs": [{**tensor, **_told(model, tensor["name"], manifest, False)} for tensor in outputs],
    }


def _told(model: str, tensor: str, manifest: Manifest, entry: bool) -> dict[str, Any]:
    """Range (None: any finite number) and meaning of one input or output."""
    samples = [0.0, 1.0] if manifest.kind == "image" else None
    ranges: dict[str, list[float] | None] = {
        **dict.fromkeys(("x", "source", "target", CONVERTED, "cells"), samples),
        "label": [0, len(manifest.classes) - 1],
        "n_features": manifest.limits.get("steps"),
        "n_losses": manifest.limits.get("steps"),
        "probabilities": [0.0, 1.0],
    }
    if model == "intervention":
        steps = {"n_right": "right", "n_down": "down"}
        ranges |= {
            name: ranges["n_losses"] if manifest.intervention.get(side) else [1, 1] for name, side in steps.items()
        }
        ranges["right"] = [0.0, 1.0]
    if model == "classifier":  # a classifier that was brought along has names of its own
        if entry:
            return {"range": samples, "meaning": MEANING["x"]}
        output = str(manifest.classifier_output)
        return {"range": ranges.get(output), "meaning": f"{output} of each class, in the order of classes"}
    meaning = GRID_LOSS if (model, tensor) == ("grid", "loss") else MEANING.get(tensor, tensor)
    if model == "intervention":
        meaning = OF_INTERVENTION.get(tensor, meaning)
    return {"range": ranges.get(tensor), "meaning": meaning}
