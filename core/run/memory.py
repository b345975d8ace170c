"""Whether the samples fit into this machine's memory: told before anything is worked out, with what to set."""

from __future__ import annotations

import contextlib
from math import prod
from pathlib import Path

from shiftlens.core.errors import InputError

HELD_PER_SAMPLE = 24
"""Float32 copies of one sample that the trial holds at once where one alone fills a part: a change's intermediate
results, the states of the plan, and what the classifier is given. Measured with `benchmarks/real_size.py`."""
ELSE = 900 * 2**20
"""Bytes of everything that does not depend on the samples' size: libraries, views, randomised rows, runs of samples."""


def needed(sample_shape: tuple[int, ...]) -> int:
    """Bytes that a verdict takes at most, about; the classifier's own memory for one sample comes on top."""
    return ELSE + HELD_PER_SAMPLE * 4 * prod(sample_shape)


def available() -> int | None:
    """Bytes that this process may still take: of the machine, or of its control group; None where neither is told."""
    found = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found.append(1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")))
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):  # "max" is no number: no limit
        found.append(
            int((group / "memory.max").read_text(encoding="ascii"))
            - int((group / "memory.current").read_text(encoding="ascii"))
        )
    return min(found, default=None)


def check_memory(sample_shape: tuple[int, ...], kind: str) -> None:
    """Compare the two.

    Raises:
        InputError: the samples are too large; it says how much is needed, how much there is, and what to set.
    """
    there, wanted = available(), needed(sample_shape)
    if there is None or wanted <= there:
        return
    size = " × ".join(str(length) for length in sample_shape)
    what = "set size under source and target to fewer px" if kind == "image" else "bring shorter samples"
    raise InputError(
        f"samples of {size} values need about {wanted / 2**30:.1f} GB of memory, and {there / 2**30:.1f} GB are free: "
        f"{what}, or use a machine with more"
    )
