"""The rules that `shiftlens.testing` holds plugins to."""

from __future__ import annotations


def page() -> str:
    """The page to which every failed rule points."""
    from shiftlens.core.testing import rules_markdown

    return rules_markdown()
