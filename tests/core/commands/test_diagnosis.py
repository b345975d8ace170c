"""Installed plugins that misbehave, as the command line tells of them: each by name, and the rest works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = """
from shiftlens import hookimpl
from shiftlens.core.host.kinds import Loss

shiftlens_api = 1

@hookimpl
def shiftlens_losses():
    yield Loss(name="{name}", summary="a loss", build=lambda settings: lambda p, y: 1 - p.max(1), needs_labels=False)
"""
PLUGINS = {
    "acme-good": GOOD.format(name="doubt"),
    "acme-twin": GOOD.format(name="twin"),
    "acme-rival": GOOD.format(name="twin"),
    "acme-raises": "raise RuntimeError('no licence')",
    "acme-exits": "import sys; sys.exit('bye')",
    "acme-yields": "from shiftlens import hookimpl\n@hookimpl\ndef shiftlens_losses():\n    yield 'doubt'",
    "acme-future": "shiftlens_api = 99\n" + GOOD.format(name="future").replace("shiftlens_api = 1\n", ""),
    "acme-heavy": "import sklearn\n" + GOOD.format(name="heavy"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed distributions: a module each, and the metadata that pip would have written."""
    folder = tmp_path_factory.mktemp("site")
    for name, code in PLUGINS.items():
        module = name.replace("-", "_")
        (folder / f"{module}.py").write_text(code)
        info = folder / f"{module}-0.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.3\n")
        (info / "entry_points.txt").write_text(f"[shiftlens]\nmain = {module}\n")
    return folder


def shiftlens(site: Path, *arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "shiftlens", *arguments],
        env={**os.environ, "PYTHONPATH": str(site), **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.mark.slow
def test_the_listing_tells_each_plugin_with_version_api_status_and_reason(site: Path) -> None:
    blocked = {"SHIFTLENS_BLOCK": "acme-good"}
    listed = {p["distribution"]: p for p in json.loads(shiftlens(site, "plugins", "--json", **blocked).stdout)}
    told = {name: (listed[name]["status"], listed[name]["reason"]) for name in PLUGINS}
    assert told["acme-good"][0] == "blocked"
    assert told["acme-twin"][0] == told["acme-rival"][0] == "clash"
    assert 'the loss "twin" is also offered by acme-rival 0.3' in told["acme-twin"][1]
    assert told["acme-raises"] == ("broken", "could not be imported: RuntimeError: no licence")
    assert told["acme-exits"] == ("broken", "could not be imported: SystemExit: bye")
    assert told["acme-yields"][0] == "broken"
    assert "must yield Loss(...) descriptions, not str" in told["acme-yields"][1]
    assert told["acme-future"][0] == "refused"
    assert "pip install -U shiftlens" in told["acme-future"][1]
    assert told["acme-heavy"] == ("ok", "")
    assert {p["version"] for name, p in listed.items() if name.startswith("acme")} == {"0.3"}
    assert listed["acme-future"]["api"] == 99
    text = shiftlens(site, "plugins", **blocked).stdout
    assert all(name in text for name in PLUGINS)
    assert "not in order" in text


@pytest.mark.slow
def test_the_rest_works(site: Path) -> None:
    shown = shiftlens(site, "plugins", "show", "doubt").stdout
    assert "from acme-good 0.3" in shown
    assert "loss:\n    name: doubt" in shown
    assert "cross-entropy" in shiftlens(site, "plugins", "show", "cross-entropy").stdout


def test_strict_mode_raises_with_the_plugins_own_traceback(site: Path) -> None:
    told = shiftlens(site, "plugins", code=2, SHIFTLENS_STRICT="1", SHIFTLENS_BLOCK="acme-exits,acme-future").stderr
    assert "acme_raises.py" in told
    assert "no licence" in told
    assert "error: plugin acme-raises:main" in told


@pytest.mark.slow
def test_doctor_shows_load_times_and_points_out_heavy_imports(site: Path) -> None:
    found = json.loads(shiftlens(site, "doctor", "--json").stdout)
    assert found["plugin_imports"] == {"acme-heavy:main": ["sklearn"]}
    assert found["plugin_seconds"]["acme-heavy:main"] > found["plugin_seconds"]["acme-good:main"] >= 0
    assert any("acme-heavy:main imports sklearn when it is loaded" in problem for problem in found["problems"])
    assert any("acme-raises:main is left out" in problem for problem in found["problems"])


def test_a_broken_distribution_cannot_be_checked_and_says_why(site: Path) -> None:
    told = shiftlens(site, "plugins", "check", "acme-raises", code=2).stderr
    assert "the plugin acme-raises:main is broken: could not be imported: RuntimeError: no licence" in told


@pytest.mark.slow
def test_a_distribution_is_checked_rule_by_rule(site: Path) -> None:
    done = shiftlens(site, "plugins", "check", "acme-heavy", "--json", code=1)
    (entry,) = json.loads(done.stdout)
    assert entry["status"] == "broken"
    broken = [rule for rule in entry["rules"] if rule["status"] == "broken"]
    assert [rule["rule"] for rule in broken] == ["component-loads-light"]
    assert broken[0]["stands"] == "docs/reference/rules.md#component-loads-light"
    assert "loss-each-sample-alone: kept" in done.stderr
