"""Paths as they stand in a settings file."""

from __future__ import annotations

import os
from pathlib import Path


def relative(path: Path, base: Path) -> str:
    """The path as seen from the settings file; absolute where there is no way, as between drives."""
    try:
        return Path(os.path.relpath(path.expanduser().resolve(), base)).as_posix()
    except ValueError:
        return path.resolve().as_posix()
