"""``shiftlens plugins new``: a distribution for every kind, whole or not at all, and green at once."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from freshenvironment import environment

from shiftlens import Host
from shiftlens.core import cli
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import API_VERSION, KINDS
from shiftlens.core.host.scaffold import EXAMPLES, write_plugin

ALL = [kind.kind for kind in KINDS]


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Imports the module of a scaffold, and forgets it afterwards."""
    names: list[str] = []

    def load(folder: Path) -> ModuleType:
        monkeypatch.syspath_prepend(str(folder))
        names.append(folder.name.replace("-", "_"))
        return __import__(names[-1])

    yield load
    for name in names:
        sys.modules.pop(name, None)


def test_there_is_an_example_of_every_kind() -> None:
    assert sorted(EXAMPLES) == sorted(ALL)


@pytest.mark.parametrize("kind", ALL)
def test_a_scaffold_is_a_plugin_that_the_host_takes(kind: str, tmp_path: Path, imported: object) -> None:
    folder = write_plugin(f"acme-{kind}", kind, tmp_path)
    module = imported(folder)  # type: ignore[operator]
    (offer,) = Host([module], entry_points=False, strict=True).offers()
    component = offer.component
    assert (component.kind, component.name) == (kind, f"acme-{kind}")
    assert module.shiftlens_api == API_VERSION
    assert component.reference.startswith(("https://", "patent"))
    assert component.settings.model_fields
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["shiftlens"] == {f"acme-{kind}": f"acme_{kind}"}
    assert f"check_{kind}(" in (folder / "tests" / f"test_acme_{kind}.py").read_text()
    assert yaml.safe_load((folder / ".github" / "workflows" / "test.yml").read_text())["jobs"]
    assert f"acme-{kind}" in (folder / "README.md").read_text()
    assert not list(tmp_path.glob(".*"))


def test_a_scaffold_is_formatted_as_we_format(tmp_path: Path) -> None:
    for kind in ALL:
        write_plugin(f"acme-{kind}", kind, tmp_path)
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--select", "E,F,I,B,UP,RUF"], ["format", "--check"]):
        options = ["--isolated", "--line-length", "120", str(tmp_path)]
        done = subprocess.run([*ruff, *command, *options], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("My-Gen", "generator", "is no name for a plugin"),
        ("7up", "loss", "is no name for a plugin"),
        ("../up", "loss", "is no name for a plugin"),
        ("my_gen", "loss", "is no name for a plugin"),
        ("json", "loss", "Python has a module"),
        ("class", "loss", "Python has a module"),
        ("cross-entropy", "loss", "is offered by shiftlens"),
        ("my-gen", "generater", 'did you mean "generator"?'),
    ],
)
def test_what_cannot_be_is_one_message_and_nothing_is_written(
    name: str, kind: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        write_plugin(name, kind, tmp_path / "out")
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "acme-loss").mkdir()
    with pytest.raises(InputError, match="is there already"):
        write_plugin("acme-loss", "loss", tmp_path)
    assert not list((tmp_path / "acme-loss").iterdir())


def test_the_commands_tell_where_it_is_and_what_comes_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run_command_line(["plugins", "new", "acme-loss", "--kind", "loss", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(tmp_path / "acme-loss")
    assert "pytest" in told.err


def test_one_rule_can_be_looked_at_alone(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["plugins", "check", "entropy", "--rule", "small-where-right", "--quiet"]
    assert cli._run_command_line([*command, "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert [rule["rule"] for rule in entry["rules"]] == ["loss-small-where-right"]
    assert cli._run_command_line(command) == 0
    assert "loss entropy (shiftlens" in capsys.readouterr().out
    assert cli._run_command_line(["plugins", "check", "entropy", "--rule", "small-were-right"]) == 2
    assert 'did you mean "small-where-right"?' in capsys.readouterr().err


def test_settings_that_are_missing_are_told_and_can_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["plugins", "check", "column", "--quiet", "--rule", "one-value-each"]
    assert cli._run_command_line(command) == 1
    assert "not checked: " in capsys.readouterr().out
    assert cli._run_command_line([*command, "--set", "column=2"]) == 0


@pytest.mark.slow
def test_every_scaffold_installs_is_green_and_takes_part_in_a_run(tmp_path: Path) -> None:
    environ = environment(tmp_path / "environment")

    def run(*command: str, folder: Path = tmp_path) -> str:
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for kind in ALL:
        run("shiftlens", "plugins", "new", f"acme-{kind}", "--kind", kind)
        run("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", f"./acme-{kind}")
        run("pytest", "-q", folder=tmp_path / f"acme-{kind}")
    settings = [
        "classifier={name: acme-classifier}", "generator={name: acme-generator}", "converter={name: acme-converter}",
        "selector={name: acme-selector, pairs: 3}", "factors=[acme-factor, stroke-thickness]", "loss={name: acme-loss}",
        "reports=[html, json, acme-renderer]", "observers=[acme-observer]", "trial.samples=200", "trial.rows=200",
    ]  # fmt: skip
    changes = [word for setting in settings for word in ("--set", setting)]
    run("shiftlens", "demo", "--out", "demo", "--quiet", *changes)
    results = json.loads((tmp_path / "demo" / "run" / "results.json").read_text())
    assert results["generator"]["name"] == "acme-generator"
    assert results["loss_name"] == "acme-loss"
    assert "acme-factor" in [cause["factor"] for cause in results["causes"]]
    assert (tmp_path / "demo" / "run" / "causes.csv").read_text().startswith("factor,verdict")
    assert "acme-generator" in (tmp_path / "demo" / "run" / "report.html").read_text()
    run("shiftlens", "export", "demo/run", "--target", "acme-target", "--out", "served")
    assert (tmp_path / "served" / "bundle.zip").is_file()
