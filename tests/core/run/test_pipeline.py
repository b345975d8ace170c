"""The whole way from two datasets to a report: what is found, what is written, and what a second run does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import smallanalysis

from shiftlens import Host, hookimpl, load_run, load_settings, run
from shiftlens.core.errors import InputError
from shiftlens.core.results.results import Results
from shiftlens.core.run.pipeline import NAMES
from shiftlens.export import Bundle


class Watching:
    """An observer that remembers what was done."""

    def __init__(self):
        self.done = []

    @hookimpl
    def shiftlens_stage_started(self, stage):
        self.done.append(stage)


def stages_done(demo_run, *overrides, **more):
    watching = Watching()
    host = Host([watching])
    settings = load_settings(demo_run.config, host, [*demo_run.overrides, *overrides])
    run(settings, demo_run.run.path, host=host, **more)
    return watching.done


@pytest.fixture
def again(demo_run, tmp_path):
    """A copy of the finished run that a test may change."""
    path = tmp_path / "run"
    shutil.copytree(demo_run.run.path, path)
    return type(demo_run)(demo_run.config, load_run(path))


def test_the_demo_finds_the_planted_cause(demo_run):
    results = demo_run.run.results
    assert results.accuracy.source > 0.9
    assert results.accuracy.source - results.accuracy.target >= 0.15
    verdicts = {cause.factor: cause.verdict for cause in results.causes}
    assert verdicts["stroke-thickness"] == "harmful"
    assert verdicts["hue"] == "harmless"
    assert [name for name, verdict in verdicts.items() if verdict == "harmful"] == ["stroke-thickness"]
    assert results.headline


def test_where_no_pair_can_be_shown_the_report_comes_without_a_grid(demo_run, again):
    again.run.path.joinpath("report.html").unlink()
    settings = load_settings(
        demo_run.config, Host(), [*demo_run.overrides, "selector={name: threshold, threshold: 1e6}"]
    )
    results = run(settings, again.run.path).results
    assert results.pairs == []
    assert {c.factor: c.verdict for c in results.causes} == {c.factor: c.verdict for c in demo_run.run.results.causes}
    assert any(warning.startswith("There is no grid: selector.threshold is 1e+06") for warning in results.warnings)
    assert "There is no grid" in again.run.path.joinpath("report.html").read_text(encoding="utf-8")


def test_the_intervention_grid_shows_the_finding_on_real_samples(demo_run):
    found, arrays = demo_run.run.results.intervention, demo_run.run.arrays
    assert (found.right.words, found.down.words) == ("harmless: hue", "harmful: stroke-thickness")
    cells = arrays["intervention-cells"]
    assert cells.shape == (len(found.samples), 5, 5, 3, 32, 32)
    assert arrays["intervention-sliders"].shape == (3, 2, 9, 3, 32, 32)
    assert found.fidelity.spearman > 0.9
    assert found.near > 0.8
    with np.load(demo_run.config.parent / "source.npz") as source, np.load(demo_run.config.parent / "target.npz") as t:
        for number, sample in enumerate(found.samples):
            assert np.array_equal((cells[number, 0, 0] * 255).round(), source["x"][sample.source].transpose(2, 0, 1))
            assert str(source["y"][sample.source]) == sample.label == str(t["y"][sample.nearest.target])
    across = [sample.cells[0][-1].measured - sample.cells[0][0].measured for sample in found.samples]
    down = [sample.cells[-1][0].measured - sample.cells[0][0].measured for sample in found.samples]
    assert abs(np.mean(across)) < 0.1
    assert np.mean(down) > 0.5
    assert found.distance < found.distance_before


def test_the_run_directory_is_as_the_contract_says(demo_run):
    path = demo_run.run.path
    for name in ("settings.yaml", "results.json", "report.html", "log.txt", "bundle/manifest.json"):
        assert (path / name).is_file(), name
    for part in ("classifier", "encoder", "decoder"):
        assert (path / "bundle" / f"{part}.onnx").is_file()
    assert sorted(file.stem for file in (path / "stages").iterdir()) == sorted(NAMES)
    raw = json.loads((path / "results.json").read_text())
    assert raw["schema"] == 1
    assert raw["kind"] == "image"
    assert set(raw["provenance"]) >= {
        "settings_sha256",
        "data_sha256",
        "classifier_sha256",
        "versions",
        "device",
        "seed",
    }
    assert Results.model_validate(raw) == demo_run.run.results


def test_the_grid_is_whole_and_its_corners_are_the_real_samples(demo_run):
    results, arrays = demo_run.run.results, demo_run.run.arrays
    assert len(results.pairs) == 4
    assert arrays["cells"].shape == (4, 5, 5, 3, 32, 32)
    source = np.load(demo_run.config.parent / "source.npz")["x"]
    for pair, cells in zip(results.pairs, arrays["cells"], strict=True):
        real = [(r, c) for r, row in enumerate(pair.cells) for c, cell in enumerate(row) if cell.real]
        assert real == [(0, 0), (4, 4)]
        assert np.allclose(cells[0, 0], source[pair.source].transpose(2, 0, 1) / 255, atol=1e-6)
        assert pair.cells[0][0].correct
        assert not pair.cells[4][4].correct
        assert pair.cells[0][0].measured == pytest.approx(pair.loss[0], rel=1e-3, abs=1e-5)
        assert len(pair.series) == 5
    assert results.fidelity.cells == 4 * 23
    assert results.fidelity.spearman > 0.6


def test_the_grid_is_held_against_a_second_classifier_and_against_the_data(demo_run):
    results = demo_run.run.results
    second, realism, leak = results.second_opinion, results.realism, results.leak
    assert second.accuracy.source > 0.8
    assert second.accuracy.source - second.accuracy.target > 0.1
    assert second.fidelity > 0.4
    assert second.fidelity_on_real > 0.4
    assert 0.4 < second.agreement <= 1
    assert realism.near > 0.5
    assert realism.samples > 1000
    assert leak.axis_r2 < 0.1
    assert min(leak.source, leak.target, results.fidelity.source, results.fidelity.target) >= 0


def test_without_a_second_opinion_there_is_none(finished_analysis):
    run = load_run(finished_analysis / "run")
    assert run.settings["grid"]["second_opinion"] is False
    assert run.results.second_opinion is None
    assert "No other classifier was asked" in (run.path / "report.html").read_text()


def test_a_second_run_does_nothing_and_changes_nothing(demo_run):
    before = (demo_run.run.path / "results.json").read_bytes()
    assert stages_done(demo_run) == []
    assert (demo_run.run.path / "results.json").read_bytes() == before


@pytest.fixture
def small(finished_analysis, tmp_path):
    """The small analysis's settings file and a finished run of it that a test may change."""
    folder = shutil.copytree(finished_analysis, tmp_path / "analysis")
    return folder / "analysis.yaml", folder / "run"


