"""The image-folder reader, on photographs and on pictures made to be difficult."""

from __future__ import annotations

import logging
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from realdata import cifar, data_file, digits

from shiftlens import Host
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import Reader
from shiftlens.plugins.readers import class_tree, image_folder, pictures
from shiftlens.plugins.readers.image_folder import ImageFolderReader, Settings


def read(root: Path, **settings: object) -> Domain:
    scratch = root.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    return ImageFolderReader(Settings(path=root, **settings))(scratch)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Four photographs of each class, as they come in the archive."""
    with zipfile.ZipFile(data_file("cifar10-small.zip")) as archive:
        for name in archive.namelist():
            if name.endswith(("0000.jpg", "0001.jpg", "0002.jpg", "0003.jpg")):
                archive.extract(name, tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Real digits as PNG: two classes of three."""
    x, y = digits()
    root = tmp_path / "digits"
    for i in range(60):
        if y[i] < 2 and len(list((root / str(y[i])).glob("*"))) < 3:
            (root / str(y[i])).mkdir(parents=True, exist_ok=True)
            Image.fromarray((x[i, 0] * 255).astype(np.uint8)).resize((16, 16)).save(root / str(y[i]) / f"{i}.png")
    return root


def test_photographs_come_out_as_decoded_by_pillow(tree: Path) -> None:
    domain = read(tree)
    x, y = cifar(4)
    assert domain.sample_shape == (3, 32, 32)
    np.testing.assert_allclose(domain.batch(slice(None)), x, atol=1e-6)
    assert domain.labels is not None
    assert domain.labels.tolist() == y.tolist()
    assert domain.names[0] == "airplane/0000.jpg"


