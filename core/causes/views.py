"""Large images as the search sees them: the whole made small, and beside it the middle at full size.

What shifted is searched by changing and measuring some hundred samples some hundred times. At 224 px that takes an
hour, and most of what it looks at (light, colour, place, size, tilt) shows as well in a small copy. What lives in
single pixels (noise, compression, how steep edges are) does not: averaging takes it away. So each sample becomes a
*view*: an area-averaged copy of the whole and, at its right, a crop of the middle at full size. Every change is made
on both.

Of the copy only coarse measures count: a copy that is enlarged loses detail which the original would have shown.

A factor tells by `Factor.size` where it is read: on the copy, or for ``"full"`` on the crop. All strengths are in the
unit that the measure has at full size: pixels are counted in pixels of the original. What a change of single pixels
does to the copy is measured beforehand, on some samples that are changed at full size and then averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.causes.changes import ActiveFactor, FactorFault, Plan
from shiftlens.core.causes.parts import in_parts, parts_of, rows_per_part
from shiftlens.core.causes.sample_statistics import broad_measures, coarse_measures, fine_measures
from shiftlens.core.causes.statistics import wrapped
from shiftlens.core.data.samples import LazySamples

SIDE = 64
"""Shorter side of a copy, and side of a crop, in px."""
LARGE = 96
"""Shorter side of an image, in px, above which it is looked at in this way."""
TAUGHT = 24
"""LazySamples that are changed at full size to learn what that does to their copies..."""
TAUGHT_AT = (-2.0, -1.0, -0.4, 0.4, 1.0, 2.0)
"""...at so many times the gap between the domains."""


@dataclass(frozen=True)
class ViewLayout:
    """Where copy and crop stand in a view ``(n, C, max(h, SIDE), w + SIDE)`` of images ``(n, C, height, width)``."""

    height: int
    width: int

    @property
    def part(self) -> float:
        """Side of a copy over that of the original."""
        return SIDE / min(self.height, self.width)

    @property
    def size(self) -> tuple[int, int]:
        """``(h, w)`` of the copy."""
        return round(self.height * self.part), round(self.width * self.part)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Top, left, bottom and right of the crop, as shares of the original's sides."""
        top, left = (self.height - SIDE) // 2, (self.width - SIDE) // 2
        return (
            top / self.height, left / self.width, (top + SIDE) / self.height, (left + SIDE) / self.width
        )  # fmt: skip

    def copy(self, view: FloatArray) -> FloatArray:
        """``(n, C, h, w)`` of a view."""
        height, width = self.size
        return np.ascontiguousarray(view[:, :, :height, :width])

    def crop(self, view: FloatArray) -> FloatArray:
        """``(n, C, SIDE, SIDE)`` of a view."""
        return np.ascontiguousarray(view[:, :, :SIDE, self.size[1] :])

    def joined(self, copy: FloatArray, crop: FloatArray) -> FloatArray:
        """The view of a copy and a crop."""
        height, width = self.size
        view = np.zeros((len(copy), copy.shape[1], max(height, SIDE), width + SIDE), dtype=np.float32)
        view[:, :, :height, :width] = copy
        view[:, :, :SIDE, width:] = crop
        return view

    def of(self, x: FloatArray) -> FloatArray:
        """The view of images ``(n, C, height, width)``."""
        rows, columns = (averaging(*ends) for ends in zip((self.height, self.width), self.size, strict=True))
        top, left = (self.height - SIDE) // 2, (self.width - SIDE) // 2
        return self.joined(
            np.asarray(rows @ x @ columns.T, dtype=np.float32), x[:, :, top : top + SIDE, left : left + SIDE]
        )


@cache
def averaging(long: int, short: int) -> FloatArray:
    """``(short, long)``: the mean over each of ``short`` equal stretches of ``long`` values, with parts of a value."""
    edges = np.linspace(0, long, short + 1)
    places = np.arange(long)
    shared = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
    return np.asarray(np.maximum(shared, 0) * short / long, dtype=np.float32)


