"""Rules for style converters. torch is imported where a rule needs it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from shiftlens.core.arrays import AnyArray, FloatArray, IntArray
from shiftlens.core.errors import ShiftlensError
from shiftlens.core.host.kinds import SOURCE, TARGET, ConversionData, Converter, TrainedConverter, TrainingData
from shiftlens.core.job import Job, Progress, silent
from shiftlens.core.testing.generator import AGREES, SEED, Interrupted
from shiftlens.core.testing.linear import linear_generator
from shiftlens.core.testing.realdata import NearestMean, training_data
from shiftlens.core.testing.rules import Subject, expect, rule

COMPONENTS = 24  # of the generator that is handed to converters that want one


@dataclass
class ConverterSubject(Subject):
    """A style converter and what it makes of the kit's samples."""

    @property
    def converter(self) -> Converter:
        return cast(Converter, self.component)

    @cached_property
    def data(self) -> ConversionData:
        """Of the first kind of sample that it converts, or the author's own."""
        return self.own if self.own is not None else self.of(self.converter.kinds[0])

    def of(self, kind: str, odd: bool = False, equal: bool = False) -> ConversionData:
        """Real samples before and after the kit's shift, with a classifier and, where it is wanted, a generator."""
        rows = without_trial(training_data(kind, odd, equal))
        known = training_data(kind, odd)  # the classifier has seen samples that differ, even where these do not
        before = np.flatnonzero(known.role == SOURCE)
        predict = NearestMean(known.batch(before), known.label[before])
        generator = linear_generator(rows, COMPONENTS) if self.converter.uses_generator else None
        return ConversionData(rows=rows, labelled=True, predict=predict, generator=generator)

    def train(
        self, data: ConversionData | None = None, folder: Path | None = None, progress: Progress = silent
    ) -> TrainedConverter:
        """Train with a new worker."""
        job = Job(folder or self.folder(), seed=SEED, device="cpu", progress=progress)
        trained: TrainedConverter = self.worker()(data or self.data, job)
        return trained

    @cached_property
    def trained(self) -> TrainedConverter:
        """The training that the rules look at."""
        return self.train()

    @cached_property
    def places(self) -> IntArray:
        """Some target samples."""
        return np.flatnonzero(self.data.rows.role == TARGET)[:60]

    @cached_property
    def converted(self) -> FloatArray:
        """What becomes of them."""
        return converted(self.trained, self.data.rows, self.places)


def without_trial(data: TrainingData) -> TrainingData:
    """Its source and target rows."""
    kept = np.flatnonzero(np.isin(data.role, (SOURCE, TARGET)))
    return replace(
        data, batch=lambda rows: data.batch(kept[rows]), loss=data.loss[kept], label=data.label[kept],
        role=data.role[kept], loss_before=data.loss_before[kept],
    )  # fmt: skip


def given(trained: TrainedConverter, rows: TrainingData, places: IntArray) -> dict[str, AnyArray]:
    """The module's inputs by name."""
    inputs: dict[str, AnyArray] = {"x": rows.batch(places)}
    return {**inputs, "label": rows.label[places]} if trained.needs_label else inputs


def converted(trained: TrainedConverter, rows: TrainingData, places: IntArray) -> FloatArray:
    """Rows through the module."""
    import torch

    with torch.no_grad():
        inputs = (torch.from_numpy(value) for value in given(trained, rows, places).values())
        out: FloatArray = trained.module(*inputs).numpy()
    return out


@rule("converter", "trains", first=True)
def trains(subject: ConverterSubject) -> None:
    """``train(data, job)`` gives a `TrainedConverter`: a torch module in eval mode on the CPU, from target samples
    ``(N, *sample)`` (and labels, with ``needs_label``) to samples of the same shape, finite. ``held_out`` are places in
    the target domain."""
    trained = subject.trained
    expect(isinstance(trained, TrainedConverter), "a TrainedConverter", type(trained).__name__)
    expect(not any(part.training for part in trained.module.modules()), "the module in eval mode", "train mode")
    shape = (len(subject.places), *subject.data.rows.sample_shape)
    expect(subject.converted.shape == shape, f"samples of shape {shape}", subject.converted.shape)
    expect(subject.converted.dtype == np.float32, "float32", subject.converted.dtype)
    expect(np.isfinite(subject.converted).all(), "finite samples", "NaN or infinite values")
    count = int((subject.data.rows.role == TARGET).sum())
    inside = ((trained.held_out >= 0) & (trained.held_out < count)).all()
    expect(inside, f"held_out below {count}, the number of target samples", trained.held_out)


