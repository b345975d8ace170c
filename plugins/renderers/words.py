"""Words of the page; its numbers are those of the sentences, `shiftlens.core.results.numbers`."""

from __future__ import annotations

from collections.abc import Sequence

from shiftlens.core.results.numbers import THIN, UNKNOWN, interval, number, percent, points, signed, with_unit

__all__ = [
    "THIN",
    "TITLES",
    "UNKNOWN",
    "VERDICTS",
    "count",
    "factor_title",
    "interval",
    "listed",
    "number",
    "percent",
    "points",
    "signed",
    "with_unit",
]

VERDICTS = ("harmful", "unclear", "harmless", "unchanged")  # in the order in which they are told
TITLES = {
    "jpeg": "JPEG compression",
    "position-x": "horizontal position",
    "position-y": "vertical position",
    "class-mix": "mix of classes",
}


def factor_title(factor: str, columns: Sequence[str] = ()) -> str:
    """How a person calls a factor: "stroke thickness"; a column of a table keeps its name."""
    return factor if factor in columns else TITLES.get(factor, factor.replace("-", " "))


def count(value: int, singular: str) -> str:
    """``1 sample``, ``5,000 samples``."""
    plural = f"{singular}es" if singular.endswith("s") else f"{singular}s"
    return f"{value:,} {singular if value == 1 else plural}"


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
