"""Class names: the labels of both domains matched against the columns of the classifier's output."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shiftlens.core.arrays import IntArray
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


@dataclass(frozen=True)
class BetterOrder:
    """An order of the class names under which the classifier is right more often.

    Attributes:
        name: what the order is, such as ``"as text"``.
        classes: all names in it.
        right, right_now: share of the samples that are right under it, and under the order in use.
    """

    name: str
    classes: tuple[str, ...]
    right: float
    right_now: float

    @property
    def told(self) -> str:
        """In a sentence, with the setting that would follow it."""
        return (
            f"With its classes in another order ({self.name}: {_plainly(self.classes)}) the classifier is right on "
            f"{self.right:.1%} of the labelled source samples, with the order in use on {self.right_now:.1%}. If it "
            f"was trained in that order, set classifier.classes to [{_plainly(self.classes)}]."
        )


def likely_orders(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The orders that tools number the same class names in, each once, those equal to ``names`` left out."""

    def natural(name: str) -> list[tuple[int, int, str]]:
        parts = re.findall(r"\d+|\D+", name)
        return [(0, int(part), "") if part.isdecimal() and part.isascii() else (1, 0, part) for part in parts]

    def as_number(name: str) -> tuple[float, str]:
        try:
            return float(name), name
        except ValueError:
            return math.inf, name

    orders = {
        "as text, like torchvision and Keras": tuple(sorted(names)),
        "as numbers": tuple(sorted(names, key=as_number)),
        "natural": tuple(sorted(names, key=natural)),
        "as text, small and capital letters alike": tuple(sorted(names, key=lambda name: (name.casefold(), name))),
        "the other way round": tuple(reversed(names)),
    }
    seen = {names}
    return {name: order for name, order in orders.items() if order not in seen and not seen.add(order)}  # type: ignore[func-returns-value]


def better_order(
    names: tuple[str, ...],
    labels: IntArray,
    predictions: IntArray,
    orders: Mapping[str, tuple[str, ...]] | None = None,
) -> BetterOrder | None:
    """The likely order under which more predictions are right than chance explains; None where there is none.

    Args:
        names: in the order in use.
        labels, predictions: ``(n,)`` places in ``names``.
        orders: further ones to try, by what they are.
    """
    found: BetterOrder | None = None
    known = labels >= 0
    labels, predictions = labels[known], predictions[known]
    if not len(labels):
        return None
    now = predictions == labels
    place = {name: i for i, name in enumerate(names)}
    for what, order in {**(orders or {}), **likely_orders(names)}.items():
        if sorted(order) != sorted(names):
            continue
        then = np.array([place[name] for name in order])[predictions] == labels
        gained, lost = int((then & ~now).sum()), int((now & ~then).sum())
        clear = gained - lost > 2 * np.sqrt(gained + lost)  # twice what as many even chances would spread by
        if clear and (found is None or then.mean() > found.right):
            found = BetterOrder(what, order, float(then.mean()), float(now.mean()))
    return found


def _plainly(names: Iterable[str], most: int = 24) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


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
