"""How a run ends: what stands on stdout, what on stderr, and what each is told of once."""

from __future__ import annotations

import shutil
import sys

import pytest
from smallanalysis import write_analysis

from shiftlens import load_run
from shiftlens.core import cli
from shiftlens.core.commands.ending import table
from shiftlens.core.results.results import Cause


def told(capsys, *command, code=0):
    assert cli._run_command_line([str(word) for word in command]) == code
    return capsys.readouterr()


@pytest.fixture
def folder(finished_analysis, tmp_path):
    return shutil.copytree(finished_analysis, tmp_path / "analysis")


def test_the_sentence_the_verdicts_and_the_report_stand_on_stdout_in_this_order(capsys, folder):
    done = told(capsys, "run", folder / "analysis.yaml", "--out", folder / "run")
    results = load_run(folder / "run").results
    lines = done.out.splitlines()
    assert lines[0] == results.headline
    assert lines[-1] == str(folder / "run" / "report.html")
    assert lines[1 : 1 + len(table(results))] == table(results)
    verdicts = {cause.factor: cause.verdict for cause in results.causes}
    for factor, verdict in verdicts.items():
        (line,) = [line for line in table(results) if factor in line.replace(",", "").split()]
        assert line.split()[0] == verdict


def test_the_table_says_what_each_change_costs_and_the_worst_stands_first(finished_analysis):
    results = load_run(finished_analysis / "run").results
    worst = max(
        (cause for cause in results.causes if cause.verdict in ("harmful", "unclear")),
        key=lambda cause: (cause.verdict == "harmful", cause.effect),
    )
    assert table(results)[0].split()[:2] == [worst.verdict, worst.factor]
    assert f"costs {100 * worst.accuracy_effect:.1f} (" in table(results)[0]
    assert table(results)[0].endswith("points of accuracy")


def test_a_cost_without_labels_is_told_in_the_unit_of_the_loss(finished_analysis):
    results = load_run(finished_analysis / "run").results
    bare = Cause(factor="hue", verdict="unclear", effect=-0.126, ci=(-0.2, 0.001), accuracy_effect=None, sentence="")
    lines = table(results.model_copy(update={"causes": [bare], "loss_unit": "nats"}))
    assert lines == ["  unclear    hue  costs −0.13 (−0.20 to 0.00) nats"]


def test_a_run_with_nothing_to_do_says_so(capsys, folder):
    command = ("run", folder / "analysis.yaml", "--out", folder / "run")
    first = told(capsys, *command)
    assert "up to date" in first.err
    assert "up to date" not in told(capsys, *command, "--from", "render").err
    assert told(capsys, *command).out == first.out


def test_every_warning_of_the_results_reaches_stderr_once(capsys, folder):
    command = ("run", folder / "analysis.yaml", "--out", folder / "run", "--quiet")
    warnings = load_run(folder / "run").results.warnings
    assert warnings
    for more in ((), ("--from", "data")):  # told from the results, and as it happens
        done = told(capsys, *command, *more)
        for warning in warnings:
            assert done.err.count(warning) == 1
            assert warning not in done.out


def test_a_stage_s_error_is_told_once(capsys, folder):
    command = ("run", folder / "analysis.yaml", "--out", folder / "run")
    done = told(capsys, *command, "--set", "selector={name: indices, pairs: [[0, 9999]]}", code=2)
    (line,) = [line for line in done.err.splitlines() if "9999" in line]
    assert line.startswith("error: ")
    assert line.removeprefix("error: ") in (folder / "run" / "log.txt").read_text()


def test_a_run_into_the_directory_of_another_analysis_says_so(capsys, folder, tmp_path):
    other = write_analysis(tmp_path / "other", name="another one")
    done = told(capsys, "run", other, "--out", folder / "run", "--until", "data", "--quiet")
    assert f'is of the analysis "dimmed" of {folder}; it becomes that of "another one"' in done.err
    again = told(capsys, "run", folder / "analysis.yaml", "--out", folder / "run", "--until", "data", "--quiet")
    assert "analysis" not in again.err  # a run of one stage does not change whose directory it is


@pytest.mark.skipif(sys.platform == "win32", reason="BROWSER names a program on Unix only")
def test_the_report_is_opened_in_the_browser(capsys, folder, tmp_path, monkeypatch):
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\necho "$1" > {seen}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    monkeypatch.setattr("webbrowser._tryorder", None)
    monkeypatch.setattr("webbrowser._browsers", {})
    command = ("run", folder / "analysis.yaml", "--out", folder / "run", "--quiet", "--open")
    told(capsys, *command)
    assert seen.read_text().strip() == (folder / "run" / "report.html").as_uri()
    assert "until" in told(capsys, *command, "--until", "grid", code=2).err
    (folder / "run" / "report.html").unlink()
    assert "put html under reports" in told(capsys, *command, "--set", "reports=[json]", code=2).err
