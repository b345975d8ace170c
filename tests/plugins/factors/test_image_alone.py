"""Image factors one by one: what a measure says of images whose truth is known, and what a shift leaves alone."""

from __future__ import annotations

import io

import numpy as np
import pytest
import realdata
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw
from scipy import ndimage

from shiftlens.plugins.factors import colour, geometry, jpeg, noise, occlusion, pixels, spectrum, strokes, tone

RNG = np.random.default_rng(0)
HUE, SATURATION = colour.Hue(), colour.Saturation()
BRIGHTNESS, CONTRAST, BACKGROUND = tone.Brightness(), tone.Contrast(), tone.Background()
SHARPNESS, BALANCE, NOISE = spectrum.Sharpness(), spectrum.FrequencyBalance(), noise.Noise()
THICKNESS, OCCLUSION, JPEG = strokes.StrokeThickness(), occlusion.Occlusion(), jpeg.Jpeg()
ROTATION, SCALE, POSITION_X, POSITION_Y = (
    geometry.Rotation(), geometry.FigureSize(), geometry.FigurePosition(1), geometry.FigurePosition(0),
)  # fmt: skip

IMAGES = hnp.arrays(np.float32, (3, 3, 6, 7), elements=st.floats(0, 1, width=32))


def by(delta: float, x: np.ndarray) -> np.ndarray:
    return np.full(len(x), float(delta))


def line(width: float, angle: float = 0.0, ink=(255, 255, 255), ground=(0, 0, 0), side: int = 32) -> np.ndarray:
    """A stroke of known width, drawn large and made small, (1, 3, side, side); ``angle`` leans it to the left."""
    fine = 8
    picture = Image.new("RGB", (side * fine, side * fine), ground)
    middle, half = side * fine / 2, side * fine * 0.32
    lean = np.deg2rad(angle)
    start, end = ((middle - sign * half * np.sin(lean), middle - sign * half * np.cos(lean)) for sign in (1, -1))
    ImageDraw.Draw(picture).line([start, end], fill=ink, width=round(width * fine))
    small = picture.resize((side, side), Image.Resampling.BOX)
    return (np.asarray(small).transpose(2, 0, 1)[None] / 255).astype(np.float32)


# Colour


@pytest.mark.parametrize(
    ("ink", "degrees"), [((255, 0, 0), 0), ((255, 255, 0), 60), ((0, 128, 0), 120), ((90, 90, 255), 240)]
)
def test_hue_of_known_colours(ink, degrees):
    turned_away = (HUE.measure(line(4, ink=ink)) - degrees + 180) % 360 - 180
    assert turned_away == pytest.approx(0, abs=0.5)


def test_hue_belongs_to_the_figure_not_to_the_ground():
    x = line(5, ink=(220, 60, 60), ground=(20, 20, 90))
    assert HUE.measure(x) == pytest.approx(0, abs=4) or HUE.measure(x) == pytest.approx(360, abs=4)
    turned = HUE.shift(x, by(120, x), RNG)
    np.testing.assert_allclose(turned[:, :, :3], x[:, :, :3], atol=1e-6)  # the blue ground stays
    np.testing.assert_allclose(turned[0, :, 16, 16], x[0, [2, 0, 1], 16, 16], atol=0.02)  # the red stroke is green


@given(IMAGES, st.floats(-720, 720))
def test_turning_the_hue_keeps_lightness_and_chroma_and_comes_back(x, degrees):
    angle = by(degrees, x)
    turned = colour.turned(x, angle)
    np.testing.assert_allclose(pixels.lightness(turned), pixels.lightness(x), atol=1e-5)
    np.testing.assert_allclose(pixels.chroma(turned), pixels.chroma(x), atol=1e-5)
    np.testing.assert_allclose(colour.turned(turned, -angle), x, atol=1e-4)


@given(IMAGES, st.floats(-1, 1))
def test_saturation_keeps_the_lightness_of_every_pixel(x, delta):
    changed = SATURATION.shift(x, by(delta, x), RNG)
    np.testing.assert_allclose(pixels.lightness(changed), pixels.lightness(x), atol=1e-5)


def test_saturation_can_be_taken_away_whole_and_grey_has_none(image_set):
    x = image_set("photographs")
    grey = SATURATION.shift(x, by(-1, x), RNG)
    assert pixels.chroma(grey).max() < 1e-5
    assert SATURATION.measure(grey).max() < 1e-3
    assert np.isnan(HUE.measure(grey)).all()
    assert "grey" in HUE.refuses(grey)
    assert "grey" in SATURATION.refuses(grey)


