"""The npz reader, on real digits, series and photographs in every shape that it promises to read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from realdata import cifar, digits, power

from shiftlens import Host
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import Reader
from shiftlens.plugins.readers import npz


def read(folder: Path, path: Path, **settings: object) -> Domain:
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return npz.NpzReader(npz.Settings(path=path, **settings))(scratch)


def saved(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez_compressed(folder / "data.npz", **arrays)
    return folder / "data.npz"


def as_bytes(x: np.ndarray) -> np.ndarray:
    return np.round(x * 255).astype(np.uint8)


def test_images_with_channels_first_and_last_and_without_are_the_same(tmp_path: Path) -> None:
    x, y = digits()
    x, y = x[:20].repeat(2, axis=2).repeat(2, axis=3), y[:20]  # (20, 1, 16, 16)
    stored = as_bytes(x)
    for form in (stored, stored[:, 0], stored.transpose(0, 2, 3, 1)):
        domain = read(tmp_path, saved(tmp_path, x=form, y=y))
        assert (domain.kind, domain.sample_shape) == ("image", (1, 16, 16))
        np.testing.assert_allclose(domain.batch(np.array([3, 1])), stored[[3, 1]] / 255, atol=1e-6)
        assert domain.labels is not None
        assert domain.labels.tolist() == [str(label) for label in y]


def test_colour_and_class_names(tmp_path: Path) -> None:
    x, y = cifar(2)
    names = np.array([f"photo {i}" for i in range(len(x))])
    domain = read(tmp_path, saved(tmp_path, x=as_bytes(x).transpose(0, 2, 3, 1), y=y, names=names))
    np.testing.assert_allclose(domain.batch(slice(None)), x, atol=1e-6)
    assert domain.labels is not None
    assert domain.labels.tolist() == y.tolist()
    assert domain.names[7] == "photo 7"


def test_float_images_stay_as_they_are(tmp_path: Path) -> None:
    x = digits()[0][:10, 0]  # (10, 8, 8) in [0, 1]
    domain = read(tmp_path, saved(tmp_path, x=x))
    assert domain.kind == "image"
    assert domain.labels is None
    np.testing.assert_array_equal(domain.batch(slice(None))[:, 0], x)


def test_series_by_two_axes_and_by_three(tmp_path: Path) -> None:
    x, y = power()
    x, y = x[:30], y[:30]  # (30, 1, 24)
    for form in (x, x[:, 0]):
        domain = read(tmp_path, saved(tmp_path, x=form, y=y))
        assert (domain.kind, domain.sample_shape) == ("series", (1, 24))
        np.testing.assert_array_equal(domain.batch(slice(None)), x)
    several = np.concatenate([x, -x], axis=1)
    domain = read(tmp_path, saved(tmp_path, x=several.transpose(0, 2, 1)), kind="series", layout="channels-last")
    np.testing.assert_array_equal(domain.batch(slice(None)), several)


def test_values_beyond_one_on_two_long_axes_are_a_series(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(12, 16, 32))
    assert read(tmp_path, saved(tmp_path, x=x)).kind == "series"
    assert read(tmp_path, saved(tmp_path, x=np.abs(x) / np.abs(x).max())).kind == "image"


def test_vectors_have_columns(tmp_path: Path) -> None:
    x = power()[0][:5, 0, :3]
    assert read(tmp_path, saved(tmp_path, x=x), kind="tabular").columns == ("x0", "x1", "x2")
    path = saved(tmp_path, x=x, columns=np.array(["dawn", "noon", "dusk"]))
    assert read(tmp_path, path, kind="tabular").columns == ("dawn", "noon", "dusk")


@pytest.mark.parametrize(
    ("shape", "sample_shape"),
    [((2, 3, 32, 32), (3, 32, 32)), ((2, 32, 32, 4), (4, 32, 32)), ((2, 2, 32, 32), (2, 32, 32)),
     ((2, 32, 24, 7), (7, 32, 24)), ((2, 3, 32, 3), (3, 32, 3))],
)  # fmt: skip
def test_channels_are_found(tmp_path: Path, shape: tuple[int, ...], sample_shape: tuple[int, ...]) -> None:
    assert read(tmp_path, saved(tmp_path, x=np.zeros(shape, np.uint8))).sample_shape == sample_shape


@pytest.mark.parametrize(
    ("y", "expected"),
    [(np.array([0, 1, 2]), ["0", "1", "2"]), (np.array([0.0, 1.0, 2.0]), ["0", "1", "2"]),
     (np.array([[3], [4], [5]], np.uint8), ["3", "4", "5"]), (np.array([True, False, True]), ["1", "0", "1"]),
     (np.array([b"cat", b"dog", b"cat"]), ["cat", "dog", "cat"])],
)  # fmt: skip
def test_labels_of_many_types(tmp_path: Path, y: np.ndarray, expected: list[str]) -> None:
    labels = read(tmp_path, saved(tmp_path, x=digits()[0][:3], y=y)).labels
    assert labels is not None
    assert labels.tolist() == expected


def test_npy_is_mapped_where_it_lies(tmp_path: Path) -> None:
    x, y = digits()
    np.save(tmp_path / "x.npy", x[:9])
    np.save(tmp_path / "y.npy", y[:9])
    settings = npz.Settings(path=tmp_path / "x.npy", labels=tmp_path / "y.npy")
    reader = npz.NpzReader(settings)
    (tmp_path / "scratch").mkdir()
    domain = reader(tmp_path / "scratch")
    assert isinstance(domain.stored, np.memmap)
    assert list((tmp_path / "scratch").iterdir()) == []
    assert reader.files() == [tmp_path / "x.npy", tmp_path / "y.npy"]
    assert domain.labels is not None
    assert domain.labels.tolist() == [str(label) for label in y[:9]]


def test_members_are_copied_once_and_again_when_the_content_changes(tmp_path: Path) -> None:
    x = digits()[0][:10]
    copies = lambda: {p.name: p.stat().st_mtime_ns for p in (tmp_path / "scratch").glob("x-*.npy")}  # noqa: E731
    path = saved(tmp_path, x=x)
    assert isinstance(read(tmp_path, path).stored, np.memmap)
    first = copies()
    read(tmp_path, path)
    assert copies() == first
    domain = read(tmp_path, saved(tmp_path, x=1 - x))
    np.testing.assert_array_equal(domain.batch(slice(None)), 1 - x)
    assert len(copies()) == 1
    assert copies() != first


def test_the_host_guesses_the_reader(tmp_path: Path) -> None:
    for name in ("a.npz", "a.NPY"):
        claimed = Host().claiming(Reader, {"path": name}, tmp_path)
        assert claimed is not None
        assert claimed.name == "npz"


def wrong(tmp_path: Path, arrays: dict[str, np.ndarray], **settings: object) -> str:
    with pytest.raises(InputError) as caught:
        read(tmp_path, saved(tmp_path, **arrays), **settings)
    return str(caught.value)


def test_mistakes_are_named_with_the_next_step(tmp_path: Path) -> None:
    x, y = digits()
    x, y = x[:6], y[:6]
    assert 'did you mean "images"' in wrong(tmp_path, {"images": x}, x="image")
    assert "y: NAME" in wrong(tmp_path, {"x": x, "label": y}, y="labels")
    assert "6 samples and 5 labels" in wrong(tmp_path, {"x": x, "y": y[:5]})
    assert "multi-label" in wrong(tmp_path, {"x": x, "y": np.eye(6) + np.eye(6)[::-1]})
    assert "not whole" in wrong(tmp_path, {"x": x, "y": y + 0.5})
    assert "not whole" in wrong(tmp_path, {"x": x, "y": np.full(6, np.nan)})
    assert "no samples" in wrong(tmp_path, {"x": x[:0]})
    assert "kind: tabular" in wrong(tmp_path, {"x": x[:, 0, 0, 0]})
    assert "does not fit kind: tabular" in wrong(tmp_path, {"x": x}, kind="tabular")
    assert "save them as uint8" in wrong(tmp_path, {"x": (x * 255).astype(np.int64)})
    assert "must be numbers" in wrong(tmp_path, {"x": x[:, 0].astype(str)}, kind="image")
    assert "layout" in wrong(tmp_path, {"x": np.zeros((2, 40, 41, 42), np.uint8)})
    assert "names has shape" in wrong(tmp_path, {"x": x, "names": np.array(["a"])})


def test_objects_are_refused_and_never_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.array([{"a": 1}, None], dtype=object))
    with pytest.raises(InputError, match="Python objects"):
        read(tmp_path, tmp_path / "data.npz")


def test_damaged_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        read(tmp_path, tmp_path / "none.npz")
    path = saved(tmp_path, x=digits()[0])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read(tmp_path, path)
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"numpy\.savez"):
        read(tmp_path, path)


def test_unnamed_labels_are_pointed_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    x, y = digits()
    assert read(tmp_path, saved(tmp_path, x=x[:5], label=y[:5])).labels is None
    assert "y: NAME" in caplog.text
