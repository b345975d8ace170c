"""A component with what it is checked with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tried:
    """A component and what it is checked with."""

    component: Any
    settings: Callable[[Path], dict[str, Any]] = lambda folder: {}
