"""The plugin host and the analysis, in rooms by what they are about; no plugin is known by name here."""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED = {
    "shiftlens.core.domain": "shiftlens.core.data.domain",
    "shiftlens.core.kinds": "shiftlens.core.host.kinds",
    "shiftlens.core.report": "shiftlens.core.results.report",
    "shiftlens.core.scoring": "shiftlens.core.data.scoring",
}
"""Modules that plugins were told to import from. Their names come from `shiftlens` itself now; these go in 0.3."""


class _Moved(MetaPathFinder, Loader):
    """Finds a module under its former name, and says so."""

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        warnings.warn(
            f"{spec.name} has moved and goes in shiftlens 0.3: import its names from `shiftlens`",
            DeprecationWarning,
            stacklevel=2,
        )
        module = importlib.import_module(MOVED[spec.name])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has been executed under its own name, and keeps that."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


sys.meta_path.append(_Moved())
