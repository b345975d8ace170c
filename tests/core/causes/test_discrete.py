"""Faults of preprocessing, planted with Pillow and scipy on real samples: named, with their cost and remedy."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from realdata import cifar, digits, spoken
from scipy.signal import resample
from smallfactors import logistic

from shiftlens import Factor, Host, InputError, Variant
from shiftlens.core.causes.changes import ActiveFactor, Change, FactorFault, apply, individual_parts
from shiftlens.core.causes.discrete import Distances, VariantSearch
from shiftlens.core.causes.find_causes import find_causes
from shiftlens.core.causes.plan_file import change_as_values, plan_of_values
from shiftlens.core.causes.policy import TrialSettings
from shiftlens.core.causes.request import CauseRequest

QUICK = TrialSettings(samples=250, matching_samples=100, rows=50, bootstrap=200, dose_steps=2)
HOST = Host()
TURN = Image.Transpose


def boxed(image):
    small = image.resize((image.width, round(0.75 * image.height)), Image.Resampling.BICUBIC)
    made = Image.new("RGB", image.size)
    made.paste(small, (0, (image.height - small.height) // 2))
    return made


def normalised(image):
    values = (np.asarray(image) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return Image.fromarray((255 * values.clip(0, 1)).round().astype(np.uint8))


def coarse(image):
    small = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    return small.resize(image.size, Image.Resampling.NEAREST)


FAULTS = {
    "turned-left": ("orientation", lambda i: i.transpose(TURN.ROTATE_90)),
    "turned-right": ("orientation", lambda i: i.transpose(TURN.ROTATE_270)),
    "bgr": ("channel-order", lambda i: Image.merge("RGB", i.split()[::-1])),
    "grey": ("grey-images", lambda i: i.convert("L").convert("RGB")),
    "inverted": ("inversion", ImageOps.invert),
    "normalised-twice": ("value-range", normalised),
    "linear": ("gamma", lambda i: i.point(lambda v: round(255 * (v / 255) ** 2.2))),
    "letterbox-4:3-black": ("padding", boxed),
    "2-repeated": ("resolution", coarse),
    "3-bit": ("bit-depth", lambda i: ImageOps.posterize(i, 3)),
}
NULLS = {
    "nothing": lambda i: i,
    "darker": lambda i: ImageEnhance.Brightness(i).enhance(0.6),
    "blurred": lambda i: i.filter(ImageFilter.GaussianBlur(0.8)),
}


@cache
def factor(name):
    description = HOST.find(Factor, name)
    return ActiveFactor(name, description, description.build(description.settings()))


@cache
def discrete(kind):
    described = (HOST.find(Factor, name) for name in HOST.names(Factor))
    return [factor(f.name) for f in described if f.variants and kind in f.kinds]


def with_pillow(x, change):
    made = [change(Image.fromarray((i.transpose(1, 2, 0) * 255).round().astype(np.uint8))) for i in x]
    return (np.stack([np.asarray(i.convert("RGB")) for i in made]).transpose(0, 3, 1, 2) / 255).astype(np.float32)


def request(source, target, factors, kind="image", score=None, settings=QUICK):
    scores = [None, None] if score is None else [score(*source), score(*target)]
    return CauseRequest(
        source=source[0], source_labels=source[1], source_scores=scores[0],
        target=target[0], target_labels=target[1], target_scores=scores[1],
        factors=factors, score=score, sample_kind=kind, classes=[str(c) for c in range(10)],
        settings=settings, seed=0,
    )  # fmt: skip


def photographs():
    x, y = cifar()
    order = np.random.default_rng(1).permutation(len(x))
    x, y = x[order], np.unique(y, return_inverse=True)[1][order]
    return (x[:200], y[:200]), (x[200:], y[200:])


@pytest.mark.parametrize("variant", FAULTS)
def test_a_fault_of_photographs_is_recognised_without_any_classifier(variant):
    (x, y), (there, labels) = photographs()
    name, change = FAULTS[variant]
    search = VariantSearch(request((x, y), (with_pillow(there, change), labels), []), discrete("image"))
    found = search.find()
    assert found is not None
    assert (found.change.name, found.change.factor.variant) == (name, variant)
    assert found.distance < found.before


@pytest.mark.parametrize("variant", ["turned-left", "letterbox-4:3-black"])
def test_a_fault_is_recognised_beside_another_change(variant):
    (x, y), (there, labels) = photographs()
    name, change = FAULTS[variant]
    both = with_pillow(with_pillow(there, change), lambda i: ImageEnhance.Brightness(i).enhance(0.5))
    found = VariantSearch(request((x, y), (both, labels), []), discrete("image")).find()
    assert found is not None
    assert (found.change.name, found.change.factor.variant) == (name, variant)


@pytest.mark.parametrize("name", NULLS)
def test_what_is_no_fault_is_not_taken_for_a_turn_or_another_order(name):
    (x, y), (there, labels) = photographs()
    search = VariantSearch(request((x, y), (with_pillow(there, NULLS[name]), labels), []), discrete("image"))
    found = search.find()
    # A blur is nearly a lower resolution, darkness nearly a gamma: those are held against the blur and the darkness.
    assert found is None or (name != "nothing" and found.change.name in ("resolution", "gamma", "value-range"))


def test_recordings_of_another_rate_are_told_by_their_ratio():
    x, y = spoken(20, 8192)
    y = y.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    source, target = (x[:100, :, :4096], y[:100]), (resample(x[100:], 4096, axis=2).astype(np.float32), y[100:])
    found = VariantSearch(request(source, target, [], "series"), discrete("series")).find()
    assert found is not None
    assert found.change.factor.variant == "faster-2"
    assert "1/2" in found.change.factor.chosen.advice


@pytest.fixture(scope="module")
def drawings():
    """Digits as red strokes of 16 px, as a classifier that knows them upright, in either order of the channels."""
    x, y = digits()
    order = np.random.default_rng(3).permutation(len(x))
    x = x[order].repeat(2, axis=2).repeat(2, axis=3)
    x = np.concatenate([0.1 + 0.8 * x, 0.1 + 0.3 * x, 0.05 + 0.1 * x], axis=1).astype(np.float32)
    y = y[order]
    train, source, target = slice(0, 700), slice(700, 1250), slice(1250, 1797)
    score = logistic(x[train], y[train], x[train][:, ::-1])
    return score, (x[source], y[source]), (x[target], y[target])


def test_turned_images_are_harmful_with_their_cost_and_what_mends_them(drawings):
    score, source, (there, labels) = drawings
    turned = with_pillow(there, FAULTS["turned-left"][1])
    found = find_causes(
        request(source, (turned, labels), [factor("orientation"), factor("channel-order")], score=score)
    )
    (harmful,) = (cause for cause in found.causes if cause.verdict == "harmful")
    assert (harmful.factor, harmful.variant) == ("orientation", "turned-left")
    truth = score(*source).accuracy - score(with_pillow(source[0], FAULTS["turned-left"][1]), source[1]).accuracy
    assert harmful.accuracy_effect == pytest.approx(truth, abs=0.05)
    assert harmful.restored == pytest.approx(truth, abs=0.1)
    assert harmful.sentence.startswith("Images turned by 90° to the left cost ")
    assert "turn the images by 90° to the right" in harmful.sentence
    assert found.remedy.advice == "mend"
    assert "That needs no training" in found.remedy.sentence
    assert [cause.verdict for cause in found.causes if cause.factor == "channel-order"] == ["unchanged"]


def test_an_order_of_channels_that_the_classifier_does_not_mind_is_harmless(drawings):
    score, source, (there, labels) = drawings
    found = find_causes(request(source, (there[:, ::-1].copy(), labels), [factor("channel-order")], score=score))
    (cause,) = found.causes
    assert (cause.verdict, cause.variant) == ("harmless", "bgr")
    assert "read the images as RGB" in cause.sentence


def test_grey_images_have_no_order_of_channels_and_the_other_factors_go_on(drawings):
    score, source, target = drawings
    grey = [(np.repeat(x[:, :1], 3, axis=1), y) for x, y in (source, target)]
    turned = (with_pillow(grey[1][0], FAULTS["turned-left"][1]), grey[1][1])
    found = find_causes(request(grey[0], turned, [factor("channel-order"), factor("orientation")], score=score))
    assert "grey images have no order of channels" in found.left_out["channel-order"]
    assert [cause.factor for cause in found.causes if cause.verdict == "harmful"] == ["orientation"]


class Broken:
    """Raises when it is asked to make its only variant on more than a few samples."""

    def refuses(self, x):
        return ""

    def signs(self, x):
        return x.mean((2, 3))

    def make(self, x, variant):
        raise RuntimeError("no such images")

    undo = make


def test_a_discrete_factor_that_fails_is_left_out(drawings):
    score, source, target = drawings
    description = Factor(
        name="broken", summary="fails", build=lambda settings: Broken(), variants=(Variant("one", "Ones", "no ones"),)
    )
    found = find_causes(request(source, target, [ActiveFactor("broken", description, Broken())], score=score))
    assert "no such images" in found.left_out["broken"]
    assert any("broken" in warning for warning in found.warnings)


def test_a_discrete_change_is_made_on_a_share_of_the_samples_and_taken_back_exactly():
    (x, _), _ = photographs()
    change = Change(factor("orientation").as_variant("turned-left"), 0.5)
    made = apply([change], x, individual_parts(["orientation"], len(x), 0), 0)
    turned = [not np.array_equal(a, b) for a, b in zip(made, x, strict=True)]
    assert 0.35 < np.mean(turned) < 0.65
    whole = change.factor.shift(x, np.ones(len(x)), np.random.default_rng(0))
    assert np.array_equal(whole, with_pillow(x, FAULTS["turned-left"][1]))
    assert np.array_equal(change.factor.shift(whole, -np.ones(len(x)), np.random.default_rng(0)), x)
    with pytest.raises(FactorFault, match="no measure"):
        change.factor.measure(x)


def test_a_plan_keeps_the_variant_and_one_that_is_not_there_is_told():
    change = Change(factor("channel-order").as_variant("bgr"), 1.0)
    values = {"changes": [change_as_values(change)]}
    (again,) = plan_of_values(values, [factor("channel-order")], "plan.yaml")
    assert again == change
    values["changes"][0]["variant"] = "xyz"
    with pytest.raises(InputError, match="'xyz'"):
        plan_of_values(values, [factor("channel-order")], "plan.yaml")


def test_a_factor_is_seen_by_its_signs_and_all_signs_together_count_as_the_broad_measures():
    found = Distances(0.4, {"a": 0.2, "b": 0.8})
    assert found.all == pytest.approx((0.4 + 0.5) / 2)
    assert found.seen_by("a") == 0.2
    assert found.seen_by("another") == 0.4
    assert Distances(0.4, {}).all == pytest.approx(0.2)
