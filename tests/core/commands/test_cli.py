"""The command line: what each command prints where, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from shiftlens import __version__
from shiftlens.core import cli


def told(capsys, *command, code=0):
    assert cli._run_command_line([str(word) for word in command]) == code
    return capsys.readouterr()


def test_help_and_version(capsys):
    assert "demo" in told(capsys, "--help").out
    assert __version__ in told(capsys, "--version").out


def test_plugins_lists_what_is_there(capsys):
    out = told(capsys, "plugins").out
    for name in ("npz", "image-folder", "autoencoder", "threshold", "cross-entropy", "html", "stroke-thickness"):
        assert name in out
    listed = json.loads(told(capsys, "plugins", "--json").out)
    assert {plugin["status"] for plugin in listed} == {"ok"}


def test_plugins_show_prints_the_settings(capsys):
    out = told(capsys, "plugins", "show", "autoencoder").out
    assert "latent" in out
    assert "loss_axis" in out
    assert "ONNX form: none: no ONNX operator writes JPEG files" in told(capsys, "plugins", "show", "jpeg").out
    assert "ONNX form: yes" in told(capsys, "plugins", "show", "hue").out
    shown = json.loads(told(capsys, "plugins", "show", "autoencoder", "--json").out)
    assert "latent" in shown[0]["settings"]
    assert 'did you mean "autoencoder"?' in told(capsys, "plugins", "show", "autoencodr", code=2).err


def test_every_component_can_be_shown(capsys):
    for plugin in json.loads(told(capsys, "plugins", "--json").out):
        for offer in plugin["offers"]:
            assert offer["summary"] in told(capsys, "plugins", "show", offer["name"]).out


def test_schema_is_json(capsys):
    assert json.loads(told(capsys, "schema").out)["title"] == "shiftlens analysis"


def test_doctor_says_what_is_there(capsys):
    found = json.loads(told(capsys, "doctor", "--json").out)
    assert "CPUExecutionProvider" in found["providers"]
    assert found["versions"]["numpy"]
    assert "models run on" in told(capsys, "doctor").out


def test_a_gate_trips_with_exit_code_1(capsys, demo_run):
    changes = [word for override in demo_run.overrides for word in ("--set", override)]
    command = ["run", demo_run.config, "--out", demo_run.run.path, "--quiet", *changes]
    done = told(capsys, *command, "--fail-on", "harmful", "--fail-on", "drop=0.9", code=1)
    assert done.out.splitlines()[0] == demo_run.run.results.headline
    assert "stroke-thickness" in done.err
    assert "drop" not in done.err
    told(capsys, *command, "--fail-on", "drop=0.9", code=0)


def test_progress_in_a_pipe_is_plain_lines_on_stderr(demo_run):
    changes = [word for override in demo_run.overrides for word in ("--set", override)]
    command = ["run", str(demo_run.config), "--out", str(demo_run.run.path), "--from", "render", *changes]
    done = subprocess.run([sys.executable, "-m", "shiftlens", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "render ..." in done.stderr
    assert "\x1b" not in done.stderr
    assert done.stdout.splitlines()[-1].endswith("report.html")


def test_a_fault_of_ours_has_its_own_code_and_a_traceback(capsys, monkeypatch):
    monkeypatch.setattr("shiftlens.core.config.settings.settings_schema", lambda host: 1 / 0)
    assert "ZeroDivisionError" in told(capsys, "schema", code=3).err


@pytest.mark.parametrize("signal", [KeyboardInterrupt])
def test_an_interrupted_command_says_how_to_go_on(capsys, monkeypatch, signal):
    def interrupted(host):
        raise signal

    monkeypatch.setattr("shiftlens.core.config.settings.settings_schema", interrupted)
    assert "goes on where it stopped" in told(capsys, "schema", code=130).err


def test_a_folder_that_may_not_be_written_to_is_told(capsys, demo_run, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    told_ = told(capsys, "run", demo_run.config, "--out", tmp_path / "file" / "run", "--quiet", code=2)
    assert "file" in told_.err
    assert "Traceback" not in told_.err


def test_ctrl_c_inside_an_import_is_an_interruption(monkeypatch, capsys):
    def importing():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as stopped:
            raise SystemError("initialization of a C library failed") from stopped

    monkeypatch.setattr("shiftlens.core.commands.doctor.examine", importing)
    assert cli._run_command_line(["doctor"]) == 130
    said = capsys.readouterr()
    assert "the same command goes on where it stopped" in said.err
    assert "Traceback" not in said.err
