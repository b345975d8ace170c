"""The examples: settings files that resolve, and a plugin that installs and works."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from examplereports import example
from freshenvironment import environment
from realdata import ROOT, cifar

from shiftlens import Host, load_settings
from shiftlens.core.host.kinds import Factor, Renderer

EXAMPLES = ROOT / "examples"
PLUGIN = EXAMPLES / "plugin"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_settings_file_resolves(path: Path) -> None:
    settings = load_settings(path, Host())
    for role in (settings.source, settings.target):
        assert role.settings.path.parent == EXAMPLES  # type: ignore[attr-defined]


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(PLUGIN))
    yield importlib.import_module("shiftlens_darkroom")
    for name in [name for name in sys.modules if name.startswith("shiftlens_darkroom")]:
        del sys.modules[name]


def test_the_vignette_moves_by_what_is_asked(plugin: ModuleType) -> None:
    host = Host([plugin], strict=True)
    component = host.find(Factor, "vignette")
    factor = component.build(component.settings())
    x = cifar(10)[0]
    before = factor.measure(x)
    delta = np.full(len(x), 0.2)
    changed = factor.shift(x, delta, np.random.default_rng(0))
    assert (changed <= x + 1e-6).mean() > 0.9
    reachable = before < 0.4
    assert reachable.sum() > 50
    np.testing.assert_allclose((factor.measure(changed) - before)[reachable], 0.2, atol=0.02)
    np.testing.assert_allclose(factor.shift(x, 0 * delta, np.random.default_rng(0)), x, atol=1e-5)
    assert factor.refuses(x) == ""
    assert "dark" in factor.refuses(x * 0)


def test_the_message_is_what_slack_takes(plugin: ModuleType) -> None:
    host = Host([plugin], strict=True)
    component = host.find(Renderer, "slack")
    (content,) = component.build(component.settings(link="https://example.org/?a=1&b=<2>"))(example()).values()
    message = json.loads(content)
    assert message["text"] == example().results.headline
    assert [block["type"] for block in message["blocks"]] == ["header", "section", "section"]
    text = message["blocks"][2]["text"]["text"]
    assert "<https://example.org/?a=1&amp;b=&lt;2&gt;|The full report>" in text
    assert len(text) <= 3000


@pytest.mark.wheel
def test_installed_in_a_fresh_environment_it_passes_its_tests_and_takes_part_in_a_run(tmp_path: Path) -> None:
    environ = environment(tmp_path / "environment")

    def run(*command: str, folder: Path = tmp_path) -> str:
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    shutil.copytree(PLUGIN, tmp_path / "plugin", ignore=shutil.ignore_patterns("__pycache__"))
    run("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "./plugin")
    (listed,) = (
        p for p in json.loads(run("shiftlens", "plugins", "--json")) if p["distribution"] == "shiftlens-darkroom"
    )
    assert (listed["status"], listed["version"]) == ("ok", "0.2.0")
    assert [offer["name"] for offer in listed["offers"]] == ["location-scale", "confusions", "vignette", "slack"]
    run("pytest", "-q", folder=tmp_path / "plugin")
    settings = [
        "generator={name: location-scale}", "selector={name: confusions, pairs: 3}", "reports=[html, json, slack]",
        "factors=[stroke-thickness, vignette]", "trial.samples=200", "trial.rows=200",
    ]  # fmt: skip
    run("shiftlens", "demo", "--out", "demo", "--quiet", *(word for change in settings for word in ("--set", change)))
    results = json.loads((tmp_path / "demo" / "run" / "results.json").read_text())
    assert results["generator"]["name"] == "location-scale"
    assert "vignette" in [cause["factor"] for cause in results["causes"]]
    message = json.loads((tmp_path / "demo" / "run" / "slack.json").read_text())
    assert message["text"] == results["headline"]


@pytest.mark.slow
def test_the_nightly_function_tells_and_fails_where_too_much_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smallanalysis import write_analysis

    monkeypatch.syspath_prepend(str(EXAMPLES))
    nightly = importlib.import_module("nightly")
    config = str(write_analysis(tmp_path))
    found = nightly.why_it_fails(config, str(tmp_path / "run"), most_lost=1.0)
    assert Path(found["report"]).is_file()
    with pytest.raises(RuntimeError, match=r"points of accuracy lost.*report\.html"):
        nightly.why_it_fails(config, str(tmp_path / "run"))


@pytest.mark.slow
def test_the_action_runs_its_gates_and_writes_the_summary(tmp_path: Path) -> None:
    import yaml
    from smallanalysis import write_analysis

    action = yaml.safe_load((ROOT / "action.yml").read_text())
    step = next(step for step in action["runs"]["steps"] if step.get("name") == "Run")
    (tmp_path / "shiftlens" / "bin").mkdir(parents=True)
    command = tmp_path / "shiftlens" / "bin" / "shiftlens"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m shiftlens "$@"\n')
    command.chmod(0o755)
    config = write_analysis(tmp_path)
    values = {
        "inputs.config": str(config),
        "inputs.out": str(tmp_path / "out"),
        "inputs.fail-on": "harmful\ndrop=0.9\n",
        "inputs.set": "selector.pairs=1\nname=$(touch broken)\n",
    }
    inside = {name: values[expression.strip("${} ")] for name, expression in step["env"].items()}
    summary = tmp_path / "summary.md"
    environ = {**os.environ, **inside, "RUNNER_TEMP": str(tmp_path), "GITHUB_STEP_SUMMARY": str(summary)}
    done = subprocess.run(["bash", "-e", "-c", step["run"]], env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "gate tripped" in done.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["headline"].split(";")[0].split("(")[0] in summary.read_text()
    assert len(results["pairs"]) == 1
    assert not (tmp_path / "broken").exists()
