"""augment: real source samples with the harmful change in them, labels kept."""

from __future__ import annotations

import shutil

import numpy as np

from shiftlens import Host
from shiftlens.core import cli
from shiftlens.core.host.kinds import Factor


def test_samples_are_changed_as_the_run_found_and_labels_stay(demo_run, tmp_path, capsys):
    out = tmp_path / "more.npz"
    assert cli._run_command_line(["augment", str(demo_run.run.path), "--out", str(out), "--quiet"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    source = np.load(demo_run.config.parent / "source.npz")
    with np.load(out) as written:
        x, y = written["x"], written["y"]
    assert x.shape == (len(source["x"]), 3, 32, 32)
    assert x.dtype == np.uint8
    assert list(y) == [str(label) for label in source["y"]]
    thickness = Host().find(Factor, "stroke-thickness")
    measure = thickness.build(thickness.settings()).measure
    before = source["x"][:200].transpose(0, 3, 1, 2).astype(np.float32) / 255
    grown = measure(x[:200].astype(np.float32) / 255) - measure(before)
    assert 0.5 < np.nanmean(grown) < 3.5  # random parts, 0 to 1, of some 3 px
    assert np.nanmin(grown) < 0.5 < np.nanmax(grown) - 1


def test_without_a_harmful_factor_there_is_nothing_to_write(demo_run, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(demo_run.run.path, run)
    (run / "augmentation.yaml").unlink()
    assert cli._run_command_line(["augment", str(run), "--out", str(tmp_path / "more.npz"), "--quiet"]) == 2
    assert "no factor was found harmful" in capsys.readouterr().err
    assert not (tmp_path / "more.npz").exists()
