"""A whole analysis with metadata: what the mix of a column costs stands in sentence, report, Markdown and results."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
from smallanalysis import vectors, write_analysis

from shiftlens import load_settings, run


def night(x):
    """The digits as vectors, their bottom rows nearly dark: hard for the classifier."""
    x = x.copy()
    x[:, 8:] *= 0.25
    return x


def write_mixed(folder, parts, **settings):
    """Both domains hold days and nights, in shares of their own; sites are the same in both, and tell nothing."""
    reports = ["html", "json", "markdown"]
    few = {"factors": [{"name": "column", "column": 12}], "remedy": {"measure": "off"}}
    config = write_analysis(folder, reports=reports, **few, **settings)
    x, y = vectors()
    for (role, part), rows in zip(parts.items(), (slice(0, 800), slice(800, 1797)), strict=True):
        dark = np.random.default_rng(1).random(len(x[rows])) < part
        np.savez(folder / f"{role}.npz", x=np.where(dark[:, None], night(x[rows]), x[rows]), y=y[rows])
        with (folder / f"{role}.csv").open("w", newline="") as stream:
            lines = zip(np.where(dark, "night", "day"), np.arange(len(dark)) % 3, np.arange(len(dark)), strict=True)
            csv.writer(stream).writerows([["light", "site", "serial"], *lines])
    return config


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed")
    domains = {role: {"path": f"{role}.npz", "kind": "tabular", "metadata": f"{role}.csv"} for role in PARTS}
    return run(load_settings(write_mixed(folder, PARTS, **domains)), folder / "run")


PARTS = {"source": 0.1, "target": 0.7}


def test_the_changed_mix_is_found_and_the_innocent_column_is_not_blamed(finished):
    results = finished.results
    by_name = {column.column: column for column in results.groups}
    assert by_name["light"].verdict == "harmful"
    assert by_name["site"].verdict != "harmful"
    assert by_name["light"].mix_share > 0.5
    assert set(by_name) == {"light", "site", "class"} | ({"serial"} if "serial" in by_name else set())
    for column in results.groups:
        assert column.mix + column.within == pytest.approx(column.gap)
        assert column.gap == pytest.approx(results.loss.target - results.loss.source)
        assert sum(row.samples.target for row in column.groups) == results.samples.target


def test_it_is_said_everywhere(finished):
    sentence = next(c for c in finished.results.groups if c.column == "light").sentences[0]
    assert sentence.startswith("More of the target has light night")
    assert "points of accuracy lost" in sentence
    assert finished.results.headline.startswith(sentence)
    page = (finished.path / "report.html").read_text(encoding="utf-8")
    assert "Groups by light" in page
    assert "the changed mix of light costs" in page
    assert "Do not rely on it" not in page  # what no factor explains, the mix does
    assert "## Groups" in (finished.path / "report.md").read_text(encoding="utf-8")


def test_without_labels_the_estimate_goes_by_the_mix_of_groups(finished, tmp_path):
    folder, truth = finished.path.parent, finished.results.accuracy.target
    for file in folder.iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    with np.load(tmp_path / "target.npz") as stored:
        np.savez(tmp_path / "target.npz", x=stored["x"])
    estimate = run(load_settings(tmp_path / "analysis.yaml"), tmp_path / "run", until="estimate").record("estimate")
    found = estimate.facts["estimate"]
    assert found["ci"][0] <= truth <= found["ci"][1]
    assert abs(found["value"] - truth) < 0.1


def test_another_table_is_noticed_by_the_next_run(finished):
    text = finished.path.parent.joinpath("target.csv").read_text()
    config = finished.path.parent / "analysis.yaml"
    finished.path.parent.joinpath("target.csv").write_text(text.replace("night", "dusk"))
    again = run(load_settings(config), finished.path, until="groups")
    light = next(c for c in again.record("groups").facts["groups"] if c["column"] == "light")
    assert {row["value"] for row in light["groups"]} == {"day", "night", "dusk"}


def test_a_column_of_one_domain_only_is_told(tmp_path):
    domains = {"source": {"path": "source.npz", "kind": "tabular", "metadata": "source.csv"}}
    config = write_mixed(tmp_path, PARTS, **domains)
    facts = run(load_settings(config), tmp_path / "run", until="groups").record("groups").facts
    assert facts["left_out"]["light"] == "the target has no such column"
    assert [column["column"] for column in facts["groups"]] == ["class"]