# Tone


def test_a_gain_changes_brightness_and_neither_contrast_nor_colour(image_set):
    x = image_set("photographs")
    darker = (x * 0.6).astype(np.float32)
    np.testing.assert_allclose(BRIGHTNESS.measure(darker), 0.6 * BRIGHTNESS.measure(x), rtol=1e-4)
    np.testing.assert_allclose(CONTRAST.measure(darker), CONTRAST.measure(x), atol=2e-3)
    np.testing.assert_allclose(SATURATION.measure(darker), SATURATION.measure(x), atol=1e-4)
    np.testing.assert_allclose(BRIGHTNESS.shift(x, -0.4 * BRIGHTNESS.measure(x), RNG), darker, atol=0.02)


def test_contrast_keeps_the_mean_lightness(image_set):
    x = image_set("photographs")
    flatter = CONTRAST.shift(x, by(-0.2, x), RNG)
    np.testing.assert_allclose(BRIGHTNESS.measure(flatter), BRIGHTNESS.measure(x), atol=1e-3)


def test_the_ground_is_lifted_and_the_figure_stays():
    for ink, ground, delta in (((255, 255, 255), (0, 0, 0), 0.3), ((20, 20, 20), (250, 250, 250), -0.3)):
        x = line(6, ink=ink, ground=ground)
        assert BACKGROUND.measure(x) == pytest.approx(ground[0] / 255, abs=1e-3)
        lifted = BACKGROUND.shift(x, by(delta, x), RNG)
        assert BACKGROUND.measure(lifted) == pytest.approx(ground[0] / 255 + delta, abs=1e-3)
        np.testing.assert_allclose(lifted[0, :, 16, 16], x[0, :, 16, 16], atol=1e-3)


# Sharpness, noise, JPEG


def test_sharpness_falls_with_a_blur_made_elsewhere_and_the_factor_can_reproduce_it(image_set):
    x = image_set("photographs")
    blurred = ndimage.gaussian_filter(x, (0, 0, 1.0, 1.0), mode="reflect")
    gap = SHARPNESS.measure(blurred) - SHARPNESS.measure(x)
    assert (gap < 0).all()
    ours = SHARPNESS.shift(x, gap, RNG)
    assert np.abs(ours - blurred).mean() < 0.15 * np.abs(x - blurred).mean()


@pytest.mark.parametrize("sd", [0.03, 0.08])
def test_noise_of_known_strength_on_images_and_series(sd):
    rng = np.random.default_rng(3)
    image = np.full((5, 3, 32, 32), 0.5, dtype=np.float32)
    series = np.sin(np.linspace(0, 20, 500, dtype=np.float32))[None, None].repeat(5, axis=0)
    for clean in (image, series):
        assert NOISE.measure(clean).max() < 0.002
        noisy = (clean + sd * rng.standard_normal(clean.shape)).astype(np.float32)
        np.testing.assert_allclose(NOISE.measure(noisy), sd, rtol=0.2)


def test_noise_of_series_follows_and_is_not_clipped():
    x = realdata.spoken(4)[0]
    before = NOISE.measure(x)
    for delta in (0.01, 0.05):
        noisy = NOISE.shift(x, by(delta, x), np.random.default_rng(0))
        assert (NOISE.measure(noisy) - before).mean() / delta == pytest.approx(1, abs=0.1)
    loud = NOISE.shift(10 * x, by(0.01, x), np.random.default_rng(0))
    assert np.abs(loud).max() > 1


def test_noise_can_be_taken_back(image_set):
    x = image_set("photographs")
    noisy = np.clip(x + 0.08 * np.random.default_rng(5).standard_normal(x.shape), 0, 1).astype(np.float32)
    restored = NOISE.shift(noisy, by(-0.05, x), RNG)
    assert (NOISE.measure(restored) - NOISE.measure(noisy)).mean() == pytest.approx(-0.05, abs=0.01)
    assert np.abs(restored - x).mean() < 0.8 * np.abs(noisy - x).mean()


