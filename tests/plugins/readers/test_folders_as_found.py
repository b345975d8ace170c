"""Folders of pictures as other tools and cameras leave them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin
from realdata import digits

from shiftlens.core.data.domain import Domain, check_pair
from shiftlens.core.errors import InputError
from shiftlens.plugins.readers.image_folder import ImageFolderReader, Settings


def read(folder: Path, **settings: Any) -> Domain:
    scratch = folder.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    return ImageFolderReader(Settings(path=folder, **settings))(scratch)


def picture(index: int, side: int = 24) -> Image.Image:
    return Image.fromarray((digits()[0][index, 0] * 255).astype(np.uint8)).resize((side, side))


def tree(folder: Path, count: int = 6, suffix: str = "png", **how: Any) -> Path:
    for index in range(count):
        place = folder / f"c{index % 2}"
        place.mkdir(parents=True, exist_ok=True)
        picture(index).save(place / f"{index:02}.{suffix}", **how)
    return folder


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [("tif", "TIFF"), ("tiff", "TIFF"), ("jfif", "JPEG"), ("jpe", "JPEG"), ("ppm", "PPM"), ("pgm", "PPM"),
     ("avif", "AVIF"), ("TIF", "TIFF"), ("tga", "TGA"), ("jp2", "JPEG2000"), ("dib", "DIB"), ("pcx", "PCX")],
)  # fmt: skip
def test_what_pillow_reads_is_read(tmp_path: Path, suffix: str, kind: str) -> None:
    domain = read(tree(tmp_path / "p", suffix=suffix, format=kind))
    assert len(domain) == 6
    difference = np.abs(domain.batch(slice(0, 1)).mean(axis=1)[0] - np.asarray(picture(0)) / 255)
    assert difference.mean() < 0.03


def test_what_is_left_out_is_counted_and_named(tmp_path: Path) -> None:
    folder = tree(tmp_path / "p")
    for name in ("a.heic", "b.heic", "notes.txt"):
        (folder / "c0" / name).write_text("no picture")
    (note,) = read(folder).notes
    assert note.startswith("3 files in ")
    assert note.endswith("2 .heic, 1 .txt.")


def turned(folder: Path, orientation: Any, count: int = 6) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return tree(folder, count, suffix="jpg", exif=exif, quality=95)


def test_pictures_with_an_exif_turn_can_be_read_either_way(tmp_path: Path) -> None:
    upright, lying = read(turned(tmp_path / "p", 6)), read(turned(tmp_path / "p", 6), exif="ignore")
    x, y = upright.batch(slice(0, 6)), lying.batch(slice(0, 6))
    np.testing.assert_allclose(np.rot90(y, -1, axes=(2, 3)), x, atol=1e-6)
    (other,) = upright.otherwise
    np.testing.assert_allclose(other.read(other.rows), y, atol=1e-6)
    label = np.zeros(6, dtype=np.int64)

    def predict(x: Any) -> Any:
        lies = np.abs(x - y[: len(x)]).reshape(len(x), -1).max(axis=1) < 1e-6
        return np.stack([lies, ~lies], axis=1).astype(np.float64)

    told = other.told("target", label, predict(x).argmax(axis=1), predict)
    assert "6 pictures with an EXIF turn, read with exif: turn: the classifier is right on 0.0% of them" in told
    assert "With exif: ignore it would be right on 100.0%" in told


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_exif_turn_that_means_nothing_is_none(tmp_path: Path, orientation: int) -> None:
    assert read(turned(tmp_path / "p", orientation)).otherwise == ()


def test_exif_numbers_that_make_no_sense_stop_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    (folder / "c0").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x011A] = TiffImagePlugin.IFDRational(1, 0)
    exif[0x0112] = 6
    picture(0).save(folder / "c0" / "0.jpg", exif=exif)
    whole = (folder / "c0" / "0.jpg").read_bytes()
    place = whole.index(b"Exif\0\0") + 6
    for number, bad in enumerate((b"\xff" * 30, bytes(30), b"MM\0*\xff\xff\xff\xff" + bytes(22))):
        damaged = bytearray(whole)
        damaged[place : place + 30] = bad
        (folder / "c0" / f"bad{number}.jpg").write_bytes(damaged)
    assert len(read(folder)) == 4


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_grey_of_more_than_8_bits_keeps_its_levels(tmp_path: Path, bits: int) -> None:
    folder = tmp_path / "p" / "c"
    folder.mkdir(parents=True)
    values = (digits()[0][:4, 0] * (2**bits - 1)).astype(np.uint16)
    for index, one in enumerate(values):
        Image.fromarray(one).save(folder / f"{index}.png")
    domain = read(tmp_path / "p")
    np.testing.assert_allclose(domain.batch(slice(0, 4))[:, 0], digits()[0][:4, 0], atol=1 / 255)
    assert domain.agrees == {"bits": bits}
    assert f"use {bits} of them" in domain.notes[0]


def test_domains_of_other_bits_are_not_compared_as_they_are(tmp_path: Path) -> None:
    for name, top in (("bright", 4095), ("dark", 900)):
        (tmp_path / name / "c").mkdir(parents=True)
        for index, one in enumerate(digits()[0][:4, 0]):
            Image.fromarray((one * top).astype(np.uint16)).save(tmp_path / name / "c" / f"{index}.png")
    with pytest.raises(InputError, match=r"bits: 12 and the target bits: 10.*set bits to the same value"):
        check_pair(read(tmp_path / "bright"), read(tmp_path / "dark"))
    check_pair(read(tmp_path / "bright", bits=12), read(tmp_path / "dark", bits=12))


def test_one_unreadable_file_stops_nothing_and_is_named(tmp_path: Path) -> None:
    folder = tree(tmp_path / "p", 40)
    (folder / "c1" / "07.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    domain = read(folder)
    assert len(domain) == 39
    assert "c1/07.png" not in domain.names
    assert domain.labels is not None
    assert len(domain.labels) == 39
    (note,) = domain.notes
    assert "1 of 40 pictures" in note
    assert "07.png" in note
    row = domain.names.index("c1/09.png")
    np.testing.assert_allclose(domain.batch(slice(row, row + 1))[0, 0], np.asarray(picture(9)) / 255, atol=1e-6)
    with pytest.raises(InputError, match=r"let more be left out with skip \(now 0"):
        read(folder, skip=0)


def test_parts_of_a_data_set_are_asked_about(tmp_path: Path) -> None:
    for part in ("train", "val"):
        tree(tmp_path / "p" / part)
    with pytest.raises(InputError, match=r"folders train, val, .*split: train .*split: all .*split: none"):
        read(tmp_path / "p")
    assert set(read(tmp_path / "p", split="val").labels.tolist()) == {"c0", "c1"}  # type: ignore[union-attr]
    assert len(read(tmp_path / "p", split="val")) == 6
    assert len(read(tmp_path / "p", split="all")) == 12
    assert set(read(tmp_path / "p", split="none").labels.tolist()) == {"train", "val"}  # type: ignore[union-attr]
    with pytest.raises(InputError, match="no folder test"):
        read(tmp_path / "p", split="test")


def test_classes_that_are_called_like_parts_are_classes(tmp_path: Path) -> None:
    for name in ("test", "train"):
        (tmp_path / "p" / name).mkdir(parents=True)
        picture(0).save(tmp_path / "p" / name / "0.png")
    assert set(read(tmp_path / "p").labels.tolist()) == {"test", "train"}  # type: ignore[union-attr]


@pytest.mark.parametrize("header", ["file,label", "filename,class", "id,category", "image,target"])
def test_a_table_of_labels(tmp_path: Path, header: str) -> None:
    folder = tmp_path / "flat"
    folder.mkdir()
    lines = [header]
    for index in range(4):
        picture(index).save(folder / f"{index}.png")
        lines.append(f"{index}{'' if header.startswith('id') else '.png'},{'ab'[index % 2]}")
    (folder / "labels.csv").write_text("\n".join(lines))
    domain = read(folder)
    assert domain.labels is not None
    assert domain.labels.tolist() == ["a", "b", "a", "b"]


def test_names_in_any_bytes(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path / "p")
    for name in (b"th\xe9", "日本".encode(), b"eau"):
        os.makedirs(os.path.join(root, name))
        with open(os.path.join(root, name, b"\xff\xfe.png"), "wb") as stream:
            picture(0).save(stream, format="PNG")
    domain = read(tmp_path / "p")
    assert domain.labels is not None
    assert set(domain.labels.tolist()) == {"thé", "日本", "eau"}
    for name in (*domain.labels.tolist(), *domain.names):
        name.encode("utf-8")
