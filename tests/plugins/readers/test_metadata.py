"""Metadata of the samples, as readers find them: columns, folders, tables beside the data; and what is wrong told."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image
from realdata import digits

from shiftlens import Host
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import Reader

HOST = Host()


def read(name, scratch, **settings):
    component = HOST.find(Reader, name)
    worker = component.build(component.settings.model_validate(settings))
    return worker(scratch), worker.files()


def pictures(folder, nested=False):
    """Twelve digits in two classes, each in a folder of its site where nested."""
    x, _ = digits()
    names = []
    for i in range(12):
        parts = ["even" if i % 2 == 0 else "odd", *([f"site-{i % 3}"] if nested else []), f"{i:02}.png"]
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((x[i, 0] * 255).astype(np.uint8)).save(path)
        names.append("/".join(parts))
    return sorted(names)


def table(path, header, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


@pytest.mark.parametrize("shortened", [lambda n: n, lambda n: n.split("/")[-1], lambda n: n.split("/")[-1][:-4]])
def test_a_table_beside_pictures_is_brought_into_their_order(tmp_path, shortened):
    names = pictures(tmp_path / "data")
    rows = [(shortened(name), f"camera {int(name[-6:-4]) % 4}") for name in reversed(names)]
    meta = table(tmp_path / "meta.csv", ["file", "camera"], rows)
    domain, files = read("image-folder", tmp_path, path=tmp_path / "data", metadata=meta)
    assert list(domain.groups) == ["camera"]
    assert domain.groups["camera"].tolist() == [f"camera {int(name[-6:-4]) % 4}" for name in domain.names]
    assert meta in files
    assert domain.notes == ()


def test_missing_rows_and_strangers_are_told_and_the_others_go_on(tmp_path):
    names = pictures(tmp_path / "data")
    rows = [(name, "A") for name in names[:9]] + [("nobody.png", "B")]
    meta = table(tmp_path / "meta.csv", ["file", "site"], rows)
    domain, _ = read("image-folder", tmp_path, path=tmp_path / "data", metadata=meta)
    assert sorted(domain.groups["site"].tolist()) == ["", "", "", *["A"] * 9]
    assert any("3 of 12 samples have no row in meta.csv" in note for note in domain.notes)
    assert any("1 rows of meta.csv belong to no sample" in note for note in domain.notes)


def test_folders_between_class_and_file_are_a_column(tmp_path):
    pictures(tmp_path / "data", nested=True)
    domain, _ = read("image-folder", tmp_path, path=tmp_path / "data")
    assert domain.groups["folder"].tolist() == [name.split("/")[1] for name in domain.names]


def test_further_columns_of_the_table_of_labels_are_metadata_and_its_changes_are_noticed(tmp_path):
    names = pictures(tmp_path / "data")
    (tmp_path / "flat").mkdir()
    for name in names:
        (tmp_path / "data" / name).rename(tmp_path / "flat" / name.split("/")[1])
    rows = [(name.split("/")[1], name.split("/")[0], "day" if i % 2 else "night") for i, name in enumerate(names)]
    labels = table(tmp_path / "flat" / "labels.csv", ["file", "label", "light"], rows)
    domain, files = read("image-folder", tmp_path, path=tmp_path / "flat")
    assert domain.groups["light"].tolist() == [row[2] for row in rows]
    assert labels in files


def test_columns_of_tables_and_arrays_of_archives(tmp_path):
    x = np.arange(20.0).reshape(10, 2)
    sites = ["north", "south"] * 5
    rows = [(*values, i % 2, site) for i, (values, site) in enumerate(zip(x.tolist(), sites, strict=True))]
    path = table(tmp_path / "data.csv", ["a", "b", "label", "site"], rows)
    domain, _ = read("csv", tmp_path, path=path, groups=["site"])
    assert domain.columns == ("a", "b")
    assert domain.groups["site"].tolist() == sites
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(10) % 2, site=np.array(sites), hour=np.arange(10))
    domain, _ = read("npz", tmp_path, path=tmp_path / "data.npz", kind="tabular", groups=["site", "hour"])
    assert domain.groups["site"].tolist() == sites
    assert domain.groups["hour"].tolist() == [str(i) for i in range(10)]
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(
        pyarrow.table({"a": x[:, 0], "b": x[:, 1], "label": np.arange(10) % 2, "site": sites}), tmp_path / "d.parquet"
    )
    domain, _ = read("parquet", tmp_path, path=tmp_path / "d.parquet", groups=["site"])
    assert domain.columns == ("a", "b")
    assert domain.groups["site"].tolist() == sites


@pytest.mark.parametrize(("settings", "says"), [
    ({"groups": ["camera"]}, "camera"),
    ({"groups": ["wide"]}, "one value a sample"),
    ({"metadata": "short.csv"}, "9 rows for 10 samples"),
    ({"metadata": "uneven.csv"}, "cells"),
    ({"metadata": "twice.csv"}, "more than one column"),
    ({"metadata": "none.csv"}, "there is no file"),
    ({"metadata": "empty.csv"}, "is empty"),
])  # fmt: skip
def test_what_is_wrong_with_metadata_is_told(tmp_path, settings, says):
    np.savez(tmp_path / "data.npz", x=np.ones((10, 2)), wide=np.ones((10, 2)))
    table(tmp_path / "short.csv", ["site"], [["A"]] * 9)
    table(tmp_path / "uneven.csv", ["site", "hour"], [["A"]] * 10)
    table(tmp_path / "twice.csv", ["site", "site"], [["A", "B"]] * 10)
    (tmp_path / "empty.csv").write_text("")
    if "metadata" in settings:
        settings = {"metadata": tmp_path / settings["metadata"]}
    with pytest.raises(InputError, match=says):
        read("npz", tmp_path, path=tmp_path / "data.npz", kind="tabular", **settings)
