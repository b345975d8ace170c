"""The one training loop, for every generator: a backend says what its losses are, the loop does the rest.

A backend is a `Trainee`: a torch module whose ``objective`` yields (optimiser, loss) pairs, one update each, so that
an autoencoder yields once a step and an adversarial pair twice. The loop reads batches from memory-mapped data in a
thread, keeps the best state on a held-out split, stops early, writes checkpoints whole, and goes on after an
interruption to the same result bit for bit: the order of the rows and every random number of a step follow from
(seed, step) alone.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.errors import TrainingError
from shiftlens.core.host.kinds import TrainingData
from shiftlens.core.job import Job
from shiftlens.core.learning.checkpoint import TrainingState, stamp_of

CHECKPOINT = "checkpoint.pt"
LARGEST_HELD_OUT = 512  # rows; enough for a steady mean, and a check costs no more than a few steps
READ_AHEAD = 2  # batches that wait for the optimiser
DIVERGED = 10.0  # times the held-out error of the untrained network
COMPILE_FROM = 2000  # steps; compiling takes up to a minute, which shorter trainings do not win back


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        steps: updates at most; the learning rate falls from ``learning_rate`` to zero along half a cosine.
        batch: samples a step.
        learning_rate: of Adam, at the first step.
        clip: largest norm of the gradient.
        check_every: steps between two looks at the held-out rows; a checkpoint is written each time.
        patience: looks without a better held-out error before training stops early.
    """

    steps: int = 600
    batch: int = 64
    learning_rate: float = 2.5e-3
    clip: float = 5.0
    check_every: int = 50
    patience: int = 6


@dataclass(frozen=True)
class Batch:
    """Rows of the data on the training device: x ``(n, *sample)``, loss ``(n,)`` float32, label ``(n,)`` int64."""

    x: Tensor
    loss: Tensor
    label: Tensor


class Trainee(nn.Module):
    """What a backend hands to the loop; its parameters and buffers are what checkpoints keep."""

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        """One Adam optimiser per entry, with the parameters it updates."""
        return {"all": self.parameters()}

    def objective(self, batch: Batch, done: float) -> Iterator[tuple[str, Tensor]]:
        """Yield (name of the group, scalar loss); the group is updated before the next line runs.

        ``done`` is the part of the training that is over, in [0, 1). Random numbers come from torch's global
        generator, which the loop seeds anew at each step.
        """
        raise NotImplementedError

    def error(self, batch: Batch) -> Tensor:
        """``(n,)`` held-out error of each row, without randomness: it decides which state is best."""
        raise NotImplementedError


@dataclass(frozen=True)
class Training:
    """How the training went; the trainee itself is left in its best state, in eval mode, on the CPU.

    Attributes:
        steps: updates made.
        best_step: the update after which the held-out error was smallest.
        error: the smallest held-out error.
        held_out: rows that were never trained on.
        history: one row per look, ``{"step": 50, "loss": 3.1, "held_out": 2.9}``.
    """

    steps: int
    best_step: int
    error: float
    held_out: IntArray
    history: tuple[dict[str, float], ...]


def train(trainee: Trainee, data: TrainingData, job: Job, schedule: Schedule, identity: str = "") -> Training:
    """Train, or go on where an interrupted training of the same thing stopped, or return at once if it had finished.

    Args:
        trainee: initialised from ``job.seed`` (see `seeded`), so that the same call starts from the same weights.
        identity: whatever else the result depends on (the backend's settings); a checkpoint of another identity,
            of other data or of another schedule is not used.

    Raises:
        TrainingError: fewer samples than a batch, values that are not finite, divergence, no such device.
    """
    device = pick_device(job.device)
    fit, held_out = split(len(data), schedule.batch, job.seed)
    stamp = stamp_of(trainee, data, (job.seed, schedule, identity))
    path = job.folder / CHECKPOINT
    state = TrainingState.load(path, stamp)
    if state is None or not state.finished:
        layout = torch.channels_last if len(data.sample_shape) == 3 else torch.contiguous_format
        trainee.to(device, memory_format=layout)  # type: ignore[call-overload]  # left out of torch's stubs
        with one_core_free(), _reproducible(device), ThreadPoolExecutor(1, "shiftlens-batches") as reader:
            loop = _Loop(trainee, data, job, schedule, device, reader, fit, held_out)
            state = loop.run(state or TrainingState.start(stamp), path)
        trainee.to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    trainee.load_state_dict(state.best)
    trainee.eval()
    return Training(state.step, state.best_step, state.best_error, held_out, tuple(state.history))


