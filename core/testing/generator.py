"""Rules for generators. torch is imported where a rule needs it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.errors import ShiftlensError
from shiftlens.core.host.kinds import TRIAL, Generator, TrainedGenerator, TrainingData
from shiftlens.core.job import Job, Progress, silent
from shiftlens.core.testing.realdata import training_data
from shiftlens.core.testing.rules import Subject, expect, rule

BETTER_THAN_MEAN = 0.9  # of the variance: the largest reconstruction error that counts as learnt
MOVED = 1e-4  # of the spread of the values: less is a decoder that ignores the loss
AGREES = 1e-4  # of the largest value: what batches of one and of many may differ by
SEED = 1


class Interrupted(Exception):
    """Stands for the kill that a training must survive."""


@dataclass
class GeneratorSubject(Subject):
    """A generator and what it makes of the kit's samples."""

    @property
    def generator(self) -> Generator:
        return cast(Generator, self.component)

    @cached_property
    def data(self) -> TrainingData:
        """Of the first kind of sample that it learns, or the author's own."""
        return self.own if self.own is not None else training_data(self.generator.kinds[0])

    def train(
        self, data: TrainingData | None = None, folder: Path | None = None, progress: Progress = silent
    ) -> TrainedGenerator:
        """Train with a new worker."""
        job = Job(folder or self.folder(), seed=SEED, device="cpu", progress=progress)
        trained: TrainedGenerator = self.worker()(data or self.data, job)
        return trained

    @cached_property
    def trained(self) -> TrainedGenerator:
        """The training that the rules look at."""
        return self.train()

    @cached_property
    def rows(self) -> IntArray:
        """Some rows from all over the data."""
        return np.linspace(0, len(self.data) - 1, 48).astype(np.int64)

    @cached_property
    def back(self) -> FloatArray:
        """The rows through encoder and decoder."""
        return through(self.trained, self.data, self.rows)


def through(trained: TrainedGenerator, data: TrainingData, rows: IntArray, more_loss: float = 0.0) -> FloatArray:
    """Rows encoded, and decoded as of a loss larger by ``more_loss``: ``(n, *sample)``."""
    import torch

    x, loss, label = tensors(data, rows)
    with torch.no_grad():
        decoded: FloatArray = trained.decoder(trained.encoder(x, loss, label), loss + more_loss, label).numpy()
    return decoded


def tensors(data: TrainingData, rows: IntArray) -> tuple[Any, Any, Any]:
    """x, loss and label of some rows, as encoder and decoder take them."""
    import torch

    loss = torch.from_numpy(data.loss[rows].astype(np.float32))
    return torch.from_numpy(data.batch(rows)), loss, torch.from_numpy(data.label[rows])


@rule("generator", "trains", first=True)
def trains(subject: GeneratorSubject) -> None:
    """``train(data, job)`` gives a `TrainedGenerator`: torch modules in eval mode on the CPU, with
    ``encoder(x, loss, label) -> z (N, latent)`` and ``decoder(z, loss, label) -> x``, all values finite."""
    trained, data = subject.trained, subject.data
    expect(isinstance(trained, TrainedGenerator), "a TrainedGenerator", type(trained).__name__)
    for name, module in (("encoder", trained.encoder), ("decoder", trained.decoder)):
        expect(not any(part.training for part in module.modules()), f"the {name} in eval mode", "train mode")
        away = sorted({str(p.device) for p in [*module.parameters(), *module.buffers()]} - {"cpu"})
        expect(not away, f"the {name} on the CPU", ", ".join(away))
    x, loss, label = tensors(data, subject.rows)
    z = trained.encoder(x, loss, label)
    expect(tuple(z.shape) == (len(x), trained.latent), f"z of shape {(len(x), trained.latent)}", tuple(z.shape))
    shape = subject.back.shape
    expect(shape == tuple(x.shape), f"decoded samples of shape {tuple(x.shape)}", shape)
    expect(np.isfinite(subject.back).all(), "finite decoded samples", "NaN or infinite values")


@rule("generator", "lowers-its-loss")
def lowers_its_loss(subject: GeneratorSubject) -> None:
    """Samples come back better than their mean would: a squared error below 0.9 of the variance. Where the history
    tells a training loss, its last figure is below its first."""
    x = subject.data.batch(subject.rows)
    others = tuple(axis for axis in range(x.ndim) if axis != 1)  # channels and columns have units of their own
    spread = np.maximum(x.std(others, keepdims=True), 1e-9)
    error, variance = (
        float((((subject.back - x) / spread) ** 2).mean()),
        float((((x - x.mean(0)) / spread) ** 2).mean()),
    )
    seen = f"{error:.3g}, of a variance of {variance:.3g}"
    expect(error < BETTER_THAN_MEAN * variance, f"a squared error below {BETTER_THAN_MEAN:g} of the variance", seen)
    losses = [row["loss"] for row in subject.trained.history if "loss" in row]
    if len(losses) > 1:
        expect(losses[-1] < losses[0], f"a training loss below the first, {losses[0]:.4g}", f"{losses[-1]:.4g} at last")


@rule("generator", "listens-to-the-loss")
def listens_to_the_loss(subject: GeneratorSubject) -> None:
    """The decoder is conditioned on the loss: with z held and the loss moved, the samples move."""
    up = float(np.quantile(subject.data.loss, 0.9) - np.quantile(subject.data.loss, 0.1))
    moved = through(subject.trained, subject.data, subject.rows, up)
    share = float(np.abs(moved - subject.back).mean() / max(float(subject.data.batch(subject.rows).std()), 1e-9))
    seen = f"{share:.3g} of it"
    expect(
        share > MOVED, f"samples that move by {MOVED:g} of their spread or more when the loss moves by {up:.3g}", seen
    )


