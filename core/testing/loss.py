"""Rules for losses."""

from __future__ import annotations

from functools import cache
from typing import cast

import numpy as np

from shiftlens.core.arrays import Floats, IntArray
from shiftlens.core.errors import ShiftlensError
from shiftlens.core.host.kinds import Loss
from shiftlens.core.testing.realdata import NearestMean, samples
from shiftlens.core.testing.rules import LeftOut, Subject, expect, rule


@cache
def _scored() -> tuple[Floats, IntArray]:
    """Probabilities ``(450, 10)`` of a real classifier on the digits, and their labels."""
    x, label = samples("image")
    return NearestMean(x[:200], label[:200])(x), label


def _needs_labels(subject: Subject) -> bool:
    return cast(Loss, subject.component).needs_labels


def _of(subject: Subject, p: Floats, label: IntArray) -> Floats:
    values: Floats = subject.worker()(p, label)
    return values


@rule("loss", "one-finite-value-each", first=True)
def one_finite_value_each(subject: Subject) -> None:
    """``loss(probabilities (N, K), labels (N,))`` gives ``(N,)`` float64, finite even for probabilities of 0 and 1."""
    p, label = _scored()
    sure = np.eye(10)[(label + np.arange(len(label)) % 2) % 10]  # rightly and wrongly sure in turn
    for name, given in (("a classifier's probabilities", p), ("probabilities of 0 and 1", sure)):
        values = _of(subject, given, label)
        shape = getattr(values, "shape", None)
        expect(shape == (len(p),), f"shape {(len(p),)} for {name}", shape)
        expect(values.dtype == np.float64, "float64", values.dtype)
        expect(np.isfinite(values).all(), f"finite losses for {name}", values[~np.isfinite(values)][:3])


@rule("loss", "small-where-right")
def small_where_right(subject: Subject) -> None:
    """The surer the classifier is of the right class, the smaller the loss; with labels, sure and wrong costs most."""
    p = np.array([[0.98, 0.01, 0.01], [0.7, 0.2, 0.1], [0.4, 0.3, 0.3], [0.01, 0.98, 0.01]])
    values = _of(subject, p, np.zeros(4, dtype=np.int64))
    expect(values[0] < values[1] < values[2], "a loss that rises from sure and right to unsure", values[:3])
    if _needs_labels(subject):
        expect(values[3] > values[2], "the largest loss where it is sure and wrong", values)


@rule("loss", "says-whether-it-needs-labels")
def says_whether_it_needs_labels(subject: Subject) -> None:
    """With ``needs_labels=False`` the labels change nothing and may be None; with True, None raises a ShiftlensError
    that says which losses do without."""
    p, label = _scored()
    if not _needs_labels(subject):
        same = np.array_equal(subject.worker()(p, None), _of(subject, p, label))
        expect(same, "the same losses with and without labels", "they differ")
        return
    try:
        subject.worker()(p, None)
    except ShiftlensError:
        return
    except Exception as error:
        expect(False, "a ShiftlensError for labels of None", repr(error))
    expect(False, "a ShiftlensError for labels of None", "none was raised")


@rule("loss", "each-sample-alone")
def each_sample_alone(subject: Subject) -> None:
    """The loss of a sample does not depend on the others in its batch: a batch of one gives the same."""
    p, label = _scored()
    together = _of(subject, p[:7], label[:7])
    alone = np.concatenate([_of(subject, p[i : i + 1], label[i : i + 1]) for i in range(7)])
    expect(np.allclose(together, alone, atol=1e-12), f"{together} as in a batch of 7", alone)


@rule("loss", "any-number-of-classes")
def any_number_of_classes(subject: Subject) -> None:
    """Two classes will do, and so will a classifier that tells nothing apart (all probabilities equal)."""
    for classes in (2, 3, 10):
        values = _of(subject, np.full((5, classes), 1 / classes), np.arange(5) % classes)
        expect(np.isfinite(values).all(), f"finite losses for {classes} equal probabilities", values)
        expect(np.ptp(values) < 1e-9, "the same loss for the same probabilities", values)


@rule("loss", "leaves-its-input-alone")
def leaves_its_input_alone(subject: Subject) -> None:
    """Probabilities and labels are not changed in place, and the same call gives the same losses."""
    p, label = _scored()
    given, labels = p.copy(), label.copy()
    first, second = _of(subject, given, labels), _of(subject, given, labels)
    expect(np.array_equal(given, p) and np.array_equal(labels, label), "its input unchanged", "it was changed")
    expect(np.array_equal(first, second), "the same losses the second time", "they differ")


@rule("loss", "onnx-agrees")
def onnx_agrees(subject: Subject) -> None:
    """Where it has an ONNX form (``onnx(settings)``), that is one model, probabilities and labels in, losses out, that
    gives the worker's losses within 1e-4 of their size: one sample alone, many, and with probabilities of 0 and 1."""
    from shiftlens.export.session import Session

    form = cast(Loss, subject.component).onnx
    if form is None:
        raise LeftOut("it has no ONNX form; bundles of it have no grid.onnx")
    session = Session(form(subject.settings).SerializeToString(), device="cpu")
    ways = (len(session.inputs), len(session.outputs))
    expect(ways == (2, 1), "two inputs, probabilities and labels, and one output", f"{ways[0]} and {ways[1]}")
    chances, labels = (tensor.name for tensor in session.inputs)
    p, label = _scored()
    sure = np.eye(10)[(label + np.arange(len(label)) % 2) % 10]
    for name, given in (("many samples", p), ("probabilities of 0 and 1", sure), ("one sample", p[:1])):
        single, classes = given.astype(np.float32), label[: len(given)]
        (made,) = session.run(**{chances: single, labels: classes}).values()
        values = _of(subject, single.astype(np.float64), classes)
        expect(made.shape == values.shape, f"losses of shape {values.shape} for {name}", made.shape)
        off = float(np.abs(made - values).max() / max(1.0, float(np.abs(values).max())))
        expect(off <= 1e-4, f"losses for {name} that agree with the worker's within 1e-4", f"a difference of {off:.3g}")
