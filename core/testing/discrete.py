"""Rules for discrete factors: those with variants."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from shiftlens.core.arrays import FloatArray
from shiftlens.core.testing.factor import ROUNDING, FactorSubject
from shiftlens.core.testing.realdata import odd_samples
from shiftlens.core.testing.rules import LeftOut, expect, rule

TAKEN_BACK = 0.9
"""Part of what a variant changed that may be left when it was taken back: what was cut off or cut out is lost."""


def discrete(subject: FactorSubject) -> FactorSubject:
    """The subject; left out where its factor has a strength."""
    if not subject.factor.variants:
        raise LeftOut("it has a strength, and no variants")
    return subject


def _odd(subject: FactorSubject) -> Iterator[FloatArray]:
    """Samples of odd sizes and without any contents, as far as they are not refused."""
    for kind in subject.factor.kinds if subject.own is None else ():
        x = odd_samples(kind)[0][:3]
        if not subject.made.refuses(x):
            yield x
    for value in (0.0, 0.5, 1.0):
        yield np.full_like(subject.x[:3], value)


@rule("factor", "variants-are-told")
def variants_are_told(subject: FactorSubject) -> None:
    """Each of ``Factor(variants=...)`` has a name of its own, a noun that a sentence can call samples with it, and
    advice on what to do about it. A factor with variants has no period and no span, and can be changed."""
    factor = discrete(subject).factor
    names = [variant.name for variant in factor.variants]
    expect(len(set(names)) == len(names) and all(names), "names, each of its own", names)
    for variant in factor.variants:
        expect(variant.noun and variant.advice, f"a noun and advice for {variant.name}", variant)
    expect(factor.period is None and factor.span is None, "no period and no span", (factor.period, factor.span))
    expect(factor.interventional, "interventional=True", factor.interventional)


@rule("factor", "signs-of-each-sample")
def signs_of_each_sample(subject: FactorSubject) -> None:
    """``signs(x (N, *sample))`` of a factor with variants gives ``(N, k)`` float64, finite also for samples of odd
    sizes or without contents; a sample's own do not depend on its batch, and the samples stay as they are."""
    made, x = discrete(subject).made, subject.x
    given = x.copy()
    signs = made.signs(given)
    expect(np.array_equal(given, x), "samples unchanged by signs", "they were changed")
    shape: tuple[int, ...] = getattr(signs, "shape", ())
    expect(len(shape) == 2 and shape[0] == len(x), f"shape ({len(x)}, k)", shape or type(signs))
    expect(signs.dtype == np.float64, "float64", signs.dtype)
    alone = np.concatenate([made.signs(x[i : i + 1]) for i in range(5)])
    expect(np.allclose(signs[:5], alone, rtol=1e-4, atol=1e-5), f"{signs[:5]} as in the batch", alone)
    for some in (x, *_odd(subject)):
        signs = made.signs(some)
        expect(np.isfinite(signs).all(), "finite values", signs[~np.isfinite(signs)][:3])


@rule("factor", "makes-every-variant")
def makes_every_variant(subject: FactorSubject) -> None:
    """``make(x, variant)`` gives samples for every variant: float32 of the same shape, finite, images within [0, 1];
    others than before, the same each time, for each sample alone as in its batch; its input stays as it is. Odd sizes
    and samples without contents are taken, too."""
    made, x = discrete(subject).made, subject.x
    for variant in subject.factor.variants:
        given = x.copy()
        first = made.make(given, variant.name)
        expect(np.array_equal(given, x), f"samples unchanged by making {variant.name}", "they were changed")
        expect(np.array_equal(first, made.make(x, variant.name)), f"the same {variant.name} each time", "they differ")
        expect(not np.array_equal(first, x), f"other samples by {variant.name}", "the same ones")
        one = made.make(x[:1], variant.name)
        expect(np.allclose(one, first[:1], atol=ROUNDING), f"{variant.name} of one sample as in its batch", "another")
        for some in (x, *_odd(subject)):
            got = made.make(some, variant.name)
            expect(getattr(got, "shape", None) == some.shape, f"shape {some.shape}", getattr(got, "shape", type(got)))
            expect(got.dtype == np.float32, "float32", got.dtype)
            expect(np.isfinite(got).all(), "finite values", f"NaN or infinite ones by {variant.name}")
            if some.ndim == 4:
                inside = got.min() >= -ROUNDING and got.max() <= 1 + ROUNDING
                expect(inside, "images within [0, 1]", f"{got.min():.3g} to {got.max():.3g} by {variant.name}")


@rule("factor", "takes-variants-back")
def takes_variants_back(subject: FactorSubject) -> None:
    """``undo(x, variant)`` takes a variant back that is ``undoable``: at most 0.9 of what it changed is left (what was
    cut off stays lost), and samples stay samples."""
    made, x = discrete(subject).made, subject.x
    undoable = [variant.name for variant in subject.factor.variants if variant.undoable]
    if not undoable:
        raise LeftOut("none of its variants is undoable")
    for name in undoable:
        changed = made.make(x, name)
        back = made.undo(changed, name)
        expect(getattr(back, "shape", None) == x.shape, f"shape {x.shape}", getattr(back, "shape", type(back)))
        expect(np.isfinite(back).all(), "finite values", f"NaN or infinite ones by undoing {name}")
        left = float(np.abs(back - x).mean() / max(float(np.abs(changed - x).mean()), 1e-9))
        expect(left <= TAKEN_BACK, f"at most {TAKEN_BACK:g} of what {name} changed to be left", f"{left:.2f} of it")
