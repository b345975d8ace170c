"""What a plugin's code is: a plugin that is being written changes without its version."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any


def code_of(build: Callable[[Any], Any]) -> str:
    """Hash of the Python files of the package that ``build`` comes from; an empty string where it has no file.

    A package is read whole, as a component may stand on any module of it; a module outside any package is read alone.
    """
    while isinstance(build, partial):
        build = build.func
    module = sys.modules.get(getattr(build, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        return ""
    package = sys.modules.get(module.__name__.partition(".")[0])
    folders = [Path(folder) for folder in getattr(package, "__path__", ())]
    files = sorted(path for folder in folders for path in folder.rglob("*.py")) or [Path(file)]
    shared = os.path.commonpath([path.parent for path in files])
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(shared).as_posix()}\0".encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()[:16]
