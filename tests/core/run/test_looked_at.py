"""A finished run in Python and in a notebook."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest

import shiftlens
from shiftlens.core.errors import InputError
from shiftlens.core.files import read_text


def test_results_print_in_one_line(demo_run):
    told = repr(demo_run.run.results)
    assert len(told) < 600
    assert "\n" not in told
    assert demo_run.run.results.headline in told
    assert str(demo_run.run.results) == told
    assert "harmful: stroke-thickness" in told


def test_causes_are_a_list_and_a_table(demo_run):
    causes, held = demo_run.run.causes, demo_run.run.results.causes
    assert list(causes) == held
    assert causes["hue"].verdict == "harmless"
    assert causes[0] is causes["stroke-thickness"]
    assert repr(causes).count("\n") == len(held) - 1
    with pytest.raises(InputError, match="did you mean"):
        causes["hues"]
    pytest.importorskip("pandas")
    frame = causes.to_frame().set_index("factor")
    for cause in held:
        row = frame.loc[cause.factor]
        assert row["verdict"] == cause.verdict
        if cause.effect is not None:
            assert (row["effect"], row["effect_low"], row["effect_high"]) == (cause.effect, *cause.ci)


def test_a_pair_is_the_grid_of_the_results(demo_run):
    run = demo_run.run
    pair = run.pair(1)
    assert np.array_equal(pair.cells, run.arrays["cells"][1])
    assert pair.measured.tolist() == [[cell.measured for cell in row] for row in run.results.pairs[1].cells]
    rows, columns = pair.measured.shape
    picture = pair.picture()
    assert picture.width > 32 * columns
    assert picture.height > 32 * rows
    assert pair._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(InputError, match=r"no pair 99; there are: 0 to 3"):
        run.pair(99)


def test_a_grid_of_a_sample_of_the_run_is_that_of_the_report(demo_run):
    run = demo_run.run
    shown = run.results.intervention.samples[0]
    with np.load(demo_run.config.parent / "source.npz") as data:
        sample = data["x"][shown.source]
    sample = np.moveaxis(sample, -1, 0).astype(np.float32) / 255
    made = run.grid(sample, shown.label)
    assert np.allclose(made.cells, run.arrays["intervention-cells"][0], atol=1e-6)
    assert np.allclose(made.measured, [[cell.measured for cell in row] for row in shown.cells], atol=1e-4)
    assert run.grid(sample, features=3, losses=2).cells.shape[:2] == (2, 3)
    with pytest.raises(InputError, match="has shape"):
        run.grid(sample[:, :8])
    with pytest.raises(InputError, match="there is no class x"):
        run.grid(sample, "x")


def test_a_notebook_shows_the_answer_and_the_intervention_grid(demo_run):
    shown = demo_run.run._repr_html_()
    page = html.unescape(re.search(r'srcdoc="([^"]*)"', shown)[1])
    assert demo_run.run.results.headline in html.unescape(page)
    assert 'id="intervention"' in page
    assert 'id="causes"' not in page
    assert 'id="grid"' not in page
    assert "pair-1-sheet" in read_text(demo_run.run.path / "report.html")
    assert "pair-1-sheet" not in page


def test_a_run_without_results_shows_nothing(tmp_path):
    assert shiftlens.Run(tmp_path)._repr_html_() is None
