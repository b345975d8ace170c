"""The examples: settings files that resolve, and a plugin that installs and works."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from examplereports import example
from realdata import ROOT, cifar

from shiftlens import Host, load_settings
from shiftlens.core.kinds import Factor, Renderer

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
    yield importlib.import_module("shiftlens_vignette")
    for name in [name for name in sys.modules if name.startswith("shiftlens_vignette")]:
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
def test_installed_it_is_seen_as_a_distribution_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "--target", str(tmp_path), str(PLUGIN)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    listing = subprocess.run(
        [sys.executable, "-m", "shiftlens", "plugins", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "SHIFTLENS_STRICT": "1"},
        capture_output=True,
        text=True,
    )
    assert listing.returncode == 0, listing.stderr
    assert "shiftlens-vignette" in listing.stdout
    assert '"vignette"' in listing.stdout
    assert '"slack"' in listing.stdout
