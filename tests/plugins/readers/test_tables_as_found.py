"""Tables as pandas, Excel and Spark leave them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from shiftlens import Host, Reader, load_settings
from shiftlens.core.commands.init import write_settings
from shiftlens.core.data.domain import aligned, check_pair
from shiftlens.core.errors import InputError

HOST = Host()
ROWS = 60


def table(path: Path, cell: Any = None, order: Any = None, label: str = "label", sep: str = ",", **more: Any) -> Path:
    """Income, score, member and label; ``cell(name, row, value)`` changes what stands in a cell."""
    random = np.random.default_rng(0)
    names = order or ["income", "score", "member", label]
    lines = [sep.join([*more, *names])]
    for row in range(ROWS):
        values = {
            "income": f"{random.normal(50, 10):.2f}",
            "score": f"{random.normal():.3f}",
            "member": str(row % 2),
            label: ("no", "yes")[row % 2],
        }
        if cell:
            values = {name: cell(name, row, value) for name, value in values.items()}
        lines.append(sep.join([*(str(of(row)) for of in more.values()), *(values[name] for name in names)]))
    path.write_text("\n".join(lines))
    return path


def analysed(folder: Path, source: Path, target: Path) -> tuple[dict[str, Any], Any, Any]:
    """What init writes, and both domains as they are then read."""
    written = write_settings(folder / "an", source, target, None, HOST)
    settings = load_settings(written, HOST)
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    here, there = (getattr(settings, role).build()(scratch) for role in ("source", "target"))
    there = aligned(here, there)
    check_pair(here, there)
    return yaml.safe_load(written.read_text()), here, there


def german(name: str, row: int, value: str) -> str:
    return value.replace(".", ",") if name in ("income", "score") else value


KINDS = {
    "True and False": {"cell": lambda n, r, v: ("False", "True")[r % 2] if n == "member" else v},
    "yes and no": {"cell": lambda n, r, v: ("no", "yes")[r % 2] if n == "member" else v},
    "missing cells": {"cell": lambda n, r, v: "" if n == "score" and r % 9 == 0 else v},
    "missing cells, as NA": {"cell": lambda n, r, v: "NA" if n == "score" and r % 9 == 0 else v},
    "categories": {"cell": lambda n, r, v: ("inland", "shore")[r % 2] if n == "member" else v},
    "another order": {"order": ["score", "income", "member", "label"]},
    "decimal comma": {"cell": german, "sep": ";"},
    "thousands and decimal comma": {"cell": lambda n, r, v: f"1.2{r:02},50" if n == "income" else v, "sep": ";"},
    "another name for the label": {"label": "churned"},
    "pandas' index": {"Unnamed: 0": lambda row: row},
    "an index without a name": {"": lambda row: row},
    "an id": {"customer_id": lambda row: 1000 + 7 * row},
    "a tab": {"sep": "\t"},
}


@pytest.mark.parametrize("name", KINDS)
def test_init_writes_a_file_that_runs(tmp_path: Path, name: str) -> None:
    plain = table(tmp_path / "plain.csv")
    raw, here, there = analysed(tmp_path, plain, table(tmp_path / "other.csv", **KINDS[name]))
    assert here.columns == there.columns == ("income", "score", "member")
    assert here.labels.tolist() == there.labels.tolist()
    if name not in ("missing cells", "missing cells, as NA", "thousands and decimal comma", "categories"):
        np.testing.assert_allclose(there.batch(slice(None)), here.batch(slice(None)), rtol=1e-6)
    if name.startswith("missing"):
        middle = np.float32(raw["target"]["columns"]["score"]["missing"])
        score = there.batch(slice(None))[:, 1]
        np.testing.assert_array_equal(score[::9], np.full(len(score[::9]), middle))
    if name.startswith("thousands"):
        assert there.batch(slice(0, 2))[:, 0].tolist() == [1200.5, 1201.5]
    if name == "categories":  # 0 and 1 in the source are categories, too, beside the words of the target
        assert raw["source"]["columns"]["member"]["values"] == ["0", "1", "inland", "shore"]


def test_categories_and_dates_become_the_same_numbers_on_both_sides(tmp_path: Path) -> None:
    def cell(towns: list[str], first: int) -> Any:
        return lambda n, r, v: {"member": towns[r % len(towns)], "score": f"2024-01-{first + r % 9:02}"}.get(n, v)

    source = table(tmp_path / "a.csv", cell=cell(["Bern", "Rome"], 1))
    target = table(tmp_path / "b.csv", cell=cell(["Rome", "Zug"], 10))
    raw, here, there = analysed(tmp_path, source, target)
    assert raw["source"]["columns"]["member"] == {"as": "category", "values": ["Bern", "Rome", "Zug"]}
    assert raw["source"]["columns"]["score"] == "date"
    assert here.batch(slice(0, 2))[:, 2].tolist() == [0, 1]
    assert there.batch(slice(0, 2))[:, 2].tolist() == [1, 2]
    assert there.batch(slice(0, 1))[0, 1] - here.batch(slice(0, 1))[0, 1] == 9
    assert "only in the target: Zug" in (tmp_path / "an" / "analysis.yaml").read_text()


def test_without_a_plan_the_cells_are_named_and_init_is_pointed_to(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", **KINDS["categories"])
    reader = HOST.claiming(Reader, {"path": str(path)}, tmp_path)
    with pytest.raises(InputError, match=r'"inland" is not a number') as caught:
        reader.build(reader.settings(path=path))(tmp_path)
    assert "`shiftlens init` writes such a plan" in str(caught.value)


def test_columns_that_differ_are_named(tmp_path: Path) -> None:
    source, target = table(tmp_path / "a.csv"), table(tmp_path / "b.csv", extra=lambda row: row % 3)
    _, here, _ = analysed(tmp_path, source, target)
    assert "Only the target has extra" in (tmp_path / "an" / "analysis.yaml").read_text()
    assert here.columns == ("income", "score", "member")


def test_a_table_in_cp1252_keeps_its_words(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("höhe,label\n1.5,schön\n2,trüb\n3,schön\n4,trüb\n".encode("cp1252"))
    _, here, _ = analysed(tmp_path, path, path)
    assert here.columns == ("höhe",)
    assert set(here.labels.tolist()) == {"schön", "trüb"}


@pytest.mark.parametrize("noted", ["__index_level_0__", "customer"])
def test_the_index_that_pandas_noted_in_parquet_is_no_value(tmp_path: Path, noted: str) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": np.arange(40) / 7, "label": list("xy") * 20})
    frame.index = pandas.Index(np.random.default_rng(0).permutation(40), name=None if noted[0] == "_" else noted)
    frame.iloc[:20].to_parquet(tmp_path / "a.parquet")
    frame.iloc[20:].reset_index(drop=True).to_parquet(tmp_path / "b.parquet")
    _, here, there = analysed(tmp_path, tmp_path / "a.parquet", tmp_path / "b.parquet")
    assert here.columns == there.columns == ("a",)
    assert len(here) == 20


def test_parquet_with_every_type_of_column(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "number": [1.5, None, 3.0, 4.0] * 5,
            "flag": [True, False, None, True] * 5,
            "town": pandas.Categorical(["Bern", "Rome", None, "Bern"] * 5),
            "day": pandas.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"] * 5),
            "count": np.arange(20, dtype=np.int8),
            "label": list("xy") * 10,
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    _, here, _ = analysed(tmp_path, tmp_path / "a.parquet", tmp_path / "a.parquet")
    assert here.columns == ("number", "flag", "town", "day", "count")
    np.testing.assert_array_equal(here.batch(slice(0, 2))[:, 2], [0, 1])
    assert here.batch(slice(0, 1))[0, 3] == 19723  # days from 1970 to 2024


def test_a_folder_as_spark_writes_it(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    folder = tmp_path / "x.parquet"
    folder.mkdir()
    for part in range(3):
        frame = pandas.DataFrame({"a": np.arange(10) + 10.5 * part, "label": list("xy") * 5})
        frame.to_parquet(folder / f"part-0000{part}-c0ffee.snappy.parquet", index=False)
    (folder / "_SUCCESS").touch()
    (folder / ".part.crc").touch()
    _, here, _ = analysed(tmp_path, folder, folder)
    assert len(here) == 30


def test_a_file_without_a_header_as_the_ucr_archive_has_them(tmp_path: Path) -> None:
    for name in ("a.tsv", "b.tsv"):
        rows = [[row % 2 + 1, *np.round(np.sin(np.arange(24) / (3 + row % 2)), 4)] for row in range(20)]
        (tmp_path / name).write_text("\n".join("\t".join(map(str, row)) for row in rows))
    raw, here, _ = analysed(tmp_path, tmp_path / "a.tsv", tmp_path / "b.tsv")
    assert here.sample_shape == (1, 24)
    assert len(here) == 20
    assert here.labels.tolist() == ["1", "2"] * 10
    assert raw["source"]["kind"] == "series"


def test_one_file_with_both_domains(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", split=lambda row: ("train", "test")[row >= 40])
    raw, here, there = analysed(tmp_path, path, path)
    assert raw["source"]["where"] == {"split": "train"}
    assert (len(here), len(there)) == (40, 20)
    assert "# QUESTION: source and target are one file" in (tmp_path / "an" / "analysis.yaml").read_text()


def test_a_header_of_many_columns_is_read_in_one_pass(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(100_000)]
    path = tmp_path / "wide.csv"
    path.write_text("\n".join([",".join([*names, "label"]), *(",".join(["1"] * 100_000 + [k]) for k in "xy")]))
    reader = HOST.find(Reader, "csv")
    assert reader.build(reader.settings(path=path))(tmp_path).sample_shape == (100_000,)


def test_an_unusual_label_is_asked_about_and_the_likelier_name_goes_first(tmp_path: Path) -> None:
    def cell(name: str, row: int, value: str) -> str:
        return ("benign", "malignant")[row % 2] if name == "diagnosis" else value

    path = table(
        tmp_path / "a.csv", cell, ["diagnosis", "income", "score", "member"], "diagnosis", smoker=lambda r: r % 2
    )
    raw, here, _ = analysed(tmp_path, path, path)
    assert raw["source"]["label"] == "diagnosis"
    assert set(here.labels.tolist()) == {"benign", "malignant"}
    assert "is diagnosis the column of labels?" in (tmp_path / "an" / "analysis.yaml").read_text()