@rule("generator", "alone-as-in-company")
def alone_as_in_company(subject: GeneratorSubject) -> None:
    """A batch of one works, and gives a sample the same z and decodes it the same as in a batch: no batch statistics
    at work."""
    few = subject.rows[:3]
    together = through(subject.trained, subject.data, few)
    alone = np.concatenate([through(subject.trained, subject.data, few[i : i + 1]) for i in range(3)])
    off = float(np.abs(together - alone).max() / max(1.0, float(np.abs(together).max())))
    expect(off <= AGREES, f"batches of 1 and 3 to agree within {AGREES:g}", f"{off:.3g}")


@rule("generator", "exports-to-onnx")
def exports_to_onnx(subject: GeneratorSubject) -> None:
    """Encoder and decoder export to ONNX with any batch size, and the files agree with the modules at 1, 2 and 7; so
    does a posterior, whose z is the encoder's."""
    import torch

    from shiftlens.export.parity import check_parity
    from shiftlens.export.to_onnx import on_numpy, to_onnx

    trained, data, folder = subject.trained, subject.data, subject.folder()

    def encoder_inputs(batch: int) -> dict[str, Any]:
        x, loss, label = tensors(data, subject.rows[:batch])
        return {"x": x.numpy(), "loss": loss.numpy(), "label": label.numpy()}

    def decoder_inputs(batch: int) -> dict[str, Any]:
        inputs = encoder_inputs(batch)
        z = on_numpy(trained.encoder, ["z"])(inputs)["z"]
        return {"z": z, "loss": inputs["loss"], "label": inputs["label"]}

    parts = [
        ("encoder", trained.encoder, encoder_inputs, ["z"]),
        ("decoder", trained.decoder, decoder_inputs, ["x"]),
    ]
    if trained.posterior is not None:
        parts.append(("posterior", trained.posterior, encoder_inputs, ["z", "log_variance"]))
        few = encoder_inputs(3)
        own, placed = on_numpy(trained.encoder, ["z"])(few), on_numpy(trained.posterior, ["z", "log_variance"])(few)
        expect(np.allclose(placed["z"], own["z"], atol=AGREES), "the posterior's z to be the encoder's", "another one")
    for name, module, inputs, given in parts:
        path, example = folder / f"{name}.onnx", inputs(8)
        to_onnx(module, tuple(torch.from_numpy(v) for v in example.values()), list(example), given, path, {})
        check_parity(path, on_numpy(module, given), inputs)


@rule("generator", "the-same-under-a-seed")
def the_same_under_a_seed(subject: GeneratorSubject) -> None:
    """The same data and ``job.seed`` give the same generator, whatever was drawn from the global random numbers
    before."""
    import torch

    before = subject.back
    np.random.random(7)  # noqa: NPY002  # what a training must not depend on
    torch.rand(7)
    again = through(subject.train(), subject.data, subject.rows)
    off = float(np.abs(again - before).max())
    expect(off == 0, "the same decoded samples from a second training", f"a difference of {off:.3g}")


@rule("generator", "resumes-to-the-same")
def resumes_to_the_same(subject: GeneratorSubject) -> None:
    """A training that is cut off goes on in the same ``job.folder`` to the result of one that was not; called again
    after its end, it gives the same once more."""
    before, folder = subject.back, subject.folder()

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


@rule("generator", "survives-all-equal-samples")
def survives_all_equal_samples(subject: GeneratorSubject) -> None:
    """Samples that are all the same, with one loss, train to something finite or raise a ShiftlensError; no division
    by a spread of zero."""
    data = training_data(subject.generator.kinds[0], equal=True)
    try:
        back = through(subject.train(data), data, np.arange(4))
    except ShiftlensError:
        return
    expect(np.isfinite(back).all(), "finite decoded samples", "NaN or infinite values")


@rule("generator", "takes-odd-sizes")
def takes_odd_sizes(subject: GeneratorSubject) -> None:
    """Sides need not be even, equal, or a power of two: 17×19 pixels of three channels, two channels of 61 values,
    5 columns come back in their shape. All kinds of sample that it names (``kinds=``) are tried."""
    for kind in subject.generator.kinds:
        data = training_data(kind, odd=True)
        back = through(subject.train(data), data, np.arange(3))
        expect(back.shape == (3, *data.sample_shape), f"samples of shape {data.sample_shape}", back.shape[1:])
        expect(np.isfinite(back).all(), f"finite samples of kind {kind}", "NaN or infinite values")


@rule("generator", "does-without-a-trial")
def does_without_a_trial(subject: GeneratorSubject) -> None:
    """A run may have no trial (no factor that can be changed): it trains on source and target rows alone, or raises a
    ShiftlensError that says what to set."""
    data = subject.data
    kept = np.flatnonzero(data.role != TRIAL)
    few = replace(
        data, batch=lambda rows: data.batch(kept[rows]), loss=data.loss[kept], label=data.label[kept],
        role=data.role[kept], loss_before=data.loss_before[kept],
    )  # fmt: skip
    try:
        back = through(subject.train(few), few, np.arange(3))
    except ShiftlensError:
        return
    expect(np.isfinite(back).all(), "finite decoded samples", "NaN or infinite values")
