"""Rules for style converters. torch is imported where a rule needs it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from shiftlens.core.domain import FloatArray, IntArray
from shiftlens.core.errors import ShiftlensError
from shiftlens.core.job import Job, Progress, silent
from shiftlens.core.kinds import TARGET, ConversionData, Converter, TrainedConverter, TrainedGenerator, TrainingData
from shiftlens.core.testing.realdata import classifier_of, training_data, without_trial
from shiftlens.core.testing.rules import Subject, expect, rule

AGREES = 1e-4  # of the largest value: what batches of one and of many may differ by
SEED = 1
LATENT = 16


class Interrupted(Exception):
    """Stands for the kill that a training must survive."""


@dataclass
class ConverterSubject(Subject):
    """A style converter and what it makes of the kit's target samples."""

    @property
    def converter(self) -> Converter:
        return cast(Converter, self.component)

    @cached_property
    def data(self) -> ConversionData:
        """Of the first kind of sample that it learns, or the author's own."""
        return self.own if self.own is not None else self.made(self.converter.kinds[0])

    def made(self, kind: str, odd: bool = False) -> ConversionData:
        """Both domains of the kit's data, with their classifier and, where it is asked for, a generator."""
        rows = without_trial(training_data(kind, odd=odd))
        generator = principal_components(rows) if self.converter.uses_generator else None
        return ConversionData(rows, labelled=True, predict=classifier_of(kind, odd), generator=generator)

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
    def rows(self) -> IntArray:
        """Some target samples."""
        return targets(self.data, 48)

    @cached_property
    def converted(self) -> FloatArray:
        """The rows after conversion."""
        return through(self.trained, self.data, self.rows)


def targets(data: ConversionData, count: int) -> IntArray:
    """Rows of target samples from all over the domain."""
    found = np.flatnonzero(data.rows.role == TARGET)
    return found[np.linspace(0, len(found) - 1, min(count, len(found))).astype(np.int64)]


def inputs_of(trained: TrainedConverter, data: ConversionData, rows: IntArray) -> dict[str, Any]:
    """What the module is given for some rows, by name."""
    label = {"label": data.rows.label[rows]} if trained.needs_label else {}
    return {"x": data.rows.batch(rows), **label}


def through(trained: TrainedConverter, data: ConversionData, rows: IntArray) -> FloatArray:
    """Rows converted: ``(n, *sample)``."""
    import torch

    with torch.no_grad():
        given = (torch.from_numpy(value) for value in inputs_of(trained, data, rows).values())
        made: FloatArray = trained.module(*given).numpy()
    return made