@dataclass(frozen=True)
class ViewedFactor(ActiveFactor):
    """A factor that is measured and changed on views, in the unit that it has at full size.

    Attributes:
        layout: of the views.
        on_copy: for a factor of full size, what it does to the copy's measure, from what it does to the crop's.
    """

    layout: ViewLayout = ViewLayout(SIDE, SIDE)
    on_copy: Callable[[Floats], Floats] = np.zeros_like

    @property
    def scale(self) -> float:
        """Size of its unit on a copy, over that at full size."""
        return self.layout.part if self.description.unit == "px" else 1.0

    def seen(self, view: FloatArray) -> FloatArray:
        """What it is read on."""
        return self.layout.crop(view) if self.description.size == "full" else self.layout.copy(view)

    def refuses(self, x: FloatArray) -> str:
        return super().refuses(self.seen(x))

    def measure(self, x: FloatArray) -> Floats:
        measured = super().measure(self.seen(x))
        return measured if self.description.size == "full" else measured / self.scale

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        copy, crop, shift = self.layout.copy(x), self.layout.crop(x), super().shift
        if self.description.size == "full":
            return self.layout.joined(shift(copy, self.on_copy(delta), rng), shift(crop, delta, rng))
        delta = delta * self.scale
        if self.description.size == "any":
            return self.layout.joined(shift(copy, delta, rng), shift(crop, delta, rng))
        if not hasattr(self.worker, "shift_cut"):
            return self.layout.joined(shift(copy, delta, rng), crop)
        return self.layout.joined(*self._shift_cut(copy, crop, delta, rng))

    def _shift_cut(
        self, copy: FloatArray, crop: FloatArray, delta: Floats, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Both by the worker's own rule, in parts, checked as `ActiveFactor.shift` does."""
        parts = parts_of(len(copy), rows_per_part(copy.shape[1:]))
        chance = dict(zip((part.start for part in parts), rng.spawn(len(parts)), strict=True))

        def shifted(rows: slice) -> tuple[FloatArray, FloatArray]:
            try:
                changed = self.worker.shift_cut(  # type: ignore[attr-defined]
                    copy[rows], crop[rows], self.layout.box, delta[rows], chance[rows.start]
                )
            except Exception as error:
                raise FactorFault(self.name, f"its shift_cut raised {error!r}") from error
            if [part.shape for part in changed] != [copy[rows].shape, crop[rows].shape]:
                raise FactorFault(self.name, f"its shift_cut gave shapes {[part.shape for part in changed]}")
            return changed[0], changed[1]

        made = in_parts(shifted, parts)
        return np.concatenate([part[0] for part in made]), np.concatenate([part[1] for part in made])


@dataclass(frozen=True)
class Sight:
    """How the search sees the samples: as they are, or as views.

    Attributes:
        of: a view of samples ``(n, *sample)``.
        broad: the broad measures of views, ``(n, k)``.
        layout: None where views are the samples themselves.
    """

    of: Callable[[FloatArray], FloatArray]
    broad: Callable[[FloatArray], Floats]
    layout: ViewLayout | None = None

    def samples(self, whole: LazySamples) -> LazySamples:
        """The views of samples, made when they are asked for."""
        layout = self.layout
        if layout is None:
            return whole

        def batch(rows: IntArray) -> FloatArray:
            chosen = whole.some(rows)
            return np.concatenate([layout.of(chosen[part]) for part in chosen.parts()])

        height, width = layout.size
        shape = (whole.sample_shape[0], max(height, SIDE), width + SIDE)
        return LazySamples(batch, np.arange(len(whole)), shape)


def sight_of(kind: str, sample_shape: tuple[int, ...]) -> Sight:
    """Views for images that are large, and only for these."""
    if kind != "image" or min(sample_shape[1:]) <= LARGE:
        return Sight(lambda x: x, lambda x: broad_measures(kind, x))
    layout = ViewLayout(*sample_shape[1:])

    def broad(view: FloatArray) -> Floats:
        return np.concatenate([coarse_measures(layout.copy(view)), fine_measures(layout.crop(view))], axis=1)

    return Sight(layout.of, broad, layout)


def viewed(factors: Sequence[ActiveFactor], sight: Sight) -> list[ActiveFactor]:
    """Factors with a strength as they work on views."""
    if sight.layout is None:
        return list(factors)
    return [ViewedFactor(f.name, f.description, f.worker, f.settings, layout=sight.layout) for f in factors]


def taught(factor: ActiveFactor, source: LazySamples, gap: float, sight: Sight) -> ActiveFactor:
    """A factor of full size that knows what it does to copies: learned on a few of the source's samples."""
    if not isinstance(factor, ViewedFactor) or factor.description.size != "full" or not gap:
        return factor
    x, layout, whole = source[slice(0, TAUGHT)], factor.layout, _whole(factor)
    begun = whole.measure(layout.copy(sight.of(x)))
    strengths, moved = [0.0], [0.0]
    for part in TAUGHT_AT:
        changed = whole.shift(x, np.full(len(x), part * abs(gap)), np.random.default_rng(0))
        after = whole.measure(layout.copy(sight.of(changed)))
        strengths.append(part * abs(gap))
        moved.append(float(np.nanmean(wrapped(after - begun, factor.period))))
    order = np.argsort(strengths)
    known, reached = np.array(strengths)[order], np.array(moved)[order]
    return replace(factor, on_copy=lambda delta: np.asarray(np.interp(delta, known, reached)))


def _whole(factor: ActiveFactor) -> ActiveFactor:
    """The factor as it works on the samples themselves."""
    return ActiveFactor(factor.name, factor.description, factor.worker, factor.settings)


def at_full_size(plan: Plan) -> Plan:
    """The plan, to be made on the samples themselves."""
    return tuple(replace(change, factor=_whole(change.factor)) for change in plan)
