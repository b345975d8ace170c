"""The one training loop, for every network trained here: a backend says what its losses are, the loop does the rest.

A backend is a `Trainee`: a torch module whose ``objective`` yields (optimiser, loss) pairs, one update each, so that
an autoencoder or a classifier yields once a step and an adversarial pair twice. The loop reads batches from
memory-mapped data in a thread, keeps the best state on a held-out split, stops early, writes checkpoints whole, and
goes on after an interruption to the same result bit for bit: the order of the rows and every random number of a step
follow from (seed, step) alone. The checkpoint is the only file that is written.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from shiftlens.core.arrays import IntArray
from shiftlens.core.errors import TrainingError
from shiftlens.core.host.kinds import TrainingData
from shiftlens.core.job import Job
from shiftlens.core.learning.batches import Batch, BatchReader, Order, split
from shiftlens.core.learning.checkpoint import TrainingState, stamp_of
from shiftlens.core.learning.devices import mixed_precision, one_core_free, pick_device, reproducible

CHECKPOINT = "checkpoint.pt"
COMPILE_FROM = 2000  # steps; compiling takes up to a minute, which shorter trainings do not win back


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        steps: updates at most; the learning rate falls from ``learning_rate`` to zero along half a cosine.
        batch: samples a step.
        learning_rate: of AdamW, the largest.
        weight_decay: of AdamW; at 0 it is Adam.
        warmup: part of the steps in which the learning rate rises, from a tenth of its value, before it falls.
        clip: largest norm of the gradient; ``inf``: any.
        check_every: steps between two looks at the held-out rows; a checkpoint is written each time.
        patience: looks without a better held-out error before training stops early.
        drop_last: as of `Order`.
        diverged: times the held-out error of the untrained network, above which training has diverged.
    """

    steps: int = 600
    batch: int = 64
    learning_rate: float = 2.5e-3
    weight_decay: float = 0.0
    warmup: float = 0.0
    clip: float = 5.0
    check_every: int = 50
    patience: int = 6
    drop_last: bool = True
    diverged: float = 10.0

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        rising = self.warmup * self.steps
        if step < rising:
            return self.learning_rate * (0.1 + 0.9 * step / rising)
        return 0.5 * self.learning_rate * (1 + math.cos(math.pi * (step - rising) / (self.steps - rising)))


class Trainee(nn.Module):
    """What a backend hands to the loop; its parameters and buffers are what checkpoints keep.

    Attributes:
        channels_last: images go through the networks with their channels last in memory, which is faster.
    """

    channels_last: ClassVar[bool] = True

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        """One optimiser per entry, with the parameters it updates."""
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


def train(
    trainee: Trainee,
    data: TrainingData,
    job: Job,
    schedule: Schedule,
    identity: str = "",
    held_out: IntArray | None = None,
) -> Training:
    """Train, or go on where an interrupted training of the same thing stopped, or return at once if it had finished.

    Args:
        trainee: initialised from ``job.seed`` (see `seeded`), so that the same call starts from the same weights.
        identity: whatever else the result depends on (the backend's settings); a checkpoint of another identity,
            of other data or of another schedule is not used.
        held_out: rows that are not trained on; None: a tenth of them, at most 512, drawn from the seed.

    Raises:
        TrainingError: fewer samples than a batch, values that are not finite, divergence, no such device.
    """
    device = pick_device(job.device)
    if held_out is None:
        fit, held_out = split(len(data), schedule.batch, job.seed)
    else:
        fit = np.setdiff1d(np.arange(len(data), dtype=np.int64), held_out)
    stamp = stamp_of(trainee, data, (job.seed, schedule, identity))
    path = job.folder / CHECKPOINT
    state = TrainingState.load(path, stamp)
    if state is None or not state.finished:
        channels_last = trainee.channels_last and len(data.sample_shape) == 3
        layout = torch.channels_last if channels_last else torch.contiguous_format
        trainee.to(device, memory_format=layout)  # type: ignore[call-overload]  # left out of torch's stubs
        with one_core_free(), reproducible(device), BatchReader(data, device, channels_last) as reader:
            order = Order(fit, schedule.batch, job.seed, schedule.drop_last)
            loop = _Loop(trainee, job, schedule, reader, order, held_out)
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
        job: Job,
        schedule: Schedule,
        reader: BatchReader,
        order: Order,
        held_out: IntArray,
    ) -> None:
        self.trainee, self.job, self.schedule = trainee, job, schedule
        self.reader, self.order, self.held_out = reader, order, held_out
        self.device = reader.device
        self.groups = {name: list(parameters) for name, parameters in trainee.groups().items()}
        self.optimisers = {
            name: torch.optim.AdamW(parameters, lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
            for name, parameters in self.groups.items()
        }
        if self.device.type == "cuda" and schedule.steps >= COMPILE_FROM and importlib.util.find_spec("triton"):
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
        for step, batch in self.reader.batches(self.order, state.step, schedule.steps):
            losses.append(self._step(step, batch))
            done = step + 1
            if done % schedule.check_every and done < schedule.steps:
                self.job.progress(done, schedule.steps, loss=losses[-1])
                continue
            error = self._held_out_error(done)
            if error > schedule.diverged * state.untrained_error:
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
        first: float | None = None
        updates = self.trainee.objective(batch, step / schedule.steps)
        while True:
            with mixed_precision(self.device):
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
                group["lr"] = schedule.rate(step)
            optimiser.step()
            first = float(loss.detach()) if first is None else first
        if first is None:
            raise TypeError(f"{type(self.trainee).__name__}.objective yielded no loss")
        return first

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
            batch = self.reader.batch(rows)
            with torch.no_grad(), mixed_precision(self.device):
                errors.append(self.trainee.error(batch).float().cpu())
        error = float(torch.cat(errors).double().mean())
        if not math.isfinite(error):
            raise self._diverged(step, "the held-out error is not finite")
        return error

    def _diverged(self, step: int, what: str) -> TrainingError:
        rate = self.schedule.learning_rate
        return TrainingError(
            f"training diverged at step {step}: {what}. Try a smaller learning_rate (it is {rate:g}; try {rate / 5:g}) "
            f"or larger batches (of {self.schedule.batch} now). The last good checkpoint is kept in {self.job.folder}"
        )


def _seed_of(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, 2, step]).generate_state(1, np.uint64)[0])
