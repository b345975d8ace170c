"""Rules for remedies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats, IntArray, Predict
from shiftlens.core.causes.augmentation import augmented
from shiftlens.core.causes.changes import ActiveFactor, Change
from shiftlens.core.data.scoring import probabilities_of
from shiftlens.core.errors import ShiftlensError
from shiftlens.core.host.kinds import Factor, OnnxOperation, Remedied, RemedyData, SampleSet
from shiftlens.core.job import Job
from shiftlens.core.testing.realdata import NearestMean, samples
from shiftlens.core.testing.rules import LeftOut, Subject, expect, rule

TOLERANCE = 1e-4
CLASSES = tuple("0123456789")
EPSILON = 1e-5


class LinearContrast:
    """The kit's own factor: how far the values of a sample are spread, and a spread made smaller or larger."""

    def measure(self, x: FloatArray) -> Floats:
        return np.asarray(x.reshape(len(x), -1).std(1), dtype=np.float64)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        wanted = np.maximum(self.measure(x) + delta, 0.01)
        part = (wanted / np.maximum(self.measure(x), 1e-6)).reshape(-1, 1, 1, 1)
        return np.clip(0.5 + (x - 0.5) * part, 0, 1).astype(np.float32)

    def refuses(self, x: FloatArray) -> str:
        return ""


def contrast_as_onnx(settings: Any, sample_shape: tuple[int, ...], rng: np.random.Generator) -> OnnxOperation:
    """The same in ONNX's text form."""
    import onnx

    shape = ", ".join(map(str, sample_shape))
    head = '<ir_version: 10, opset_import: ["" : 20]>'
    spread = """
        rows = Constant <value_ints = [0, -1]> ()
        flat = Reshape (x, rows)
        last = Constant <value_ints = [1]> ()
        mean = ReduceMean (flat, last)
        away = Sub (flat, mean)
        squares = Mul (away, away)
        variance = ReduceMean <keepdims = 0> (squares, last)
        measured = Sqrt (variance)"""
    changed = """
        least = Constant <value_float = 0.01> ()
        tiny = Constant <value_float = 1e-6> ()
        asked = Add (measured, delta)
        wanted = Max (asked, least)
        own = Max (measured, tiny)
        ratio = Div (wanted, own)
        column = Constant <value_ints = [-1, 1, 1, 1]> ()
        part = Reshape (ratio, column)
        half = Constant <value_float = 0.5> ()
        centred = Sub (x, half)
        grown = Mul (centred, part)
        raised = Add (grown, half)
        zero = Constant <value_float = 0.0> ()
        one = Constant <value_float = 1.0> ()
        changed = Clip (raised, zero, one)"""
    samples = f"float[N, {shape}]"
    return OnnxOperation(
        shift=onnx.parser.parse_model(
            f"{head} shift ({samples} x, float[N] delta) => ({samples} changed) {{{spread}{changed}}}"
        ),
        measure=onnx.parser.parse_model(f"{head} measure ({samples} x) => (float[N] measured) {{{spread}}}"),
    )


LINEAR_CONTRAST = Factor(
    name="contrast", summary="contrast", build=lambda settings: LinearContrast(), onnx=contrast_as_onnx
)