@rule("converter", "leads-to-the-source")
def leads_to_the_source(subject: ConverterSubject) -> None:
    """Converted target samples are more like the source's than they were: each value's mean and spread over the samples
    lie nearer to the source's, taken together."""
    rows = subject.data.rows
    source, target = (rows.batch(np.flatnonzero(rows.role == role)) for role in (SOURCE, TARGET))
    after = converted(subject.trained, rows, np.flatnonzero(rows.role == TARGET))
    scale = np.maximum(source.std(0), 1e-3 * max(float(source.std()), 1e-9))

    def away(x: FloatArray) -> float:
        off = ((x.mean(0) - source.mean(0)) / scale) ** 2 + ((x.std(0) - source.std(0)) / scale) ** 2
        return float(np.minimum(off, 1.0).mean())  # a border that never varies does not decide

    expect(away(after) < away(target), f"a distance below the target's own, {away(target):.3g}", f"{away(after):.3g}")


@rule("converter", "alone-as-in-company")
def alone_as_in_company(subject: ConverterSubject) -> None:
    """A batch of one works, and converts a sample the same as in a batch."""
    rows, few = subject.data.rows, subject.places[:3]
    alone = np.concatenate([converted(subject.trained, rows, few[i : i + 1]) for i in range(3)])
    together = converted(subject.trained, rows, few)
    off = float(np.abs(together - alone).max() / max(1.0, float(np.abs(together).max())))
    expect(off <= AGREES, f"batches of 1 and 3 to agree within {AGREES:g}", f"{off:.3g}")


@rule("converter", "exports-to-onnx")
def exports_to_onnx(subject: ConverterSubject) -> None:
    """The module exports to ONNX with any batch size, and the file agrees with it at 1, 2 and 7."""
    import torch

    from shiftlens.export.parity import check_parity
    from shiftlens.export.to_onnx import on_numpy, to_onnx

    module, path = subject.trained.module, subject.folder() / "converter.onnx"

    def inputs(batch: int) -> dict[str, AnyArray]:
        return given(subject.trained, subject.data.rows, subject.places[:batch])

    example = inputs(8)
    to_onnx(module, tuple(torch.from_numpy(v) for v in example.values()), list(example), ["converted"], path, {})
    check_parity(path, on_numpy(module, ["converted"]), inputs)


@rule("converter", "the-same-under-a-seed")
def the_same_under_a_seed(subject: ConverterSubject) -> None:
    """The same data and ``job.seed`` give the same converter, whatever was drawn from the global random numbers."""
    import torch

    before = subject.converted
    np.random.random(7)  # noqa: NPY002  # what a training must not depend on
    torch.rand(7)
    off = float(np.abs(converted(subject.train(), subject.data.rows, subject.places) - before).max())
    expect(off == 0, "the same converted samples from a second training", f"a difference of {off:.3g}")


@rule("converter", "resumes-to-the-same")
def resumes_to_the_same(subject: ConverterSubject) -> None:
    """A training that is cut off goes on in the same ``job.folder`` to the result of one that was not; called again
    after its end, it gives the same once more."""
    before, folder = subject.converted, subject.folder()

    def cut_off(done: int, total: int, **values: float) -> None:
        if done > 0.6 * total:
            raise Interrupted

    try:
        subject.train(folder=folder, progress=cut_off)
        when = "in the same folder"
    except Interrupted:
        when = "after it was cut off"
    for time in (when, "once more after its end"):
        again = converted(subject.train(folder=folder), subject.data.rows, subject.places)
        off = float(np.abs(again - before).max())
        expect(off == 0, f"the result of an uninterrupted training, {time}", f"a difference of {off:.3g}")


@rule("converter", "survives-all-equal-samples")
def survives_all_equal_samples(subject: ConverterSubject) -> None:
    """Samples that are all the same in both domains convert to something finite, or raise a ShiftlensError."""
    data = subject.of(subject.converter.kinds[0], equal=True)
    try:
        out = converted(subject.train(data), data.rows, np.flatnonzero(data.rows.role == TARGET)[:4])
    except ShiftlensError:
        return
    expect(np.isfinite(out).all(), "finite samples", "NaN or infinite values")


@rule("converter", "takes-odd-sizes")
def takes_odd_sizes(subject: ConverterSubject) -> None:
    """Sides need not be even, equal, or a power of two; all kinds of sample that it names (``kinds=``) are tried."""
    for kind in subject.converter.kinds:
        data = subject.of(kind, odd=True)
        out = converted(subject.train(data), data.rows, np.flatnonzero(data.rows.role == TARGET)[:3])
        expect(out.shape == (3, *data.rows.sample_shape), f"samples of shape {data.rows.sample_shape}", out.shape[1:])
        expect(np.isfinite(out).all(), f"finite samples of kind {kind}", "NaN or infinite values")
