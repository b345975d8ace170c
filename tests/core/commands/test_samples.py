"""A row for every sample, as the viewers of data read it."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from click.testing import CliRunner

from shiftlens.core.cli import cli


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def write(run, out):
    return CliRunner().invoke(cli, ["samples", str(run.path), "--out", str(out), "--quiet"])


def test_every_sample_has_a_row_with_what_the_run_knows(demo_run, tmp_path):
    run = demo_run.run
    assert write(run, tmp_path / "s.csv").exit_code == 0
    rows, scores = rows_of(tmp_path / "s.csv"), run.arrays["scores-target"]
    assert len(rows) == run.results.samples.source + run.results.samples.target
    target = [row for row in rows if row["domain"] == "target"]
    assert [int(row["sample"]) for row in target] == list(range(len(scores)))
    assert np.allclose([float(row["loss"]) for row in target], scores["loss"])
    classes = run.results.classes
    assert [row["predicted"] for row in target] == [classes[k] for k in scores["prediction"]]
    assert [row["correct"] == "True" for row in target] == list(scores["prediction"] == scores["label"])
    for cause in run.results.causes:
        if cause.shift is not None and cause.factor != "hue":  # a mean of angles is another one
            values = [float(row[cause.factor]) for row in target]  # the verdicts are of half of them
            assert abs(np.mean(values) - cause.shift.target) <= 0.25 * np.std(values), cause.factor


def test_wrong_target_samples_name_the_harmful_factor_they_show(demo_run, tmp_path):
    write(demo_run.run, tmp_path / "s.csv")
    rows = rows_of(tmp_path / "s.csv")
    wrong = [row for row in rows if row["domain"] == "target" and row["correct"] == "False"]
    assert {row["nearest_cause"] for row in wrong} <= {"stroke-thickness", ""}
    assert sum(row["nearest_cause"] == "stroke-thickness" for row in wrong) > 0.9 * len(wrong)
    assert all(row["nearest_cause"] == "" for row in rows if row["domain"] == "source" or row["correct"] == "True")


def test_parquet_holds_the_same(demo_run, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write(demo_run.run, tmp_path / "s.csv")
    write(demo_run.run, tmp_path / "s.parquet")
    table = parquet.read_table(tmp_path / "s.parquet").to_pydict()
    rows = rows_of(tmp_path / "s.csv")
    assert list(table) == list(rows[0])
    assert np.allclose(table["stroke-thickness"], [float(row["stroke-thickness"]) for row in rows])
    assert table["nearest_cause"] == [row["nearest_cause"] for row in rows]


def test_another_form_is_told_and_nothing_written(demo_run, tmp_path):
    found = write(demo_run.run, tmp_path / "s.json")
    assert found.exit_code != 0
    assert not list(tmp_path.iterdir())
