"""Who may import whom, and what the light commands must not load."""

from __future__ import annotations

import subprocess
import sys

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


@pytest.mark.parametrize(
    "statement",
    [
        "import shiftlens",
        "import shiftlens; shiftlens.Host().offers()",
        "import shiftlens; shiftlens.Settings, shiftlens.load_run, shiftlens.hookimpl",
        "from shiftlens.core import cli; cli._run_command_line(['--help'])",
        "from shiftlens.core import cli; cli._run_command_line(['plugins'])",
        "from shiftlens.core import cli; cli._run_command_line(['schema'])",
        "from shiftlens.export import bundle, session",
    ],
)
def test_light_parts_load_no_heavy_library(statement):
    code = f"{statement}\nimport sys\nprint([m for m in ('torch', 'sklearn') if m in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().endswith("[]"), done.stderr


def test_every_public_name_can_be_had():
    import shiftlens

    for name in shiftlens.__all__:
        assert getattr(shiftlens, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        shiftlens.nothing  # noqa: B018
