"""Makes of hostile inputs: an analysis of two domains as they are given, read by the first stage or by `init`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from realdata import digits

Write = Callable[[Path], Any]
Make = Callable[[Path], Iterable[object]]


def analysis(folder: Path, source: Any, target: Any, until: str = "data", **settings: Any) -> Iterable[object]:
    """Write the settings of two domains, each a path or a mapping of settings; the command that reads them."""
    raw = {
        "source": source if isinstance(source, dict) else {"path": str(source)},
        "target": target if isinstance(target, dict) else {"path": str(target)},
        "classifier": {"train": {"architecture": "auto"}},
        **settings,
    }
    path = folder / "analysis.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return "run", path, "--out", folder / "out", "--until", until, "--quiet"


def read(suffix: str, source: Write, target: Write | None = None, until: str = "data", **settings: Any) -> Make:
    """Two inputs ``before`` and ``after`` with this suffix, each written by a function of its path.

    Args:
        target: writes the second one; left out: the same again.
        settings: of both readers.
    """

    def make(folder: Path) -> Iterable[object]:
        before, after = folder / f"before{suffix}", folder / f"after{suffix}"
        source(before)
        (target or source)(after)
        both = [{"path": path.name, **settings} for path in (before, after)]
        return analysis(folder, *both, until=until)

    return make


def first(suffix: str, source: Write, target: Write | None = None, *options: str) -> Make:
    """As `read`, looked at by ``shiftlens init``."""

    def make(folder: Path) -> Iterable[object]:
        before, after = folder / f"before{suffix}", folder / f"after{suffix}"
        source(before)
        (target or source)(after)
        return "init", folder / "an", "--source", before, "--target", after, *options

    return make


def content(data: bytes | str) -> Write:
    """Writes these bytes."""
    return lambda path: path.write_bytes(data if isinstance(data, bytes) else data.encode())


def few() -> tuple[np.ndarray, np.ndarray]:
    """Sixty real digits ``(60, 1, 8, 8)`` float32 in [0, 1], and their labels as numbers 0 to 2."""
    x, y = digits()
    chosen = np.flatnonzero(y < 3)[:60]
    return x[chosen].astype(np.float32), y[chosen]
