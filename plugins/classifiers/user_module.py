"""Finds and imports the module that a user's callable stands in: by its file beside the settings, else as installed.

The folder of the settings often holds data of others too. So its modules can take no name from the library: it stands
behind everything installed while the module loads, and in no other case; a file ``random.py`` there is never taken for
Python's own, not even where it holds the callable.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


def file_of(module: str, folder: Path) -> Path | None:
    """The file of a module: in the folder, or installed; None where there is none (yet)."""
    beside = _beside(module, folder)
    if beside is not None:
        return beside
    try:
        spec = importlib.util.find_spec(module)
    except (Exception, SystemExit):  # a package above it is missing, or its own code, which runs here, fails
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None and spec.has_location else None


def load(module: str, folder: Path) -> ModuleType:
    """Import a module; what it raises comes through."""
    if _beside(module, folder) is None:
        return importlib.import_module(module)
    top, *rest = module.split(".")
    with _searched_last(folder):
        return importlib.import_module(".".join([_top(top, folder), *rest]))


def _beside(module: str, folder: Path) -> Path | None:
    """``a.b`` is ``a/b.py`` or ``a/b/__init__.py``."""
    place = folder.joinpath(*module.split("."))
    candidates = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def _top(top: str, folder: Path) -> str:
    """Import a module or package of the folder under its own name, or another where that is taken; returns the name."""
    file, place = _beside(top, folder), folder / top
    name = top if _is_free(top, file, place) else f"{top}_{hashlib.sha256(str(place).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return name
    if file is None:  # a folder of modules without an __init__.py
        package = ModuleType(name)
        package.__path__ = [str(place)]
        sys.modules[name] = package
        return name
    within = [str(place)] if file.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=within)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return name


def _is_free(top: str, file: Path | None, place: Path) -> bool:
    """Whether nothing else is, or would be, imported under this name."""
    if top in sys.modules:
        loaded = sys.modules[top]
        return str(file) == getattr(loaded, "__file__", "") or [str(place)] == list(getattr(loaded, "__path__", ()))
    spec = importlib.util.find_spec(top)
    return spec is None or spec.origin == str(file)


@contextmanager
def _searched_last(folder: Path) -> Iterator[None]:
    """Let what the module imports in turn be found in its folder, unless it is installed."""
    sys.path.append(str(folder))
    importlib.invalidate_caches()  # files that were written a moment ago
    try:
        yield
    finally:
        sys.path.reverse()
        sys.path.remove(str(folder))  # the last one: the user may have the folder on the path anyway
        sys.path.reverse()
