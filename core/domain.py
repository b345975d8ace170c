"""A domain: samples of one shape with their labels, read in batches from memory-mapped arrays.

Nothing here, or anywhere in ``core``, assumes images: a sample is an array of any shape, ``(C, H, W)`` for an
image, ``(C, T)`` for a series, ``(F,)`` for a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from shiftlens.core.errors import InputError

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


def as_float32(stored: npt.NDArray[np.generic]) -> FloatArray:
    """The default ``decode``: the stored values as they are, as float32."""
    return np.asarray(stored, dtype=np.float32)


@dataclass(frozen=True)
class Domain:
    """Samples of one shape before (source) or after (target) the shift.

    Attributes:
        stored: what the reader holds, ``(N, ...)``, of any dtype; usually a memory-mapped array.
        sample_shape: shape of one decoded sample, e.g. ``(3, 32, 32)``, ``(1, 256)``, ``(12,)``.
        kind: ``"image"`` (values in [0, 1]), ``"series"`` or ``"tabular"``.
        labels: ``(N,)`` array of strings, or None where the samples carry no labels.
        decode: turns a slice of ``stored``, ``(n, ...)``, into ``(n, *sample_shape)`` float32.
        names: ``(N,)`` names of the samples (file names, say); empty where there are none.
        columns: names of the values of a vector, ``(F,)``; empty for other kinds.
    """

    stored: npt.NDArray[np.generic]
    sample_shape: tuple[int, ...]
    kind: str
    labels: npt.NDArray[np.str_] | None = None
    decode: Callable[[npt.NDArray[np.generic]], FloatArray] = as_float32
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return int(self.stored.shape[0])

    def batch(self, indices: slice | IntArray) -> FloatArray:
        """Decoded samples, ``(n, *sample_shape)`` float32, in the order of ``indices``."""
        decoded = self.decode(self.stored[indices])
        if decoded.shape[1:] != self.sample_shape:
            raise InputError(f"a reader promised samples of shape {self.sample_shape} and gave {decoded.shape[1:]}")
        return decoded

    def batches(self, size: int) -> Iterator[FloatArray]:
        """All samples in their order, ``size`` at a time."""
        for start in range(0, len(self), size):
            yield self.batch(slice(start, start + size))
