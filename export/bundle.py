"""A bundle: the exported models of one run with their manifest, and all that is needed to serve them. No torch.

``manifest.json`` says what the files are made for and their hashes; `Bundle.open` believes nothing else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shiftlens.core.calibration import calibrate
from shiftlens.core.domain import FloatArray, IntArray
from shiftlens.core.errors import BundleError, InputError, PluginError
from shiftlens.core.files import sha256_of, write_text
from shiftlens.core.grid import PairGrid, grid_of_pair
from shiftlens.core.host import Host, near_miss
from shiftlens.core.kinds import Loss, LossWorker
from shiftlens.core.scoring import Scores, join, probabilities_of, score_batch
from shiftlens.export.session import Session, Tensor

logger = logging.getLogger("shiftlens")

FORMAT = 1
VERSION = metadata.version("shiftlens")
MANIFEST = "manifest.json"
MODELS = ("classifier", "encoder", "decoder", "converter", "grid")
REQUIRED = ("encoder", "decoder")
NEED_CLASSIFIER = ("classifier", "grid")
CONVERTED = "converted"  # the converter's output: one graph cannot call both its input and its output x
CHUNK = 50  # cells or samples in one call: between 25 and 64 is fastest, and memory stays bounded


class Part(BaseModel):
    """Base of the manifest's parts; a newer shiftlens may add keys, which are left unread."""

    model_config = ConfigDict(frozen=True)


class LossFacts(Part):
    """The loss that the models were made for, as a plugin offers it."""

    name: str
    unit: str = "nats"
    needs_labels: bool = True
    settings: dict[str, Any] = Field(default_factory=dict)


class GridFacts(Part):
    """How the run made its grids, so that a grid of a new pair is made alike."""

    interpolation: Literal["linear", "spherical"] = "linear"
    calibrate: bool = True


PLAIN_GRID = GridFacts()


class Manifest(Part):
    """What stands in manifest.json.

    Attributes:
        format: version of this file.
        sample_shape, kind: as in `Domain`.
        classes: names in the order of the classifier's outputs.
        classifier_output: what the classifier gives; None where the bundle holds none.
        latent: number of latent dimensions.
        files: sha256 of each model, by file name.
        provenance: where it comes from: settings, data and versions.
    """

    format: int
    shiftlens: str
    name: str
    kind: Literal["image", "series", "tabular"]
    sample_shape: tuple[int, ...]
    classes: tuple[str, ...]
    loss: LossFacts
    grid: GridFacts = PLAIN_GRID
    classifier_output: Literal["logits", "probabilities"] | None
    latent: int
    files: dict[str, str]
    provenance: dict[str, Any] = Field(default_factory=dict)


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
    grid: GridFacts = PLAIN_GRID,
) -> Path:
    """Describe the models that stand in a folder; returns the path of manifest.json.

    Where ``classifier_output`` is None, a classifier (or a grid made with one) that an earlier run left is not named.

    Raises:
        BundleError: a model is missing.
    """
    with_classifier = classifier_output is not None
    required = [*REQUIRED, *(["classifier"] if with_classifier else [])]
    models = [model for model in MODELS if with_classifier or model not in NEED_CLASSIFIER]
    present = [f"{model}.onnx" for model in models if (folder / f"{model}.onnx").is_file()]
    missing = [f"{model}.onnx" for model in required if f"{model}.onnx" not in present]
    if missing:
        raise BundleError(f"{folder} lacks {', '.join(missing)}; run the analysis again")
    manifest = Manifest.model_validate(
        {
            "format": FORMAT,
            "shiftlens": VERSION,
            "name": name,
            "kind": kind,
            "sample_shape": tuple(sample_shape),
            "classes": tuple(classes),
            "loss": loss,
            "grid": grid,
            "classifier_output": classifier_output,
            "latent": latent,
            "files": {file: sha256_of(folder / file) for file in present},
            "provenance": dict(provenance),
        }
    )
    path = folder / MANIFEST
    write_text(path, manifest.model_dump_json(indent=2) + "\n")
    return path


