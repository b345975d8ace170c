"""Which form an ONNX file has, decided on real samples: layout, output, one value or one per class, batch. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftlens.core.arrays import AnyArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.labels import class_names
from shiftlens.core.data.scoring import WITHIN
from shiftlens.core.errors import ClassifierError, InputError, near_miss
from shiftlens.export.found_onnx import LIKELY, UNLIKELY, FoundOnnx
from shiftlens.export.session import Session
from shiftlens.export.wrap_onnx import Form, Layout, adapted, freed, layouts, run_in_batches

LARGEST_BATCH = 2**31  # bytes of a batch of fixed size
PROBED = 16  # samples that the form is decided on
READINGS = ("auto", "logits", "probabilities")


@dataclass(frozen=True)
class Decided:
    """The form, what it was decided on, and what a person should know of it.

    Attributes:
        form: what stands around the graph.
        reference: the outputs ``(n, classes)`` that the wrapped graph must give for the first ``n`` samples.
        notes: where another decision was possible, in full sentences.
        steps: what is done around the graph, and could hardly be otherwise.
    """

    form: Form
    reference: AnyArray
    notes: tuple[str, ...]
    steps: tuple[str, ...]


def decide(found: FoundOnnx, source: Domain, name: str, layout: str, output: str, batch: int | None) -> Decided:
    """Find the form on samples of the source.

    Args:
        name: what the classifier is called in messages.
        layout, output, batch: as set; ``"auto"``, ``"auto"`` and None leave them to this function.

    Raises:
        ClassifierError: no form fits, telling what the file takes and gives.
    """
    entry = found.inputs[0]
    if not np.issubdtype(entry.dtype, np.number) or entry.dtype == np.int8:
        raise ClassifierError(f"{name} takes {entry}; export it with an input of float32 or uint8")
    ways = layouts(source.sample_shape, found, source.kind, layout)
    if not ways:
        raise ClassifierError(_does_not_fit(name, found, source, layout))
    scale = 255.0 if source.kind == "image" and np.issubdtype(entry.dtype, np.integer) else 1.0
    size = batch or found.batch
    if size and 4 * size * math.prod(source.sample_shape) > LARGEST_BATCH:
        raise ClassifierError(
            f"{name} takes batches of {size} samples only, {4 * size * math.prod(source.sample_shape) / 2**30:.1f} GB "
            "at once; export it with a batch dimension that may vary"
        )
    x = source.batch(np.resize(np.arange(len(source)), PROBED))
    try:
        session = Session(found.model.SerializeToString(), device="cpu")
    except (InputError, ValueError) as error:  # ValueError: above the 2 GB of one protobuf
        raise ClassifierError(f"{name}: {error}") from None
    way, given = _first_that_runs(session, entry.name, x, ways, scale, entry.dtype, size, name)
    chosen, columns, others = _choose(found, given, output, _count(source, found), len(x), name)
    matrix = given[chosen].astype(np.float32).reshape(len(x), columns)
    bounded = bool(matrix.min() >= -WITHIN and matrix.max() <= 1 + WITHIN)
    reference = matrix
    if columns == 1:
        reference = np.concatenate([1 - matrix if bounded else np.zeros_like(matrix), matrix], axis=1)
    form = Form(way, source.sample_shape, scale, chosen, columns, bounded, batch or found.batch or "free")
    if batch is None:
        form = freed(found, form, x, reference)
    return Decided(form, reference, tuple(_notes(form, found, ways, others, name)), tuple(_steps(form, found)))


def _count(source: Domain, found: FoundOnnx) -> int | None:
    """The number of classes, where something says it."""
    if found.classes is not None:
        return len(found.classes)
    return len(class_names(source.labels)) if source.labels is not None else None


def _first_that_runs(
    session: Session,
    entry: str,
    x: AnyArray,
    ways: Sequence[Layout],
    scale: float,
    dtype: np.dtype[Any],
    size: int | None,
    name: str,
) -> tuple[Layout, dict[str, AnyArray]]:
    """The likeliest layout that the graph can be run with, and what it gives then."""
    failures: list[str] = []
    for way in ways:
        try:
            return way, run_in_batches(session, {entry: adapted(x, way, scale, dtype)}, size)
        except (InputError, ValueError) as error:
            failures.append(str(error))
    raise ClassifierError(f"{name} fails on a batch of shape {x.shape}: {failures[0]}")


def _choose(
    found: FoundOnnx, given: dict[str, AnyArray], wanted: str, classes: int | None, count: int, name: str
) -> tuple[str, int, list[str]]:
    """The output that holds a value for each class, its number of columns, and the others that could be meant."""
    columns: dict[str, int] = {}
    for tensor in found.outputs:
        values = given[tensor.name]
        flat = values.reshape(len(values), -1) if values.ndim and len(values) == count else None
        whole_numbers = not np.issubdtype(tensor.dtype, np.floating)
        if flat is None or flat.shape[1] < 1 or (whole_numbers and flat.shape[1] == 1):
            continue  # a label is one whole number
        if max(values.shape[1:], default=1) != flat.shape[1]:
            continue  # a map of features: more than one axis is longer than one
        columns[tensor.name] = flat.shape[1]
    names = ", ".join(found.given)
    if wanted not in READINGS and wanted not in columns:
        known = list(columns)
        raise ClassifierError(
            f'{name} has no output "{wanted}" with a value for each class; {near_miss(wanted, known)}'
            f"it gives {names}; name one of {', '.join(known) or 'none'} as classifier.output"
        )
    if wanted in columns:
        return wanted, columns[wanted], []
    if not columns:
        shapes = ", ".join(f"{key} {value.shape}" for key, value in given.items())
        raise ClassifierError(
            f"{name} gives {names} (for {count} samples: {shapes}); it must give ({count}, classes): one logit or "
            "probability per class. A label alone tells nothing of how sure it is: export it with its probabilities"
        )
    order = list(columns)

    def likeliness(key: str) -> tuple[int, int, int, int]:
        fits = classes is not None and (columns[key] == classes or (columns[key] == 1 and classes == 2))
        many = columns[key] > 1
        return (fits, bool(LIKELY.search(key)) - 2 * bool(UNLIKELY.search(key)), many, -order.index(key))

    best = max(columns, key=likeliness)
    return best, columns[best], [key for key in order if key != best]


def _notes(form: Form, found: FoundOnnx, ways: list[Layout], others: list[str], name: str) -> list[str]:
    """What was decided, where another decision was possible."""
    notes = []
    if form.layout.repeat:
        notes.append(f"{name} takes pictures in colour; the grey samples are given to it three times over.")
    alternatives = sorted({way.name for way in ways} - {form.layout.name})
    if alternatives and form.layout.name in ("channels-first", "channels-last"):
        notes.append(
            f"{name} can be run with samples that are {' or '.join(alternatives)}, too; {form.layout.name} is taken: "
            "set classifier.layout where that is wrong."
        )
    if others:
        notes.append(
            f"{name} gives {', '.join(found.given)}; {form.output} is used, and {', '.join(others)} could be meant, "
            "too: set classifier.output to choose."
        )
    if form.columns == 1:
        what = "the probability" if form.bounded else "the logit"
        notes.append(f"{name} gives one value a sample; it is read as {what} of the second of two classes.")
    return notes


def _steps(form: Form, found: FoundOnnx) -> list[str]:
    """What is done around the graph."""
    steps = []
    if form.layout.name != "channels-first":
        steps.append(f"samples are brought to its form {form.layout.shape}, {form.layout.name}")
    if len(found.given) > 1:
        steps.append(f"of {', '.join(found.given)} the output {form.output} is used")
    if form.batch == "freed":
        steps.append(f"it was exported for batches of {found.batch} and is run with any, with equal answers")
    elif form.batch != "free":
        steps.append(f"it takes batches of {form.batch} only and is run in such batches, one after the other")
    if form.scale != 1:
        steps.append(f"it takes whole numbers, and is given 0 to {form.scale:g}")
    return steps


def _does_not_fit(name: str, found: FoundOnnx, source: Domain, layout: str) -> str:
    """What the file takes, what there is, and what to do."""
    takes, has = tuple(found.inputs[0].shape[1:]), source.sample_shape
    whole_sizes = [d for d in takes if isinstance(d, int)]
    hint = "give samples of its shape, or export the classifier for these"
    if layout != "auto":
        hint = f"classifier.layout says {layout}: leave it out, or correct it"
    elif source.kind == "image" and len(takes) >= 2:
        channels = next((d for d in (takes[0], takes[-1]) if d in (1, 3)), None) if len(takes) == 3 else 1
        sides = [d for d in whole_sizes if d not in (1, 3)]
        if channels is not None and channels != has[0] and set(has[1:]) == set(sides):
            hint = f"set mode: {'L' if channels == 1 else 'RGB'} in the settings of both readers"
        elif len(sides) == 2:
            hint = f"set size: [{sides[0]}, {sides[1]}] in the settings of both readers, to resize the samples"
    elif source.kind == "series" and whole_sizes:
        hint = f"set length: {max(whole_sizes)} in the settings of both readers"
    elif source.kind == "tabular" and len(whole_sizes) == 1:
        missing = f"{whole_sizes[0]} columns and the source {has[0]}" if whole_sizes != list(has) else "another form"
        hint = (
            f"it takes {missing}; choose them with columns or ignore in the settings of both readers, in the order of "
            "its training"
        )
    count = f" ({math.prod(has)} values)" if len(has) > 1 else ""
    return f"{name} takes samples of shape {takes}; the source has {has}{count}; {hint}"
