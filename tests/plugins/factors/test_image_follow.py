"""Every image factor keeps its promise on real images: the measure follows the shift, and nothing is left undefined."""

from __future__ import annotations

import numpy as np
import pytest

from shiftlens.core.causes.changes import ActiveFactor
from shiftlens.core.causes.cross_response import cross_response
from shiftlens.core.causes.statistics import wrapped
from shiftlens.core.errors import ShiftlensError
from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import ComponentSettings, Factor, FactorWorker

NAMES = (
    "hue", "saturation", "brightness", "contrast", "background", "sharpness", "noise", "stroke-thickness", "rotation",
    "position-x", "position-y", "scale", "jpeg", "occlusion", "frequency-balance",
)  # fmt: skip
SETS = ("mnist", "digits", "demo", "grey", "photographs")
HOST = Host(strict=True)
DESCRIPTIONS = {name: HOST.find(Factor, name) for name in NAMES}
WORKERS: dict[str, FactorWorker] = {name: DESCRIPTIONS[name].build(ComponentSettings()) for name in NAMES}

# The working range of each factor, in its unit; where a set of images gives less room, it has its own.
RANGE = {
    "hue": (-100, 40, 150),
    "saturation": (-0.3, -0.1),
    "brightness": (-0.08, -0.03),
    "contrast": (-0.3, -0.1),
    "background": (0.1, 0.3),
    "sharpness": (-0.4, -0.2, -0.05, 0.05),
    "noise": (0.02, 0.05, 0.12),
    "stroke-thickness": (-0.3, 0.5, 1, 2, 3),
    "rotation": (-25, 10, 40),
    "position-x": (-3, 1.5),
    "position-y": (-2, 2.5),
    "scale": (-1, 0.5, 2),
    "jpeg": (0.1, 0.3),
    "occlusion": (0.05, 0.2, 0.4),
    "frequency-balance": (-2, 3),
}
OWN_RANGE = {
    ("brightness", "photographs"): (-0.25, -0.1, 0.1),
    ("brightness", "digits"): (-0.08, 0.05),
    ("saturation", "photographs"): (-0.15, 0.1, 0.2),
    ("contrast", "photographs"): (-0.3, -0.1, 0.1),
    ("scale", "photographs"): (0.5, 1.0),
    ("rotation", "photographs"): (-20, 12),
}
REFUSED = {
    ("hue", "grey"): "three colour channels",
    ("saturation", "grey"): "three colour channels",
    ("background", "photographs"): "no plain ground",
    ("stroke-thickness", "photographs"): "no plain ground",
    ("position-x", "photographs"): "no plain ground",
    ("position-y", "photographs"): "no plain ground",
    **{("occlusion", name): "itself flat" for name in ("mnist", "digits", "demo", "grey")},
}
MEASURED = [(name, kind) for name in NAMES for kind in SETS if (name, kind) not in REFUSED]


@pytest.mark.parametrize(("name", "kind"), MEASURED)
def test_the_measure_follows_the_shift(name, kind, image_set):
    # A zoom moves a photograph's measure less than photographs differ among each other: more of them are needed.
    x = image_set(kind, 400 if (name, kind) == ("scale", "photographs") else 60)
    worker = WORKERS[name]
    before = worker.measure(x)
    for delta in OWN_RANGE.get((name, kind), RANGE[name]):
        changed = worker.shift(x, np.full(len(x), float(delta)), np.random.default_rng(1))
        assert changed.shape == x.shape
        assert changed.dtype == np.float32
        assert changed.min() >= 0
        assert changed.max() <= 1
        change = wrapped(worker.measure(changed) - before, DESCRIPTIONS[name].period)
        if (name, kind) == ("rotation", "photographs"):  # the grid of edges looks the same after 90 degrees
            change = np.mod(change + 45, 90) - 45
        assert np.isfinite(change).mean() > 0.6
        assert np.nanmean(change) / delta == pytest.approx(1, abs=0.2), f"{delta} {DESCRIPTIONS[name].unit}"


@pytest.mark.parametrize(("name", "kind"), MEASURED)
def test_a_shift_by_nothing_changes_nothing(name, kind, image_set):
    x = image_set(kind)
    changed = WORKERS[name].shift(x, np.zeros(len(x)), np.random.default_rng(1))
    np.testing.assert_allclose(changed, x, atol=2e-6)


@pytest.mark.parametrize(("name", "kind"), MEASURED)
def test_each_sample_moves_by_its_own_delta_whatever_stands_beside_it(name, kind, image_set):
    x = image_set(kind)
    worker = WORKERS[name]
    delta = np.resize([0.0, RANGE[name][-1], RANGE[name][0]], len(x))
    changed = worker.shift(x, delta, np.random.default_rng(1))
    assert np.abs(changed[::3] - x[::3]).max() < 2e-6
    again = worker.shift(x, delta, np.random.default_rng(1))
    np.testing.assert_array_equal(changed, again)


@pytest.mark.parametrize(("name", "kind"), sorted(REFUSED))
def test_a_factor_that_makes_no_sense_says_why(name, kind, image_set):
    assert REFUSED[name, kind] in WORKERS[name].refuses(image_set(kind))


@pytest.mark.parametrize(("name", "kind"), MEASURED)
def test_a_factor_that_makes_sense_does_not_refuse(name, kind, image_set):
    assert WORKERS[name].refuses(image_set(kind)) == ""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(4, 1, 8, 8), (4, 3, 8, 8), (1, 3, 32, 32), (2, 3, 17, 40), (4, 2, 32, 32)])
def test_flat_and_odd_images_give_numbers_or_nan_and_no_warning(name, shape):
    worker = WORKERS[name]
    for level in (0.0, 0.4, 1.0):
        x = np.full(shape, level, dtype=np.float32)
        with np.errstate(all="raise"):
            values = worker.measure(x)
        assert values.shape == (shape[0],)
        assert values.dtype == np.float64
        if worker.refuses(x) == "":
            changed = worker.shift(x, np.full(shape[0], RANGE[name][-1]), np.random.default_rng(0))
            assert np.isfinite(changed).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_shift_far_too_large_stops_at_the_limit(name, image_set):
    kind = "photographs" if (name, "mnist") in REFUSED else "mnist"
    x = image_set(kind)
    for delta in (-1e3, 1e3):
        changed = WORKERS[name].shift(x, np.full(len(x), delta), np.random.default_rng(0))
        assert np.isfinite(changed).all()
        assert changed.min() >= 0
        assert changed.max() <= 1


@pytest.mark.parametrize("kind", SETS)
def test_a_measure_reads_other_factors_little_or_says_so(kind, image_set):
    x = image_set(kind)
    used = [ActiveFactor(name, DESCRIPTIONS[name], WORKERS[name]) for name in NAMES if (name, kind) not in REFUSED]
    table = cross_response(used, x, np.random.default_rng(0))
    for name in table.names:
        unsaid = set(table.readers(name, least=0.4)) - set(DESCRIPTIONS[name].confused_with)
        assert not unsaid, f"{name} reads {unsaid}:\n{table}"


def test_descriptions_are_complete():
    for name, description in DESCRIPTIONS.items():
        assert description.unit, name
        assert all(noun and noun[0].isupper() for noun in description.noun), name
        assert set(description.confused_with) <= set(NAMES) - {name}, name
        assert "image" in description.kinds
    with pytest.raises(ShiftlensError, match="greyness"):
        HOST.find(Factor, "greyness")  # it is saturation, read backwards
