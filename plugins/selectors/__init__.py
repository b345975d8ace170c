"""Built-in selectors: one file each, each with its description as ``SELECTOR``."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.host.kinds import Selector
from shiftlens.plugins.selectors import extremes, indices, nearest, threshold


@hookimpl
def shiftlens_selectors() -> Iterator[Selector]:
    """The selectors of this room."""
    yield threshold.SELECTOR
    yield extremes.SELECTOR
    yield nearest.SELECTOR
    yield indices.SELECTOR