def linear_file(x: FloatArray, label: IntArray, path: Path) -> Path:
    """The `NearestMean` of these samples ``(N, C, ...)`` as an ONNX file, linear behind its batch normalisation.

    As it is written, the normalisation changes nothing: what it subtracts and divides by comes back as it was.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    fitted = NearestMean(x, label)
    weight = (2 * fitted.means / fitted.temperature / fitted.spread).T.astype(np.float32)  # (values, classes)
    bias = (-(fitted.means**2).sum(1) / fitted.temperature - fitted.centre @ weight).astype(np.float32)
    axes = (0, *range(2, x.ndim))
    mean, variance = (part.astype(np.float32) for part in (x.mean(axes), x.var(axes)))
    constants = {"scale": np.sqrt(variance + EPSILON), "mean": mean, "variance": variance, "w": weight, "b": bias}
    graph = helper.make_graph(
        [
            helper.make_node("BatchNormalization", ["x", "scale", "shift", "mean", "variance"], ["n"], epsilon=EPSILON),
            helper.make_node("Flatten", ["n"], ["f"]),
            helper.make_node("Gemm", ["f", "w", "b"], ["logits"]),
        ],
        "nearest-mean",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *x.shape[1:]])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", weight.shape[1]])],
        [
            numpy_helper.from_array(value.astype(np.float32), name)
            for name, value in (*constants.items(), ("shift", mean))
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(path))
    return path


def opened(path: Path) -> Predict:
    """An ONNX file of logits as a classifier."""
    from shiftlens.export.session import Session

    session = Session(path, device="cpu")
    (entry,), (result,) = session.inputs, session.outputs
    return lambda x: probabilities_of(session.run(**{entry.name: x})[result.name], "logits")


@dataclass
class RemedySubject(Subject):
    """A remedy and what it makes of a classifier of digits that fails on faint ones."""

    @cached_property
    def data(self) -> RemedyData:
        """Digits before and after a loss of contrast, and a linear classifier of them."""
        x, label = samples("image")
        change = Change(ActiveFactor("contrast", LINEAR_CONTRAST, LinearContrast()), -0.25, 0.0, 0.04)
        there = x[150:300]
        faint = augmented((change,), there, 1)
        file = linear_file(x[:150], label[:150], self.folder() / "classifier.onnx")
        return RemedyData(
            source=SampleSet(lambda rows: x[:150][rows], label[:150], 150),
            target=SampleSet(lambda rows: faint[rows], label[150:300], 150),
            plan=(change,),
            predict=opened(file),
            onnx=file,
            train=lambda x, label, job: linear_file(x, label, job.folder / "trained.onnx"),
            kind="image",
            sample_shape=x.shape[1:],
            classes=CLASSES,
            open=opened,
            accuracy=float((opened(file)(x[300:]).argmax(1) == label[300:]).mean()),
        )

    @cached_property
    def held_out(self) -> FloatArray:
        """SampleSet that it never saw."""
        return samples("image")[0][300:380]

    def mend(self, job: Job) -> Remedied:
        """One call of a new worker."""
        data = self.data
        try:
            found: Remedied = self.worker()(data, lambda x, seed: augmented(data.plan, x, seed), job)
        except ShiftlensError as reason:
            raise LeftOut(f"it says that it does not fit the kit's classifier: {reason}") from None
        return found

    @cached_property
    def job(self) -> Job:
        """The folder and the seed of the rules."""
        return Job(self.folder())

    @cached_property
    def mended(self) -> Remedied:
        """What the rules look at."""
        return self.mend(self.job)

    def answers(self, x: Any) -> Floats:
        """Its probabilities."""
        return np.asarray(self.mended.predict(x))


@rule("remedy", "gives-a-classifier", first=True)
def gives_a_classifier(subject: RemedySubject) -> None:
    """``mend(data, augment, job)`` gives a `Remedied` whose ``predict(x (n, *sample))`` is ``(n, classes)``
    probabilities."""
    expect(isinstance(subject.mended, Remedied), "a Remedied", f"{subject.mended!r:.100}")
    p = subject.answers(subject.held_out)
    expect(p.shape == (len(subject.held_out), len(CLASSES)), f"shape {(len(subject.held_out), 10)}", p.shape)
    expect(bool(np.isfinite(p).all()) and bool((p >= -1e-6).all()), "finite probabilities", p.min())
    expect(bool(np.abs(p.sum(1) - 1).max() < 1e-3), "rows that sum to 1", p.sum(1)[:3])


@rule("remedy", "each-sample-alone")
def each_sample_alone(subject: RemedySubject) -> None:
    """A sample has the same answer alone and among others: on a server it comes alone."""
    among, alone = subject.answers(subject.held_out[:8]), subject.answers(subject.held_out[3:4])
    far = float(np.abs(among[3] - alone[0]).max())
    expect(far <= TOLERANCE, f"the same answer within {TOLERANCE}", far)


@rule("remedy", "the-file-agrees")
def the_file_agrees(subject: RemedySubject) -> None:
    """Where it gives an ONNX file, that lies in ``job.folder`` and answers as ``predict`` does."""
    if subject.mended.onnx is None:
        raise LeftOut("it gives no file")
    file = Path(subject.mended.onnx)
    expect(subject.job.folder in file.parents, f"a file below {subject.job.folder}", file)
    far = float(np.abs(opened(file)(subject.held_out) - subject.answers(subject.held_out)).max())
    expect(far <= TOLERANCE, f"the same answers within {TOLERANCE}", far)


@rule("remedy", "accepts-with-a-mask")
def accepts_with_a_mask(subject: RemedySubject) -> None:
    """Where it is for selective use, ``accepts(x)`` is ``(n,)`` bool."""
    if subject.mended.accepts is None:
        raise LeftOut("it is for all samples")
    mask = np.asarray(subject.mended.accepts(subject.held_out))
    expect(mask.shape == (len(subject.held_out),), f"shape {(len(subject.held_out),)}", mask.shape)
    expect(mask.dtype == np.bool_, "bool", mask.dtype)


@rule("remedy", "leaves-samples-alone")
def leaves_samples_alone(subject: RemedySubject) -> None:
    """The samples it is asked about are not changed in place."""
    x = subject.held_out.copy()
    subject.answers(x)
    expect(bool(np.array_equal(x, subject.held_out)), "the samples as they were", "they were changed")


@rule("remedy", "the-same-under-a-seed")
def the_same_under_a_seed(subject: RemedySubject) -> None:
    """All randomness follows from ``job.seed``: the same seed gives the same classifier."""
    np.random.random(7)  # noqa: NPY002  # a remedy that draws from the global numbers is what is looked for
    again = np.asarray(subject.mend(Job(subject.folder())).predict(subject.held_out))
    far = float(np.abs(again - subject.answers(subject.held_out)).max())
    expect(far <= TOLERANCE, f"the same answers within {TOLERANCE}", far)
