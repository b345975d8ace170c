"""Numbers as a person reads them, in sentences and on every page alike.

Three digits at most, thousands separated, a real minus sign, and a narrow space that does not break before a unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

UNKNOWN = "–"
THIN = "\u202f"  # narrow no-break space, between a number and its unit


def number(value: float | None) -> str:
    """Three significant digits, thousands separated: ``0.034``, ``3.10``, ``1,250``; 0 below 0.0005."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 100:
        text = f"{size:,.0f}"
    elif size >= 10:
        text = f"{size:.1f}"
    elif size >= 0.1:
        text = f"{size:.2f}"
    elif size >= 0.0005:
        text = f"{size:.3f}".rstrip("0")
    else:
        return "0"
    return f"−{text}" if value < 0 else text


def signed(value: float | None) -> str:
    """A number with its sign, also where it is positive."""
    text = number(value)
    return f"+{text}" if value is not None and value > 0 and text not in ("0", UNKNOWN) else text


def with_unit(value: float | None, unit: str, say: Callable[[float | None], str] = number) -> str:
    """``3.10 px``; the number alone where there is no unit."""
    return f"{say(value)}{THIN}{unit}" if unit else say(value)


def percent(value: float | None, digits: int = 0) -> str:
    """A fraction as a percentage: ``0.942`` becomes ``94 %``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{abs(value) * 100:.{digits}f}"
    negative = value < 0 and float(text) != 0
    return f"{'−' if negative else ''}{text}{THIN}%"


def points(value: float | None) -> str:
    """A difference of two fractions in percentage points: ``0.243`` becomes ``24.3 points``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{abs(value) * 100:.1f}"
    sign = "−" if value < 0 and text != "0.0" else ""
    return f"{sign}{text} {'point' if text == '1.0' else 'points'}"


def interval(ci: Sequence[float] | None, say: Callable[[float], str] = number) -> str:
    """``" (0.44 to 0.54)"`` to stand behind a value, or nothing where there is no interval."""
    return "" if ci is None else f" ({say(ci[0])} to {say(ci[1])})"
