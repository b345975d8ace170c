"""Large images are searched in views, gone through in parts, and never held decoded all at once."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest
from smallfactors import Level, active

from shiftlens import Host
from shiftlens.core.causes import outcomes as o
from shiftlens.core.causes import views
from shiftlens.core.causes.changes import ActiveFactor, Change
from shiftlens.core.causes.parts import in_parts, parts_of, rows_per_part
from shiftlens.core.causes.sample_statistics import broad_measures
from shiftlens.core.data.samples import IN_MEMORY, LazySamples
from shiftlens.core.data.scoring import Scores
from shiftlens.core.host.kinds import Factor

HEIGHT, WIDTH = 128, 160


def factor_of(name: str) -> ActiveFactor:
    factor = Host().find(Factor, name)
    return ActiveFactor(name, factor, factor.build(factor.settings()))


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Parts of scikit-learn's two photographs: ``(24, 3, 128, 160)``."""
    rng = np.random.default_rng(0)
    found = []
    from sklearn.datasets import load_sample_images

    for image in load_sample_images().images:  # (427, 640, 3) uint8
        for _ in range(12):
            top, left = rng.integers(0, 427 - HEIGHT), rng.integers(0, 640 - WIDTH)
            found.append(image[top : top + HEIGHT, left : left + WIDTH].transpose(2, 0, 1) / np.float32(255))
    return np.stack(found).astype(np.float32)


def test_a_copy_holds_means_and_a_crop_holds_pixels(pictures):
    layout = views.ViewLayout(HEIGHT, WIDTH)
    view = layout.of(pictures)
    assert layout.size == (64, 80)
    by_hand = pictures.reshape(24, 3, 64, 2, 80, 2).mean((3, 5))
    assert layout.copy(view) == pytest.approx(by_hand, abs=1e-5)
    assert np.array_equal(layout.crop(view), pictures[:, :, 32:96, 48:112])
    uneven = views.averaging(7, 3)
    assert uneven.sum(1) == pytest.approx(1)
    assert uneven.sum(0) == pytest.approx(3 / 7)  # no pixel counts more than another


def test_small_images_are_looked_at_as_they_are():
    assert views.sight_of("image", (3, 96, 120)).layout is None
    assert views.sight_of("series", (1, 4000)).layout is None
    assert views.sight_of("image", (3, 97, 120)).layout is not None


@pytest.mark.parametrize(
    ("name", "step"),
    [("brightness", -0.04), ("saturation", -0.15), ("noise", 0.04), ("scale", 5.0), ("occlusion", 0.2)],
)
def test_a_change_of_the_view_is_the_view_of_the_change(pictures, name, step):
    sight = views.sight_of("image", pictures.shape[1:])
    whole = factor_of(name)
    (factor,) = views.viewed([whole], sight)
    factor = views.taught(factor, LazySamples.of(pictures), abs(step), sight)
    delta = np.full(len(pictures), step)
    begun, wanted = sight.of(pictures), sight.of(whole.shift(pictures, delta, np.random.default_rng(0)))
    made = factor.shift(begun, delta, np.random.default_rng(0))
    unit = sight.broad(begun).std(0) + 1e-3
    middle, asked, reached = (np.median(sight.broad(view), axis=0) / unit for view in (begun, wanted, made))
    assert np.abs(reached - asked).mean() < 0.3 * np.abs(asked - middle).mean()
    if name == "scale":  # its measure is weak, sample for sample
        return
    assert factor.measure(made).mean() - factor.measure(begun).mean() == pytest.approx(step, rel=0.15)


def test_a_part_that_was_cut_out_is_covered_as_the_whole_is(pictures):
    whole = factor_of("occlusion")
    box = (0.25, 0.4, 0.75, 0.8)
    delta = np.full(len(pictures), 0.3)
    cut = pictures[:, :, 32:96, 64:128]
    covered, part = whole.worker.shift_cut(pictures, cut, box, delta, np.random.default_rng(3))
    assert np.array_equal(covered, whole.worker.shift(pictures, delta, np.random.default_rng(3)))
    assert np.array_equal(part, covered[:, :, 32:96, 64:128])


def test_pixels_are_counted_at_full_size(pictures):
    (factor,) = views.viewed([factor_of("position-x")], views.sight_of("image", pictures.shape[1:]))
    layout = views.ViewLayout(HEIGHT, WIDTH)
    assert factor.scale == 0.5
    square = np.zeros((2, 3, HEIGHT, WIDTH), dtype=np.float32)
    square[0, :, 50:70, 60:80] = 1
    square[1, :, 50:70, 80:100] = 1
    here, there = factor.measure(layout.of(square))
    assert there - here == pytest.approx(20, abs=1)


def test_no_more_is_decoded_at_once_than_memory_is_set_aside_for():
    asked = []

    def batch(rows):
        asked.append(len(rows))
        return np.random.default_rng(0).random((len(rows), 3, 512, 512), dtype=np.float32)

    samples = LazySamples(batch, np.arange(50), (3, 512, 512))
    labels = np.zeros(50, dtype=np.int64)

    def score(x, y):
        return Scores(x.mean((1, 2, 3)).astype(float), y, y, np.ones(len(x)))

    change = Change(active("level", Level(0)), 0.2)
    before = score(np.zeros((50, 3, 2, 2)), labels)
    rig = o.Rig(samples, labels, score, 0)
    o.measure_dose(rig, "image", change, before, np.array([0.0, 1.0]))
    o.measure_coalitions(rig, (change,), [frozenset(["level"])])
    o.randomised_rows(rig, before, (change,), 40)
    assert max(asked) * 3 * 512 * 512 * 4 <= IN_MEMORY
    assert sum(asked[:3]) == 50
    views.sight_of("image", (3, 512, 512)).samples(samples)[slice(0, 40)]
    assert max(asked) * 3 * 512 * 512 * 4 <= IN_MEMORY


@pytest.mark.parametrize("sides", [(1, 1), (1, 2), (2, 2), (1, 40), (3, 3)])
def test_the_smallest_images_have_finite_measures(sides):
    x = np.random.default_rng(0).random((20, 3, *sides), dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(broad_measures("image", x)).all()


def test_parts_hold_every_row_once_and_a_short_rest_goes_with_the_last():
    for count in (0, 1, 63, 64, 70, 127, 250):
        parts = parts_of(count, 64)
        assert [row for part in parts for row in range(part.start, part.stop)] == list(range(count))
        assert all(part.stop - part.start <= 80 for part in parts)
    assert rows_per_part((3, 224, 224)) == 27
    assert rows_per_part((3, 4000, 4000)) == 1


def test_parts_are_worked_on_at_the_same_time_and_come_back_in_order():
    together = threading.Barrier(2, timeout=20)

    def work(rows: slice) -> int:
        together.wait()
        return rows.start

    assert in_parts(work, parts_of(128, 64)) == [0, 64]
    with pytest.raises(ZeroDivisionError):
        in_parts(lambda rows: 1 // rows.start, parts_of(128, 64))
