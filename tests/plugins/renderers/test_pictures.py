"""Samples as pictures: what is drawn is the sample."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from realdata import cifar, digits, power

from shiftlens.plugins.renderers import pictures


def window(sheet: pictures.Sheet, picture: pictures.Picture) -> np.ndarray:
    """The pixels that a picture shows of its sheet."""
    with Image.open(io.BytesIO(base64.b64decode(sheet.uri.split(",")[1]))) as image:
        x, y, width, height = map(int, picture.view_box.split())
        return np.asarray(image.convert("RGB"))[y : y + height, x : x + width]


def test_colour_images_are_shown_pixel_for_pixel() -> None:
    x = cifar(2)[0]
    sheet, drawn = pictures.image_sheet("a", x, 128)
    for sample, picture in zip(x, drawn, strict=True):
        assert np.array_equal(window(sheet, picture), np.round(sample * 255).astype(np.uint8).transpose(1, 2, 0))
    assert sheet.pixelated


def test_grey_images_are_shown_grey_and_equal_ones_share_a_tile() -> None:
    x = digits()[0][[3, 4, 3]]
    sheet, drawn = pictures.image_sheet("a", x, 128)
    assert drawn[0].view_box == drawn[2].view_box != drawn[1].view_box
    shown = window(sheet, drawn[1])
    assert np.array_equal(shown[..., 0], np.round(x[1, 0] * 255).astype(np.uint8))
    assert np.array_equal(shown[..., 0], shown[..., 2])


def test_compressed_images_look_alike_take_less_room_and_are_whole_where_that_is_no_more() -> None:
    x = cifar(8)[0]
    whole, _ = pictures.image_sheet("a", x, 128)
    small, drawn = pictures.image_sheet("a", x, 128, quality=75)
    assert len(small.uri) < 0.6 * len(whole.uri)
    for sample, picture in zip(x, drawn, strict=True):
        enlarged = np.round(sample * 255).repeat(2, 1).repeat(2, 2).transpose(1, 2, 0)
        assert np.abs(window(small, picture) - enlarged).mean() < 8
    flat = np.zeros((4, 3, 32, 32), dtype=np.float32)
    flat[:, 0, 8:16] = 1.0
    assert pictures.image_sheet("a", flat, 128, quality=75)[0] == pictures.image_sheet("a", flat, 128)[0]


def test_large_images_are_reduced_and_keep_their_shape() -> None:
    x = np.random.default_rng(0).random((3, 3, 256, 128), dtype=np.float32)
    sheet, drawn = pictures.image_sheet("a", x, 64)
    assert drawn[0].view_box.split()[2:] == ["32", "64"]
    assert max(sheet.width, sheet.height) < 200


def test_values_outside_the_range_and_missing_ones_are_drawable() -> None:
    x = np.array([[[[-1.0, 2.0], [np.nan, 0.5]]]], dtype=np.float32)
    sheet, drawn = pictures.image_sheet("a", x, 128)
    assert window(sheet, drawn[0])[..., 0].tolist() == [[0, 255], [128, 128]]


def test_more_tiles_get_fewer_pixels_each() -> None:
    sides = [pictures.largest_side(n) for n in (1, 30, 1500, 10**7)]
    assert sides == sorted(sides, reverse=True)
    assert sides[0] == pictures.LARGEST_TILE
    assert sides[-1] >= 24
    assert 1500 * sides[2] ** 2 <= pictures.PIXEL_BUDGET


def points(path: str) -> list[tuple[float, float]]:
    return [tuple(map(float, part.split())) for part in path.replace("Z", "").lstrip("M").split("L")]  # type: ignore[misc]


def test_a_short_series_is_a_line_through_its_values() -> None:
    x = power()[0][:2]
    (_, (style, path)), _ = (p.paths for p in pictures.series_pictures(x, x[0], pictures.range_of(x)))
    drawn = points(path)
    assert style == "line"
    assert len(drawn) == x.shape[2]
    heights = -np.array([y for _, y in drawn])
    assert np.corrcoef(heights, x[0, 0])[0, 1] > 0.999


def test_a_long_series_is_a_band_that_holds_every_extreme() -> None:
    t = np.linspace(0, 40, 4000, dtype=np.float32)
    x = np.sin(t)[None, None] * np.linspace(0, 1, 4000, dtype=np.float32)
    x[0, 0, 1234] = 3.0  # one single value
    (picture,) = pictures.series_pictures(x, x[0], pictures.range_of(x))
    style, path = picture.paths[-1]
    heights = [y for _, y in points(path)]
    assert style == "area"
    assert len(heights) == 2 * pictures.BINS
    assert min(heights) == pytest.approx(0.06 * pictures.HEIGHT, abs=1)
    assert heights.index(min(heights)) == pytest.approx(1234 / 4000 * pictures.BINS, abs=1)


def test_channels_have_lanes_of_their_own() -> None:
    x = np.zeros((1, 3, 20), dtype=np.float32)
    (picture,) = pictures.series_pictures(x, x[0], pictures.range_of(x))
    assert picture.paths[-1][1].count("M") == 3


def test_bars_that_left_the_first_sample_are_told_apart() -> None:
    x = np.tile(np.arange(6, dtype=np.float32), (3, 1))
    x[1, 2], x[2, 2] = 9.0, 2.05
    drawn = pictures.vector_pictures(x, x[0], pictures.range_of(x))
    counts = [{style: path.count("M") for style, path in picture.paths} for picture in drawn]
    assert [c["changed"] for c in counts] == [0, 1, 0]
    assert all(c["changed"] + c["area"] == 6 and c["ghost-tick"] == 6 for c in counts)
