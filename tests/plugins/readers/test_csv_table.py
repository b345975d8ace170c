"""The csv reader, on the daily power curves and on tables made to be difficult."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from realdata import data_file, power

from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError
from shiftlens.plugins.readers.csv_table import READER, CsvReader, Settings


def read(path: Path, **settings: object) -> Domain:
    return CsvReader(Settings(path=path, **settings))(path.parent)


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_power_curves_as_vectors_with_the_names_of_the_hours() -> None:
    x, y = power()
    domain = read(data_file("italy-power-demand.csv"), ignore=["split"])
    assert domain.kind == "tabular"
    assert domain.sample_shape == (24,)
    assert domain.columns == tuple(f"h{hour}" for hour in range(24))
    assert domain.labels is not None
    np.testing.assert_array_equal(domain.labels, y)
    np.testing.assert_array_equal(domain.batch(slice(None)), x[:, 0])
    assert domain.names[0] == "line 2"


def test_one_file_holds_both_domains_as_series() -> None:
    path = data_file("italy-power-demand.csv")
    x, _ = power()
    parts = [read(path, kind="series", where={"split": split}) for split in ("train", "test")]
    assert [part.sample_shape for part in parts] == [(1, 24), (1, 24)]
    assert [part.columns for part in parts] == [(), ()]
    assert all(len(part) for part in parts)
    np.testing.assert_array_equal(np.concatenate([part.batch(slice(None)) for part in parts]), x)
    assert parts[1].names[0] == f"line {len(parts[0]) + 2}"


@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8-sig"), (";", "utf-8"), ("\t", "utf-8")])
def test_other_delimiters_byte_order_marks_quotes_and_blank_lines(write, delimiter, encoding) -> None:
    rows = [["", "Größe", "Class"], ["0", "1.5", '"blue\nish"'], [" ", "", ""], ["1", " -2e3 ", "red"]]
    path = write("\n".join(delimiter.join(row) for row in rows) + "\n", encoding)
    domain = read(path)
    assert domain.columns == ("Größe",), "the counter without a name is no value"
    assert domain.batch(slice(None)).tolist() == [[1.5], [-2000]]
    assert domain.labels is not None
    assert domain.labels.tolist() == ["blue\nish", "red"]


def test_labels_written_as_whole_or_broken_numbers_agree(write) -> None:
    assert read(write("a,y\n1,2.0\n1,-1.00\n1,03\n1,1.5\n")).labels.tolist() == ["2", "-1", "03", "1.5"]


def test_the_label_can_be_named_or_missing(write, caplog: pytest.LogCaptureFixture) -> None:
    path = write("a,b,kind\n1,2,x\n3,4,z\n")
    domain = read(path, label="kind", columns=["b", "a"])
    assert domain.batch(slice(None)).tolist() == [[2, 1], [4, 3]]
    assert domain.columns == ("b", "a")
    with caplog.at_level(logging.WARNING, "shiftlens"):
        assert read(path, columns=["a"]).labels is None
    assert "has no column label or class or y or target, so its samples count as unlabelled" in caplog.text
    # An accelerometer's y is a value when it is said to be one.
    assert read(write("x,y,z\n1,2,3\n"), columns=["x", "y", "z"]).labels is None


def test_where_compares_texts_numbers_and_truth_values(write) -> None:
    path = write("v,year,ok,label\n1,2019,True,a\n2,2019.0,false,b\n3,2020,true,a\n")
    assert read(path, columns=["v"], where={"year": 2019}).batch(slice(None))[:, 0].tolist() == [1, 2]
    assert read(path, where={"ok": True}).batch(slice(None))[:, 0].tolist() == [1, 3]
    both = read(path, where={"year": "2020", "ok": True, "label": "a"})
    assert both.batch(slice(None))[:, 0].tolist() == [3]
    assert both.labels.tolist() == ["a"]
    with pytest.raises(InputError, match=r"no row with year: 2018 \(year holds 2019, 2019\.0, 2020\); correct where"):
        read(path, where={"year": 2018})


def test_all_mistakes_at_once_with_line_and_column(write) -> None:
    path = write("a,b,label\n1,x1,u\n,2,u\nNA,inf,\n1,2\n1,1e99,u\n1,2,u\n")
    with pytest.raises(InputError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path} has 7 cells that cannot be used")
    for part in (
        'line 2, column b: "x1" is not a number',
        "line 3, column a: the value is missing\n",
        "line 4, column a: the value is missing (NA)",
        "line 4, column b: inf is infinite",
        "line 4, column label: the label is missing",
        "line 5: 2 cells, and 3 columns in the header",
        "line 6, column b: 1e99 is infinite, or too large",
    ):
        assert part in text
    with pytest.raises(InputError, match="and 15 more"):
        read(write("a,label\n" + "x,u\n" * 25))


def test_rows_that_are_not_wanted_may_be_unreadable(write) -> None:
    assert len(read(write("a,use,label\nbroken,no,u\n1,yes,u\n"), where={"use": "yes"})) == 1


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", {}, "is empty; give a file with a header"),
        ("a,label\n", {}, "holds no rows of data"),
        ("label\nu\n", {}, "has no columns of values, only label"),
        ("a,a,label\n1,2,u\n", {}, 'more than one column "a"'),
        ("value,label\n1,u\n", {"columns": ["valu"]}, 'no column "valu", .* columns names; did you mean "value"'),
        ("a,label\n1,u\n", {"label": "kind"}, 'no column "kind", which the setting label names'),
        ("a,label\n1,u\n", {"where": {"split": "x"}}, 'no column "split", which the setting where names'),
        ("a,label\n1,u\n", {"columns": ["label"], "label": "label"}, "named as a label and as a value"),
        ('a,label\n1,"u\n', {}, "line 2: unexpected end of data"),
    ],
)
def test_tables_that_cannot_be_used(write, text, settings, message) -> None:
    with pytest.raises(InputError, match=message):
        read(write(text), **settings)


def test_files_that_cannot_be_read(write, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*; correct the path"):
        read(tmp_path / "nothing.csv")
    with pytest.raises(InputError, match="is empty"):
        read(write(""))
    with pytest.raises(ValidationError):
        Settings(path=tmp_path, kind="image")


def test_claims_by_its_suffix() -> None:
    assert READER.claims({"path": "a/B.CSV"}, Path())
    assert READER.claims({"path": "b.tsv"}, Path())
    assert not READER.claims({"path": "b.npz"}, Path())
    assert not READER.claims({}, Path())
