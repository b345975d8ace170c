"""A whole analysis of a target without labels: the verdicts of one with them, and an accuracy told as an estimate."""

from __future__ import annotations

import numpy as np
import pytest
from smallanalysis import write_analysis, write_domain

from shiftlens import load_settings, run
from shiftlens.core.results.gates import parse_gates


def without_labels(path):
    with np.load(path) as stored:
        np.savez(path, x=stored["x"])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The same analysis with labels and without; and the accuracy that nobody would know without."""
    found = {}
    for name in ("labelled", "unlabelled"):
        folder = tmp_path_factory.mktemp(name)
        config = write_analysis(folder, reports=["html", "json", "markdown"], remedy={"measure": "off"})
        if name == "unlabelled":
            without_labels(folder / "target.npz")
        found[name] = run(load_settings(config), folder / "run")
    return found


def test_costs_are_those_of_an_analysis_with_labels(finished):
    with_labels, without = ({c.factor: c for c in finished[name].results.causes} for name in finished)
    harmful = [{name for name, c in causes.items() if c.verdict == "harmful"} for causes in (with_labels, without)]
    assert harmful[0] == harmful[1] != set()
    for name in harmful[0]:
        assert without[name].accuracy_effect == pytest.approx(with_labels[name].accuracy_effect, abs=0.05)
        assert "points of accuracy" in without[name].sentence


def test_the_accuracy_is_an_estimate_and_said_to_be_one(finished):
    results, truth = finished["unlabelled"].results, finished["labelled"].results.accuracy.target
    estimate = results.accuracy_estimate
    assert estimate.ci[0] <= truth <= estimate.ci[1]
    assert abs(estimate.value - truth) < 0.08
    assert results.accuracy.target is None
    assert results.loss.target is None
    assert sum(results.loss_distribution.target) == 0
    assert set(estimate.estimates) == {"changed source", "confidence", "threshold", "transport", "regression"}
    assert estimate.sets > 10
    path = finished["unlabelled"].path
    said = f"about {100 * estimate.value:.0f}"
    for text in (results.headline, *((path / name).read_text() for name in ("report.html", "report.md"))):
        assert said in text
    assert "estimated without labels" in results.headline
    assert finished["labelled"].results.accuracy_estimate is None


def test_a_gate_on_the_drop_goes_by_the_estimate_and_says_so(finished):
    (gate,) = parse_gates(["drop=0.05"])
    assert "estimated" in gate.trips(finished["unlabelled"].results)
    (never,) = parse_gates(["drop=0.99"])
    assert never.trips(finished["unlabelled"].results) == ""


def test_predictions_that_collapse_to_one_class_are_told_and_left_out(tmp_path):
    config = write_analysis(tmp_path, reports=["json"], remedy={"measure": "off"})
    write_domain(tmp_path / "target.npz", 0.8, 800, 1400)
    with np.load(tmp_path / "target.npz") as stored:
        x = np.tile(stored["x"][:1], (len(stored["x"]), 1))
    noise = np.random.default_rng(0).uniform(0, 1e-3, x.shape)
    np.savez(tmp_path / "target.npz", x=(x + noise).astype(np.float32))
    results = run(load_settings(config), tmp_path / "run", until="explain").results
    assert any("collapsed to one class" in warning for warning in results.warnings)
    assert set(results.accuracy_estimate.left_out) == {"confidence", "threshold", "transport", "regression"}
    assert set(results.accuracy_estimate.estimates) == {"changed source"}
