"""Generators are trained here: torch leaves a core to the others, as it does in the loop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shiftlens.core.learning.devices import one_core_free


@pytest.fixture(autouse=True)
def calm() -> Iterator[None]:
    with one_core_free():
        yield