class Bundle:
    """An opened bundle. Sessions are opened on first use and kept.

    Attributes:
        folder: where the files stand.
        manifest: what they are.
    """

    def __init__(self, folder: Path, manifest: Manifest, device: str = "auto", threads: int | None = None) -> None:
        self.folder, self.manifest = folder, manifest
        self._device, self._threads = device, threads

    @classmethod
    def open(cls, path: str | Path, device: str = "auto", threads: int | None = None) -> Bundle:
        """Open a bundle, or the bundle of a run directory, and check every file against its hash.

        Raises:
            BundleError: missing, incomplete, altered, or of a format that this version does not read.
        """
        folder = Path(path)
        if not (folder / MANIFEST).is_file() and (folder / "bundle" / MANIFEST).is_file():
            folder = folder / "bundle"
        manifest = read_manifest(folder)
        for name, sha256 in manifest.files.items():
            file = folder / name
            if not file.is_file():
                raise BundleError(f"the bundle {folder} lacks {name}; copy it again, whole")
            if sha256_of(file) != sha256:
                raise BundleError(f"{file} is not the file that {MANIFEST} describes; copy the bundle again, whole")
        return cls(folder, manifest, device, threads)

    @cached_property
    def encoder(self) -> Session:
        """x, loss, label to z."""
        return self._open("encoder", {"x": self.manifest.sample_shape, "loss": (), "label": ()})

    @cached_property
    def decoder(self) -> Session:
        """z, loss, label to x."""
        return self._open("decoder", {"z": (self.manifest.latent,), "loss": (), "label": ()})

    @cached_property
    def classifier(self) -> Session:
        """Samples to logits or probabilities.

        Raises:
            BundleError: it could not be exported when the bundle was made.
        """
        if "classifier.onnx" not in self.manifest.files:
            raise BundleError(
                f"the bundle {self.folder} holds no classifier, because it could not be exported to ONNX; "
                "bring it along as .onnx and run the analysis again"
            )
        return self._open("classifier", None)

    @cached_property
    def converter(self) -> Session:
        """x, and for some converters label, to converted.

        Raises:
            BundleError: the run had no style converter.
        """
        if "converter.onnx" not in self.manifest.files:
            raise BundleError(
                f"the bundle {self.folder} holds no style converter; set converter in the settings "
                "(`shiftlens plugins` lists them) and run the analysis again"
            )
        session = self._open("converter", None)
        wanted: dict[str, tuple[int, ...]] = {"x": self.manifest.sample_shape}
        if not (_takes(session.inputs, wanted) or _takes(session.inputs, {**wanted, "label": ()})):
            raise BundleError(
                f"{session.origin} takes {', '.join(map(str, session.inputs))}, which does not fit {MANIFEST}; "
                "export it again"
            )
        return session

    @property
    def providers(self) -> list[str]:
        """What the models run on, e.g. ``["CPUExecutionProvider"]``."""
        return sorted({session.provider for session in (self.encoder, self.decoder)})

    def encode(self, x: FloatArray, loss: npt.NDArray[np.float64], label: IntArray) -> FloatArray:
        """``x (n, *sample), loss (n,), label (n,) -> z (n, latent)``, in chunks."""
        return self._chunked(self.encoder, "z", x=x, loss=loss, label=label)

    def decode(self, z: FloatArray, loss: npt.NDArray[np.float64], label: IntArray) -> FloatArray:
        """``z (n, latent), loss (n,), label (n,) -> x (n, *sample)``, in chunks."""
        return self._chunked(self.decoder, "x", z=z, loss=loss, label=label)

    def convert(self, x: FloatArray, label: IntArray) -> FloatArray:
        """Target samples in the source's style, ``x (n, *sample), label (n,) -> x (n, *sample)``, in chunks (¶82).

        Converters that do without the label leave it unread.
        """
        wanted = {tensor.name for tensor in self.converter.inputs}
        given: dict[str, npt.NDArray[Any]] = {"x": x, "label": label}
        return self._chunked(self.converter, CONVERTED, **{name: given[name] for name in given if name in wanted})

    def predict(self, x: FloatArray) -> npt.NDArray[np.float64]:
        """``x (n, *sample) -> (n, classes)`` probabilities, in chunks."""
        (entry,), (result,) = self.classifier.inputs, self.classifier.outputs
        outputs = self._chunked(self.classifier, result.name, **{entry.name: x})
        assert self.manifest.classifier_output is not None
        return probabilities_of(outputs, self.manifest.classifier_output, f"the classifier of {self.folder}")

    def score(self, x: FloatArray, label: IntArray) -> Scores:
        """Measure loss, prediction and confidence of samples ``(n, *sample)`` as the classes ``(n,)``."""
        starts = range(0, max(len(x), 1), CHUNK)
        return join([score_batch(self.predict(x[i : i + CHUNK]), label[i : i + CHUNK], self.loss) for i in starts])

    @cached_property
    def loss(self) -> LossWorker:
        """The loss that the models were made for.

        Raises:
            BundleError: the plugin that offers it is not installed here.
        """
        facts = self.manifest.loss
        try:
            component = Host().find(Loss, facts.name)
            worker: LossWorker = component.build(component.settings.model_validate(facts.settings))
        except (PluginError, ValidationError) as error:
            raise BundleError(f"the bundle {self.folder} needs the loss {facts.name}: {error}") from None
        return worker

    def class_index(self, label: str) -> int:
        """Index of a class by its name.

        Raises:
            InputError: with the near miss.
        """
        classes = self.manifest.classes
        if label not in classes:
            raise InputError(f'there is no class "{label}"; {near_miss(label, classes)}there are: {", ".join(classes)}')
        return classes.index(label)

    def _chunked(self, session: Session, output: str, **inputs: npt.NDArray[Any]) -> FloatArray:
        count = len(next(iter(inputs.values())))
        starts = range(0, max(count, 1), CHUNK)
        parts = [session.run(**{name: v[i : i + CHUNK] for name, v in inputs.items()})[output] for i in starts]
        return np.concatenate(parts)

    def _open(self, model: str, wanted: Mapping[str, tuple[int, ...]] | None) -> Session:
        """Open a model and check that it takes what the manifest says."""
        file = self.folder / f"{model}.onnx"
        try:
            session = Session(file, self._device, self._threads)
        except InputError as error:
            raise BundleError(f"the bundle {self.folder}: {error}") from None
        if wanted is not None and not _takes(session.inputs, wanted):
            raise BundleError(
                f"{file} takes {', '.join(map(str, session.inputs))}, which does not fit {MANIFEST}; export it again"
            )
        return session