def principal_components(rows: TrainingData) -> TrainedGenerator:
    """A linear generator for converters that are built on one."""
    import torch

    x = torch.from_numpy(rows.batch(np.arange(len(rows)))).flatten(1)
    mean, spread = x.mean(0), x.std(0).clamp(min=1e-6)
    axes = torch.linalg.svd((x - mean) / spread, full_matrices=False).Vh[:LATENT]

    class Encoder(torch.nn.Module):
        def forward(self, x: torch.Tensor, loss: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
            z: torch.Tensor = ((x.flatten(1) - mean) / spread) @ axes.T
            return z

    class Decoder(torch.nn.Module):
        def forward(self, z: torch.Tensor, loss: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
            x: torch.Tensor = ((z @ axes) * spread + mean).reshape(-1, *rows.sample_shape)
            return x

    return TrainedGenerator(Encoder().eval(), Decoder().eval(), latent=len(axes))


@rule("converter", "converts", first=True)
def converts(subject: ConverterSubject) -> None:
    """``train(data, job)`` gives a `TrainedConverter`: a torch module in eval mode on the CPU that makes of target
    samples finite ones of the same shape; ``held_out`` are places in the target domain."""
    trained, data = subject.trained, subject.data
    expect(isinstance(trained, TrainedConverter), "a TrainedConverter", type(trained).__name__)
    expect(not any(part.training for part in trained.module.modules()), "the module in eval mode", "train mode")
    away = sorted({str(p.device) for p in [*trained.module.parameters(), *trained.module.buffers()]} - {"cpu"})
    expect(not away, "the module on the CPU", ", ".join(away))
    shape = (len(subject.rows), *data.rows.sample_shape)
    expect(subject.converted.shape == shape, f"converted samples of shape {shape}", subject.converted.shape)
    expect(np.isfinite(subject.converted).all(), "finite converted samples", "NaN or infinite values")
    outside = sorted(set(trained.held_out) - set(range(int((data.rows.role == TARGET).sum()))))
    expect(not outside, "held_out to be places in the target domain", outside[:5])


@rule("converter", "brings-the-loss-down")
def brings_the_loss_down(subject: ConverterSubject) -> None:
    """The classifier's mean loss on converted target samples is below its loss on the target samples themselves."""
    data, rows = subject.data, subject.rows
    chance = data.predict(subject.converted)[np.arange(len(rows)), data.rows.label[rows]]
    after, before = float(-np.log(np.maximum(chance, 1e-7)).mean()), float(data.rows.loss[rows].mean())
    expect(after < before, f"a mean loss below {before:.3g}", f"{after:.3g}")


@rule("converter", "alone-as-in-company")
def alone_as_in_company(subject: ConverterSubject) -> None:
    """A batch of one works, and converts a sample as a batch does: no batch statistics at work."""
    few = subject.rows[:3]
    together = through(subject.trained, subject.data, few)
    alone = np.concatenate([through(subject.trained, subject.data, few[i : i + 1]) for i in range(3)])
    off = float(np.abs(together - alone).max() / max(1.0, float(np.abs(together).max())))
    expect(off <= AGREES, f"batches of 1 and 3 to agree within {AGREES:g}", f"{off:.3g}")


@rule("converter", "exports-to-onnx")
def exports_to_onnx(subject: ConverterSubject) -> None:
    """The module exports to ONNX with any batch size, and the file agrees with it at 1, 2 and 7."""
    import torch

    from shiftlens.export.manifest import CONVERTED
    from shiftlens.export.parity import check_parity
    from shiftlens.export.to_onnx import on_numpy, to_onnx

    trained, data, path = subject.trained, subject.data, subject.folder() / "converter.onnx"
    example = inputs_of(trained, data, subject.rows[:8])
    tensors = tuple(torch.from_numpy(value) for value in example.values())
    to_onnx(trained.module, tensors, list(example), [CONVERTED], path, {})
    check_parity(
        path, on_numpy(trained.module, [CONVERTED]), lambda batch: inputs_of(trained, data, subject.rows[:batch])
    )


@rule("converter", "the-same-under-a-seed")
def the_same_under_a_seed(subject: ConverterSubject) -> None:
    """The same data and ``job.seed`` give the same converter, whatever was drawn from the global random numbers
    before."""
    import torch

    before = subject.converted
    np.random.seed(7)  # noqa: NPY002  # what a training must not depend on
    torch.manual_seed(7)
    off = float(np.abs(through(subject.train(), subject.data, subject.rows) - before).max())
    expect(off == 0, "the same converted samples from a second training", f"a difference of {off:.3g}")


@rule("converter", "resumes-to-the-same")
def resumes_to_the_same(subject: ConverterSubject) -> None:
    """A training that is cut off goes on in the same ``job.folder`` to the result of one that was not; called again
    after its end, it gives the same once more."""
    before, folder = subject.converted, subject.folder()

    def cut_off(done: int, total: int, **values: float) -> None:
        if done > 0.6 * total:
            raise Interrupted

    interrupted = False
    try:
        subject.train(folder=folder, progress=cut_off)
    except Interrupted:
        interrupted = True
    for time in ("after it was cut off" if interrupted else "in the same folder", "once more after its end"):
        off = float(np.abs(through(subject.train(folder=folder), subject.data, subject.rows) - before).max())
        expect(off == 0, f"the result of an uninterrupted training, {time}", f"a difference of {off:.3g}")


@rule("converter", "takes-odd-sizes")
def takes_odd_sizes(subject: ConverterSubject) -> None:
    """Sides need not be even, equal, or a power of two. All kinds of sample that it names (``kinds=``) are tried."""
    for kind in subject.converter.kinds:
        data = subject.made(kind, odd=True)
        made = through(subject.train(data), data, targets(data, 3))
        expect(made.shape == (3, *data.rows.sample_shape), f"samples of shape {data.rows.sample_shape}", made.shape[1:])
        expect(np.isfinite(made).all(), f"finite samples of kind {kind}", "NaN or infinite values")


@rule("converter", "does-without-labels")
def does_without_labels(subject: ConverterSubject) -> None:
    """Where the target has no labels (``labelled`` is False, and ``label`` what the classifier says), it trains all
    the same, or raises a ShiftlensError that says what to set."""
    data = replace(subject.data, labelled=False)
    try:
        made = through(subject.train(data), data, subject.rows)
    except ShiftlensError:
        return
    expect(np.isfinite(made).all(), "finite converted samples", "NaN or infinite values")
