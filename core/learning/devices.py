"""Where networks are trained, and what torch is asked for while they are: cores, random numbers, precision."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from shiftlens.core.errors import TrainingError


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
def reproducible(device: torch.device) -> Iterator[None]:
    """Steps seed the global generator: give it back as it was. On CUDA, choose kernels that repeat their results."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        cudnn.deterministic, cudnn.benchmark = True, False
        try:
            yield
        finally:
            cudnn.deterministic, cudnn.benchmark = before


def mixed_precision(device: torch.device) -> Any:
    """bfloat16 where the hardware has it; never on the CPU, where it is slower."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()
