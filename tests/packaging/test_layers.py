"""Who may import whom, and what the light commands must not load."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest
from realdata import ROOT


def test_the_layers_hold():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_has_its_layer():
    """A new room of core, or a new folder beside it, says on whom it stands."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = {name for layer in contracts[0]["layers"] for name in layer.split(" : ")}
    assert "ignore_imports" not in contracts[0]
    rooms = {f"shiftlens.core.{path.stem}" for path in (ROOT / "core").iterdir() if path.stem[0] != "_"}
    assert layers == rooms | {"shiftlens.plugins", "shiftlens.export"}


LIGHT = (
    "import shiftlens",
    "shiftlens.Settings, shiftlens.load_run, shiftlens.hookimpl",
    "from shiftlens.core import cli; cli._run_command_line(['--help'])",
    "from shiftlens.export import bundle, session",
    "shiftlens.Host().offers()",
    "cli._run_command_line(['plugins'])",
    "cli._run_command_line(['schema'])",
)


def test_light_parts_load_no_heavy_library():
    """One after the other in one process, for what a part loads stays."""
    look = "print([m for m in ('torch', 'sklearn') if m in sys.modules], file=sys.stderr)"
    code = "\n".join(f"{statement}\n{look}" for statement in ("import sys", *LIGHT))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert dict(zip(("nothing", *LIGHT), loaded, strict=True)) == dict.fromkeys(("nothing", *LIGHT), "[]")


def test_every_public_name_can_be_had():
    import shiftlens

    for name in shiftlens.__all__:
        assert getattr(shiftlens, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        shiftlens.nothing  # noqa: B018
