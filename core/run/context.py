"""What a stage works with: settings, host, run directory, and the domains and models behind them, opened when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from shiftlens.core.arrays import AnyArray, FloatArray, IntArray, Predict
from shiftlens.core.config.settings import Settings
from shiftlens.core.data.domain import Domain, aligned
from shiftlens.core.data.scoring import Scores, join, probabilities_of, score_batch
from shiftlens.core.errors import InputError, ShiftlensError
from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import (
    SOURCE,
    TARGET,
    TRIAL,
    ClassifierWorker,
    ConversionData,
    Converter,
    Loss,
    LossWorker,
    ProvidedClassifier,
    ReaderWorker,
    TrainedConverter,
    TrainedGenerator,
    TrainingData,
)
from shiftlens.core.job import Job
from shiftlens.core.run.declared import Declared, DeclaredRun, DeclaredSettings
from shiftlens.core.run.directory import Run, StageRecord

if TYPE_CHECKING:
    from shiftlens.export.bundle import Bundle

DOMAINS = ("source", "target")
LARGEST_BATCH = 16 * 2**20  # bytes of samples in one call of a network
SECOND_OPINION = "second-opinion.onnx"  # in the run directory, not in the bundle: no server needs it

LEAST_TARGET = 400
"""Target samples from which on a part is kept for measuring remedies; fewer are all needed for the verdicts."""

SCORE_FIELDS = np.dtype([("loss", "f8"), ("label", "i8"), ("prediction", "i8"), ("confidence", "f8")])
TRIAL_FIELDS = np.dtype([("loss", "f8"), ("loss_before", "f8"), ("label", "i8")])


@dataclass(frozen=True)
class Outcome:
    """What a stage hands back.

    Attributes:
        outputs: the files it wrote, as paths inside the run directory.
        facts: small JSON values.
        inputs: files that it was found to read only as it worked; when one changes, the stage is done again.
    """

    outputs: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    inputs: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    Attributes:
        name: as in ``--until`` and ``--from``.
        settings: keys of the settings it depends on, such as ``seed``, or ``grid.calibrate`` for one of a group.
        after: stages whose outputs and facts it depends on.
        work: does it. It can read nothing but what is declared here: see `shiftlens.core.run.declared`.
        outside: a JSON value for what it depends on outside the run directory, such as the state of input files.
        also_after: further stages that it depends on with these settings.
    """

    name: str
    settings: tuple[str, ...]
    after: tuple[str, ...]
    work: Callable[[Context], Outcome]
    outside: Callable[[Context], Any] = lambda context: None
    also_after: Callable[[Context], tuple[str, ...]] = lambda context: ()


