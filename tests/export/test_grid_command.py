"""``shiftlens grid``: files in, files out."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from shiftlens.core.errors import BundleError, InputError
from shiftlens.export.bundle import Bundle, grid_for_pair
from shiftlens.export.grid_command import write_grid, write_intervention
from shiftlens.export.sheet import draw


@pytest.fixture(scope="session")
def files(pair, tmp_path_factory):
    """The pair as .npy and as .png."""
    folder = tmp_path_factory.mktemp("pair")
    for name, x in zip(("source", "target"), pair, strict=True):
        np.save(folder / f"{name}.npy", x)
        Image.fromarray(np.round(x[0] * 255).astype(np.uint8)).save(folder / f"{name}.png")
    return folder


def test_a_sheet_with_its_figures(exported, files, tmp_path):
    written = write_grid(exported, files / "source.npy", files / "target.npy", tmp_path / "g.png", "7", 4, 3)
    assert written == [tmp_path / "g.png", tmp_path / "g.json"]
    with Image.open(written[0]) as sheet:
        assert sheet.width > sheet.height > 3 * 96
    figures = json.loads(written[1].read_text())
    assert figures["grid"] == {"features": 4, "losses": 3}
    assert figures["label"] == "7"
    assert [len(row) for row in figures["cells"]] == [4, 4, 4]
    first, last = figures["cells"][0][0], figures["cells"][-1][-1]
    assert first["real"]
    assert last["real"]
    assert first["correct"]
    assert figures["loss"] == pytest.approx([first["measured"], last["measured"]])


def test_arrays_and_pictures_of_one_pair_agree(exported, files, tmp_path):
    grids = []
    for suffix in ("npy", "png"):
        out = tmp_path / f"{suffix}.npz"
        write_grid(exported, files / f"source.{suffix}", files / f"target.{suffix}", out, "7", 5, 5)
        grids.append(dict(np.load(out, allow_pickle=False)))
    assert grids[0]["cells"].shape == (5, 5, 1, 8, 8)
    np.testing.assert_allclose(grids[0]["cells"], grids[1]["cells"], atol=0.02)  # 8 bits a pixel, amplified by z
    assert grids[0]["predicted"][0, 0] == "7"


def test_figures_alone(exported, files, tmp_path):
    assert write_grid(exported, files / "source.npy", files / "target.npy", tmp_path / "g.json", None, 2, 2) == [
        tmp_path / "g.json"
    ]


@pytest.mark.parametrize("array", [np.zeros((8, 8)), np.zeros((1, 1, 8, 8)), np.zeros((8, 8, 1), np.uint8)])
def test_samples_may_come_in_the_usual_layouts(exported, files, tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    write_grid(exported, tmp_path / "x.npy", files / "target.npy", tmp_path / "g.json", "7", 2, 2)
    assert (tmp_path / "g.json").is_file()


@pytest.mark.parametrize(
    ("source", "out", "told"),
    [
        ("absent.npy", "g.png", r"there is no file .*absent\.npy"),
        ("source.npy", "g.gif", r"must end in one of \.png, \.json, \.npz"),
        ("words.npy", "g.png", "holds <U4; give numbers"),
        ("large.npy", "g.png", r"shape \(1, 9, 9\); the bundle is made for \(1, 8, 8\)"),
        ("broken.npy", "g.png", r"broken\.npy cannot be read"),
        ("broken.png", "g.png", r"broken\.png cannot be read as an image"),
        ("notes.txt", "g.png", r"notes\.txt is no sample"),
    ],
)
def test_what_cannot_be_used_is_named(exported, files, tmp_path, source, out, told):
    np.save(tmp_path / "words.npy", np.array(["word"]))
    np.save(tmp_path / "large.npy", np.zeros((1, 9, 9)))
    for name in ("broken.npy", "broken.png", "notes.txt"):
        (tmp_path / name).write_text("no sample")
    first = files / source if (files / source).exists() else tmp_path / source
    with pytest.raises(InputError, match=told):
        write_grid(exported, first, files / "target.npy", tmp_path / out, "7", 5, 5)
    assert not (tmp_path / out).exists()


@pytest.mark.parametrize(("kind", "shape"), [("series", (2, 32)), ("tabular", (64,)), ("image", (3, 4, 16))])
def test_every_kind_of_sample_can_be_drawn(exported, pair, kind, shape):
    from dataclasses import replace

    bundle = Bundle.open(exported)
    grid = grid_for_pair(bundle, *pair, label="7")
    cells = np.resize(grid.cells, (5, 5, *shape))
    manifest = replace(bundle.manifest, kind=kind, sample_shape=shape)
    sheet = draw(replace(grid, cells=cells), manifest)
    assert len(set(np.asarray(sheet).reshape(-1, 3).sum(1))) > 3, "something must be drawn"


def test_a_wrong_prediction_is_framed(exported, pair):
    bundle = Bundle.open(exported)
    wrong = (0xC2, 0x41, 0x0C)
    right = draw(grid_for_pair(bundle, pair[0], pair[0], "7", 2, 2), bundle.manifest)
    other = draw(grid_for_pair(bundle, pair[0], pair[0], "1", 2, 2), bundle.manifest)
    assert wrong not in {colour for _, colour in right.getcolors(100_000)}
    assert wrong in {colour for _, colour in other.getcolors(100_000)}


def test_pictures_are_read_as_the_reader_of_folders_does(tmp_path):
    from shiftlens.export.grid_command import read_sample

    manifest = SimpleNamespace(kind="image", sample_shape=(3, 4, 4))
    picture = np.zeros((4, 8, 4), np.uint8)  # wider than high, black, its right half transparent
    picture[:, :4, 3] = 255
    Image.fromarray(picture).save(tmp_path / "clear.png")
    x = read_sample(tmp_path / "clear.png", manifest)  # the middle: half black, half white
    assert x.shape == (3, 4, 4)
    np.testing.assert_array_equal(x[:, :, :2], 0.0)
    np.testing.assert_array_equal(x[:, :, 2:], 1.0)
    Image.fromarray(np.full((4, 4), 128 * 256, np.uint16)).save(tmp_path / "deep.png")
    np.testing.assert_allclose(read_sample(tmp_path / "deep.png", manifest), 128 / 255, atol=1e-6)


def test_one_sample_is_enough_for_the_intervention_grid(interventions, files, tmp_path):
    source = files / "source.npy"
    written = write_intervention(interventions, source, tmp_path / "g.png", None, 4, 3)
    assert written == [tmp_path / "g.png", tmp_path / "g.json"]
    told = json.loads(written[1].read_text())
    assert told["intervention"] == {"right": ["brightness"], "down": ["contrast"]}
    assert told["label"] == "7"
    assert [len(row) for row in told["cells"]] == [4, 4, 4]
    corner = told["cells"][-1][-1]
    assert (corner["right"], corner["down"], corner["real"]) == (1.0, 1.0, False)
    assert told["cells"][0][0]["real"]
    assert corner["measured"] > told["cells"][0][0]["measured"]
    write_intervention(interventions, source, tmp_path / "g.npz", "7", 4, 3)
    values = dict(np.load(tmp_path / "g.npz", allow_pickle=False))
    assert values["cells"].shape == (3, 4, 1, 8, 8)
    np.testing.assert_array_equal(values["cells"][0, 0], np.load(source))
    np.testing.assert_allclose(values["measured"][-1, -1], corner["measured"], rtol=1e-5)


def test_a_bundle_without_the_intervention_grid_says_why(exported, files, tmp_path):
    with pytest.raises(BundleError, match=r"holds no intervention\.onnx"):
        write_intervention(exported, files / "source.npy", tmp_path / "g.png", None, 4, 3)
    with pytest.raises(InputError, match="is the sample itself"):
        write_intervention(exported, files / "source.png", files / "source.png", None, 4, 3)
