"""Class names: the labels of both domains matched against the columns of the classifier's output."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from shiftlens.core.errors import ClassifierError, InputError, near_miss

Labels = npt.NDArray[np.str_]
INTEGER = re.compile(r"[+-]?\d+")


def class_names(labels: Iterable[str]) -> tuple[str, ...]:
    """The distinct labels, sorted as numbers where all of them are integers, else as text."""
    distinct = {str(label) for label in labels}
    if distinct and all(INTEGER.fullmatch(name) for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


def match_classes(
    source_labels: Labels | None,
    target_labels: Labels | None,
    outputs: int,
    declared: tuple[str, ...] | None = None,
) -> tuple[str, ...]:
    """The class name of each of the classifier's ``outputs`` columns, in their order.

    Declared names are taken as they are. Otherwise the sorted labels are, where there are as many of them as there
    are columns; integer labels that all fit into ``range(outputs)`` are column numbers, even if some never occur.

    Args:
        source_labels, target_labels: ``(N,)`` strings, None for a domain without labels.
        outputs: number of columns of the classifier's output.
        declared: names that the classifier, or the settings, say.

    Raises:
        ClassifierError: the number of names does not fit the number of columns.
        InputError: a label is not among the names, or is an integer beyond the columns.
    """
    if outputs < 2:
        raise ClassifierError(
            f"the classifier gives {outputs} value a sample; it must give one per class, at least 2: for a yes/no "
            "classifier with one output p, export (1 - p, p)"
        )
    names = _declared(declared, outputs) if declared is not None else _inferred(source_labels, target_labels, outputs)
    for role, labels in (("source", source_labels), ("target", target_labels)):
        if labels is not None:
            _check_known(role, labels, names)
    return names


def _declared(declared: tuple[str, ...], outputs: int) -> tuple[str, ...]:
    if len(set(declared)) != len(declared):
        twice = next(name for name in declared if declared.count(name) > 1)
        raise ClassifierError(f'the classes name "{twice}" twice; give each output of the classifier its own name')
    if len(declared) != outputs:
        raise ClassifierError(
            f"the classifier has {outputs} outputs and {len(declared)} class names ({_listed(declared)}); "
            "give one name per output, in their order, as classifier.classes"
        )
    return declared


def _inferred(source_labels: Labels | None, target_labels: Labels | None, outputs: int) -> tuple[str, ...]:
    numbered = tuple(str(i) for i in range(outputs))
    source = class_names(source_labels) if source_labels is not None else ()
    either = class_names({*source, *(target_labels if target_labels is not None else ())})
    if set(source or either) <= set(numbered):
        return numbered
    for found in (source, either):  # a class may be missing in the source, or be a slip in the target
        if len(found) == outputs:
            return found
    if source and all(INTEGER.fullmatch(name) for name in source):
        beyond = [name for name in source if name not in numbered]
        raise ClassifierError(
            f"the source has labels out of range: {_listed(beyond)}; a classifier with {outputs} outputs knows "
            f"0 to {outputs - 1}; correct the labels, or name the outputs in their order as classifier.classes"
        )
    raise ClassifierError(
        f"the classifier has {outputs} outputs and the source {len(source)} classes ({_listed(source)}); "
        "name all outputs in their order as classifier.classes"
    )


def _check_known(role: str, labels: Labels, names: tuple[str, ...]) -> None:
    strangers = [name for name in class_names(labels) if name not in names]
    if strangers:
        count = int(np.isin(labels, strangers).sum())
        raise InputError(
            f"{role}: {count} of {len(labels)} samples have a label that the classifier does not know: "
            f"{_listed(strangers)}; {near_miss(strangers[0], names)}the classes are: {_listed(names)}. "
            "Correct or leave out these samples, or name the classifier's outputs as classifier.classes"
        )


def _listed(names: Iterable[str], most: int = 12) -> str:
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(f'"{name}"' for name in names[:most]) or "none") + more