def test_decoded_once_and_again_when_a_file_changes(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read(small).batch(slice(None))
    seen: list[str] = []
    decode = image_folder.decoded
    monkeypatch.setattr(image_folder, "decoded", lambda p, form: seen.append(p.name) or decode(p, form))
    np.testing.assert_array_equal(read(small).batch(slice(None)), before)
    assert seen == []
    changed = next(iter(sorted(small.rglob("*.png"))))
    Image.new("L", (16, 16), 255).save(changed)
    assert read(small).batch(slice(0, 1)).min() == 1
    assert len(seen) == 6
    assert len(list((small.parent / "scratch").glob("*.npy"))) == 1


def test_goes_on_where_it_was_cut_off(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(small).batch(slice(None))
    shutil.rmtree(small.parent / "scratch")
    monkeypatch.setattr(image_folder, "CHUNK", 2)
    decode, seen = image_folder.decoded, []

    def cut_off(picture: class_tree.Entry, form: image_folder.Form) -> object:
        seen.append(picture.name)
        if len(seen) == 5:
            raise KeyboardInterrupt
        return decode(picture, form)

    monkeypatch.setattr(image_folder, "decoded", cut_off)
    with pytest.raises(KeyboardInterrupt):
        read(small, workers=1)
    (part,) = (small.parent / "scratch").glob("*.part")
    with part.open("ab") as stream:
        stream.write(b"half a picture")
    seen.clear()
    seen.append("past the cut")
    monkeypatch.setattr(image_folder, "decoded", lambda p, form: seen.append(p.name) or decode(p, form))
    np.testing.assert_array_equal(read(small, workers=1).batch(slice(None)), whole)
    assert len(seen) == 3  # four of the six were kept


def picture(folder: Path, name: str, image: Image.Image, **how: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    image.save(folder / name, **how)


def test_transparency_lies_on_the_background(tmp_path: Path) -> None:
    picture(tmp_path / "p" / "a", "clear.png", Image.new("RGBA", (16, 16), (255, 0, 0, 0)))
    picture(tmp_path / "p" / "a", "half.png", Image.new("RGBA", (16, 16), (255, 0, 0, 128)))
    picture(tmp_path / "p" / "a", "solid.png", Image.new("RGB", (16, 16), (10, 20, 30)))
    pixels = read(tmp_path / "p").batch(slice(None))[:, :, 0, 0] * 255
    np.testing.assert_allclose(pixels, [[255, 255, 255], [255, 127, 127], [10, 20, 30]], atol=1)
    pixels = read(tmp_path / "p", background="#000080").batch(slice(None))[:, :, 0, 0] * 255
    np.testing.assert_allclose(pixels, [[0, 0, 128], [128, 0, 64], [10, 20, 30]], atol=1)


def test_grey_unless_one_is_coloured(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).reshape(16, 16).astype(np.uint16)
    picture(tmp_path / "p" / "a", "deep.png", Image.fromarray(ramp))  # 16 bits
    picture(tmp_path / "p" / "a", "bits.png", Image.new("1", (16, 16), 1))
    picture(tmp_path / "p" / "a", "alpha.png", Image.new("LA", (16, 16), (100, 255)))
    domain = read(tmp_path / "p")
    assert domain.sample_shape == (1, 16, 16)
    x = domain.batch(slice(None)) * 255
    np.testing.assert_allclose(x[:, 0, 0, 0], [100, 255, 0], atol=1e-4)
    np.testing.assert_allclose(x[2, 0].ravel(), ramp.ravel() >> 8, atol=1e-3)
    assert read(tmp_path / "p", mode="RGB").sample_shape == (3, 16, 16)
    picture(tmp_path / "p" / "b", "red.png", Image.new("RGB", (16, 16), "red"))
    assert read(tmp_path / "p").sample_shape == (3, 16, 16)
    assert read(tmp_path / "p", mode="L").sample_shape == (1, 16, 16)


def test_sizes_crops_and_formats(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    left_red = Image.new("RGB", (80, 40), "blue")
    left_red.paste("red", (0, 0, 20, 40))  # the outer quarter
    for suffix in ("bmp", "gif", "webp"):
        picture(tmp_path / "p" / "a", f"wide.{suffix}", left_red, **({"lossless": True} if suffix == "webp" else {}))
    fitted = {
        crop: read(tmp_path / "p", size=20, crop=crop).batch(slice(None)) for crop in ("centre", "stretch", "pad")
    }
    assert {x.shape for x in fitted.values()} == {(3, 3, 20, 20)}
    red = {crop: float((x[0, 0] > x[0, 2] + 0.5).mean()) for crop, x in fitted.items()}
    assert red == pytest.approx({"centre": 0, "stretch": 0.25, "pad": 0.125}, abs=0.03)
    assert fitted["pad"][:, :, 0].min() == 1  # white above
    assert read(tmp_path / "p", size=(8, 12)).sample_shape == (3, 8, 12)
    assert read(tmp_path / "p").sample_shape == (3, 40, 80)
    picture(tmp_path / "p" / "a", "other.png", Image.new("RGB", (30, 90)))
    assert read(tmp_path / "p").sample_shape == (3, 32, 32)
    assert "set size" in caplog.text


def test_turned_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (16, 8), "black")
    image.paste("white", (0, 0, 8, 8))  # the left half
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    picture(tmp_path / "p" / "a", "turned.jpg", image, exif=exif, quality=95)
    domain = read(tmp_path / "p")
    assert domain.sample_shape == (3, 16, 8)
    x = domain.batch(slice(None))[0, 0]
    assert x[:7].min() > 0.9  # what was on the left is on top
    assert x[9:].max() < 0.1


def test_a_flat_folder_has_no_labels(small: Path) -> None:
    domain = read(small / "0")
    assert domain.labels is None
    assert len(domain) == 3


def test_hidden_names_links_and_deeper_folders(small: Path) -> None:
    files = sorted(small.rglob("*.png"))
    (small / ".cache").mkdir()
    shutil.copy(files[0], small / ".cache" / "hidden.png")
    (small / "0" / ".hidden.png").write_bytes(b"not a picture")
    (small / "0" / "notes.txt").write_text("not a picture either")
    (small / "1" / "deeper").mkdir()
    (small / "1" / "deeper" / "linked.png").symlink_to(files[-1])
    (small / "1" / "again").symlink_to(small)  # a loop
    (small / "2").symlink_to(small / "0")
    domain = read(small)
    assert domain.labels is not None
    assert [int((domain.labels == label).sum()) for label in "012"] == [3, 4, 3]
    assert "1/deeper/linked.png" in domain.names


def test_all_corrupt_pictures_are_named_at_once(small: Path) -> None:
    files = sorted(small.rglob("*.png"))
    files[1].write_bytes(b"no picture")
    files[4].write_bytes(files[4].read_bytes()[:60])
    with pytest.raises(InputError) as caught:
        read(small)
    assert "2 of 6" in str(caught.value)
    assert str(files[1]) in str(caught.value)
    assert str(files[4]) in str(caught.value)
    files[1].unlink()
    files[4].unlink()
    assert len(read(small)) == 4


def test_wrong_folders(small: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read(small / "none")
    with pytest.raises(InputError, match="is a file"):
        read(next(small.rglob("*.png")))
    (small.parent / "empty" / "class").mkdir(parents=True)
    with pytest.raises(InputError, match="holds no pictures"):
        read(small.parent / "empty")
    shutil.copy(next(small.rglob("*.png")), small / "stray.png")
    with pytest.raises(InputError, match=r"beside its class folders \(such as stray.png\)"):
        read(small)
    (small / "stray.png").unlink()
    (small / "0" / "gone.png").symlink_to(small / "nowhere.png")
    assert any("1 links that lead nowhere" in note for note in read(small).notes)


def test_settings_are_checked(small: Path) -> None:
    for wrong in ({"size": 0}, {"size": (1, 2, 3)}, {"background": "whit"}, {"workers": 0}):
        with pytest.raises(ValidationError):
            Settings(path=small, **wrong)


def test_the_host_guesses_the_reader(small: Path, tmp_path: Path) -> None:
    claimed = Host().claiming(Reader, {"path": "digits"}, tmp_path)
    assert claimed is not None
    assert claimed.name == "image-folder"
    assert not image_folder.READER.claims({"path": "scratch"}, tmp_path)
    assert not image_folder.READER.claims({}, small)


def test_workers_change_nothing(small: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    one = np.array(read(small, workers=1, size=12).batch(slice(None)))
    shutil.rmtree(small.parent / "scratch")
    np.testing.assert_array_equal(read(small, workers=4, size=12).batch(slice(None)), one)


def test_an_enormous_picture_among_small_ones_is_decoded_alone(tree, monkeypatch):
    place = tree / "cat" / "large.jpg"
    Image.radial_gradient("L").resize((6000, 5000)).convert("RGB").save(place, quality=80)
    decoding = []

    class Alone:
        def __enter__(self) -> None:
            decoding.append("one")

        def __exit__(self, *error: object) -> None:
            pass

    monkeypatch.setattr(pictures, "ONE_AT_A_TIME", Alone())
    domain = read(tree, size=32)
    assert decoding == ["one"]
    row = domain.names.index("cat/large.jpg")
    found = domain.batch(np.array([row]))[0, 0]
    assert found[16, 16] < 0.1 < 0.6 < found[0, 0]


def test_large_pictures_are_written_a_few_at_a_time(tree, monkeypatch):
    plain = read(tree, size=64).batch(slice(None))
    sizes = []
    first = image_folder.decoded
    monkeypatch.setattr(image_folder, "LARGEST_CHUNK", 3 * 3 * 65 * 64)
    monkeypatch.setattr(image_folder, "decoded", lambda p, form: sizes.append(form.height) or first(p, form))
    assert read(tree, size=(65, 64)).batch(slice(None)).shape == (len(plain), 3, 65, 64)
    assert len(sizes) == len(plain)


def test_no_room_for_the_decoded_pictures(tree, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 5, 5))
    with pytest.raises(InputError, match=r"decoded of \d+ pictures .* takes .* GB on disk, and 0.0 GB are free"):
        read(tree, size=32)


@pytest.mark.parametrize("size", [1, (1, 7)])
def test_one_pixel_a_side(tree, size):
    domain = read(tree, size=size)
    assert domain.batch(slice(None)).shape[1:] == domain.sample_shape