def _takes(inputs: tuple[Tensor, ...], wanted: Mapping[str, tuple[int, ...]]) -> bool:
    return {tensor.name: tensor.shape[1:] for tensor in inputs} == dict(wanted)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle.

    Raises:
        BundleError: none there, not readable, of another format version, or naming files that are none of ours.
    """
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{folder} is no bundle: it has no {MANIFEST}; give the folder `bundle` of a run") from None
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read: {error}; copy the bundle again, whole") from None
    version = raw.get("format") if isinstance(raw, dict) else None
    if version != FORMAT:
        made = f" by shiftlens {raw['shiftlens']}" if isinstance(raw, dict) and "shiftlens" in raw else ""
        raise BundleError(
            f"{path} was written{made} in format {version}; shiftlens {VERSION} reads format {FORMAT}: "
            "export the run again with this version, or install the other"
        )
    try:
        manifest = Manifest.model_validate(raw)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"]))
        raise BundleError(f"{path}: {key}: {fault['msg']}; export the run again") from None
    known = {f"{model}.onnx" for model in MODELS}
    foreign = sorted(set(manifest.files) - known)
    missing = [f"{model}.onnx" for model in REQUIRED if f"{model}.onnx" not in manifest.files]
    if foreign or missing:
        what = f"names files that do not belong there: {', '.join(foreign)}" if foreign else f"lacks {missing[0]}"
        raise BundleError(f"{path} {what}; export the run again")
    return manifest


def grid_for_pair(
    bundle: Bundle,
    source: FloatArray,
    target: FloatArray,
    label: str | None = None,
    features: int = 5,
    losses: int = 5,
) -> PairGrid:
    """The grid of a new pair, made as the run made its own: measured, encoded, interpolated, decoded, re-scored.

    Args:
        source, target: one sample each, ``(*sample)`` float32.
        label: name of the class of both; None: what the classifier says of the source sample.
        features, losses: columns and rows.

    Raises:
        InputError: samples of another shape, values that are not finite, or an unknown class.
    """
    shape = bundle.manifest.sample_shape
    for role, x in (("source", source), ("target", target)):
        if x.shape != shape:
            raise InputError(f"{role}: the sample has shape {x.shape}; the bundle is made for {shape}")
        if not np.isfinite(x).all():
            raise InputError(f"{role}: the sample has values that are not finite (NaN or infinite)")
    samples = np.stack([source, target]).astype(np.float32)
    if label is None:
        index = int(bundle.predict(samples[:1]).argmax())
    else:
        index = bundle.class_index(label)
    loss = bundle.score(samples, np.full(2, index, dtype=np.int64)).loss
    if loss[1] <= loss[0]:
        logger.warning(
            "the target sample's loss (%.3g) is not above the source sample's (%.3g): the rows of this grid do not "
            "lead to a larger loss",
            loss[1],
            loss[0],
        )
    made = bundle.manifest.grid
    return grid_of_pair(
        samples,
        loss,
        index,
        bundle.encode,
        bundle.decode,
        bundle.score,
        (lambda z, requested, y: calibrate(z, requested, y, bundle.decode, bundle.score)) if made.calibrate else None,
        features,
        losses,
        spherical=made.interpolation == "spherical",
    )
