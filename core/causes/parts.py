"""Work on many samples in parts: memory stays bounded whatever the samples' size, and all cores are used.

numpy, scipy and ONNX Runtime work outside Python's lock, so threads are enough. Where parts begin depends on the
samples' size and number alone, not on the machine, and each part's random numbers are its own: the same input gives
the same result on any number of cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from math import prod
from typing import TypeVar

Result = TypeVar("Result")

LARGEST = 16 * 2**20
"""Bytes of samples in one part; an operation needs several times as much for what it works with."""
SMALLEST = 2**20
"""Bytes below which a part is not worth the calls it takes..."""
FEWEST = 64
"""...unless it holds so many samples."""
MOST_THREADS = 8
"""However many cores there are, so that memory stays bounded."""


def rows_per_part(sample_shape: Sequence[int], largest: int = LARGEST) -> int:
    """How many float32 samples of that shape make a part."""
    size = 4 * max(1, prod(sample_shape))
    return max(1, min(largest // size, max(FEWEST, SMALLEST // size)))


def parts_of(count: int, most: int) -> list[slice]:
    """``count`` rows in parts of ``most``; a short rest goes with the part before it."""
    starts = list(range(0, count, most)) or [0]
    if len(starts) > 1 and count - starts[-1] < most // 4:
        starts.pop()
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], count], strict=True)]


def in_parts(work: Callable[[slice], Result], parts: Sequence[slice]) -> list[Result]:
    """``work`` done for each part, several at a time, results in order; what a part raises is raised.

    ``work`` must not call this again: it would wait for threads that wait for it.
    """
    if len(parts) == 1:
        return [work(parts[0])]
    return list(_pool().map(work, parts))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(MOST_THREADS, max(2, os.cpu_count() or 1)), thread_name_prefix="shiftlens-part")
