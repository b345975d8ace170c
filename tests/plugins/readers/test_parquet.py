"""The parquet reader, on the daily power curves and on tables made to be difficult."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from realdata import data_file, power

from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError
from shiftlens.plugins.readers.csv_table import CsvReader
from shiftlens.plugins.readers.csv_table import Settings as CsvSettings
from shiftlens.plugins.readers.parquet import READER, ParquetReader, Settings

pyarrow = pytest.importorskip("pyarrow")


def read(path: Path, **settings: object) -> Domain:
    return ParquetReader(Settings(path=path, **settings))(path.parent)


@pytest.fixture
def write(tmp_path: Path):
    from pyarrow import parquet

    def write(**columns: object) -> Path:
        parquet.write_table(pyarrow.table(columns), tmp_path / "table.parquet")
        return tmp_path / "table.parquet"

    return write


@pytest.fixture
def curves(tmp_path: Path) -> Path:
    """The power curves as Parquet, written from the CSV by pyarrow."""
    from pyarrow import csv, parquet

    parquet.write_table(csv.read_csv(data_file("italy-power-demand.csv")), tmp_path / "power.parquet")
    return tmp_path / "power.parquet"


def test_it_reads_what_the_csv_reader_reads(curves: Path) -> None:
    for settings in ({"ignore": ("split",)}, {"kind": "series", "where": {"split": "test"}}):
        ours = read(curves, **settings)
        theirs = CsvReader(CsvSettings(path=data_file("italy-power-demand.csv"), **settings))(curves.parent)
        assert (ours.kind, ours.sample_shape, ours.columns) == (theirs.kind, theirs.sample_shape, theirs.columns)
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        np.testing.assert_allclose(ours.batch(slice(None)), theirs.batch(slice(None)), rtol=1e-6)
    x, y = power()
    whole = read(curves, ignore=("split",))
    np.testing.assert_allclose(whole.batch(slice(None)), x[:, 0], rtol=1e-6)
    assert whole.labels.tolist() == y.tolist()
    assert whole.names[3] == "row 3"


def test_labels_of_any_type(write) -> None:
    for labels, expected in (([1.0, 2.0], ["1", "2"]), ([3, 4], ["3", "4"]), (["a", "b"], ["a", "b"])):
        assert read(write(v=[1, 2], label=labels)).labels.tolist() == expected
    coded = pyarrow.array(["u", "v"]).dictionary_encode()
    assert read(write(v=[True, False], label=coded)).labels.tolist() == ["u", "v"]


def test_missing_and_infinite_values_are_named(write) -> None:
    path = write(a=[1.0, None, float("inf")], b=[1, 2, 3], label=["u", None, "w"])
    with pytest.raises(InputError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path} has 3 cells that cannot be used")
    for part in ("row 1, column label: the label is missing", "row 1, column a: the value is missing (null or NaN)"):
        assert part in text
    assert "row 2, column a: infinite" in text
    assert len(read(path, where={"b": 1})) == 1


def test_columns_that_are_no_numbers_are_named(write) -> None:
    path = write(a=[1.0, 2.0], day=["mon", "tue"], label=["u", "v"])
    with pytest.raises(InputError, match=r'column "day": it is of type string.* leave it out with ignore: \[day\]'):
        read(path)
    assert read(path, ignore=["day"]).columns == ("a",)


def test_a_filter_that_leaves_nothing(write) -> None:
    path = write(a=[1.0, 2.0], split=["train", "test"], label=["u", "v"])
    with pytest.raises(InputError, match=r"no row with split: trian \(split holds test, train\)"):
        read(path, where={"split": "trian"})
    with pytest.raises(InputError, match="holds no rows of data"):
        read(write(a=pyarrow.array([], pyarrow.float32()), label=pyarrow.array([], pyarrow.string())))


def test_files_that_cannot_be_read(tmp_path: Path, curves: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read(tmp_path / "nothing.parquet")
    (tmp_path / "text.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"is not a readable Parquet file .*; make or copy it again"):
        read(tmp_path / "text.parquet")
    content = bytearray(curves.read_bytes())
    content[40:4000] = bytes(3960)
    curves.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        read(curves, ignore=("split",))


def test_without_pyarrow_the_message_says_what_to_install(curves: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"needs pyarrow: pip install 'shiftlens\[tables\]'"):
        read(curves)


def test_claims_by_its_suffix() -> None:
    assert READER.claims({"path": "a.parquet"}, Path())
    assert READER.claims({"path": "a.PQ"}, Path())
    assert not READER.claims({"path": "a.csv"}, Path())
