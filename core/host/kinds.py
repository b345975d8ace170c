"""What a plugin can offer: one frozen description per kind, and the protocol of what it builds.

A hook yields descriptions; the host builds. A description is a value: it can be listed, documented, compared and
tested without running the plugin. ``build(settings)`` receives an instance of the description's ``settings`` class
and returns the *worker*, an object or function that follows the protocol named beside each kind.

Keep the module that yields descriptions light: import torch and other heavy libraries inside the worker, so that
``shiftlens plugins`` and ``shiftlens report`` stay fast and run where torch is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.job import Job

if TYPE_CHECKING:
    from shiftlens.core.causes.changes import Plan
    from shiftlens.core.data.scoring import Scores
    from shiftlens.core.results.report import Report

API_VERSION = 1
"""The number of the plugin API. A plugin says which one it was written for with ``shiftlens_api = 1`` in its module."""

OLDEST_API = 1
"""The oldest number that still works; plugins that say nothing were written for 1."""


NUMBERS: tuple[object, ...] = (int, float, int | None, float | None)


class ComponentSettings(BaseModel):
    """Base of every settings class: unknown keys are mistakes, values cannot change once read.

    Each field needs ``Field(description=...)``: it is the help that ``shiftlens plugins show`` prints.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        """Python counts true as 1; a person who writes it for a number means something else."""
        assert info.field_name is not None
        if isinstance(value, bool) and cls.model_fields[info.field_name].annotation in NUMBERS:
            raise ValueError("must be a number")
        return value


@dataclass(frozen=True, kw_only=True)
class Component:
    """What a plugin offers under one name.

    Attributes:
        name: the word used in settings files: lower case, digits, hyphens.
        summary: one line for listings.
        build: ``build(settings) -> worker``.
        settings: the typed settings; its fields are the YAML keys.
        reference: the paper's address or the patent paragraph behind the method, if there is one.
        kind: which sort of component it is, such as ``"factor"``. The sort of *sample*, such as ``"image"``, is
            `Domain.kind`; what a component fits stands in its ``kinds``.
    """

    kind: ClassVar[str] = "component"

    name: str
    summary: str
    build: Callable[[Any], Any]
    settings: type[ComponentSettings] = ComponentSettings
    reference: str = ""


def claims_nothing(raw: Mapping[str, Any], base: Path) -> bool:
    """The default ``claims``: this component is used only when it is named."""
    return False


@dataclass(frozen=True)
class Proposal:
    """Settings that a reader proposes for two domains, for `shiftlens init` to write.

    Attributes:
        source, target: settings by their keys, besides the path; a ``path`` here takes its place.
        notes: why they are so, in full sentences, for comments.
        questions: what only a person can answer; the settings hold the likeliest answer until then.
    """

    source: Mapping[str, Any] = field(default_factory=dict)
    target: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def proposes_nothing(source: Path, target: Path) -> Proposal:
    """The default ``proposes``: a path is all that is needed."""
    return Proposal()


@dataclass(frozen=True, kw_only=True)
class Reader(Component):
    """Reads a domain. The worker follows `ReaderWorker`.

    ``proposes(source, target)`` looks at the files or folders of both domains and tells `shiftlens init` which settings
    they need; it may raise an `InputError`.

    ``claims(raw, base)`` answers whether this reader fits settings that name none; ``base`` is the folder that
    relative paths start from. It must not raise and should look no further than names and suffixes.
    """

    kind: ClassVar[str] = "reader"
    claims: Callable[[Mapping[str, Any], Path], bool] = claims_nothing
    proposes: Callable[[Path, Path], Proposal] = proposes_nothing


class ReaderWorker(Protocol):
    """``read(scratch) -> Domain``; ``scratch`` is an existing folder for memory-mapped copies it may need.

    ``files()`` lists the input files, so that a run knows when they have changed.
    """

    def files(self) -> list[Path]: ...

    def __call__(self, scratch: Path) -> Domain: ...


@dataclass(frozen=True, kw_only=True)
class Classifier(Component):
    """Brings or trains the classifier under analysis. The worker follows `ClassifierWorker`."""

    kind: ClassVar[str] = "classifier"
    claims: Callable[[Mapping[str, Any], Path], bool] = claims_nothing