class _Loop:
    """The steps between two states of progress."""

    def __init__(
        self,
        trainee: Trainee,
        data: TrainingData,
        job: Job,
        schedule: Schedule,
        device: torch.device,
        reader: ThreadPoolExecutor,
        fit: IntArray,
        held_out: IntArray,
    ) -> None:
        self.trainee, self.data, self.job, self.schedule = trainee, data, job, schedule
        self.device, self.reader, self.fit, self.held_out = device, reader, fit, held_out
        self.groups = {name: list(parameters) for name, parameters in trainee.groups().items()}
        self.optimisers = {
            name: torch.optim.Adam(parameters, lr=schedule.learning_rate) for name, parameters in self.groups.items()
        }
        if device.type == "cuda" and schedule.steps >= COMPILE_FROM and importlib.util.find_spec("triton"):
            for network in trainee.children():
                network.compile()

    def run(self, state: TrainingState, path: Path) -> TrainingState:
        """Train from ``state`` to the end, writing the checkpoint at ``path`` at each look."""
        schedule = self.schedule
        if state.step:
            self.trainee.load_state_dict(state.model)
            for name, optimiser in self.optimisers.items():
                optimiser.load_state_dict(state.optimisers[name])
        else:
            state = replace(state, untrained_error=self._held_out_error(0))
        losses: list[float] = []
        for step, batch in self._batches(state.step):
            losses.append(self._step(step, batch))
            done = step + 1
            if done % schedule.check_every and done < schedule.steps:
                self.job.progress(done, schedule.steps, loss=losses[-1])
                continue
            error = self._held_out_error(done)
            if error > DIVERGED * state.untrained_error:
                raise self._diverged(
                    done, f"the held-out error is {error:.3g}, {state.untrained_error:.3g} at the start"
                )
            state = self._checked(state, done, float(np.mean(losses)), error)
            losses = []
            state.save(path)
            self.job.progress(done, schedule.steps, loss=state.history[-1]["loss"], held_out=error)
            if state.finished:
                break
        return state

    def _step(self, step: int, batch: Batch) -> float:
        """One update of every group; the first group's loss is the one that is told."""
        schedule = self.schedule
        torch.manual_seed(_seed_of(self.job.seed, step))
        self.trainee.train()
        rate = 0.5 * schedule.learning_rate * (1 + math.cos(math.pi * step / schedule.steps))
        told: float | None = None
        updates = self.trainee.objective(batch, step / schedule.steps)
        while True:
            with _mixed_precision(self.device):
                update = next(updates, None)
            if update is None:
                break
            name, loss = update
            optimiser = self.optimisers[name]
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            norm = nn.utils.clip_grad_norm_(self.groups[name], schedule.clip)
            if not bool(torch.isfinite(loss.detach() + norm)):
                raise self._diverged(
                    step + 1, f"the loss is {float(loss.detach()):.3g}, its gradient {float(norm):.3g}"
                )
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            told = float(loss.detach()) if told is None else told
        if told is None:
            raise TypeError(f"{type(self.trainee).__name__}.objective yielded no loss")
        return told

    def _checked(self, state: TrainingState, step: int, loss: float, error: float) -> TrainingState:
        """The state after a look at the held-out rows."""
        model = {name: value.detach().cpu().clone() for name, value in self.trainee.state_dict().items()}
        better = error < state.best_error
        looks_since = 0 if better else state.looks_since + 1
        return replace(
            state,
            step=step,
            finished=step >= self.schedule.steps or looks_since >= self.schedule.patience,
            model=model,
            optimisers={name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            history=[*state.history, {"step": float(step), "loss": loss, "held_out": error}],
            best=model if better else state.best,
            best_step=step if better else state.best_step,
            best_error=error if better else state.best_error,
            looks_since=looks_since,
        )

    def _held_out_error(self, step: int) -> float:
        """Mean error of the held-out rows, read in batches."""
        self.trainee.eval()
        errors = []
        for start in range(0, len(self.held_out), self.schedule.batch):
            rows = self.held_out[start : start + self.schedule.batch]
            batch = self._on_device(self.reader.submit(self._read, rows).result(), rows)
            with torch.no_grad(), _mixed_precision(self.device):
                errors.append(self.trainee.error(batch).float().cpu())
        error = float(torch.cat(errors).double().mean())
        if not math.isfinite(error):
            raise self._diverged(step, "the held-out error is not finite")
        return error

    def _batches(self, start: int) -> Iterator[tuple[int, Batch]]:
        """Batches from step ``start`` on; the next ones are read while one is trained on."""
        waiting: deque[tuple[int, IntArray, Future[FloatArray]]] = deque()
        for step in range(start, self.schedule.steps + READ_AHEAD):
            if step < self.schedule.steps:
                rows = rows_of_step(self.fit, self.schedule.batch, self.job.seed, step)
                waiting.append((step, rows, self.reader.submit(self._read, rows)))
            if len(waiting) > READ_AHEAD or step >= self.schedule.steps:
                if not waiting:
                    return
                ready, rows, future = waiting.popleft()
                yield ready, self._on_device(future.result(), rows)

    def _read(self, rows: IntArray) -> FloatArray:
        x = self.data.batch(rows)
        if not np.isfinite(x).all():
            bad = rows[~np.isfinite(x.reshape(len(x), -1)).all(axis=1)]
            raise TrainingError(
                f"sample {bad[0]} of the training data (source, then target) has values that are not finite; "
                "repair or remove it"
            )
        return x

    def _on_device(self, x: FloatArray, rows: IntArray) -> Batch:
        samples = torch.from_numpy(x).to(self.device)
        if samples.ndim == 4:
            samples = samples.contiguous(memory_format=torch.channels_last)
        loss = torch.from_numpy(self.data.loss[rows].astype(np.float32)).to(self.device)
        return Batch(samples, loss, torch.from_numpy(self.data.label[rows]).to(self.device))

    def _diverged(self, step: int, what: str) -> TrainingError:
        rate = self.schedule.learning_rate
        return TrainingError(
            f"training diverged at step {step}: {what}. Try a smaller learning_rate (it is {rate:g}; try {rate / 5:g}) "
            f"or a larger batch (it is {self.schedule.batch}). The last good checkpoint is kept in {self.job.folder}"
        )


def pick_device(wanted: str) -> torch.device:
    """The device for ``job.device``; ``auto`` is CUDA, then Apple's MPS, then the CPU."""
    usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, there in usable.items() if there))
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise TrainingError(f'device: "{wanted}" is no device; use auto, cpu, cuda, cuda:1 or mps') from None
    there = usable.get(device.type, False) and (
        device.type != "cuda" or (device.index or 0) < torch.cuda.device_count()
    )
    if not there:
        raise TrainingError(f"device: {wanted} cannot be used on this machine; set device to auto or cpu")
    return device


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global random numbers follow from ``seed`` inside the block, and are as they were after it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def split(count: int, batch: int, seed: int) -> tuple[IntArray, IntArray]:
    """Rows to fit and rows to hold out (a tenth, at most 512), both in random order."""
    held_out = min(max(count // 10, 1), LARGEST_HELD_OUT)
    if count - held_out < batch:
        raise TrainingError(
            f"there are {count} samples, {held_out} of them held out: too few for batches of {batch}. "
            f"Bring more samples, or set batch to {max(2, (count - held_out) // 2)} or less"
        )
    order = np.random.default_rng([seed, 0]).permutation(count)
    return order[held_out:], order[:held_out]


def rows_of_step(fit: IntArray, batch: int, seed: int, step: int) -> IntArray:
    """The rows of one step, sorted for the disk's sake: every epoch has its own order, its last odd rows left out."""
    epoch, position = divmod(step, len(fit) // batch)
    order = _order(len(fit), seed, epoch)
    return np.sort(fit[order[position * batch : (position + 1) * batch]])


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> IntArray:
    return np.random.default_rng([seed, 1, epoch]).permutation(count)


def _seed_of(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, 2, step]).generate_state(1, np.uint64)[0])


@contextmanager
def one_core_free() -> Iterator[None]:
    """Torch leaves one core to the reading thread and to whatever else runs.

    Its threads wait by spinning: on a machine with every core in use, two threads on two cores were measured 10 times
    slower than one, and on an idle one only 1.6 times faster.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, (os.cpu_count() or 2) - 1)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _reproducible(device: torch.device) -> Iterator[None]:
    """Steps seed the global generator: give it back as it was. On CUDA, choose kernels that repeat their results."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        cudnn.deterministic, cudnn.benchmark = True, False
        try:
            yield
        finally:
            cudnn.deterministic, cudnn.benchmark = before


def _mixed_precision(device: torch.device) -> Any:
    """bfloat16 where the hardware has it; never on the CPU, where it is slower."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()