def test_a_changed_setting_does_only_what_depends_on_it(small):
    assert smallanalysis.stages_done(*small, "grid.features=4") == ["intervention", "grid", "explain", "render"]
    assert load_run(small[1]).results.grid.features == 4
    done = smallanalysis.stages_done(*small, "grid.features=4", "reports=[json]")
    assert done == ["explain", "render"]  # the settings' hash


def test_from_does_a_stage_and_all_later_ones_again_with_the_same_result(small):
    before = (small[1] / "results.json").read_bytes()
    assert smallanalysis.stages_done(*small, from_="grid") == ["grid", "explain", "render"]
    assert (small[1] / "results.json").read_bytes() == before


def test_a_lost_file_is_made_again_and_nothing_else(small):
    before = np.array(load_run(small[1]).arrays["cells"])
    (small[1] / "arrays" / "cells.npy").unlink()
    assert smallanalysis.stages_done(*small) == ["grid"]
    assert np.array_equal(load_run(small[1]).arrays["cells"], before)


def test_until_stops_after_a_stage(demo_run, tmp_path):
    finished = run(load_settings(demo_run.config, overrides=demo_run.overrides), tmp_path / "run", until="data")
    assert finished.record("data").facts["samples"]["source"] > 0
    assert finished.record("classifier") is None


@pytest.mark.parametrize(("until", "from_"), [("scor", None), (None, "nothing"), ("score", "grid")])
def test_a_stage_that_does_not_exist_or_comes_too_late_is_told(demo_run, tmp_path, until, from_):
    with pytest.raises(InputError, match=r"there is no stage|nothing would be done"):
        run(load_settings(demo_run.config), tmp_path / "run", until=until, from_=from_)


def test_a_folder_with_other_things_is_never_written_into(demo_run, tmp_path):
    (tmp_path / "thesis.tex").write_text("ten years of work")
    with pytest.raises(InputError, match="is no run directory"):
        run(load_settings(demo_run.config), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, *rest):
        if name.split(".")[0] == "torch":
            raise ImportError("torch is not installed here")

sys.meta_path.insert(0, NoTorch())
from shiftlens.core.cli import main
main(sys.argv[1:])
"""


def test_from_the_grid_on_no_torch_is_needed(small):
    config, run = small
    command = ["run", str(config), "--out", str(run), "--from", "grid", "--quiet"]
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == load_run(run).results.headline


def test_a_report_is_rendered_again_without_torch(again):
    (again.run.path / "report.html").unlink()
    command = [sys.executable, "-c", WITHOUT_TORCH, "report", str(again.run.path), "--renderer", "html"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(again.run.path / "report.html")
    assert (again.run.path / "report.html").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["data", "trial"])
def test_a_killed_run_goes_on_to_the_same_result(demo_run, tmp_path, stage):
    """Killed a moment into the stage after the named one: in the classifier's training, in the generator's."""
    changes = [word for override in demo_run.overrides for word in ("--set", override)]
    command = [sys.executable, "-m", "shiftlens", "run", str(demo_run.config), "--out", str(tmp_path / "run"), *changes]
    begun = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / "run" / "stages" / f"{stage}.json").is_file():
        assert begun.poll() is None, "it ended before it could be killed"
        time.sleep(0.1)
    time.sleep(1.5)
    begun.kill()
    begun.wait()
    assert not (tmp_path / "run" / "results.json").exists()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{stage} ..." not in done.stderr
    assert (tmp_path / "run" / "results.json").read_bytes() == (demo_run.run.path / "results.json").read_bytes()


@pytest.mark.slow
def test_the_generator_is_switched_by_its_name_and_a_vae_tells_how_closely_it_knows_z(demo_run, again):
    settings = load_settings(demo_run.config, overrides=[*demo_run.overrides, "generator.name=vae"])
    finished = run(settings, again.run.path)
    bundle = Bundle.open(finished.bundle, device="cpu")
    real = finished.arrays["cells"][:, 0, 0]
    loss, label = np.array([0.1] * len(real)), np.zeros(len(real), np.int64)
    assert finished.results.generator["name"] == "vae"
    assert bundle.log_variance(real, loss, label).shape == bundle.encode(real, loss, label).shape
    described = {output["name"]: output for output in bundle.manifest.models["encoder.onnx"]["outputs"]}
    assert described["log_variance"]["meaning"].startswith("of z")
    assert bundle.grid(real[0], finished.arrays["cells"][0, -1, -1]).cells.shape[:2] == (5, 5)
