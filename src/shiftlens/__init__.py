"""shiftlens shows and proves which change in the data costs a classifier its accuracy.

The public names load on first use: ``import shiftlens`` imports neither torch nor onnxruntime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shiftlens.core.hookspecs import hookimpl
    from shiftlens.core.host import Host
    from shiftlens.core.pipeline import run
    from shiftlens.core.run import Run, load_run
    from shiftlens.core.settings import Settings, load_settings

__version__ = "0.1.0"
__all__ = ["Host", "Run", "Settings", "__version__", "hookimpl", "load_run", "load_settings", "run"]

_HOMES = {
    "Host": "shiftlens.core.host",
    "Run": "shiftlens.core.run",
    "Settings": "shiftlens.core.settings",
    "hookimpl": "shiftlens.core.hookspecs",
    "load_run": "shiftlens.core.run",
    "load_settings": "shiftlens.core.settings",
    "run": "shiftlens.core.pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'shiftlens' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
