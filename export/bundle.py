"""A bundle: the exported models of one run with their manifest, and all that is needed to serve them.

``manifest.json`` says what the files are made for and their hashes; `Bundle.open` believes nothing else. Importing
this and making a grid takes numpy and onnxruntime, no more: no torch, no onnx, no pydantic, no plugin host.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from shiftlens.core.arrays import AnyArray, FloatArray, Floats, IntArray
from shiftlens.core.data.scoring import Scores, join, probabilities_of, score_batch
from shiftlens.core.errors import BundleError, InputError, PluginError, near_miss
from shiftlens.core.files import sha256_of
from shiftlens.core.grid.calibration import calibrate
from shiftlens.core.grid.interpolate import LARGEST_SIDE, GridNetworks, GridShape, PairGrid, grid_of_pair
from shiftlens.export.manifest import (
    CONVERTED,
    GRID,
    INTERVENTION,
    LOG_VARIANCE,
    MANIFEST,
    Manifest,
    most_cells,
    read_manifest,
)
from shiftlens.export.session import Session, Tensor

if TYPE_CHECKING:
    from shiftlens.core.host.kinds import ComponentSettings, Loss, LossWorker

logger = logging.getLogger("shiftlens")

GRID_TAKES = ("source", "target", "label", "loss", "n_features", "n_losses")
INTERVENTION_TAKES = ("source", "label", "n_right", "n_down")
CHUNK = 50  # cells or samples in one call: between 25 and 64 is fastest, and memory stays bounded


class GridArrays(NamedTuple):
    """What grid.onnx gives, under the same names.

    Attributes:
        cells: ``(losses, features, *sample)``, the real samples in their corners.
        requested, measured: ``(losses, features)`` losses.
        probabilities: ``(losses, features, classes)``.

    All have one dimension more in front, the pairs, where samples were given with one.
    """

    cells: FloatArray
    requested: FloatArray
    measured: FloatArray
    probabilities: FloatArray


class InterventionArrays(NamedTuple):
    """What intervention.onnx gives, under the same names.

    Attributes:
        cells: ``(down, right, *sample)``: the sample itself first, with the whole fitted shift last.
        requested: ``(down,)`` losses asked for.
        measured: ``(down, right)`` losses.
        probabilities: ``(down, right, classes)``.
        right: ``(right,)`` part of the full strength of the changes that go right.
        down: ``(down, right)`` part of the full strength of those that go down.
    """

    cells: FloatArray
    requested: FloatArray
    measured: FloatArray
    probabilities: FloatArray
    right: FloatArray
    down: FloatArray


class Bundle:
    """An opened bundle, safe to share between threads. Sessions are opened on first use and kept.

    Attributes:
        folder: where the files stand.
        manifest: what they are.
    """

    def __init__(self, folder: Path, manifest: Manifest, device: str = "auto", threads: int | None = None) -> None:
        self.folder, self.manifest = folder, manifest
        self._device, self._threads = device, threads
        self._sessions: dict[str, Session] = {}
        self._opening = RLock()

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
                raise BundleError(
                    f"{file} is not the file that {MANIFEST} describes (its hash differs); copy the bundle again, whole"
                )
        return cls(folder, manifest, device, threads)

    @property
    def encoder(self) -> Session:
        """x, loss, label to z."""
        wanted = {"x": self.manifest.sample_shape, "loss": (), "label": ()}
        return self._open("encoder", wanted, {"z": (self.manifest.latent,)})

    @property
    def decoder(self) -> Session:
        """z, loss, label to x."""
        wanted = {"z": (self.manifest.latent,), "loss": (), "label": ()}
        return self._open("decoder", wanted, {"x": self.manifest.sample_shape})

    @property
    def classifier(self) -> Session:
        """Samples to logits or probabilities.

        Raises:
            BundleError: it could not be exported when the bundle was made.
        """
        if "classifier.onnx" not in self.manifest.files:
            raise BundleError(
                f"the bundle {self.folder} holds no classifier, because it could not be exported to ONNX"
                f"{self._why_no_classifier()}; bring it along as .onnx and run the analysis again"
            )
        session = self._open("classifier", None)
        classes = len(self.manifest.classes)
        fits = len(session.inputs) == len(session.outputs) == 1 and all(
            _may_be(tensor, shape)
            for tensor, shape in ((session.inputs[0], self.manifest.sample_shape), (session.outputs[0], (classes,)))
        )
        if not fits:
            raise self._foreign(session, f"samples of shape {self.manifest.sample_shape} and {classes} classes")
        return session

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
    def fused(self) -> Session:
        """The fused grid: see `shiftlens.export.compose` for what it takes and gives.

        Raises:
            BundleError: none could be made.
        """
        if GRID not in self.manifest.files:
            why = f"the loss {self.manifest.loss.name} has no ONNX form, or the models do not compose"
            if self.manifest.classifier_output is None:
                why = f"the classifier could not be exported to ONNX{self._why_no_classifier()}"
            raise BundleError(
                f"the bundle {self.folder} holds no {GRID}: {why}; use encoder, decoder and classifier one by one, as "
                "`shiftlens grid` does"
            )
        session = self._open("grid", None)
        takes, gives = ({tensor.name for tensor in side} for side in (session.inputs, session.outputs))
        if not (takes == set(GRID_TAKES) and gives >= set(GridArrays._fields)):
            raise self._foreign(session, f"to take {', '.join(GRID_TAKES)}")
        return session

    @property
    def interventions(self) -> Session:
        """The fused intervention grid: see `shiftlens.export.intervention_graph` for what it takes and gives.

        Raises:
            BundleError: none could be made.
        """
        if INTERVENTION not in self.manifest.files:
            why = self.manifest.why_no_intervention or "it was made by an earlier shiftlens; run the analysis again"
            raise BundleError(f"the bundle {self.folder} holds no {INTERVENTION}: {why}")
        session = self._open("intervention", None)
        takes, gives = ({tensor.name for tensor in side} for side in (session.inputs, session.outputs))
        if not (takes == set(INTERVENTION_TAKES) and gives >= set(InterventionArrays._fields)):
            raise self._foreign(session, f"to take {', '.join(INTERVENTION_TAKES)}")
        return session

    @property
    def providers(self) -> list[str]:
        """What the models run on, e.g. ``["CPUExecutionProvider"]``."""
        return sorted({session.provider for session in (self.encoder, self.decoder)})

    def encode(self, x: FloatArray, loss: Floats, label: IntArray) -> FloatArray:
        """``x (n, *sample), loss (n,), label (n,) -> z (n, latent)``, in chunks."""
        return self._chunked(self.encoder, "z", x=x, loss=loss, label=label)

    def log_variance(self, x: FloatArray, loss: Floats, label: IntArray) -> FloatArray:
        """Of z ``(n, latent)``, whose mean `encode` gives: how closely the encoder knows each dimension (¶78).

        Raises:
            BundleError: this generator's encoder gives a place, no distribution.
        """
        if LOG_VARIANCE not in {tensor.name for tensor in self.encoder.outputs}:
            raise BundleError(
                f"the encoder of {self.folder} gives no {LOG_VARIANCE}; only that of the generator vae does"
            )
        return self._chunked(self.encoder, LOG_VARIANCE, x=x, loss=loss, label=label)

    def decode(self, z: FloatArray, loss: Floats, label: IntArray) -> FloatArray:
        """``z (n, latent), loss (n,), label (n,) -> x (n, *sample)``, in chunks."""
        return self._chunked(self.decoder, "x", z=z, loss=loss, label=label)

    def convert(self, x: FloatArray, label: IntArray) -> FloatArray:
        """Target samples in the source's style, ``x (n, *sample), label (n,) -> x (n, *sample)``, in chunks (¶82).

        Converters that do without the label leave it unread.
        """
        wanted = {tensor.name for tensor in self.converter.inputs}
        given: dict[str, AnyArray] = {"x": x, "label": label}
        return self._chunked(self.converter, CONVERTED, **{name: given[name] for name in given if name in wanted})

    def predict(self, x: FloatArray) -> Floats:
        """``x (n, *sample) -> (n, classes)`` probabilities, in chunks."""
        (entry,), (result,) = self.classifier.inputs, self.classifier.outputs
        outputs = self._chunked(self.classifier, result.name, **{entry.name: x})
        assert self.manifest.classifier_output is not None
        return probabilities_of(outputs, self.manifest.classifier_output, f"the classifier of {self.folder}")

    def score(self, x: FloatArray, label: IntArray) -> Scores:
        """Measure loss, prediction and confidence of samples ``(n, *sample)`` as the classes ``(n,)``."""
        starts = range(0, max(len(x), 1), CHUNK)
        return join([score_batch(self.predict(x[i : i + CHUNK]), label[i : i + CHUNK], self.loss) for i in starts])

    def grid(
        self,
        source: npt.ArrayLike,
        target: npt.ArrayLike,
        label: int | str | Sequence[int | str] | IntArray | None = None,
        loss: npt.ArrayLike | None = None,
        features: int = 5,
        losses: int = 5,
    ) -> GridArrays:
        """The grids of new pairs in one call of grid.onnx, as a server with this bundle gives them.

        Features are interpolated on the straight line and the losses are asked for as they are; `grid_for_pair`
        makes one grid as the run made its own, calibrated where the run's were.

        Args:
            source, target: one sample each ``(*sample)``, or one for each pair ``(pairs, *sample)``.
            label: the class of both, as its index or its name, one for all or one for each pair; None: what the
                classifier says of the source sample.
            loss: ``(2,)`` or ``(pairs, 2)``, the losses of source and target; None: measured by the classifier.
            features, losses: columns and rows, 2 to 64 each.

        Raises:
            InputError: samples of another shape, values that are not finite, an unknown class, or too many steps.
            BundleError: the bundle holds no grid.onnx.
        """
        fused, shape = self.fused, self.manifest.sample_shape
        both = [np.asarray(x, dtype=np.float32) for x in (source, target)]
        single = both[0].ndim == len(shape)
        if single:
            both = [x[None] for x in both]
        for role, x in zip(("source", "target"), both, strict=True):
            _check_samples(role, x, shape)
        if len(both[0]) != len(both[1]) or not len(both[0]):
            raise InputError(f"there are {len(both[0])} source and {len(both[1])} target samples; give pairs")
        if not (2 <= features <= LARGEST_SIDE and 2 <= losses <= LARGEST_SIDE):
            raise InputError(f"a grid has 2 to {LARGEST_SIDE} columns and rows, not {features} and {losses}")
        at_once = most_cells(shape) // (features * losses)
        if not at_once:
            raise InputError(f"a grid of samples of shape {shape} has at most {most_cells(shape)} cells: take fewer")
        pairs = len(both[0])
        given = np.full((pairs, 2), -1.0) if loss is None else np.broadcast_to(np.asarray(loss), (pairs, 2))
        feeds: dict[str, AnyArray] = {
            "source": both[0],
            "target": both[1],
            "label": self._labels(label, both[0]),
            "loss": given,
        }
        steps = {"n_features": np.array([features]), "n_losses": np.array([losses])}
        parts = [
            fused.run(**{name: values[i : i + at_once] for name, values in feeds.items()}, **steps)
            for i in range(0, pairs, at_once)
        ]
        made: dict[str, FloatArray] = {}
        for name in GridArrays._fields:
            joined = np.concatenate([part[name] for part in parts])
            made[name] = joined[0] if single else joined
        return GridArrays(**made)

    def intervention(
        self, source: npt.ArrayLike, label: int | str | None = None, right: int = 5, down: int = 5
    ) -> InterventionArrays:
        """The fitted changes made, forward, on one sample, in one call of intervention.onnx, as a server gives them.

        Args:
            source: one sample ``(*sample)``.
            label: its class, as its index or its name; None: what the classifier says.
            right, down: columns and rows, 2 to 64 each; where no change goes that way, there is one.

        Raises:
            InputError: a sample of another shape, values that are not finite, an unknown class, or too many steps.
            BundleError: the bundle holds no intervention.onnx.
        """
        session, shape = self.interventions, self.manifest.sample_shape
        x = np.asarray(source, dtype=np.float32)[None]
        _check_samples("source", x, shape)
        if not (2 <= right <= LARGEST_SIDE and 2 <= down <= LARGEST_SIDE):
            raise InputError(f"a grid has 2 to {LARGEST_SIDE} columns and rows, not {right} and {down}")
        sides = self.manifest.intervention
        right, down = (count if sides.get(side) else 1 for side, count in (("right", right), ("down", down)))
        if right * down > most_cells(shape):
            raise InputError(f"a grid of samples of shape {shape} has at most {most_cells(shape)} cells: take fewer")
        label_index = self._labels(label, x)
        made = session.run(source=x, label=label_index, n_right=np.array([right]), n_down=np.array([down]))
        return InterventionArrays(**{name: made[name] for name in InterventionArrays._fields})

    def _labels(self, label: int | str | Sequence[int | str] | IntArray | None, source: FloatArray) -> IntArray:
        """Class index of each pair ``(pairs,)``."""
        if label is None:
            predicted: IntArray = self.predict(source).argmax(axis=1).astype(np.int64)
            return predicted
        each: Sequence[Any] = [label] * len(source) if isinstance(label, int | str | np.integer) else list(label)
        if len(each) != len(source):
            raise InputError(f"there are {len(each)} labels for {len(source)} pairs; give one, or one for each")
        indices = np.array([self.class_index(y) if isinstance(y, str) else int(y) for y in each], dtype=np.int64)
        classes = len(self.manifest.classes)
        if not ((indices >= 0) & (indices < classes)).all():
            raise InputError(f"labels are 0 to {classes - 1}, or class names; not {indices.min()} to {indices.max()}")
        return indices

    @cached_property
    def loss_component(self) -> tuple[Loss, ComponentSettings]:
        """What the plugin of the loss offers, and the settings that the models were made with.

        Raises:
            BundleError: the plugin that offers it is not installed here.
        """
        from pydantic import ValidationError

        from shiftlens.core.host.host import Host
        from shiftlens.core.host.kinds import Loss

        facts = self.manifest.loss
        try:
            component = Host().find(Loss, facts.name)
            return component, component.settings.model_validate(facts.settings)
        except (PluginError, ValidationError) as error:
            raise BundleError(f"the bundle {self.folder} needs the loss {facts.name}: {error}") from None

    @cached_property
    def loss(self) -> LossWorker:
        """The loss that the models were made for, from its plugin; grid.onnx needs none.

        Raises:
            BundleError: the plugin that offers it is not installed here.
        """
        component, settings = self.loss_component
        worker: LossWorker = component.build(settings)
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

    def _chunked(self, session: Session, output: str, **inputs: AnyArray) -> FloatArray:
        count = len(next(iter(inputs.values())))
        starts = range(0, max(count, 1), CHUNK)
        parts = [session.run(**{name: v[i : i + CHUNK] for name, v in inputs.items()})[output] for i in starts]
        return np.concatenate(parts)

    def _open(
        self,
        model: str,
        takes: Mapping[str, tuple[int, ...]] | None,
        gives: Mapping[str, tuple[int, ...]] | None = None,
    ) -> Session:
        """Open a model once, and check that it takes and gives what the manifest says."""
        with self._opening:
            if model not in self._sessions:
                self._sessions[model] = self._opened(self.folder / f"{model}.onnx", takes, gives or {})
            return self._sessions[model]

    def _opened(
        self, file: Path, takes: Mapping[str, tuple[int, ...]] | None, gives: Mapping[str, tuple[int, ...]]
    ) -> Session:
        try:
            session = Session(file, self._device, self._threads)
        except InputError as error:
            raise BundleError(f"the bundle {self.folder}: {error}") from None
        given = {tensor.name: tensor for tensor in session.outputs}
        if takes is not None and not _takes(session.inputs, takes):
            raise self._foreign(session, ", ".join(f"{name} {shape}" for name, shape in takes.items()))
        if not all(name in given and _may_be(given[name], shape) for name, shape in gives.items()):
            raise self._foreign(session, "to give " + ", ".join(f"{name} {shape}" for name, shape in gives.items()))
        return session

    def _foreign(self, session: Session, wanted: str) -> BundleError:
        takes, gives = (", ".join(map(str, side)) for side in (session.inputs, session.outputs))
        return BundleError(
            f"{session.origin} takes {takes} and gives {gives}, which does not fit {MANIFEST} ({wanted}); "
            "export it again"
        )

    def _why_no_classifier(self) -> str:
        return f" ({self.manifest.why_no_classifier})" if self.manifest.why_no_classifier else ""


def _takes(inputs: tuple[Tensor, ...], wanted: Mapping[str, tuple[int, ...]]) -> bool:
    return {tensor.name: tensor.shape[1:] for tensor in inputs} == dict(wanted)


def _may_be(tensor: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether a tensor's shape behind the batch is this one, as far as its file tells."""
    own = tensor.shape[1:]
    return len(own) == len(shape) and all(
        not isinstance(one, int) or one == other for one, other in zip(own, shape, strict=True)
    )


def _check_samples(role: str, x: FloatArray, shape: tuple[int, ...]) -> None:
    """Samples ``(n, *sample)`` that fit the bundle."""
    if x.shape[1:] != shape:
        raise InputError(f"{role}: the sample has shape {x.shape[1:]}; the bundle is made for {shape}")
    if not np.isfinite(x).all():
        raise InputError(f"{role}: the sample has values that are not finite (NaN or infinite)")


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
    for role, x in (("source", source), ("target", target)):
        _check_samples(role, x[None], bundle.manifest.sample_shape)
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
    networks = GridNetworks(
        bundle.encode,
        bundle.decode,
        bundle.score,
        (lambda z, requested, y: calibrate(z, requested, y, bundle.decode, bundle.score)) if made.calibrate else None,
    )
    return grid_of_pair(samples, loss, index, networks, GridShape(features, losses, made.interpolation == "spherical"))
