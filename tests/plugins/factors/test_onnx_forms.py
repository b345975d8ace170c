"""The ONNX forms of the built-in factors do what the factors do, at any strength, to any single sample."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftlens import Factor, Host
from shiftlens.core.causes.statistics import wrapped
from shiftlens.core.testing.realdata import image_sets, odd_samples, samples
from shiftlens.export.session import Session

FACTORS = [Host().find(Factor, name) for name in Host().names(Factor)]
WITH_FORM = [factor for factor in FACTORS if factor.onnx is not None and not factor.variants]
DISCRETE = [factor for factor in FACTORS if factor.onnx is not None and factor.variants]


@cache
def made(name: str, number: int):
    """Worker, samples that it does not refuse, sessions of shift and measure; None where it refuses this sort."""
    factor = Host().find(Factor, name)
    chosen = factor.settings(column=2) if factor.per_column else factor.settings()
    kind = factor.kinds[number % len(factor.kinds)]
    sorts = [*image_sets(), odd_samples("image")[0]] if kind == "image" else [samples(kind)[0], odd_samples(kind)[0]]
    x = sorts[(number // len(factor.kinds)) % len(sorts)][:40]
    worker = factor.build(chosen)
    if worker.refuses(x):
        return None
    form = factor.onnx(chosen, x.shape[1:], np.random.default_rng(11))
    sessions = [Session(model.SerializeToString(), device="cpu") for model in (form.shift, form.measure)]
    return worker, x, float(np.nanstd(worker.measure(x))), sessions, form.tolerance, factor.period


@pytest.mark.slow
@pytest.mark.parametrize("factor", WITH_FORM, ids=lambda factor: factor.name)
@settings(deadline=None, max_examples=15, derandomize=True)
@given(number=st.integers(0, 7), row=st.integers(0, 39), strength=st.floats(-4, 4, width=32))
def test_a_shift_of_one_sample_is_the_same(factor, number, row, strength):
    """Strengths up to four times the spread of the measure over the samples."""
    found = made(factor.name, number)
    if found is None:
        return
    worker, x, size, (shift, measure), tolerance, period = found
    one, delta = x[row : row + 1], np.array([strength * size])
    expected = worker.shift(one, delta, np.random.default_rng(11))
    (got,) = shift.run(x=one, delta=delta).values()
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=tolerance * max(float(np.ptp(x)), 1e-6))
    (told,) = measure.run(x=got).values()
    wanted = worker.measure(got)
    assert np.array_equal(np.isnan(told), np.isnan(wanted))
    near = np.nan_to_num(wrapped(told - wanted, period))
    assert np.abs(near) <= 1e-4 * max(size, float(np.nanmax(np.abs(np.nan_to_num(wanted)))), 1e-6)


def test_a_batch_of_a_form_is_its_samples_one_by_one():
    """Each sample is judged alone, whatever stands beside it: a figure on its ground among photographs."""
    drawings, patches, _ = image_sets()
    mixed = np.concatenate([drawings[:2], patches[:6]])
    for name in ("hue", "noise"):
        factor = Host().find(Factor, name)
        form = factor.onnx(factor.settings(), mixed.shape[1:], np.random.default_rng(1))
        session = Session(form.shift.SerializeToString(), device="cpu")
        delta = np.linspace(-1, 1, 8) * (0.05 if name == "noise" else 60)
        (together,) = session.run(x=mixed, delta=delta).values()
        for i in range(8):
            (alone,) = session.run(x=mixed[i : i + 1], delta=delta[i : i + 1]).values()
            np.testing.assert_allclose(together[i : i + 1], alone, atol=1e-5)


def test_warped_pixels_are_those_of_opencv_but_for_single_ones_between_two_of_its_steps():
    """What the declared tolerance is for: hardly a pixel needs it."""
    for name, by in (("rotation", 17.3), ("position-x", 2.71), ("scale", 1.9)):
        factor = Host().find(Factor, name)
        x = next(iter(image_sets()))
        form = factor.onnx(factor.settings(), x.shape[1:], np.random.default_rng(0))
        (got,) = Session(form.shift.SerializeToString(), device="cpu").run(x=x, delta=np.full(len(x), by)).values()
        alone = [factor.build(factor.settings()).shift(x[i : i + 1], np.array([by]), None) for i in range(len(x))]
        assert (np.abs(got - np.concatenate(alone)) > 1e-4).mean() < 1e-4


@pytest.mark.parametrize("factor", DISCRETE, ids=lambda factor: factor.name)
def test_every_variant_is_made_and_taken_back_as_by_the_worker(factor):
    """Also of images that are neither square nor of even sides."""
    worker = factor.build(factor.settings())
    for x in (next(iter(image_sets()))[:4], odd_samples("image")[0][:4]):
        for variant in factor.variants:
            form = factor.onnx(factor.settings(), x.shape[1:], variant.name)
            session = Session(form.shift.SerializeToString(), device="cpu")
            (made,) = session.run(x=x, delta=np.full(4, 1.0)).values()
            np.testing.assert_allclose(made, worker.make(x, variant.name), atol=1e-5)
            (back,) = session.run(x=made, delta=np.full(4, -1.0)).values()
            np.testing.assert_allclose(back, worker.undo(made, variant.name), atol=1e-5)
            mixed = np.array([1.0, 0.4, -0.4, -1.0])
            (each,) = session.run(x=x, delta=mixed).values()
            np.testing.assert_array_equal(each[1:3], x[1:3])
            np.testing.assert_allclose(each[0], made[0], atol=1e-6)


def test_a_factor_has_a_form_or_says_why_not():
    assert {factor.name for factor in FACTORS if factor.onnx is None and not factor.why_no_onnx} == set()
    assert len(WITH_FORM) + len(DISCRETE) >= 28