@dataclass(frozen=True)
class ProvidedClassifier:
    """A classifier ready to be run: an ONNX file, or (where none can be made) a function.

    Attributes:
        onnx: path of a file with one input ``(N, *sample)`` float32 and one output ``(N, classes)``.
        function: ``(N, *sample) float32 -> (N, classes)``, for classifiers that cannot be exported.
        why_no_onnx: why there is no file, where there is none.
        output: ``"logits"``, ``"probabilities"``, or ``"auto"`` to let the host tell them apart.
        classes: the class names in the order of the output's columns; None: the source's labels, sorted.
        accuracy: accuracy on held-out source samples, where it was trained here.
        history: one row per epoch, e.g. ``{"epoch": 1, "loss": 0.7, "held_out": 0.9}``.
        held_out: indices of the source samples that training never saw, empty where unknown.
        notes: what was decided about it that could be otherwise, in full sentences; the report warns of them.
        reads: files that it was found to read, besides those of ``files()``, which are asked for before it is loaded.
            When one changes, the classifier is asked for anew.
    """

    onnx: Path | None = None
    function: Callable[[FloatArray], FloatArray] | None = None
    why_no_onnx: str = ""
    output: str = "auto"
    classes: tuple[str, ...] | None = None
    accuracy: float | None = None
    history: tuple[dict[str, float], ...] = ()
    held_out: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    notes: tuple[str, ...] = ()
    reads: tuple[Path, ...] = ()


