"""Finds and imports the module that a user's callable stands in: by its file beside the settings, else as installed.

The folder of the settings often holds data of others too. So its modules can take no name from the library: it stands
behind everything installed while the module loads, and in no other case; a file ``random.py`` there is never taken for
Python's own, not even where it holds the callable.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
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
    """Import a module; what it raises comes through.

    One that this process has loaded before is loaded anew where a file that it read has changed since.
    """
    if _beside(module, folder) is None:
        return importlib.import_module(module)
    if any(_state(file) != state for file, state in _READ.get((module, folder), {}).items()):
        _unload(name for name, _ in _own(folder))
        del _READ[module, folder]
    _unload(_namesakes(folder))
    before = set(sys.modules)
    top, *rest = module.split(".")
    with _searched_last(folder):
        found = importlib.import_module(".".join([_top(top, folder), *rest]))
    remember(module, folder, [file for name, file in _own(folder) if name not in before])
    return found


_READ: dict[tuple[str, Path], dict[Path, tuple[int, int]]] = {}


def remember(module: str, folder: Path, read: Iterable[Path]) -> list[Path]:
    """Note files that a module read while it was loaded and called, as they are now; returns all noted so far."""
    noted = _READ.setdefault((module, folder), {})
    for file in read:
        noted.setdefault(file, _state(file))
    return sorted(noted)


def _own(folder: Path) -> list[tuple[str, Path]]:
    """Names and files of the modules loaded that stand in a folder, but not in an environment that lies there."""
    inside, installed = os.path.join(folder, ""), f"{os.sep}site-packages{os.sep}"
    files = [(name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items())]
    return [(name, Path(file)) for name, file in files if file and file.startswith(inside) and installed not in file]


def _namesakes(folder: Path) -> list[str]:
    """Modules that another analysis of this process brought along, where this folder has one of the same name."""
    noted = {file for (_, other), files in _READ.items() if other != folder for file in files}
    brought = {name for _, other in _READ if other != folder for name, file in _own(other) if file in noted}
    return [name for name in brought if _beside(name.partition(".")[0], folder) is not None]


def _unload(names: Iterable[str]) -> None:
    for name in list(names):
        sys.modules.pop(name, None)


def _state(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


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
