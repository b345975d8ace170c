"""What an earlier run wrote, beside a later one that fails, stops early, or is made elsewhere."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
import yaml
from smallanalysis import stages_done, vectors, write_domain, write_onnx

from shiftlens import Host, load_run, load_settings
from shiftlens.core.commands.augment import AUGMENTATION, write_augmented
from shiftlens.core.errors import ShiftlensError


@pytest.fixture
def folder(finished_analysis, tmp_path):
    return shutil.copytree(finished_analysis, tmp_path / "analysis")


def held(run):
    """Every file of a run directory but the log and unfinished work: its content and its time."""
    files = [path for path in run.rglob("*") if path.is_file() and path.name != "log.txt"]
    return {
        path.relative_to(run).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in files
        if path.relative_to(run).parts[0] not in ("work", "scratch")
    }


def hash_of_settings(run):
    settings = yaml.safe_load((run / "settings.yaml").read_text())
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def agree(run):
    return load_run(run).results.provenance.settings_sha256 == hash_of_settings(run)


def not_a_number(folder):
    x, y = vectors()
    np.savez(folder / "target.npz", x=np.where(np.arange(16) == 3, np.nan, x[800:1400]), y=y[800:1400])


def other_classes(folder):
    write_domain(folder / "target.npz", 0.8, 800, 1400)
    x, y = vectors()
    np.savez(folder / "target.npz", x=x[800:1400], y=y[800:1400] + 50)


def another_width(folder):
    x, y = vectors()
    np.savez(folder / "target.npz", x=x[800:1400, :15], y=y[800:1400])


def another_classifier_and_classes(folder):
    write_onnx(folder / "classifier.onnx", seed=1)
    other_classes(folder)


def broken_classifier(folder):
    write_domain(folder / "target.npz", 0.5, 800, 1400)  # usable, so that stage data gets done
    (folder / "classifier.onnx").write_bytes(b"no model")


@pytest.mark.parametrize(
    "spoil", [not_a_number, other_classes, another_width, another_classifier_and_classes, broken_classifier]
)
def test_a_run_that_fails_on_its_input_leaves_all_that_an_earlier_one_wrote(folder, spoil):
    before = held(folder / "run")
    spoil(folder)
    for from_ in (None, "data"):
        with pytest.raises(ShiftlensError):
            stages_done(folder / "analysis.yaml", folder / "run", "name=other", from_=from_)
        assert held(folder / "run") == before
    assert agree(folder / "run")


def test_a_run_that_is_mended_goes_on(folder):
    other_classes(folder)
    with pytest.raises(ShiftlensError):
        stages_done(folder / "analysis.yaml", folder / "run")
    write_domain(folder / "target.npz", 0.8, 800, 1400)
    assert stages_done(folder / "analysis.yaml", folder / "run") == ["data"]  # a new file of the same content


def test_settings_and_results_agree_whatever_is_changed(folder):
    config, run = folder / "analysis.yaml", folder / "run"
    assert agree(run)
    assert stages_done(config, run, "reports=[markdown]") == ["explain", "render"]
    assert agree(run)
    assert stages_done(config, run, "reports=[markdown]", "device=cpu", until="score")
    assert load_run(run).settings["device"] == "auto"  # results.json is of those settings still
    assert agree(run)


def test_settings_that_were_written_over_by_hand_are_written_again(folder):
    (folder / "run" / "settings.yaml").write_text("name: by hand\n")
    assert stages_done(folder / "analysis.yaml", folder / "run") == []
    assert agree(folder / "run")


def test_moving_the_folder_changes_nothing(folder, tmp_path):
    before = held(folder / "run")
    moved = shutil.move(folder, tmp_path / "elsewhere")
    assert stages_done(moved / "analysis.yaml", moved / "run") == []
    assert held(moved / "run") == before


def test_the_same_analysis_has_the_same_hash_in_another_folder_and_directory(finished_analysis, folder, tmp_path):
    here = load_settings(folder / "analysis.yaml")
    assert here.sha256 == load_settings(finished_analysis / "analysis.yaml").sha256
    assert here.source.settings.path == folder / "source.npz"  # the reader's own path leads there all the same
    stages_done(folder / "analysis.yaml", tmp_path / "far" / "away", until="score")
    assert hash_of_settings(tmp_path / "far" / "away") == here.sha256


@pytest.mark.parametrize("inside", [True, False])
def test_a_run_directory_finds_the_data_again(finished_analysis, tmp_path, inside):
    """Its settings hold relative paths; commands on the run start from where the analysis stands."""
    folder = shutil.copytree(finished_analysis, tmp_path / "analysis")
    if not inside:  # a run directory that does not lie in the analysis' folder
        stages_done(folder / "analysis.yaml", tmp_path / "out", until="trial")
    run = load_run(folder / "run" if inside else tmp_path / "out")
    again = load_settings(run.path / "settings.yaml")
    assert again.source.settings.path == folder / "source.npz"
    assert again.sha256 == load_settings(folder / "analysis.yaml").sha256
    assert (run.path / AUGMENTATION).is_file()
    assert write_augmented(run, tmp_path / "more.npz", Host()) == 800


def test_an_origin_that_cannot_be_read_is_told(folder):
    (folder / "run" / "origin.json").write_text("[]")
    with pytest.raises(ShiftlensError, match=r"origin\.json is damaged"):
        load_settings(folder / "run" / "settings.yaml")
