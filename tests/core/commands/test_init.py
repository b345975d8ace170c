"""A first analysis.yaml, written from a look at real data."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from realdata import cifar, data_file, digits

from shiftlens import Host, load_settings
from shiftlens.core.commands.init import write_settings
from shiftlens.core.errors import InputError

HOST = Host()


def saved(path: Path, count: int = 60, start: int = 0, **arrays: np.ndarray) -> Path:
    x, y = digits()
    rows = slice(start, start + count)
    np.savez(path, **{"x": x[rows], "y": y[rows], **arrays})
    return path


def test_says_what_it_saw_and_can_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    source, target = saved(tmp_path / "data" / "before.npz"), saved(tmp_path / "data" / "after.npz", 40, 60)
    written = write_settings(tmp_path / "my analysis", source, target, None, HOST)
    text = written.read_text()
    assert "# Before the shift: 60 samples of kind image, shape (1, 8, 8); 10 classes: 0, 1, 2" in text
    assert "# After the shift: 40 samples" in text
    raw = yaml.safe_load(text)
    assert raw["source"] == {"reader": "npz", "path": "../data/before.npz"}
    settings = load_settings(written, HOST)
    assert settings.general.name == "my analysis"
    assert settings.classifier.name == "trained"
    assert settings.source.build().files() == [tmp_path / "my analysis" / "../data/before.npz"]


def test_never_overwrites(tmp_path: Path) -> None:
    source = saved(tmp_path / "before.npz")
    (tmp_path / "analysis.yaml").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        write_settings(tmp_path, source, source, None, HOST)
    assert (tmp_path / "analysis.yaml").read_text() == "mine"


def test_folders_of_different_sizes_are_brought_to_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(data_file("cifar10-small.zip")) as archive:
        for name in archive.namelist():
            if name.startswith(("cat/000", "dog/000")):
                archive.extract(name, tmp_path / "before")
    for label, x in zip(cifar(2)[1], cifar(2)[0], strict=True):
        if label in ("cat", "dog"):
            folder = tmp_path / "after" / label
            folder.mkdir(parents=True, exist_ok=True)
            pixels = Image.fromarray(np.round(x.transpose(1, 2, 0) * 255).astype(np.uint8)).convert("L")
            pixels.resize((50, 40)).save(folder / f"{len(list(folder.iterdir()))}.png")
    settings = load_settings(
        write_settings(tmp_path / "new", tmp_path / "before", tmp_path / "after", None, HOST), HOST
    )
    for role in ("source", "target"):
        (tmp_path / role).mkdir()
        domain = getattr(settings, role).build()(tmp_path / role)
        assert domain.sample_shape == (3, 32, 32)
        assert set(domain.labels) == {"cat", "dog"}


def test_an_unlabelled_source_gets_a_loss_that_needs_no_labels(tmp_path: Path) -> None:
    x = digits()[0][:30]
    np.savez(tmp_path / "after.npz", x=x)
    settings = load_settings(
        write_settings(tmp_path, saved(tmp_path / "before.npz"), tmp_path / "after.npz", None, HOST), HOST
    )
    assert settings.loss.component.needs_labels  # type: ignore[attr-defined] - those of the source are enough
    written = write_settings(tmp_path / "other", tmp_path / "after.npz", tmp_path / "after.npz", None, HOST)
    assert "# QUESTION: the source has no labels to train a classifier on" in written.read_text()
    settings = load_settings(written, HOST)
    assert not settings.loss.component.needs_labels  # type: ignore[attr-defined]


def test_a_classifier_that_was_brought_along(tmp_path: Path) -> None:
    source = saved(tmp_path / "before.npz")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.onnx").write_bytes(b"looked into by the run, not here")
    written = write_settings(tmp_path / "a", source, source, str(tmp_path / "models" / "net.onnx"), HOST)
    assert yaml.safe_load(written.read_text())["classifier"] == {"path": "../models/net.onnx"}
    written = write_settings(tmp_path / "b", source, source, "mine.nets:best", HOST)
    assert yaml.safe_load(written.read_text())["classifier"] == {"path": "mine.nets:best"}
    with pytest.raises(InputError, match="does not exist"):
        write_settings(tmp_path / "c", source, source, "none.onnx", HOST)
    (tmp_path / "net.h5").write_bytes(b"")
    with pytest.raises(InputError, match=r"give a \.onnx, \.pt2 or \.pt"):
        write_settings(tmp_path / "c", source, source, str(tmp_path / "net.h5"), HOST)


def test_oddities_and_questions_stand_in_the_file(tmp_path: Path) -> None:
    source = saved(tmp_path / "before.npz")
    x = digits()[0][:30].copy()
    x[3] = 0.5
    target = saved(tmp_path / "after.npz", 30, x=x)
    assert (
        "# Note: 1 of 30 target samples are constant"
        in write_settings(tmp_path, source, target, None, HOST).read_text()
    )
    x[3, 0, 0, 0] = np.nan
    for name, faulty, expected in (
        ("nan", saved(tmp_path / "nan.npz", 30, x=x), "not finite"),
        ("shape", saved(tmp_path / "shape.npz", 30, x=x[:, :, :4]), "shape"),
        ("label", saved(tmp_path / "label.npz", 30, y=np.full(30, "ten")), "never shows: ten"),
    ):
        written = write_settings(tmp_path / name, source, faulty, None, HOST)
        (question,) = [line for line in written.read_text().splitlines() if line.startswith("# QUESTION")]
        assert expected in question
        load_settings(written, HOST)


def test_what_is_no_data_is_an_error(tmp_path: Path) -> None:
    source = saved(tmp_path / "before.npz")
    (tmp_path / "notes.rtf").write_text("no data")
    for name, faulty, expected in (
        ("none", tmp_path / "none.npz", "--target .* does not exist"),
        ("text", tmp_path / "notes.rtf", "no reader knows"),
    ):
        with pytest.raises(InputError, match=expected):
            write_settings(tmp_path / name, source, faulty, None, HOST)
        assert not (tmp_path / name).exists()
