"""Plugins that import from where names stood before still work, and are told."""

from __future__ import annotations

import subprocess
import sys


def test_a_former_module_is_the_same_one_and_says_that_it_goes():
    code = (
        "from shiftlens.core.kinds import Factor; from shiftlens.core.domain import Domain\n"
        "import shiftlens; assert shiftlens.Factor is Factor and shiftlens.Domain is Domain\n"
        "import shiftlens.core.host.kinds as home; assert home.__name__ == 'shiftlens.core.host.kinds', home\n"
        "assert home.__spec__.name == home.__name__, home.__spec__"
    )
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "shiftlens.core.kinds has moved" in done.stderr
    assert "import its names from `shiftlens`" in done.stderr
