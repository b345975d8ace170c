"""What a conversion did, in figures and in words; and a whole run whose source sides are converted."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import smallfactors
from realdata import digits
from smallfactors import Level

from shiftlens import Host, load_run, load_settings, run
from shiftlens.core.causes.changes import ActiveFactor
from shiftlens.core.data.scoring import Scores
from shiftlens.core.errors import TrainingError
from shiftlens.core.grid.conversion import conversion_sentence, factor_gaps
from shiftlens.core.host.kinds import Factor
from shiftlens.core.results.results import Cause, FactorGap


def active(name: str) -> ActiveFactor:
    factor = Host().find(Factor, name)
    return ActiveFactor(name, factor, factor.build(factor.settings()))


def cause(name: str, verdict: str) -> Cause:
    return Cause(factor=name, verdict=verdict, effect=0.1, sentence="")


def coloured(hue: tuple[float, float, float], strength: float = 1.0) -> np.ndarray:
    x = digits()[0][:200].repeat(4, axis=2).repeat(4, axis=3)
    return (strength * x * np.array(hue, dtype=np.float32)[:, None, None]).astype(np.float32)


def test_gaps_of_shifted_factors_are_measured_around_the_circle_too():
    source, target = coloured((1.0, 0.2, 0.4)), coloured((1.0, 0.6, 0.2), 0.6)  # hues of 345 and 30 degrees
    halfway = coloured((1.0, 0.25, 0.2), 0.8)
    factors = [active("hue"), active("brightness"), active("rotation")]
    causes = [cause("hue", "harmless"), cause("brightness", "harmful"), cause("rotation", "unchanged")]
    found = {gap.factor: gap for gap in factor_gaps(factors, causes, source, target, halfway)}
    assert set(found) == {"hue", "brightness"}
    assert 0.4 < found["hue"].closed < 0.8
    assert 0.3 < found["brightness"].closed < 0.7
    nothing = {gap.factor: gap.closed for gap in factor_gaps(factors, causes, source, target, target)}
    everything = {gap.factor: gap.closed for gap in factor_gaps(factors, causes, source, target, source)}
    assert nothing == pytest.approx({"hue": 0.0, "brightness": 0.0}, abs=1e-9)
    assert everything == pytest.approx({"hue": 1.0, "brightness": 1.0}, abs=1e-9)


@pytest.mark.parametrize(
    ("source", "target", "hues"),
    [
        (((0.2, 1.0, 0.94), (0.2, 0.94, 1.0)), (0.2, 1.0, 0.6), (180, 150)),
        (((0.64, 1.0, 0.2), (0.56, 1.0, 0.2)), (0.93, 1.0, 0.2), (90, 65)),
    ],
)
def test_a_gap_of_a_circular_factor_is_held_against_the_spread_around_its_own_middle(source, target, hues):
    """A gap of some 30 degrees is many times the spread of the source's hues, wherever on the wheel they lie."""
    x, y = np.concatenate([coloured(rgb)[:100] for rgb in source]), coloured(target)
    (found,) = factor_gaps([active("hue")], [cause("hue", "harmless")], x, y, y)
    assert (found.source % 360, found.target % 360) == pytest.approx(hues, abs=1)


def test_a_factor_that_the_conversion_makes_unmeasurable_has_no_gap():
    class Dim(Level):
        """Tells nothing of samples above 5."""

        def measure(self, x):
            return np.where(super().measure(x) > 5, np.nan, super().measure(x))

    dim, causes = smallfactors.active("dim", Dim(0)), [cause("dim", "harmful")]
    none, one, ten = (np.full((20, 1, 2, 2), value, np.float32) for value in (0, 1, 10))
    assert [gap.closed for gap in factor_gaps([dim], causes, none, one, none)] == [1.0]
    assert factor_gaps([dim], causes, none, one, ten) == []


def scores(right: float, loss: float, labelled: bool = True) -> Scores:
    label = np.zeros(100, dtype=np.int64) if labelled else np.full(100, -1)
    prediction = (np.arange(100) >= 100 * right).astype(np.int64)
    return Scores(np.full(100, loss), label, prediction, np.full(100, 0.9))


def gap(factor: str, closed: float) -> FactorGap:
    return FactorGap(factor=factor, source=0, target=1, converted=1 - closed, closed=closed)


@pytest.mark.parametrize(
    ("before", "after", "gaps", "told"),
    [
        (
            scores(0.6, 1.0),
            scores(0.9, 0.3),
            [gap("hue", 0.9), gap("noise", -2)],
            "right on 90% of them instead of 60%",
        ),
        (scores(0.6, 1.0), scores(0.9, 0.3), [gap("hue", 0.9), gap("noise", -2)], "closes: hue 90%. It widens the gap"),
        (scores(0.6, 1.0), scores(0.9, 0.3), [gap("hue", 3.5)], "60%. It goes past the source in hue"),
        (scores(0.6, 1.0), scores(0.04, 3.0), [gap("hue", 1.0)], "does harm: .* 60% of the target samples, and on 4%"),
        (scores(0.6, 1.0), scores(0.6, 1.1), [], "does not bring the loss down"),
        (scores(0.6, 1.0, False), scores(0.9, 0.4, False), [], "no labels, so whether the class is kept cannot be"),
    ],
)
def test_what_a_conversion_did_is_told_in_words(before, after, gaps, told):
    import re

    assert re.search(told, conversion_sentence(before, after, gaps))


