"""Built-in factors: nameable properties of a sample that can be measured and changed (patent, paragraph 66).

One family, one module; each module lists its descriptions in ``FACTORS``.
"""

from __future__ import annotations

from collections.abc import Iterable

from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import (
    channels,
    colour,
    columns,
    framing,
    geometry,
    jpeg,
    noise,
    occlusion,
    orientation,
    resolution,
    sampling_rate,
    series,
    spectrum,
    strokes,
    tone,
    value_range,
)

FAMILIES = (colour, tone, spectrum, noise, strokes, geometry, jpeg, occlusion, series, columns)
DISCRETE = (orientation, channels, value_range, framing, resolution, sampling_rate)
"""Faults of preprocessing: changes that have no strength."""


@hookimpl
def shiftlens_factors() -> Iterable[Factor]:
    for family in FAMILIES + DISCRETE:
        yield from family.FACTORS
