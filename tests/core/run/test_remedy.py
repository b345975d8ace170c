"""The remedies of a whole run: measured on what nothing else saw, kept as files, exported, told why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import shiftlens
from shiftlens.core import cli
from shiftlens.core.run.context import Context
from shiftlens.core.run.stages import trial
from shiftlens.export.bundle import Bundle


def rows(results):
    return {(row.name, row.samples): row for row in results.remedy.measured}


def test_the_demo_ends_with_a_measured_remedy(demo_run):
    results = demo_run.run.results
    found = rows(results)
    begun, undone = found["as it is", ""], found["undo", ""]
    assert undone.recovered > 0.5
    assert undone.target_ci[0] > begun.target
    refitted = found["refit-head", "as in the target"]
    assert refitted.target > found["refit-head", "random"].target + 0.03
    assert found["refit-head", "harmless only"].recovered < 0.2
    assert results.remedy.measured_sentence in [row.sentence for row in results.remedy.measured]
    assert (demo_run.run.path / refitted.file).name == "classifier-refitted.onnx"
    assert (demo_run.run.path / undone.file).name == "classifier-restored.onnx"
    assert undone.why_no_file == ""


@pytest.mark.slow
def test_what_the_remedies_are_measured_on_is_used_for_no_verdict(demo_run):
    settings = shiftlens.load_settings(demo_run.config, overrides=demo_run.overrides)
    seen: list[np.ndarray] = []

    class Watched(Context):
        """Keeps what is read of the target."""

        def domain(self, role):
            domain = super().domain(role)
            if role == "source":
                return domain
            return replace(domain, decode=lambda stored: seen.append(stored) or domain.decode(stored))

    context = Watched(settings, shiftlens.Host(), demo_run.run)
    kept, target = context.kept_for_remedies(), context.domain("target")
    assert len(kept) == demo_run.run.results.remedy.samples.target
    assert len(kept) == len(target) // 2
    assert not np.array_equal(kept, np.arange(len(kept)))
    trial.work(context)  # it reads the other half alone
    read = np.unique(np.concatenate([rows.reshape(len(rows), -1) for rows in seen]), axis=0)
    held = np.unique(np.asarray(target.stored[kept]).reshape(len(kept), -1), axis=0)
    both = np.unique(np.concatenate([read, held]), axis=0)
    assert len(both) == len(read) + len(held)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["refitted", "restored"])
def test_a_mended_classifier_is_exported_and_answers_as_it_was_measured(demo_run, tmp_path, capsys, name):
    run = demo_run.run
    command = ["export", str(run.path), "--target", "directory", "--out", str(tmp_path / "served"), "--quiet"]
    assert cli._run_command_line([*command, "--classifier", "refited"]) == 2
    assert 'no classifier called "refited"; did you mean "refitted"' in capsys.readouterr().err
    assert cli._run_command_line([*command, "--classifier", name]) == 0
    bundle = Bundle.open(tmp_path / "served", "cpu")
    settings = shiftlens.load_settings(demo_run.config, overrides=demo_run.overrides)
    context = Context(settings, shiftlens.Host(), run)
    kept, labels = context.kept_for_remedies(), context.labels("target")
    right = bundle.predict(context.domain("target").batch(kept)).argmax(1) == labels[kept]
    begun = context.scores("target").correct[kept].mean()
    assert right.mean() > begun + 0.05
    assert "intervention.onnx" in bundle.manifest.files


@pytest.mark.slow
def test_the_command_tries_them_again(demo_run, tmp_path, capsys):
    out = tmp_path / "run"
    shiftlens.run(shiftlens.load_settings(demo_run.config, overrides=demo_run.overrides), out, until="trial")
    assert (
        cli._run_command_line(
            ["remedy", str(out), "--quiet", "--set", "remedy.measure=[undo]", "--set", "generator.steps=60"]
        )
        == 0
    )
    assert capsys.readouterr().out.startswith("Undoing the harmful change before the classifier brings")


def test_settings_say_what_is_tried(demo_run):
    def chosen(override):
        return shiftlens.load_settings(demo_run.config, overrides=[override]).remedies

    assert chosen("remedy.measure=off") == ()
    assert chosen("remedy.measure=auto") is None
    (choice,) = chosen("remedy.measure=[{name: use-where, points: 5}]")
    assert choice.settings.points == 5
    with pytest.raises(shiftlens.ShiftlensError, match='did you mean "undo"'):
        chosen("remedy.measure=[undu]")
