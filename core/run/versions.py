"""Versions of what the figures depend on."""

from __future__ import annotations

import platform
from importlib import metadata

import shiftlens

LIBRARIES = ("numpy", "torch", "onnx", "onnxruntime-gpu", "onnxruntime", "scipy")


def versions() -> dict[str, str]:
    """Versions of what the figures depend on, read without importing it."""
    found = {"shiftlens": shiftlens.__version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found
