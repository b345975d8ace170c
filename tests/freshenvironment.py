"""A fresh virtual environment for tests that install something."""

from __future__ import annotations

import os
import site
import venv
from pathlib import Path

from realdata import ROOT


def environment(folder: Path) -> dict[str, str]:
    """A fresh environment that sees this one's packages: what is installed into it stays in it."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    here = [*site.getsitepackages(), str(ROOT / "src")]
    (packages / "here.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in here))
    for command in ("shiftlens", "pytest"):
        script = folder / "bin" / command
        script.write_text(f'#!/bin/sh\nexec "{python}" -m {command} "$@"\n')
        script.chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path}
