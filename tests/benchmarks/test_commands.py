"""The commands that the pages of the benchmarks give."""

from __future__ import annotations

import re

import pytest
from realdata import ROOT

SCRIPTS = sorted(path for path in (ROOT / "benchmarks").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_what_imports_its_neighbours_is_run_as_a_module(script):
    """``python benchmarks/x.py`` does not find ``benchmarks``; ``python -m benchmarks.x`` does."""
    if not re.search(r"^(from|import) benchmarks\b", script.read_text(encoding="utf-8"), re.MULTILINE):
        return
    for page in (script, *(ROOT / "benchmarks").glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        assert f"python benchmarks/{script.name}" not in page.read_text(encoding="utf-8"), page
