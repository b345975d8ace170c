"""Rules for classifiers. One that is brought along is looked at with its own samples: ``samples=(x, labels)``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from shiftlens.core.arrays import AnyArray, FloatArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import ShiftlensError
from shiftlens.core.host.kinds import ProvidedClassifier
from shiftlens.core.job import Job, Progress, silent
from shiftlens.core.testing.generator import Interrupted
from shiftlens.core.testing.realdata import domain_of, samples
from shiftlens.core.testing.rules import LeftOut, Subject, expect, rule

CHANCE = 1.3  # times the share of the largest class: what a classifier must reach on its own source
LOOKED_AT = 100  # samples
OUTPUTS = ("auto", "logits", "probabilities")
KIND_OF_AXES = {4: "image", 3: "series", 2: "tabular"}


@dataclass
class ClassifierSubject(Subject):
    """A classifier and what it provides for a source of real samples."""

    @cached_property
    def source(self) -> Domain:
        """The source domain."""
        x, label = self.own if self.own is not None else samples("image")
        x = np.asarray(x, dtype=np.float32)
        return domain_of(x, np.asarray(label), KIND_OF_AXES[x.ndim])

    def provide(self, folder: Path | None = None, progress: Progress = silent) -> ProvidedClassifier:
        """Ask a new worker."""
        provided: ProvidedClassifier = self.worker()(
            self.source, Job(folder or self.folder(), seed=1, device="cpu", progress=progress)
        )
        return provided

    @cached_property
    def home(self) -> Path:
        """The folder of the first call."""
        return self.folder()

    @cached_property
    def provided(self) -> ProvidedClassifier:
        """What the rules look at."""
        return self.provide(self.home)

    @cached_property
    def outputs(self) -> AnyArray:
        """Outputs for the first samples."""
        return run(self.provided, self.source.batch(slice(0, LOOKED_AT)))


def run(provided: ProvidedClassifier, x: FloatArray) -> AnyArray:
    """The classifier's raw outputs ``(N, K)``."""
    from shiftlens.export.session import Session

    if provided.function is not None:
        return np.asarray(provided.function(x))
    assert provided.onnx is not None
    session = Session(provided.onnx, device="cpu")
    (output,) = session.run(**{session.inputs[0].name: x}).values()
    return output


@rule("classifier", "provides", first=True)
def provides(subject: ClassifierSubject) -> None:
    """``provide(source, job)`` gives a `ProvidedClassifier` with an ONNX file that stands in ``job.folder`` (or is one
    of ``files()``), or with a function where none can be made."""
    provided = subject.provided
    expect(isinstance(provided, ProvidedClassifier), "a ProvidedClassifier", type(provided).__name__)
    ways = [name for name in ("onnx", "function") if getattr(provided, name) is not None]
    expect(len(ways) == 1, "either onnx or function", " and ".join(ways) or "neither")
    expect(provided.output in OUTPUTS, f"output: one of {', '.join(OUTPUTS)}", provided.output)
    if provided.onnx is not None:
        known = provided.onnx.is_relative_to(subject.home) or provided.onnx in subject.worker().files()
        expect(known and provided.onnx.is_file(), "an ONNX file in job.folder, or one of files()", provided.onnx)


@rule("classifier", "lists-its-files")
def lists_its_files(subject: ClassifierSubject) -> None:
    """``files()`` lists, as existing Paths, the files it reads: a run knows by them when to begin anew."""
    files = subject.worker().files()
    expect(isinstance(files, list) and all(isinstance(f, Path) for f in files), "a list of Paths", files)
    missing = [str(file) for file in files if not file.is_file()]
    expect(not missing, "files that exist", ", ".join(missing))


@rule("classifier", "one-row-each")
def one_row_each(subject: ClassifierSubject) -> None:
    """``(N, *sample)`` float32 gives ``(N, classes)``, finite, one column for each class name."""
    outputs, classes = subject.outputs, subject.provided.classes
    assert subject.source.labels is not None
    count = len(classes) if classes is not None else len(set(subject.source.labels))
    rows = min(LOOKED_AT, len(subject.source))
    expect(outputs.shape == (rows, count), f"outputs of shape {(rows, count)}", outputs.shape)
    expect(np.isfinite(outputs).all(), "finite outputs", "NaN or infinite ones")


@rule("classifier", "alone-as-in-company")
def alone_as_in_company(subject: ClassifierSubject) -> None:
    """A batch of one works, and gives a sample the same outputs as in a batch."""
    x = subject.source.batch(slice(0, 5))
    alone = np.concatenate([run(subject.provided, x[i : i + 1]) for i in range(5)])
    together = subject.outputs[:5]
    off = float(np.abs(alone - together).max() / max(1.0, float(np.abs(together).max())))
    expect(off < 1e-4, "outputs that agree within 1e-4", f"{off:.3g} of the largest output")


@rule("classifier", "better-than-chance")
def better_than_chance(subject: ClassifierSubject) -> None:
    """On its own source it is right clearly more often than naming the largest class would be. (For one that is
    brought along, hand over samples that it knows.)"""
    labels = subject.source.labels
    assert labels is not None
    classes = subject.provided.classes or tuple(sorted(set(labels)))
    said = np.array(classes)[subject.outputs.argmax(1)]
    right = float((said == labels[: len(said)]).mean())
    share = float(max(np.mean(labels == name) for name in set(labels)))
    wanted = min(CHANCE * share, (1 + share) / 2)
    expect(right >= wanted, f"an accuracy of {wanted:.2f} or more on the source", f"{right:.2f}")


@rule("classifier", "the-same-under-a-seed")
def the_same_under_a_seed(subject: ClassifierSubject) -> None:
    """The same source and ``job.seed`` give the same outputs, whatever was drawn from the global random numbers."""
    outputs = subject.outputs
    np.random.random(7)  # noqa: NPY002  # what a training must not depend on
    again = run(subject.provide(), subject.source.batch(slice(0, LOOKED_AT)))
    expect(np.array_equal(again, outputs), "the same outputs from a second call", "they differ")


@rule("classifier", "resumes-to-the-same")
def resumes_to_the_same(subject: ClassifierSubject) -> None:
    """A training that is cut off goes on in the same ``job.folder`` to the result of one that was not."""
    outputs, folder = subject.outputs, subject.folder()

    def cut_off(done: int, total: int, **values: float) -> None:
        if done > 0.6 * total:
            raise Interrupted

    try:
        subject.provide(folder, cut_off)
    except Interrupted:
        again = run(subject.provide(folder), subject.source.batch(slice(0, LOOKED_AT)))
        expect(np.array_equal(again, outputs), "the outputs of an uninterrupted training", "others")
        return
    raise LeftOut("it tells of no progress to cut it off at: there is nothing to resume")


@rule("classifier", "survives-all-equal-samples")
def survives_all_equal_samples(subject: ClassifierSubject) -> None:
    """A source whose samples are all the same gives finite outputs, or a ShiftlensError that says why not."""
    first = subject.source
    x = np.repeat(first.batch(slice(0, 1)), 40, axis=0)
    assert first.labels is not None
    same = Domain(x, first.sample_shape, first.kind, first.labels[:40], columns=first.columns)
    try:
        provided = subject.worker()(same, Job(subject.folder(), seed=1, device="cpu"))
        outputs = run(provided, x[:3])
    except ShiftlensError:
        return
    expect(np.isfinite(outputs).all(), "finite outputs", "NaN or infinite ones")