@pytest.mark.parametrize("quality", [10, 30, 75])
@pytest.mark.parametrize("kind", ["photographs", "grey"])
def test_compression_is_that_of_a_real_jpeg_file(kind, quality, image_set):
    x = image_set(kind, 20)
    rounded = np.round(x * 255).astype(np.uint8)
    real = []
    for image in rounded:
        stream = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0).squeeze()).save(stream, "JPEG", quality=quality)
        decoded = np.asarray(Image.open(stream))
        real.append(np.atleast_3d(decoded).transpose(2, 0, 1))
    ours = jpeg.compressed((rounded / 255).astype(np.float32), by(quality, x))
    assert np.abs(ours * 255 - np.stack(real)).mean() < 0.01  # two builds of libjpeg may round a pixel differently


def test_whole_qualities_do_not_keep_weak_changes_from_being_reached(image_set):
    x = image_set("photographs", 250)
    before = JPEG.measure(x)
    reached = [float(np.nanmean(JPEG.measure(JPEG.shift(x, by(d, x), RNG)) - before)) for d in (0.03, 0.05, 0.08)]
    assert reached == sorted(reached)
    assert np.abs(np.array(reached) / (0.03, 0.05, 0.08) - 1).max() < 0.4


def test_jpeg_is_seen_in_files_of_lower_quality(image_set):
    x = image_set("photographs")
    found = [JPEG.measure(jpeg.compressed(x, by(quality, x))).mean() for quality in (95, 60, 30, 10)]
    assert found == sorted(found)
    assert found[-1] - found[0] > 0.2


# Strokes and geometry


@pytest.mark.parametrize(
    ("ink", "ground"), [((255, 255, 255), (0, 0, 0)), ((30, 30, 30), (240, 240, 240)), ((200, 30, 60), (40, 90, 40))]
)
def test_thickness_of_strokes_of_known_width(ink, ground):
    widths = np.array([3, 5, 7, 9])
    measured = np.concatenate([THICKNESS.measure(line(width, 20, ink, ground)) for width in widths])
    # The ends of a stroke count as outline, so it reads a little thinner than it is.
    assert ((0.65 * widths < measured) & (measured < 1.2 * widths)).all()
    assert (np.diff(measured) > 1).all()


def test_thickness_leaves_colour_ground_and_place_alone(image_set):
    x = image_set("demo")
    thick = THICKNESS.shift(x, by(2, x), RNG)
    turned = (HUE.measure(thick) - HUE.measure(x) + 180) % 360 - 180
    assert np.abs(turned).max() < 3
    np.testing.assert_allclose(BACKGROUND.measure(thick), BACKGROUND.measure(x), atol=1e-3)
    assert np.abs(POSITION_X.measure(thick) - POSITION_X.measure(x)).mean() < 0.4
    assert np.abs(POSITION_Y.measure(thick) - POSITION_Y.measure(x)).mean() < 0.4
    assert np.abs(SHARPNESS.measure(thick) - SHARPNESS.measure(x)).mean() < 0.1


def test_thicker_strokes_equal_those_drawn_thicker():
    """The demo draws thickness from distances at three times the size: not our operation, and nearly our result."""
    from shiftlens.core.data.demo import demo_domains

    (source, _), (target, _) = demo_domains(0)
    x, drawn = ((images[:200].transpose(0, 3, 1, 2) / 255).astype(np.float32) for images in (source, target))
    gap = THICKNESS.measure(drawn).mean() - THICKNESS.measure(x).mean()
    assert gap > 1
    thick = THICKNESS.shift(x, by(gap, x), RNG)
    for worker, close in ((BRIGHTNESS, 0.02), (SHARPNESS, 0.05), (BALANCE, 0.7), (SCALE, 0.5)):
        assert worker.measure(thick).mean() == pytest.approx(worker.measure(drawn).mean(), abs=close)


def test_strokes_below_two_pixels_do_not_vanish(image_set):
    x = image_set("mnist")
    thin = THICKNESS.shift(x, by(-5, x), RNG)
    assert (thin.max((1, 2, 3)) > 0.5 * x.max((1, 2, 3))).mean() > 0.8


@pytest.mark.parametrize("angle", [-60, -20, 0, 35, 70])
def test_tilt_of_a_known_stroke(angle):
    x = line(3, angle)
    assert ROTATION.measure(x) == pytest.approx(angle, abs=1.5)
    wanted = (angle + 15 + 90) % 180 - 90
    assert ROTATION.measure(ROTATION.shift(x, by(15, x), RNG)) == pytest.approx(wanted, abs=1.5)


