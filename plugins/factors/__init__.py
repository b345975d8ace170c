"""Built-in factors: nameable properties of a sample that can be measured and changed (patent, paragraph 66).

One family, one module; each module lists its descriptions in ``FACTORS``.
"""

from __future__ import annotations

from collections.abc import Iterable

from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import (
    colour,
    columns,
    geometry,
    jpeg,
    noise,
    occlusion,
    series,
    spectrum,
    strokes,
    tone,
)

FAMILIES = (colour, tone, spectrum, noise, strokes, geometry, jpeg, occlusion, series, columns)


@hookimpl
def shiftlens_factors() -> Iterable[Factor]:
    for family in FAMILIES:
        yield from family.FACTORS
