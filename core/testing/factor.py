"""Rules for factors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.causes.changes import ActiveFactor
from shiftlens.core.causes.statistics import wrapped
from shiftlens.core.host.kinds import Factor, OnnxOperation
from shiftlens.core.testing.realdata import image_sets, odd_samples, samples
from shiftlens.core.testing.rules import LeftOut, Subject, expect, rule

STEP = 0.3  # of the spread of the measure over real samples: what shifts are tried with
FOLLOWS = (0.4, 1.8)  # what share of the asked shift the middle sample may move by
UNTOUCHED = 0.02  # of the range of the values: what a shift by nothing may change
ROUNDING = 1e-3
ALIKE = 12  # samples that an ONNX form is compared on
STRENGTHS = (-6.0, -1.0, 0.0, 1.0, 6.0)  # in steps


@dataclass
class FactorSubject(Subject):
    """A factor with the first sort of real samples that it does not refuse."""

    @property
    def factor(self) -> Factor:
        return cast(Factor, self.component)

    @cached_property
    def made(self) -> Any:
        """One worker for all rules."""
        return self.worker()

    def sorts(self) -> Iterator[FloatArray]:
        """Sorts of samples to try it on."""
        if self.own is not None:
            yield np.asarray(self.own, dtype=np.float32)
            return
        for kind in self.factor.kinds:
            if kind == "image":
                yield from image_sets()
            else:
                yield samples(kind)[0][:40]

    @cached_property
    def x(self) -> FloatArray:
        """Samples that it can be used on; raises where there are none."""
        refusals = []
        for x in self.sorts():
            refused = self.made.refuses(x)
            if not refused:
                return x
            refusals.append(refused)
        raise LeftOut(f"it refuses the kit's samples ({'; '.join(refusals)}): bring some of yours, samples=x")

    @cached_property
    def values(self) -> Floats:
        return self.measured(self.x)

    def measured(self, x: FloatArray) -> Floats:
        """The measure of these samples; left out where the factor has variants, and so no measure."""
        if self.factor.variants:
            raise LeftOut("it has variants, and no measure")
        values: Floats = self.made.measure(x)
        return values

    @property
    def period(self) -> float | None:
        """Of a circular measure."""
        return ActiveFactor(self.factor.name, self.factor, self.made).period

    @property
    def step(self) -> float:
        """A shift that real samples have."""
        return max(STEP * float(np.nanstd(self.values)), 1e-6)

    def moved(self, x: FloatArray, by: float, seed: int = 0) -> FloatArray:
        """``x`` shifted by the same everywhere; left out where the factor only measures, or has variants."""
        if self.factor.variants:
            raise LeftOut("it has variants, and no strength")
        if not self.factor.interventional:
            raise LeftOut("interventional=False: it is only measured")
        shifted: FloatArray = self.made.shift(x, np.full(len(x), by), np.random.default_rng(seed))
        return shifted


@rule("factor", "refuses-in-words", first=True)
def refuses_in_words(subject: FactorSubject) -> None:
    """``refuses(x)`` gives a string for every batch: why the factor makes no sense for such samples, or an empty one.
    Of the kinds it names (``kinds=``), it takes some samples."""
    for x in subject.sorts():
        refused = subject.made.refuses(x)
        expect(isinstance(refused, str), "a string", f"{refused!r} for samples of shape {x.shape}")
    assert subject.x is not None


@rule("factor", "one-value-each", first=True)
def one_value_each(subject: FactorSubject) -> None:
    """``measure(x (N, *sample))`` gives ``(N,)`` float64: NaN where a sample has no such property, never infinite, and
    a number for some of the samples. A factor with variants has no measure."""
    if subject.factor.variants:
        return
    values, x = subject.values, subject.x
    expect(getattr(values, "shape", None) == (len(x),), f"shape {(len(x),)}", getattr(values, "shape", type(values)))
    expect(values.dtype == np.float64, "float64", values.dtype)
    expect(not np.isinf(values).any(), "no infinite value", values[np.isinf(values)][:3])
    expect(not np.isnan(values).all(), "a number for some sample", "NaN for all of them")


@rule("factor", "each-sample-alone")
def each_sample_alone(subject: FactorSubject) -> None:
    """What a sample measures does not depend on the others in its batch: a batch of one gives the same."""
    together = subject.values[:5]
    alone = np.concatenate([subject.measured(subject.x[i : i + 1]) for i in range(5)])
    expect(np.allclose(together, alone, rtol=1e-4, atol=1e-5, equal_nan=True), f"{together} as in the batch", alone)


@rule("factor", "shifts-samples-into-samples")
def shifts_samples_into_samples(subject: FactorSubject) -> None:
    """``shift`` gives samples: float32 of the same shape, finite, and images within [0, 1]. A batch of one will do."""
    for count in (len(subject.x), 1):
        x = subject.x[:count]
        for by in (subject.step, -subject.step):
            got = subject.moved(x, by)
            expect(getattr(got, "shape", None) == x.shape, f"shape {x.shape}", getattr(got, "shape", type(got)))
            expect(got.dtype == np.float32, "float32", got.dtype)
            expect(np.isfinite(got).all(), "finite values", "NaN or infinite ones")
            if x.ndim == 4:
                inside = got.min() >= -ROUNDING and got.max() <= 1 + ROUNDING
                expect(inside, "images within [0, 1]", f"values from {got.min():.3g} to {got.max():.3g}")


@rule("factor", "a-shift-by-nothing-changes-nothing")
def a_shift_by_nothing_changes_nothing(subject: FactorSubject) -> None:
    """``shift(x, 0)`` gives the samples back: what a trial blames on a factor must not come from its machinery."""
    off = float(np.abs(subject.moved(subject.x, 0.0) - subject.x).max() / max(float(np.ptp(subject.x)), 1e-9))
    expect(off <= UNTOUCHED, f"a change of at most {UNTOUCHED:g} of the range", f"{off:.3g}")


@rule("factor", "moves-as-asked")
def moves_as_asked(subject: FactorSubject) -> None:
    """A shift by some amount moves the measure by about that amount: the middle sample by between 0.4 and 1.8 of it,
    up or down (some properties can only grow)."""
    found = []
    period = subject.period
    for by in (subject.step, -subject.step):
        moved = wrapped(subject.made.measure(subject.moved(subject.x, by)) - subject.values, period)
        found.append(float(np.nanmedian(moved / by)))
    good = any(FOLLOWS[0] <= share <= FOLLOWS[1] for share in found)
    seen = f"{found[0]:.2f} of it upwards and {found[1]:.2f} downwards, when asked for {subject.step:.3g}"
    expect(good, f"the measure to follow the shift by {FOLLOWS[0]} to {FOLLOWS[1]} of it", seen)
    expect(min(found) > -0.5, "no shift to move the measure the other way", seen)


@rule("factor", "goes-round-in-its-period")
def goes_round_in_its_period(subject: FactorSubject) -> None:
    """``Factor(period=...)`` is what a whole turn of a circular measure is: positive, and no two samples measure
    further apart than that. ``Factor(span=...)`` is a step by which the factor can be changed: finite, and not 0."""
    period, span = subject.period, subject.factor.span
    expect(span is None or (np.isfinite(span) and span != 0), "a finite span other than 0, or None", span)
    if period is None:
        return
    expect(np.isfinite(period) and period > 0, "a positive period, or None", period)
    measured = subject.values[np.isfinite(subject.values)]
    expect(np.ptp(measured) <= period, f"measures within one turn of {period:g}", f"a range of {np.ptp(measured):.3g}")


@rule("factor", "the-same-under-a-seed")
def the_same_under_a_seed(subject: FactorSubject) -> None:
    """All randomness of ``shift`` comes from the generator it is given; measuring has none."""
    first = subject.moved(subject.x, subject.step, seed=3)
    np.random.random(7)  # noqa: NPY002  # a factor that draws from the global numbers is what is looked for
    second = subject.moved(subject.x, subject.step, seed=3)
    expect(np.array_equal(first, second), "the same samples from the same seed", "they differ")
    again = subject.made.measure(subject.x)
    expect(np.array_equal(again, subject.values, equal_nan=True), "the same measures each time", "they differ")


@rule("factor", "leaves-its-input-alone")
def leaves_its_input_alone(subject: FactorSubject) -> None:
    """Neither ``measure`` nor ``shift`` changes the samples they are given."""
    given = subject.x.copy()
    subject.measured(given)
    expect(np.array_equal(given, subject.x), "samples unchanged by measure", "they were changed")
    if subject.factor.interventional:
        subject.moved(given, subject.step)
        expect(np.array_equal(given, subject.x), "samples unchanged by shift", "they were changed")


@rule("factor", "survives-all-equal-samples")
def survives_all_equal_samples(subject: FactorSubject) -> None:
    """Samples without any contents (every value the same: black, white, silent) are measured as a number or NaN, or
    refused; nothing is raised, and a shift stays finite."""
    for value in (0.0, 0.5, 1.0):
        x = np.full_like(subject.x[:3], value)
        expect(isinstance(subject.made.refuses(x), str), "a string from refuses", "something else")
        values = subject.measured(x)
        expect(not np.isinf(values).any(), f"numbers or NaN for samples of {value:g} throughout", values)
        if subject.factor.interventional:
            expect(np.isfinite(subject.moved(x, subject.step)).all(), "finite values after a shift", "NaN or infinite")


@rule("factor", "takes-odd-sizes")
def takes_odd_sizes(subject: FactorSubject) -> None:
    """Sides need not be even, equal, or a power of two: 17×19 pixels, 61 values, 5 columns are measured or refused."""
    if subject.own is not None:
        raise LeftOut("your own samples are looked at, as they are")
    for kind in subject.factor.kinds:
        x = odd_samples(kind)[0][:4]
        if subject.made.refuses(x):
            continue
        values = subject.measured(x)
        expect(values.shape == (len(x),), f"{(len(x),)} for samples of shape {x.shape}", values.shape)
        if subject.factor.interventional:
            shape = subject.moved(x, subject.step).shape
            expect(shape == x.shape, f"samples of shape {x.shape}", shape)


@rule("factor", "onnx-agrees")
def onnx_agrees(subject: FactorSubject) -> None:
    """Where it has an ONNX form (``onnx(settings, sample_shape, rng)``), its models do to every sample of a batch what
    ``shift`` and ``measure`` do to it alone, within 1e-4 of the samples' range or the tolerance that the form declares:
    by nothing, by usual and by large strengths, to either side, with the random numbers of one ``rng``. Of a factor
    with variants, every one, ``onnx(settings, sample_shape, variant)``: made, taken back, and left alone."""
    if subject.factor.onnx is None:
        raise LeftOut(f"it has no ONNX form: {subject.factor.why_no_onnx or 'none was written'}")
    agrees = _variants_agree_on if subject.factor.variants else _onnx_agrees_on
    for x in subject.sorts():
        if not subject.made.refuses(x):
            agrees(subject, x[:ALIKE])


def _variants_agree_on(subject: FactorSubject, x: FloatArray) -> None:
    """Of a factor with variants: made by a shift of 1, taken back by one of -1, left alone by a weak one."""
    from shiftlens.export.session import Session

    assert subject.factor.onnx is not None
    for variant in subject.factor.variants:
        form = subject.factor.onnx(subject.settings, x.shape[1:], variant.name)
        expect(isinstance(form, OnnxOperation), "an OnnxOperation", f"{form!r:.100}")
        session = Session(form.shift.SerializeToString(), device="cpu")
        samples, strengths = (tensor.name for tensor in session.inputs)
        wanted = {1.0: subject.made.make(x, variant.name), 0.4: x}
        if variant.undoable:
            wanted[-1.0] = subject.made.undo(x, variant.name)
        for by, expected in wanted.items():
            (found,) = session.run(**{samples: x, strengths: np.full(len(x), by)}).values()
            off = float(np.abs(found - expected).max() / max(float(np.ptp(x)), 1e-9))
            told = f"{variant.name} by a shift of {by:g} that agrees with the worker's within {form.tolerance:g}"
            expect(off <= form.tolerance, f"{told} of the range", f"a difference of {off:.3g}")


def _onnx_agrees_on(subject: FactorSubject, x: FloatArray) -> None:
    from shiftlens.export.session import Session

    assert subject.factor.onnx is not None
    form = subject.factor.onnx(subject.settings, x.shape[1:], np.random.default_rng(5))
    expect(isinstance(form, OnnxOperation), "an OnnxOperation", f"{form!r:.100}")
    shift = Session(form.shift.SerializeToString(), device="cpu")
    ways = (len(shift.inputs), len(shift.outputs))
    expect(ways == (2, 1), "a shift of two inputs, samples and strengths, and one output", f"{ways[0]} and {ways[1]}")
    samples, strengths = (tensor.name for tensor in shift.inputs)
    for part in STRENGTHS:
        delta = np.full(len(x), part * subject.step)
        (made,) = shift.run(**{samples: x, strengths: delta}).values()
        alone = [subject.made.shift(x[i : i + 1], delta[:1], np.random.default_rng(5)) for i in range(len(x))]
        off = float(np.abs(made - np.concatenate(alone)).max() / max(float(np.ptp(x)), 1e-9))
        told = f"samples shifted by {part * subject.step:.3g} that agree with the worker's within {form.tolerance:g}"
        expect(off <= form.tolerance, f"{told} of their range", f"a difference of {off:.3g}")
    if form.measure is not None:
        measure = Session(form.measure.SerializeToString(), device="cpu")
        (entry,) = measure.inputs
        (found,) = measure.run(**{entry.name: x}).values()
        wanted = np.concatenate([subject.made.measure(x[i : i + 1]) for i in range(len(x))])
        same = bool(np.array_equal(np.isnan(found), np.isnan(wanted)))
        expect(same, "NaN where the worker's measure has it", "NaN elsewhere")
        known = np.isfinite(wanted)
        off = float(np.abs(wrapped(found - wanted, subject.period))[known].max(initial=0.0))
        scale = max(float(np.abs(wanted[known]).max(initial=0.0)), subject.step)
        expect(off <= 1e-4 * scale, f"measures within 1e-4 of {scale:.3g}", f"a difference of {off:.3g}")
