"""Which rows of the data are held out and which are trained on at each step, read ahead in a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.errors import TrainingError
from shiftlens.core.host.kinds import TrainingData

LARGEST_HELD_OUT = 512  # rows; enough for a steady mean, and a check costs no more than a few steps
READ_AHEAD = 2  # batches that wait for the optimiser


@dataclass(frozen=True)
class Batch:
    """Rows of the data on the training device: x ``(n, *sample)``, loss ``(n,)`` float32, label ``(n,)`` int64."""

    x: Tensor
    loss: Tensor
    label: Tensor


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


@dataclass(frozen=True)
class Order:
    """The rows of every step; they follow from the seed and the step's number alone.

    Attributes:
        fit: the rows that are trained on.
        batch: rows a step.
        seed: every epoch has an order of its own.
        drop_last: an epoch's last rows, too few for a batch, are left out; False: its batches share them, so that
            they hold ``batch`` rows or a few more, and all are of one size or differ by one.
    """

    fit: IntArray
    batch: int
    seed: int
    drop_last: bool = True

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return max(1, len(self.fit) // self.batch)

    def rows(self, step: int) -> IntArray:
        """The rows of one step; sorted, for the disk's sake, where the last ones are dropped."""
        epoch, position = divmod(step, self.steps)
        order = _permutation(len(self.fit), self.seed, epoch)
        if self.drop_last:
            return np.sort(self.fit[order[position * self.batch : (position + 1) * self.batch]])
        return self.fit[np.array_split(order, self.steps)[position]]


@lru_cache(maxsize=2)
def _permutation(count: int, seed: int, epoch: int) -> IntArray:
    return np.random.default_rng([seed, 1, epoch]).permutation(count)


class BatchReader:
    """Reads rows in a thread of its own and puts them onto the device; a context, which ends the thread."""

    def __init__(self, data: TrainingData, device: torch.device, channels_last: bool) -> None:
        self.data, self.device, self.channels_last = data, device, channels_last
        self.thread = ThreadPoolExecutor(1, "shiftlens-batches")

    def __enter__(self) -> BatchReader:
        return self

    def __exit__(self, *raised: object) -> None:
        self.thread.shutdown()

    def batch(self, rows: IntArray) -> Batch:
        """These rows."""
        return self._on_device(self.thread.submit(self._read, rows).result(), rows)

    def batches(self, order: Order, start: int, stop: int) -> Iterator[tuple[int, Batch]]:
        """The steps from ``start`` up to ``stop``, each with its batch; the next are read while one is trained on."""
        waiting: deque[tuple[int, IntArray, Future[FloatArray]]] = deque()
        for step in range(start, stop + READ_AHEAD):
            if step < stop:
                rows = order.rows(step)
                waiting.append((step, rows, self.thread.submit(self._read, rows)))
            if len(waiting) > READ_AHEAD or step >= stop:
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
        if self.channels_last:
            samples = samples.contiguous(memory_format=torch.channels_last)
        loss = torch.from_numpy(self.data.loss[rows].astype(np.float32)).to(self.device)
        return Batch(samples, loss, torch.from_numpy(self.data.label[rows]).to(self.device))