class Context:
    """One run in one process. Everything costly is opened on first use and kept."""

    def __init__(self, settings: Settings, host: Host, run: Run) -> None:
        self.host = host
        self._settings, self._run = settings, run
        self._declared: Declared | None = None  # what may be read now; None: anything
        self._loss: LossWorker | None = None
        self.stage = ""

    @property
    def settings(self) -> Settings:
        """The settings; inside a stage, those that it declares."""
        view = self._settings if self._declared is None else DeclaredSettings(self._settings, self._declared)
        return cast(Settings, view)

    @property
    def general(self) -> Any:
        """Name, seed, device, batch size, grid."""
        return self.settings.general

    @property
    def run(self) -> Run:
        """The run directory; inside a stage, what of it the stage declares."""
        return self._run if self._declared is None else self._declared_run

    @contextmanager
    def inside(self, stage: Stage, records: Mapping[str, StageRecord]) -> Iterator[tuple[str, ...]]:
        """Hold all reading to what a stage declares while the block runs; gives the stages that it comes after.

        Args:
            records: of the stages done so far in this run.
        """
        self.stage, after = stage.name, stage.after
        for _ in range(2):  # what else it comes after is itself told by settings that it declares
            self._declared = Declared(stage.name, stage.settings, after, records)
            self._declared_run = DeclaredRun(self._run.path, self._declared)
            after = (*stage.after, *stage.also_after(self))
        try:
            yield after
        finally:
            self._declared = None

    def _reads(self, setting: str) -> None:
        if self._declared is not None:
            self._declared.reads_setting(setting)

    @contextmanager
    def _of(self, stage: str) -> Iterator[None]:
        """Read what a stage is made of, on behalf of one that comes after it."""
        declared = self._declared
        if declared is None or declared.stage == stage:
            yield
            return
        declared.reads_stage(stage)
        self._declared = None
        try:
            yield
        finally:
            self._declared = declared

    @property
    def batch_size(self) -> int:
        """Samples in one call of a network: as set, and fewer where they are large, for a network holds many times
        what it is given. On a CPU larger calls are no faster."""
        size = 4 * max(1, prod(self.domain("source").sample_shape))
        return max(1, min(int(self.general.batch_size), LARGEST_BATCH // size))

    def facts(self, stage: str) -> dict[str, Any]:
        """What a finished stage noted."""
        record = self.run.record(stage)
        if record is None:
            raise InputError(f"{self.run.path} has no finished stage {stage}; run it first")
        return record.facts

    def progress(self, done: int, total: int, **values: float) -> None:
        """Tell the observers how far the stage that runs now has come."""
        self.host.notify("step", stage=self.stage, done=done, total=total, values=values)

    def job(self, name: str) -> Job:
        """A job of its own folder, seeded from the settings."""
        return Job(self.run.folder("work", name), self.general.seed, self.general.device, self.progress)

    def domain(self, role: str) -> Domain:
        """The source or the target domain."""
        with self._of("data"):
            return self._domains[role]

    @cached_property
    def _domains(self) -> dict[str, Domain]:
        """Source and target, as their readers give them."""
        opened = {}
        for role in DOMAINS:
            try:
                opened[role] = self.reader(role)(self.run.folder("scratch", role))
            except ShiftlensError as error:
                raise type(error)(f"{role}: {error}") from error
        opened["target"] = aligned(opened["source"], opened["target"])
        return opened

    def reader(self, role: str) -> ReaderWorker:
        """The worker that reads one domain."""
        worker: ReaderWorker = getattr(self.settings, role).build()
        return worker

    @property
    def loss(self) -> LossWorker:
        """The loss of one sample."""
        choice = self.settings.loss
        if self._loss is None:
            self._loss = choice.build()
        return self._loss

    @property
    def loss_needs_labels(self) -> bool:
        """Whether the loss in use compares with labels."""
        component = self.settings.loss.component
        assert isinstance(component, Loss)
        return component.needs_labels

    @property
    def loss_unit(self) -> str:
        """Unit of the loss in use."""
        component = self.settings.loss.component
        assert isinstance(component, Loss)
        return component.unit

    def label_free_losses(self) -> list[str]:
        """Names of the losses that need no labels."""
        offered = (offer.component for offer in self.host.offers(Loss))
        return [loss.name for loss in offered if isinstance(loss, Loss) and not loss.needs_labels]

    @property
    def predict(self) -> Predict:
        """The classifier, from the bundle's ONNX file or (where it could not be exported) as a function."""
        self._reads("device")  # where it runs is part of what it gives
        with self._of("classifier"):
            return self._predict

    @cached_property
    def _predict(self) -> Predict:
        facts = self.facts("classifier")
        output = facts["output"]
        if facts["exported"]:
            outputs_of = self.opened(self.run.bundle / "classifier.onnx")
        else:
            function = self.provide_classifier().function
            assert function is not None
            outputs_of = function
        return lambda x: probabilities_of(outputs_of(x), output)

    @property
    def second_opinion(self) -> Predict | None:
        """The classifier that was trained to look at the grid's cells; None where there is none."""
        with self._of("second-opinion"):
            return self._second_opinion

    @cached_property
    def _second_opinion(self) -> Predict | None:
        path = self.run.path / SECOND_OPINION
        if not path.is_file():
            return None
        outputs_of = self.opened(path)
        return lambda x: probabilities_of(outputs_of(x), "logits")

    def opened(self, path: Path) -> Callable[[FloatArray], AnyArray]:
        """A classifier's ONNX file as a function ``(n, *sample) -> (n, classes)`` of raw outputs."""
        from shiftlens.export.session import Session

        session = Session(path, device=self.general.device)
        (name,) = (tensor.name for tensor in session.inputs)
        (result,) = (tensor.name for tensor in session.outputs)
        return lambda x: session.run(**{name: x})[result]

    @property
    def bundle(self) -> Bundle:
        """The exported encoder and decoder, run by ONNX Runtime."""
        self._reads("device")  # where it runs is part of what it gives
        with self._of("export"):
            return self._bundle

    @cached_property
    def _bundle(self) -> Bundle:
        from shiftlens.export.bundle import Bundle

        return Bundle.open(self.run.bundle, self.general.device)

    def provide_classifier(self) -> ProvidedClassifier:
        """Ask the classifier's plugin."""
        worker: ClassifierWorker = self.settings.classifier.build()
        return worker(self.domain("source"), self.job("classifier"))

    def classifier_files(self) -> list[Path]:
        """The files that the classifier comes from."""
        worker: ClassifierWorker = self.settings.classifier.build()
        return worker.files()

    @property
    def classes(self) -> list[str]:
        """Class names in the order of the classifier's outputs."""
        return list(self.facts("classifier")["classes"])

    def labels(self, role: str) -> IntArray | None:
        """Class index of each sample; None where the domain has no labels."""
        labels = self.domain(role).labels
        if labels is None:
            return None
        index = {name: i for i, name in enumerate(self.classes)}
        return np.array([index[str(name)] for name in labels], dtype=np.int64)

    def score(self, x: FloatArray, label: IntArray) -> Scores:
        """Measure the loss of samples ``(n, *sample)`` as the classes ``(n,)``."""
        return score_batch(self.predict(x), label, self.loss)

    def score_in_batches(self, x: FloatArray, label: IntArray) -> Scores:
        """`score`, a batch at a time, for as many samples as fit into memory once."""
        size = self.batch_size
        return join([self.score(x[i : i + size], label[i : i + size]) for i in range(0, len(x), size)])

    def scores(self, role: str) -> Scores:
        """The scores that the score stage wrote."""
        rows = self.run.arrays[f"scores-{role}"]
        return Scores(*(np.array(rows[name]) for name in ("loss", "label", "prediction", "confidence")))

    def evaluated(self) -> IntArray:
        """Source samples that the classifier was not trained on here; all of them where it was brought along."""
        if "classifier-held-out" in self.run.arrays:
            return np.array(self.run.arrays["classifier-held-out"])
        return np.arange(len(self.domain("source")))

    def kept_for_remedies(self) -> IntArray:
        """Target samples on which remedies are measured and at which nothing else looks; empty where none are kept."""
        settings, count = self.general.remedy, len(self.domain("target"))
        if settings.measure == "off" or self.labels("target") is None or count < LEAST_TARGET:
            return np.zeros(0, dtype=np.int64)
        order = np.random.default_rng([self.general.seed, 47]).permutation(count)
        return np.sort(order[: round(settings.held_out * count)])

    def generator_labels(self, role: str) -> IntArray:
        """``(N,)`` class of each sample as the generator sees it: its label, or the prediction where it has none."""
        labels = self.labels(role)
        return self.scores(role).prediction if labels is None else labels

    @property
    def source_side(self) -> str:
        """The domain that the source side of a pair is from: with a style converter it is made from the target."""
        return "source" if self.settings.converter is None else "target"

    def training_data(self, with_trial: bool = True) -> TrainingData:
        """Source ∪ target ∪ trial, as a generator is trained on (¶48); or the two domains alone."""
        source, target = self.domain("source"), self.domain("target")
        scores = {role: self.scores(role) for role in DOMAINS}
        losses = [scores[role].loss for role in DOMAINS]
        before, labels = list(losses), [self.generator_labels(role) for role in DOMAINS]
        roles = [np.full(len(source), SOURCE, np.int8), np.full(len(target), TARGET, np.int8)]
        trial: AnyArray | None = None
        if with_trial and "trial-x" in self.run.arrays:
            trial, rows = self.run.arrays["trial-x"], self.run.arrays["trial-rows"]
            losses.append(np.array(rows["loss"]))
            before.append(np.array(rows["loss_before"]))
            labels.append(np.array(rows["label"]))
            roles.append(np.full(len(rows), TRIAL, np.int8))
        starts = (0, len(source), len(source) + len(target))

        def changed(indices: IntArray) -> FloatArray:
            assert trial is not None
            return np.asarray(trial[indices], dtype=np.float32)

        def batch(indices: IntArray) -> FloatArray:
            x = np.empty((len(indices), *source.sample_shape), dtype=np.float32)
            which = np.searchsorted(starts, indices, side="right") - 1  # 0 source, 1 target, 2 trial
            for number, rows_of in enumerate((source.batch, target.batch, changed)):
                here = which == number
                if here.any():
                    x[here] = rows_of(indices[here] - starts[number])
            return x

        return TrainingData(
            batch=batch,
            loss=np.concatenate(losses),
            label=np.concatenate(labels),
            role=np.concatenate(roles),
            loss_before=np.concatenate(before),
            sample_shape=source.sample_shape,
            kind=source.kind,
            classes=len(self.classes),
            predict=lambda x: self.predict(x),
        )

    def train_generator(self) -> TrainedGenerator:
        """The trained generator; returns at once where training had finished before."""
        with self._of("generator"):
            trained: TrainedGenerator = self.settings.generator.build()(self.training_data(), self.job("generator"))
            return trained

    def train_converter(self) -> TrainedConverter:
        """The trained style converter of a run that has one; returns at once where training had finished before."""
        with self._of("converter"):
            choice = self.settings.converter
            assert choice is not None
            assert isinstance(choice.component, Converter)
            data = ConversionData(
                rows=self.training_data(with_trial=False),
                labelled=self.labels("target") is not None,
                predict=self.predict,
                generator=self.train_generator() if choice.component.uses_generator else None,
            )
            trained: TrainedConverter = choice.build()(data, self.job("converter"))
            return trained