def test_rotation_turns_as_pillow_does(image_set):
    x = image_set("photographs", 20)
    ours = ROTATION.shift(x, by(25, x), RNG)[:, :, 8:-8, 8:-8]
    theirs = []
    for image in x:
        channels = [Image.fromarray(channel).rotate(25, Image.Resampling.BICUBIC) for channel in image]
        theirs.append(np.stack([np.asarray(channel) for channel in channels])[:, 8:-8, 8:-8])
    assert np.abs(ours - np.clip(np.stack(theirs), 0, 1)).mean() < 0.01


def test_a_round_figure_has_no_tilt():
    picture = Image.new("RGB", (256, 256))
    ImageDraw.Draw(picture).ellipse((64, 64, 192, 192), fill=(255, 255, 255))
    x = (np.asarray(picture.resize((32, 32), Image.Resampling.BOX)).transpose(2, 0, 1)[None] / 255).astype(np.float32)
    assert np.isnan(ROTATION.measure(x)).all()


def test_whole_pixels_move_exactly(image_set):
    x = image_set("mnist")
    right = POSITION_X.shift(x, by(3, x), RNG)
    np.testing.assert_allclose(right[..., 3:], x[..., :-3], atol=1e-6)
    up = POSITION_Y.shift(x, by(-2, x), RNG)
    np.testing.assert_allclose(up[:, :, :-2], x[:, :, 2:], atol=1e-6)


def test_scale_keeps_the_place_and_photographs_are_not_zoomed_out(image_set):
    x = image_set("mnist")
    large = SCALE.shift(x, by(2, x), RNG)
    assert np.abs(POSITION_X.measure(large) - POSITION_X.measure(x)).mean() < 0.2
    photographs = image_set("photographs")
    np.testing.assert_array_equal(SCALE.shift(photographs, by(-3, photographs), RNG), photographs)


def test_occlusion_covers_the_share_asked_for_with_the_mean_colour(image_set):
    x = image_set("photographs")
    covered = OCCLUSION.shift(x, by(0.25, x), np.random.default_rng(0))
    same = (covered == x.mean((2, 3), keepdims=True)).all(1).mean((1, 2))
    assert same.mean() == pytest.approx(0.25, abs=0.02)
    np.testing.assert_allclose(covered.mean((2, 3)), x.mean((2, 3)), atol=0.15)
    other = OCCLUSION.shift(x, by(0.25, x), np.random.default_rng(1))
    assert (covered != other).any(), "the place follows the random numbers"


def test_figures_are_told_from_photographs_also_under_noise_and_on_light_ground(image_set):
    rng = np.random.default_rng(0)
    for kind in ("mnist", "digits", "demo"):
        x = image_set(kind)
        noisy = np.clip(x + 0.1 * rng.standard_normal(x.shape), 0, 1).astype(np.float32)
        for figures in (x, noisy, (1 - x)):
            assert pixels.figure(figures).plain.mean() > 0.95
    assert not pixels.figure(image_set("photographs")).plain.any()


# The search


@given(
    st.lists(st.floats(0.2, 5), min_size=1, max_size=5),
    st.floats(-2, 2),
    st.floats(0.05, 0.95),
)
def test_the_strength_is_found_for_any_rising_measure(powers, limit, part):
    power = np.array(powers)
    ends = np.full(len(power), limit)

    def measured(strength: np.ndarray) -> np.ndarray:
        return np.sign(strength) * np.abs(strength) ** power

    goal = measured(part * ends)
    found = pixels.strength_reaching(goal, np.zeros(len(power)), ends, measured, evaluations=30)
    assert (np.abs(measured(found) - goal) <= 1e-2 * np.maximum(1, np.abs(measured(ends)))).all()
    assert (np.abs(found) <= np.abs(ends)).all()


def test_out_of_reach_goes_to_the_limit_and_never_makes_it_worse():
    limit = np.array([1.0, 1.0, 1.0])
    goal = np.array([5.0, -1.0, 0.5])
    # The second can only be led away from its goal; the third says nothing but NaN.
    slope = np.array([1.0, 1.0, np.nan])
    found = pixels.strength_reaching(goal, np.zeros(3), limit, lambda strength: slope * strength)
    np.testing.assert_allclose(found, [1, 0, 0])
