"""A domain: samples of one shape with their labels, read in batches from memory-mapped arrays.

Nothing here, or anywhere in ``core``, assumes images: a sample is an array of any shape, ``(C, H, W)`` for an
image, ``(C, T)`` for a series, ``(F,)`` for a vector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from shiftlens.core.arrays import AnyArray, FloatArray, IntArray, Predict
from shiftlens.core.errors import InputError

ROUNDING = 1e-4  # by which image values may miss [0, 1]


def as_float32(stored: AnyArray) -> FloatArray:
    """The default ``decode``: the stored values as they are, as float32."""
    return np.asarray(stored, dtype=np.float32)


@dataclass(frozen=True)
class Otherwise:
    """Samples that another setting of the reader would read in another way: the accuracies of both are told.

    Attributes:
        what: what they are, in the plural, such as ``"pictures with an EXIF turn"``.
        now, then: the setting in use and the other one, such as ``"exif: turn"``.
        rows: their places in the domain, or some of them, evenly spread.
        count: how many there are in all.
        read: ``read(rows) -> (n, *sample_shape)`` float32, in the other way; it may raise an `InputError`.
    """

    what: str
    now: str
    then: str
    rows: IntArray
    count: int
    read: Callable[[IntArray], FloatArray]

    def told(self, role: str, labels: IntArray | None, predictions: IntArray, predict: Predict) -> str:
        """How often the classifier is right on them in either way, in a sentence.

        Args:
            labels, predictions: ``(N,)`` of the whole domain; without labels, agreement is told.
        """
        begin = f"The {role} holds {self.count} {self.what}, read with {self.now}"
        try:
            parts = [predict(self.read(self.rows[i : i + 64])) for i in range(0, len(self.rows), 64)]
        except InputError as error:
            return f"{begin}; with {self.then} they cannot be read: {error}"
        other = np.concatenate(parts).argmax(axis=1)
        now = predictions[self.rows]
        some = "" if len(self.rows) == self.count else f" (of {len(self.rows)} tried)"
        if labels is None:
            same = float((other == now).mean())
            return f"{begin}. With {self.then}, {1 - same:.1%} of the predictions would be others{some}."
        right_now, right_then = (float((found == labels[self.rows]).mean()) for found in (now, other))
        return (
            f"{begin}: the classifier is right on {right_now:.1%} of them. With {self.then} it would be right on "
            f"{right_then:.1%}{some}. Set what the loader does that the classifier is used with."
        )


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
        otherwise: samples that could be read in another way, for the accuracies to tell.
        notes: what the reader decided or left out, in full sentences; the report warns of it.
        groups: metadata of the samples by column, each ``(N,)`` strings; empty where a sample has no value.
        categories: of columns of categories, by name: the text that each of their numbers 0, 1, ... stands for.
        agrees: how it was read, by the setting's name, where both domains must be read alike: ``{"rate": 16000}``.
    """

    stored: AnyArray
    sample_shape: tuple[int, ...]
    kind: str
    labels: npt.NDArray[np.str_] | None = None
    decode: Callable[[AnyArray], FloatArray] = as_float32
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = field(default=())
    otherwise: tuple[Otherwise, ...] = ()
    notes: tuple[str, ...] = ()
    agrees: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, npt.NDArray[np.str_]] = field(default_factory=dict)
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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


def aligned(source: Domain, target: Domain) -> Domain:
    """The target with its columns in the source's order, where they are the same ones in another order."""
    if source.columns == target.columns or sorted(source.columns) != sorted(target.columns):
        return target
    places = np.array([target.columns.index(name) for name in source.columns])
    decode = target.decode
    note = "Its columns stand in another order than the source's; they are matched by their names."
    return replace(
        target,
        columns=source.columns,
        decode=lambda stored: np.ascontiguousarray(decode(stored)[:, places]),
        notes=(*target.notes, note),
    )


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
            f"the source holds samples of kind {source.kind} ({_looks(source)}) and the target of kind {target.kind} "
            f"({_looks(target)}); bring both to one form and range of values, or say what they are with "
            "kind: under source and target"
        )
    if {*source.columns} != {*target.columns}:
        lacking = {"target": {*source.columns} - {*target.columns}, "source": {*target.columns} - {*source.columns}}
        what = "; ".join(f"the {role} lacks {_listed(sorted(names))}" for role, names in lacking.items() if names)
        raise InputError(
            f"source and target must have the same columns: {what}. Add them, or leave them out on both sides"
        )
    for setting in sorted({*source.agrees} & {*target.agrees}):
        ways = source.agrees[setting], target.agrees[setting]
        if ways[0] != ways[1]:
            raise InputError(
                f"the source has {setting}: {ways[0]} and the target {setting}: {ways[1]}, so that they cannot be "
                f"compared as they are; set {setting} to the same value in the settings of both readers"
            )
    if source.sample_shape != target.sample_shape:
        raise InputError(
            f"source samples have shape {source.sample_shape} and target samples {target.sample_shape}; bring them to "
            "one shape, or give both readers the same settings for it (`shiftlens plugins show NAME` lists them)"
        )
    if source.columns != target.columns:
        raise InputError("source and target must have the same columns in the same order; their order differs")
    for role, domain in (("source", source), ("target", target)):
        warnings += [f"{role}: {note}" for note in domain.notes]
        warnings += _check_values(role, domain, batch_size)
        warnings += _check_labels(role, domain)
    return warnings


def _looks(domain: Domain) -> str:
    """The shape of a sample and the range of some values, by which kinds are told apart."""
    some = domain.batch(slice(0, 64))
    finite = some[np.isfinite(some)]
    values = f"values from {finite.min():g} to {finite.max():g}" if finite.size else "no finite values"
    return f"shape {domain.sample_shape}, {values}"


def _check_counts(role: str, domain: Domain) -> None:
    """A reader gave samples, and a label and a name for each, or none at all."""
    if len(domain) == 0:
        raise InputError(f"the {role} domain is empty; check its path")
    labels = len(domain) if domain.labels is None else len(domain.labels)
    names = len(domain.names) or len(domain)
    of_groups = [(f"values of the metadata column {name}", len(values)) for name, values in domain.groups.items()]
    for what, count in (("labels", labels), ("names", names), *of_groups):
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
        advice = "bring them into this range"
        if low >= 0 and high <= 255:
            advice = "divide them by 255, save them as uint8, or say what is white (white: 255, npz reader)"
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