@dataclass(frozen=True)
class UnderstoodClassifier:
    """What was understood of a classifier's file without any data: what ``shiftlens inspect`` shows.

    Attributes:
        inputs, outputs: as the file has them, name, shape and type.
        sample_shape: of one sample in our form, channels first; None for a dimension that may vary.
        layout: how the file takes it, such as ``"channels-last"``.
        output: the output that is used.
        reading: ``"logits"`` or ``"probabilities"``, where that can be told without data; else ``"unknown"``.
        classes: names in the order of the outputs, where the file or one beside it says them.
        count: how many classes it gives a value for; None where that is not known.
        batch: ``"any"``, or what is done about a fixed one.
        notes: what a person should know, in full sentences.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    sample_shape: tuple[int | None, ...]
    layout: str
    output: str
    reading: str
    classes: tuple[str, ...] | None
    count: int | None
    batch: str
    notes: tuple[str, ...] = ()


class ClassifierWorker(Protocol):
    """``provide(source, job) -> ProvidedClassifier``; files go to ``job.folder``.

    ``files()`` lists the files it reads, so that a run knows when they have changed. A worker whose file can be looked
    at without data has ``understood() -> UnderstoodClassifier`` besides: `shiftlens inspect` and `shiftlens init` ask.
    """

    def files(self) -> list[Path]: ...

    def __call__(self, source: Domain, job: Job) -> ProvidedClassifier: ...


@dataclass(frozen=True, kw_only=True)
class Loss(Component):
    """The classifier's loss on one sample. The worker follows `LossWorker`.

    Attributes:
        needs_labels: whether it compares with labels; one that does not is given None where there are none.
        unit: of its values.
        onnx: ``onnx(settings)`` gives the same loss as an ``onnx.ModelProto``: in probabilities ``(N, K)`` float32 and
            labels ``(N,)`` int64, whether it needs them or not; out losses ``(N,)`` float32. It becomes part of
            grid.onnx. None: bundles of this loss have no grid.onnx.
    """

    kind: ClassVar[str] = "loss"
    needs_labels: bool = True
    unit: str = "nats"
    onnx: Callable[[Any], Any] | None = None


class LossWorker(Protocol):
    """``loss(probabilities (N, K), labels (N,) int or None) -> (N,) float64``, finite, small where right."""

    def __call__(self, probabilities: Floats, labels: IntArray | None) -> Floats: ...


SOURCE, TARGET, TRIAL = 0, 1, 2


@dataclass(frozen=True)
class TrainingData:
    """What a generator is trained on: rows of the source, the target and (where there is one) the trial.

    Attributes:
        batch: ``batch(indices) -> (n, *sample_shape) float32``.
        loss: ``(N,)`` float64, the classifier's loss on each row.
        label: ``(N,)`` int64, the class of each row, in ``range(classes)``.
        role: ``(N,)`` int8, one of SOURCE, TARGET, TRIAL.
        loss_before: ``(N,)`` float64; for trial rows the loss before the change, else equal to ``loss``.
        sample_shape, kind, classes: as in `Domain`; ``classes`` is their number.
        predict: the classifier under analysis, ``(n, *sample) float32 -> (n, classes)`` probabilities; None where a
            generator is trained without one.
    """

    batch: Callable[[IntArray], FloatArray]
    loss: Floats
    label: IntArray
    role: npt.NDArray[np.int8]
    loss_before: Floats
    sample_shape: tuple[int, ...]
    kind: str
    classes: int
    predict: Callable[[FloatArray], Floats] | None = None

    def __len__(self) -> int:
        return len(self.loss)


@dataclass(frozen=True, kw_only=True)
class Generator(Component):
    """Encoder and decoder, the decoder conditioned on the loss. The worker follows `GeneratorWorker`.

    ``kinds`` lists the kinds of sample it can learn.
    """

    kind: ClassVar[str] = "generator"
    kinds: tuple[str, ...] = ("image", "series", "tabular")


@dataclass(frozen=True)
class TrainedGenerator:
    """Torch modules in eval mode on the CPU, ready for export; the loss is in nats at both ends.

    Attributes:
        encoder: ``encoder(x (N, *sample), loss (N,), label (N,) int64) -> z (N, latent)``.
        decoder: ``decoder(z (N, latent), loss (N,), label (N,) int64) -> x (N, *sample)``.
        latent: number of latent dimensions.
        history: one row per logged step, e.g. ``{"step": 200, "loss": 0.4, "held_out": 0.5}``.
        facts: small JSON values worth telling in the report, e.g. ``{"reconstruction_mse": 0.004}``.
        posterior: of generators whose encoder gives a distribution, ``posterior(x, loss, label) -> (z, log_variance)``,
            each ``(N, latent)``, z as the encoder gives it. It is exported in the encoder's place; samples are drawn by
            whoever runs it, never inside.
    """

    encoder: Any
    decoder: Any
    latent: int
    history: tuple[dict[str, float], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    posterior: Any = None


class GeneratorWorker(Protocol):
    """``train(data, job) -> TrainedGenerator``.

    Checkpoints go to ``job.folder``: a second call with the same arguments continues where the first was cut off,
    and returns at once when it had finished.
    """

    def __call__(self, data: TrainingData, job: Job) -> TrainedGenerator: ...


@dataclass(frozen=True, kw_only=True)
class Converter(Component):
    """Maps a target sample to the source domain (¶80). The worker follows `ConverterWorker`.

    ``kinds`` lists the kinds of sample it can learn; ``uses_generator`` says that it is built on the trained generator,
    and is trained again when that changes.
    """

    kind: ClassVar[str] = "converter"
    kinds: tuple[str, ...] = ("image", "series", "tabular")
    uses_generator: bool = False


@dataclass(frozen=True)
class ConversionData:
    """What a style converter is trained on and with.

    Attributes:
        rows: source and target samples; there are no trial rows.
        labelled: False where ``rows.label`` of the target is what the classifier says, for want of labels.
        predict: the frozen classifier, ``(n, *sample) -> (n, classes)`` probabilities; no gradient passes it.
        generator: the trained one, for converters that say ``uses_generator``; None for the others.
    """

    rows: TrainingData
    labelled: bool
    predict: Callable[[FloatArray], Floats]
    generator: TrainedGenerator | None = None


@dataclass(frozen=True)
class TrainedConverter:
    """A torch module in eval mode on the CPU, ready for export.

    Attributes:
        module: ``module(x (N, *sample)) -> x (N, *sample)``, from the target to the source domain; with
            ``needs_label``, ``module(x, label (N,) int64)``.
        needs_label: whether the class must be known.
        held_out: places in the target domain of the samples that were never trained on.
        history: one row per logged step, e.g. ``{"step": 200, "loss": 0.4, "held_out": 0.5}``.
        facts: small JSON values worth telling in the report.
    """

    module: Any
    needs_label: bool = False
    held_out: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    history: tuple[dict[str, float], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


class ConverterWorker(Protocol):
    """``train(data, job) -> TrainedConverter``.

    Checkpoints go to ``job.folder``: a second call with the same arguments continues where the first was cut off,
    and returns at once when it had finished.
    """

    def __call__(self, data: ConversionData, job: Job) -> TrainedConverter: ...


@dataclass(frozen=True, kw_only=True)
class Selector(Component):
    """Picks the pairs to be shown. The worker follows `SelectorWorker`."""

    kind: ClassVar[str] = "selector"


@dataclass(frozen=True)
class Pair:
    """Index of a source sample with a small loss and of a target sample with a large one."""

    source: int
    target: int


@dataclass(frozen=True)
class Candidates:
    """What a selector may look at.

    ``encode(role, indices) -> (n, latent)`` gives latents through the exported encoder, computed when asked.
    """

    source: Scores
    target: Scores
    encode: Callable[[int, IntArray], FloatArray]


class SelectorWorker(Protocol):
    """``select(candidates, rng) -> list[Pair]``, best first, without repeats."""

    def __call__(self, candidates: Candidates, rng: np.random.Generator) -> list[Pair]: ...


@dataclass(frozen=True)
class OnnxOperation:
    """What a factor does, as ONNX models (``onnx.ModelProto``), for samples that are changed where there is no Python.

    Inputs and outputs count in this order, whatever they are called. Every sample is looked at alone.

    Attributes:
        shift: in, samples ``(N, *sample)`` float32 and strengths ``(N,)`` float32 or float64; out, the changed samples.
            It does to each sample what the worker's ``shift`` does to it in a batch of one.
        measure: in, samples; out, ``(N,)`` float32 or float64, NaN where a sample has no such property. None: changes
            whose strength depends on the measure cannot be exported.
        tolerance: largest difference from the worker, in parts of the samples' range, where it cannot be 1e-4.
    """

    shift: Any
    measure: Any = None
    tolerance: float = 1e-4


@dataclass(frozen=True)
class Variant:
    """One of the ways in which a discrete factor can have changed.

    Attributes:
        name: in results and plans, e.g. ``"turned-left"``.
        noun: how a sentence calls samples that have it, capitalised and in the plural: ``"Images turned to the left"``.
        advice: what to do about it where the data are read, as a command: ``"turn the images to the right"``.
        undoable: whether the worker's ``undo`` takes it back.
    """

    name: str
    noun: str
    advice: str
    undoable: bool = True


@dataclass(frozen=True, kw_only=True)
class Factor(Component):
    """A nameable property of a sample. The worker follows `FactorWorker`.

    Attributes:
        kinds: kinds of sample it makes sense for.
        unit: of the measure, e.g. ``"px"``, ``"degrees"``, ``"share"``.
        noun: how a sentence calls it, e.g. ``"thicker strokes"`` / ``"thinner strokes"`` as (more, less).
        confused_with: names of factors whose change also moves this measure.
        period: of a measure that goes in circles: what a whole turn is, in its unit (360 for a hue in degrees). Means
            and differences are then taken the short way round. None for all other measures.
        span: a change that people notice, in the measure's unit, in the direction in which it can be made (-0.2 for a
            property that can only be lowered): the step by which factors are compared with each other. None: the
            spread that the measure has over the samples.
        interventional: whether `shift` exists; without it the evidence is observational only.
        per_column: the factor stands for each value of a vector: its settings have a field ``column`` (an index),
            ``auto`` makes one factor per column, called by the column's name.
        size: at which size large images are looked at while it is searched what shifted. ``"any"``: in small copies
            (a unit of px counts pixels of the original); ``"whole"``: in copies, too, and a part cut out of an image
            shows nothing of it; ``"full"``: it lives in single pixels, and is looked at in parts at full size.
        onnx: ``onnx(settings, sample_shape, rng)`` gives the same operation as an `OnnxOperation`. What ``shift`` draws
            for one sample is drawn from ``rng`` and stands in the graph as a constant: every sample meets the same.
            Of a discrete factor, ``onnx(settings, sample_shape, variant)``: a shift by a half or more makes the variant
            of that name, one by minus a half or less takes it back, and one between does nothing. None: what is made
            of this factor cannot leave Python.
        why_no_onnx: why it has no ONNX form, in a few words, told where one is asked for.
        variants: of a discrete factor, such as the order of the channels: the ways in which it can have changed, the
            likeliest first (of two that explain the data equally well, the first is named). Such a change is made
            whole or not at all, and the worker follows `DiscreteWorker` instead. Empty for all other factors.
    """

    kind: ClassVar[str] = "factor"
    kinds: tuple[str, ...] = ("image",)
    unit: str = ""
    noun: tuple[str, str] = ("", "")
    confused_with: tuple[str, ...] = ()
    period: float | None = None
    span: float | None = None
    interventional: bool = True
    per_column: bool = False
    size: Literal["any", "whole", "full"] = "any"
    onnx: Callable[[Any, tuple[int, ...], Any], OnnxOperation] | None = None
    why_no_onnx: str = ""
    variants: tuple[Variant, ...] = ()


class FactorWorker(Protocol):
    """Measures a property and, where it can, changes it and leaves all else alone.

    - ``measure(x (N, *sample)) -> (N,) float64`` in the factor's unit; NaN where a sample has no such property.
    - ``shift(x, delta (N,), rng) -> x`` moves each sample by that many units; the result has the shape of ``x`` and
      lies in the samples' range.
    - ``refuses(x) -> str``: why this factor makes no sense for such samples; an empty string where it does.

    It is asked for some samples at a time, from several threads at once.

    A factor of the size ``"whole"`` may offer ``shift_cut(x, cut, box, delta, rng) -> (x, cut)``: beside the images a
    part of each, cut out at the place ``box`` (top, left, bottom, right, as shares of the sides) and with more pixels,
    is changed as the same part of the whole is. Without it such parts stay as they are.
    """

    def measure(self, x: FloatArray) -> Floats: ...

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray: ...

    def refuses(self, x: FloatArray) -> str: ...


class DiscreteWorker(Protocol):
    """Makes a change that has no strength, and takes it back. Its factor lists the variants, see `Variant`.

    - ``signs(x (N, *sample)) -> (N, k) float64``: figures of each sample whose distribution shows that the change
      happened. What shifted is found by them and by plain statistics of light, colour and frequencies (of a series: of
      values and frequencies), so k may be 0 where these show it.
    - ``make(x, variant) -> x`` makes the change of that name on every sample: same shape, samples' range.
    - ``undo(x, variant) -> x`` takes it back, as far as nothing was lost; asked only where the variant is ``undoable``.
    - ``refuses(x) -> str``: why this factor makes no sense for such samples; an empty string where it does.

    Nothing in it is random. It is asked for some samples at a time, from several threads at once.
    """

    def signs(self, x: FloatArray) -> Floats: ...

    def make(self, x: FloatArray, variant: str) -> FloatArray: ...

    def undo(self, x: FloatArray, variant: str) -> FloatArray: ...

    def refuses(self, x: FloatArray) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Remedy(Component):
    """A way to bring the lost accuracy back (¶73). The worker follows `RemedyWorker`.

    Attributes:
        learns: it learns from changed source samples, so it is measured with other changes, too: with none, with
            random ones and with the harmless ones alone, at the same budget, over several seeds.
        makes: what its classifier is called, as in ``classifier-refitted.onnx`` and ``--classifier refitted``; its name
            where left out.
    """

    kind: ClassVar[str] = "remedy"
    learns: bool = False
    makes: str = ""


@dataclass(frozen=True)
class SampleSet:
    """Some samples of one domain, decoded when asked.

    Attributes:
        batch: ``batch(indices) -> (n, *sample) float32``.
        label: ``(N,)`` int64, the class of each; None where they are not known.
    """

    batch: Callable[[IntArray], FloatArray]
    label: IntArray | None
    count: int

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True)
class RemedyData:
    """What a remedy may use. The samples on which it is measured are not among it.

    Attributes:
        source: source samples, labelled.
        target: target samples; labels may be missing.
        plan: the harmful changes with their fitted strengths, in their order; never empty.
        predict: the classifier, ``(n, *sample) float32 -> (n, classes)`` probabilities.
        onnx: the classifier as an ONNX file, one input ``(N, *sample)`` float32; None where there is none.
        train: ``train(x, label, job) -> ONNX file``: the classifier's own training on other samples; None where it was
            brought along.
        kind, sample_shape, classes: as in `Domain`; the names of the classes in the order of the outputs.
        open: ``open(ONNX file) -> predict`` for a file of the same outputs as the classifier's.
        accuracy: of the classifier as it is, on source samples.
        command, timeout: the user's own training and the seconds it may take; "" where there is none.
    """

    source: SampleSet
    target: SampleSet
    plan: Plan
    predict: Callable[[FloatArray], npt.NDArray[np.float64]]
    onnx: Path | None
    train: Callable[[FloatArray, IntArray, Job], Path] | None
    kind: str
    sample_shape: tuple[int, ...]
    classes: tuple[str, ...]
    open: Callable[[Path], Callable[[FloatArray], npt.NDArray[np.float64]]]
    accuracy: float
    command: str = ""
    timeout: float = 3600.0


class Augmentation(Protocol):
    """``augment(x (n, *sample), seed) -> x``: changed samples of the same classes."""

    def __call__(self, x: FloatArray, seed: int) -> FloatArray: ...


@dataclass(frozen=True)
class Remedied:
    """A classifier that was mended.

    Attributes:
        predict: ``(n, *sample) float32 -> (n, classes)`` probabilities.
        onnx: the same as an ONNX file, where it is one.
        why_no_onnx: why it is none, where it could be.
        accepts: for selective use, ``accepts(x) -> (n,) bool``: the samples that it should be used on; None: all.
        facts: small JSON values worth telling, such as ``{"range": [3.0, 4.2]}``.
    """

    predict: Callable[[FloatArray], npt.NDArray[np.float64]]
    onnx: Path | None = None
    why_no_onnx: str = ""
    accepts: Callable[[FloatArray], npt.NDArray[np.bool_]] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class RemedyWorker(Protocol):
    """``mend(data, augment, job) -> Remedied``; files go to ``job.folder``.

    ``augment`` makes the samples to learn from; remedies that learn nothing leave it alone. A ``ShiftlensError`` says
    why a remedy does not fit; the others go on.
    """

    def __call__(self, data: RemedyData, augment: Augmentation, job: Job) -> Remedied: ...


@dataclass(frozen=True, kw_only=True)
class Renderer(Component):
    """Turns results into files. The worker follows `RendererWorker`."""

    kind: ClassVar[str] = "renderer"


class RendererWorker(Protocol):
    """``render(report) -> {file name: content}``; the host writes the files into the run directory."""

    def __call__(self, report: Report) -> dict[str, bytes]: ...


@dataclass(frozen=True, kw_only=True)
class Target(Component):
    """Where a bundle is deployed to. The worker follows `TargetWorker`."""

    kind: ClassVar[str] = "target"


class TargetWorker(Protocol):
    """``write(bundle, out)`` lays the bundle of one run out for a server; ``out`` is an existing empty folder."""

    def __call__(self, bundle: Path, out: Path) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Observer(Component):
    """Follows a run that names it under ``observers``. The worker follows `ObserverWorker`."""

    kind: ClassVar[str] = "observer"


class ObserverWorker(Protocol):
    """An object with any of the hooks that tell what happens, each marked with ``hookimpl``.

    They are ``shiftlens_run_started``, ``shiftlens_stage_started``, ``shiftlens_step``, ``shiftlens_stage_finished``
    and ``shiftlens_run_finished``. What they raise is logged and stops nothing. ``close()`` is called at the end, also
    when the run was cut off.
    """

    def close(self) -> None: ...


KINDS: tuple[type[Component], ...] = (
    Reader, Classifier, Generator, Converter, Selector, Factor, Loss, Renderer, Target, Observer, Remedy,
)  # fmt: skip
