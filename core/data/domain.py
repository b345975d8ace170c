"""A domain: samples of one shape with their labels, read in batches from memory-mapped arrays.

Nothing here, or anywhere in ``core``, assumes images: a sample is an array of any shape, ``(C, H, W)`` for an
image, ``(C, T)`` for a series, ``(F,)`` for a vector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from shiftlens.core.arrays import AnyArray, FloatArray, IntArray
from shiftlens.core.errors import InputError

ROUNDING = 1e-4  # by which image values may miss [0, 1]


def as_float32(stored: AnyArray) -> FloatArray:
    """The default ``decode``: the stored values as they are, as float32."""
    return np.asarray(stored, dtype=np.float32)


@dataclass(frozen=True)
class Domain:
    """Samples of one shape before (source) or after (target) the shift.

    Attributes:
        stored: what the reader holds, ``(N, ...)``, of any dtype; usually a memory-mapped array.
        sample_shape: shape of one decoded sample, e.g. ``(3, 32, 32)``, ``(1, 256)``, ``(12,)``.
        kind: of sample: ``"image"`` (values in [0, 1]), ``"series"`` or ``"tabular"``.
        labels: ``(N,)`` array of strings, or None where the samples carry no labels.
        decode: turns a slice of ``stored``, ``(n, ...)``, into ``(n, *sample_shape)`` float32.
        names: ``(N,)`` names of the samples (file names, say); empty where there are none.
        columns: names of the values of a vector, ``(F,)``; empty for other kinds.
    """

    stored: AnyArray
    sample_shape: tuple[int, ...]
    kind: str
    labels: npt.NDArray[np.str_] | None = None
    decode: Callable[[AnyArray], FloatArray] = as_float32
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


def check_pair(source: Domain, target: Domain, batch_size: int = 256) -> list[str]:
    """Read every sample of both domains once, and check that the two can be compared.

    Returns:
        Warnings: what is odd, and can be lived with.

    Raises:
        InputError: a domain is empty; kinds, shapes or columns differ; labels or names are fewer or more than samples;
            samples hold NaN or infinite values, or image values outside [0, 1]; all samples are constant.
    """
    warnings = []
    for role, domain in (("source", source), ("target", target)):
        _check_counts(role, domain)
    if source.kind != target.kind:
        raise InputError(
            f"the source holds samples of kind {source.kind} and the target of kind {target.kind}; "
            "say what they are with kind: under source and target"
        )
    if source.sample_shape != target.sample_shape:
        raise InputError(
            f"source samples have shape {source.sample_shape} and target samples {target.sample_shape}; bring them to "
            "one shape, or give both readers the same settings for it (`shiftlens plugins show NAME` lists them)"
        )
    if source.columns != target.columns:
        odd = sorted(set(source.columns) ^ set(target.columns))
        what = f"these columns are in one of them only: {_listed(odd)}" if odd else "their order differs"
        raise InputError(f"source and target must have the same columns in the same order; {what}")
    for role, domain in (("source", source), ("target", target)):
        warnings += _check_values(role, domain, batch_size)
        warnings += _check_labels(role, domain)
    return warnings


def _check_counts(role: str, domain: Domain) -> None:
    """A reader gave samples, and a label and a name for each, or none at all."""
    if len(domain) == 0:
        raise InputError(f"the {role} domain is empty; check its path")
    labels = len(domain) if domain.labels is None else len(domain.labels)
    names = len(domain.names) or len(domain)
    for what, count in (("labels", labels), ("names", names)):
        if count != len(domain):
            raise InputError(f"the {role} domain has {len(domain)} samples and {count} {what}; give one for each")


def _check_values(role: str, domain: Domain, batch_size: int) -> list[str]:
    """All values are finite, image values lie in [0, 1], and samples are not constant."""
    broken: list[int] = []
    constant: list[int] = []
    low, high = np.inf, -np.inf
    done = 0
    for x in domain.batches(batch_size):
        flat = x.reshape(len(x), -1)
        finite = np.isfinite(flat).all(axis=1)
        broken += (done + np.flatnonzero(~finite)).tolist()
        if finite.any():
            smallest, largest = flat[finite].min(axis=1), flat[finite].max(axis=1)
            constant += (done + np.flatnonzero(finite)[smallest == largest]).tolist()
            low, high = min(low, float(smallest.min())), max(high, float(largest.max()))
        done += len(x)
    if broken:
        raise InputError(
            f"{len(broken)} of {len(domain)} {role} samples hold values that are not finite (NaN or infinite): "
            f"{_named(domain, broken)}; repair or leave them out"
        )
    if domain.kind == "image" and (low < -ROUNDING or high > 1 + ROUNDING):
        advice = (
            "divide them by 255, or save them as uint8" if low >= 0 and high <= 255 else "bring them into this range"
        )
        raise InputError(f"image values must lie in [0, 1]; those of the {role} go from {low:g} to {high:g}: {advice}")
    if len(constant) == len(domain) and flat.shape[1] > 1:
        raise InputError(
            f"every {role} sample is constant (the same value throughout), so there is nothing to see in them; "
            "check how they were made"
        )
    if constant and flat.shape[1] > 1:
        share = f"{len(constant)} of {len(domain)} {role} samples are constant (the same value throughout)"
        return [f"{share}: {_named(domain, constant)}."]
    return []


def _check_labels(role: str, domain: Domain) -> list[str]:
    if domain.labels is None:
        return []
    counts = Counter(str(label) for label in domain.labels)
    single = sorted(label for label, count in counts.items() if count == 1)
    if not single:
        return []
    classes = "class" if len(single) == 1 else "classes"
    return [f"The {role} has one sample only of the {classes} {_listed(single)}: nothing can be said about them."]


def _named(domain: Domain, indices: list[int]) -> str:
    """The first few samples, by index and (where there are) names."""
    return _listed(f"{i} ({domain.names[i]})" if domain.names else str(i) for i in indices)


def _listed(items: Iterable[str], most: int = 5) -> str:
    items = list(items)
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