CONVERTED = "converter=latent-transport"


@pytest.fixture(scope="module")
def converted_run(demo_run, tmp_path_factory):
    """The demo's run gone on with a converter: only what depends on it is done."""
    path = tmp_path_factory.mktemp("converted") / "run"
    shutil.copytree(demo_run.run.path, path)
    return run(load_settings(demo_run.config, overrides=[*demo_run.overrides, CONVERTED]), path)


def test_pairs_show_the_converted_target_sample_and_the_results_say_what_it_did(demo_run, converted_run):
    results, cells = converted_run.results, converted_run.arrays["cells"]
    target = np.load(demo_run.config.parent / "target.npz")["x"]
    assert results.pairs
    for pair, grid in zip(results.pairs, cells, strict=True):
        assert pair.converted
        assert pair.source == pair.target
        assert pair.loss[0] < pair.loss[1]
        assert np.allclose(grid[-1, -1], target[pair.target].transpose(2, 0, 1) / 255, atol=1e-6)
        assert pair.moved == pytest.approx(np.abs(grid[0, 0] - grid[-1, -1]).mean())
        marked = [(cell.real, cell.converted) for row in pair.cells for cell in row]
        assert marked[0] == (False, True)
        assert marked[-1] == (True, False)
        assert not any(any(marks) for marks in marked[1:-1])
    second = results.second_opinion
    assert second.fidelity > 0.3  # it is asked about the class that the cells were made as
    found = results.converter
    assert found.name == "latent-transport"
    assert found.held_out
    assert found.accuracy.after > found.accuracy.before + 0.1
    assert found.loss.after < found.loss.before
    assert {gap.factor for gap in found.gaps} >= {"stroke-thickness", "hue"}
    assert all(gap.closed > 0.5 for gap in found.gaps if gap.factor in ("stroke-thickness", "hue"))
    assert "converter.onnx" in json.loads((converted_run.bundle / "manifest.json").read_text())["files"]


def test_the_reports_say_so_and_show_both(converted_run):
    html = (converted_run.path / "report.html").read_text()
    assert "No source sample is shown in the pairs below" in html
    assert html.count('<span class="tag">converted</span>') >= 2 * len(converted_run.results.pairs)
    assert ", converted" in html
    assert converted_run.results.converter.sentence.split(",")[0] in html


@pytest.mark.slow
def test_without_it_the_run_is_as_before(demo_run, converted_run, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(converted_run.path, path)
    back = run(load_settings(demo_run.config, overrides=demo_run.overrides), path)
    assert back.results.converter is None
    assert back.results.pairs == demo_run.run.results.pairs
    assert not (back.bundle / "converter.onnx").exists()
    assert "The style converter" not in (path / "report.html").read_text()


@pytest.mark.slow
def test_a_converter_that_helps_no_sample_is_told(demo_run, tmp_path):
    """Samples of the smallest loss: no conversion can make them easier."""
    path = tmp_path / "run"
    shutil.copytree(demo_run.run.path, path)
    loss = load_run(path).arrays["scores-target"]["loss"]
    easiest = int(np.argmin(loss))
    overrides = [
        *demo_run.overrides,
        CONVERTED,
        f"selector={{name: indices, same_class: false, pairs: [[0, {easiest}]]}}",
    ]
    overrides = [each for each in overrides if not each.startswith("selector.")]
    results = run(load_settings(demo_run.config, overrides=overrides), path).results
    assert results.pairs == []
    assert any("brings down the loss of none of the 1 target samples picked" in warning for warning in results.warnings)
    assert [c.sentence for c in results.causes] == [c.sentence for c in demo_run.run.results.causes]


def test_a_kind_that_a_converter_cannot_learn_is_told(tmp_path):
    x, y = digits()
    for name, part in (("source", slice(0, 300)), ("target", slice(300, 600))):
        np.savez(tmp_path / f"{name}.npz", x=x[part].reshape(-1, 64), y=y[part])
    (tmp_path / "analysis.yaml").write_text(
        "source: {reader: npz, path: source.npz, kind: tabular}\n"
        "target: {reader: npz, path: target.npz, kind: tabular}\n"
        "classifier: {train: {epochs: 1}}\nconverter: {name: cyclegan}\nfactors: []\n"
    )
    settings = load_settings(tmp_path, overrides=["generator.steps=5", "trial.rows=0"])
    with pytest.raises(TrainingError, match=r'"cyclegan" cannot learn samples of kind tabular .*image, series'):
        run(settings, tmp_path / "run")
