"""Some samples of a domain, decoded when they are asked for: numbers of rows are held, not the samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod

import numpy as np

from shiftlens.core.arrays import FloatArray, IntArray

IN_MEMORY = 64 * 2**20
"""Bytes of decoded samples that whoever goes through all of them holds at once; what is done with them takes more."""


class LazySamples:
    """Rows of an array that lies elsewhere.

    Args:
        batch: gives decoded samples ``(n, *sample)`` float32 by their numbers ``(n,)``; see `Domain.batch`.
        rows: ``(n,)`` numbers of the samples.
        sample_shape: of one sample.
    """

    def __init__(self, batch: Callable[[IntArray], FloatArray], rows: IntArray, sample_shape: tuple[int, ...]) -> None:
        self._batch, self._rows, self.sample_shape = batch, rows, sample_shape

    @classmethod
    def of(cls, samples: FloatArray | LazySamples) -> LazySamples:
        """An array ``(n, *sample)`` that is in memory already, or samples as they are."""
        if isinstance(samples, LazySamples):
            return samples
        return cls(lambda rows: samples[rows], np.arange(len(samples)), samples.shape[1:])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, places: slice | IntArray) -> FloatArray:
        """Decoded samples, by their places among these."""
        return self._batch(self._rows[places])

    def some(self, places: slice | IntArray) -> LazySamples:
        """Fewer samples, or in another order; nothing is decoded."""
        return LazySamples(self._batch, self._rows[places], self.sample_shape)

    def parts(self, largest: int = IN_MEMORY) -> Iterator[slice]:
        """Runs of places whose samples take no more than so many bytes, or hold one sample."""
        most = max(1, largest // (4 * max(1, prod(self.sample_shape))))
        for start in range(0, len(self), most):
            yield slice(start, min(start + most, len(self)))
