"""A change moves one factor by a fitted distribution of strengths; a plan is an ordered list of changes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.causes.parts import in_parts, parts_of, rows_per_part
from shiftlens.core.causes.statistics import centre, wrapped
from shiftlens.core.errors import ExportError
from shiftlens.core.host.kinds import (
    ComponentSettings,
    DiscreteWorker,
    Factor,
    FactorWorker,
    OnnxOperation,
    Variant,
)

EVEN = np.sqrt(3.0)
"""Half the width of a uniform distribution of spread one: the individual part of a sample's strength."""


MOST_SKEW = 0.28
"""Up to here a larger random number means a larger change."""


class FactorFault(Exception):
    """A factor that cannot be used on these samples: it is left out, the others go on."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"{name}: {reason}")


@dataclass(frozen=True)
class ActiveFactor:
    """One factor of this analysis: its description and the worker that was built from it, with these settings.

    ``measure`` and ``shift`` are the worker's, asked in parts (see `parts`), with every answer checked; a wrong one
    raises `FactorFault`.

    A discrete factor has no measure. With the ``variant`` that was chosen, its shift by 1 makes that change, one by -1
    takes it back, and one by less than a half does nothing.
    """

    name: str
    description: Factor
    worker: FactorWorker
    settings: ComponentSettings | None = None
    variant: str = ""

    @property
    def discrete(self) -> bool:
        """Whether its change is made whole or not at all, in one of several ways."""
        return bool(self.description.variants)

    @property
    def chosen(self) -> Variant | None:
        """Of a discrete factor the way that was chosen; None for all others."""
        return next((v for v in self.description.variants if v.name == self.variant), None)

    def as_variant(self, name: str) -> ActiveFactor:
        """The discrete factor that changes samples in this way."""
        return replace(self, variant=name)

    @cached_property
    def period(self) -> float | None:
        """The period of a circular measure, such as 360 degrees of hue; None for all others."""
        return self._declared("period")

    @cached_property
    def span(self) -> float | None:
        """A change that people notice, in the measure's unit; None: the spread of the measure over the samples."""
        return self._declared("span")

    def _declared(self, field: str) -> float | None:
        """A field of the description; until 0.3 also an attribute of the worker, where these two once stood."""
        declared: float | None = getattr(self.description, field)
        of_worker: float | None = getattr(self.worker, field, None)
        if declared is not None or of_worker is None:
            return declared
        warnings.warn(
            f"the worker of the factor {self.name} has an attribute {field}, which 0.3 will not look at: say "
            f"Factor({field}={of_worker:g}) instead",
            DeprecationWarning,
            stacklevel=2,
        )
        return of_worker

    def onnx(self, sample_shape: tuple[int, ...], rng: np.random.Generator) -> OnnxOperation:
        """Its ONNX form for samples of this shape, which does what ``shift`` does to one sample with the same ``rng``.

        Raises:
            ExportError: it has none, or none that can be used.
        """
        if self.description.onnx is None:
            raise ExportError(f"{self.name} has no ONNX form: {self.description.why_no_onnx or 'none was written'}")
        settings = self.settings if self.settings is not None else self.description.settings()
        try:
            form = self.description.onnx(settings, sample_shape, self.variant if self.discrete else rng.spawn(1)[0])
        except Exception as error:  # the plugin's own code, which may raise anything
            reason = f"{type(error).__name__}: {error}"
            raise ExportError(f"the ONNX form of {self.name} cannot be made: {reason}") from error
        if not isinstance(form, OnnxOperation):
            raise ExportError(f"the ONNX form of {self.name} is no OnnxOperation")
        return form

    @property
    def interventional(self) -> bool:
        """Whether it can be changed, not only measured."""
        return self.description.interventional

    def refuses(self, x: FloatArray) -> str:
        """Why it makes no sense for such samples; an empty string where it does."""
        try:
            return str(self.worker.refuses(x) or "")
        except Exception as error:
            raise FactorFault(self.name, f"its refuses() raised {error!r}") from error

    def measure(self, x: FloatArray) -> Floats:
        """``(n,)`` float64; NaN where a sample has no such property."""
        if self.discrete:
            raise FactorFault(self.name, "a discrete factor has no measure")

        def measured(rows: slice) -> Floats:
            part = x[rows]
            try:
                values = np.asarray(self.worker.measure(part), dtype=np.float64)
            except Exception as error:
                raise FactorFault(self.name, f"its measure raised {error!r}") from error
            if values.shape != (len(part),):
                raise FactorFault(self.name, f"its measure gave shape {values.shape} for {len(part)} samples")
            return values

        values = np.concatenate(in_parts(measured, parts_of(len(x), rows_per_part(x.shape[1:]))))
        if np.isinf(values).any() or (len(x) and np.isnan(values).mean() > 0.5):
            raise FactorFault(self.name, "its measure is not a finite number on most of the samples")
        return values

    def measured_or_nan(self, x: FloatArray) -> Floats:
        """``(n,)``, unchecked: NaN is an answer here; of a discrete factor the only one."""
        return np.full(len(x), np.nan) if self.discrete else self.worker.measure(x)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        """``x`` changed by ``delta`` ``(n,)`` units."""
        if self.discrete:
            return self._switched(x, delta)
        parts = parts_of(len(x), rows_per_part(x.shape[1:]))
        chance = dict(zip((part.start for part in parts), rng.spawn(len(parts)), strict=True))
        result = np.empty(x.shape, dtype=np.float32)

        def shifted(rows: slice) -> None:
            part = x[rows]
            try:
                changed = np.asarray(self.worker.shift(part, delta[rows], chance[rows.start]), dtype=np.float32)
            except Exception as error:
                raise FactorFault(self.name, f"its shift raised {error!r}") from error
            if changed.shape != part.shape:
                raise FactorFault(self.name, f"its shift gave shape {changed.shape[1:]} for samples of {x.shape[1:]}")
            if not np.isfinite(changed).all():
                raise FactorFault(self.name, "its shift gave values that are not finite")
            result[rows] = changed

        in_parts(shifted, parts)
        return result

    def signs(self, x: FloatArray) -> Floats:
        """``(n, k)`` float64 figures by which a discrete factor's change is recognised."""

        def seen(rows: slice) -> Floats:
            part = x[rows]
            try:
                values = np.asarray(self._discrete_worker.signs(part), dtype=np.float64)
            except Exception as error:
                raise FactorFault(self.name, f"its signs raised {error!r}") from error
            if values.ndim != 2 or len(values) != len(part):
                raise FactorFault(self.name, f"its signs gave shape {values.shape} for {len(part)} samples")
            if not np.isfinite(values).all():
                raise FactorFault(self.name, "its signs are not finite")
            return values

        return np.concatenate(in_parts(seen, parts_of(len(x), rows_per_part(x.shape[1:]))))

    def _switched(self, x: FloatArray, delta: Floats) -> FloatArray:
        """``x`` with the chosen variant made where ``delta`` is at least a half, and taken back where at most minus."""
        result = np.array(x, dtype=np.float32)
        for rows, switch in ((delta >= 0.5, "make"), (delta <= -0.5, "undo")):
            for part in parts_of(int(rows.sum()), rows_per_part(x.shape[1:])) if rows.any() else ():
                places = np.flatnonzero(rows)[part]
                try:
                    changed = np.asarray(
                        getattr(self._discrete_worker, switch)(x[places], self.variant), dtype=np.float32
                    )
                except Exception as error:
                    raise FactorFault(self.name, f"its {switch} raised {error!r}") from error
                if changed.shape != x[places].shape:
                    raise FactorFault(
                        self.name, f"its {switch} gave shape {changed.shape[1:]} for samples of {x.shape[1:]}"
                    )
                if not np.isfinite(changed).all():
                    raise FactorFault(self.name, f"its {switch} gave values that are not finite")
                result[places] = changed
        return result

    @property
    def _discrete_worker(self) -> DiscreteWorker:
        return cast(DiscreteWorker, self.worker)  # as the description says by its variants


@dataclass(frozen=True)
class Change:
    """One factor with the distribution of its strengths over samples, all in the measure's unit.

    A sample that measures m, with its own even random number u of mean 0 and spread 1, is moved by
    ``offset + slope * (m - middle) + spread * (u + skew * (u² - 1))``: everybody's part, a part that depends on where
    the sample stands (a halved contrast), and a part of its own, more of whose samples lie at one end where it is
    skewed.

    Of a discrete factor ``offset`` is the share of the samples that are changed, and all else is nought.
    """

    factor: ActiveFactor
    offset: float
    slope: float = 0.0
    spread: float = 0.0
    middle: float = 0.0
    skew: float = 0.0

    @property
    def name(self) -> str:
        """The factor's name."""
        return self.factor.name

    def deltas(self, x: FloatArray, u: Floats) -> Floats:
        """``(n,)`` strengths for samples ``x`` with their random numbers ``u`` ``(n,)``."""
        if self.factor.discrete:
            return np.asarray((u + EVEN) / (2 * EVEN) < self.offset, dtype=np.float64)
        delta = self.offset + self.spread * (u + self.skew * (u * u - 1))
        if self.slope:
            around = wrapped(self.factor.measure(x) - self.middle, self.factor.period)
            delta = delta + self.slope * np.nan_to_num(around)
        return delta

    def scaled(self, part: float) -> Change:
        """The same change at a part of its strength."""
        return replace(self, offset=self.offset * part, slope=self.slope * part, spread=self.spread * part)


Plan = tuple[Change, ...]
"""Changes in the order in which they are made."""


def individual_parts(names: Iterable[str], count: int, seed: int) -> dict[str, Floats]:
    """Each sample's own random number for each factor, ``(count,)``, even, of mean 0 and spread 1.

    They depend on the factor's name and the seed alone, so that two plans meet the same numbers.
    """
    return {
        name: np.random.default_rng([seed, *name.encode()]).uniform(-EVEN, EVEN, count) for name in dict.fromkeys(names)
    }


def apply(
    plan: Iterable[Change],
    x: FloatArray,
    own: Mapping[str, Floats],
    seed: int,
    parts: Mapping[str, Floats] | None = None,
) -> FloatArray:
    """Samples ``x`` ``(n, *sample)`` changed by the plan.

    Args:
        own: each sample's random numbers, see `individual_parts`.
        parts: for each factor the part of its full strength per sample, ``(n,)``; all of it where left out.
    """
    for change in plan:
        delta = change.deltas(x, own[change.name])
        if parts is not None:
            delta = delta * parts[change.name]
        x = change.factor.shift(x, delta, np.random.default_rng([seed, 7, *change.name.encode()]))
    return x


def reached_share(change: Change, before: FloatArray, after: FloatArray, delta: Floats) -> float:
    """How much of the wanted movement the measure made: the slope of what it did on what it was asked to do.

    A circular measure that was turned by more than half round is read again on the other side, so samples turned by
    less are looked at where there are any; what each did is taken as near to what was asked as whole turns allow.
    """
    return share_reached(change.factor.measure(before), change.factor.measure(after), delta, change.factor.period)


def share_reached(before: Floats, after: Floats, delta: Floats, period: float | None) -> float:
    """As `reached_share`, of measures ``(n,)``."""
    moved = delta + wrapped(after - before - delta, period)
    known = np.isfinite(moved) & np.isfinite(delta)
    if period and (less := known & (np.abs(delta) <= period / 2)).any():
        known = less
    wanted = float((delta[known] ** 2).sum())
    return float((moved[known] * delta[known]).sum() / wanted) if wanted > 0 else 1.0


LIMITS = {"image": (0.0, 1.0)}
"""Ends of the valid range of a value, for the kinds of sample that have one."""


def clipped_share(kind: str, before: FloatArray, after: FloatArray) -> float | None:
    """Share of values that a change drove to an end of their range; None for kinds without a range."""
    if kind not in LIMITS:
        return None
    low, high = LIMITS[kind]
    inside = (before > low) & (before < high)
    return float((inside & ((after <= low) | (after >= high))).mean())


def undo(change: Change, target: FloatArray, reference: Floats, seed: int) -> FloatArray:
    """Target samples with this factor brought back: its measure moved, quantile to quantile, to the reference.

    ``reference`` ``(n,)`` is the measure on source samples that were given all the *other* changes.
    """
    delta = undoing(change.factor, change.factor.measure(target), reference)
    return change.factor.shift(target, delta, np.random.default_rng([seed, 13]))


def undoing(factor: ActiveFactor, measured: Floats, reference: Floats) -> Floats:
    """``(n,)`` by how much `undo` moves samples that measure so much."""
    known = np.isfinite(measured)
    reference = reference[np.isfinite(reference)]
    delta = np.zeros(len(measured))
    if known.any() and len(reference):
        here, there = centre(measured, factor.period), centre(reference, factor.period)
        around = wrapped(measured[known] - here, factor.period)
        rank = (np.argsort(np.argsort(around)) + 0.5) / len(around)
        goal = np.quantile(wrapped(reference - there, factor.period), rank)
        delta[known] = wrapped(there - here, factor.period) + goal - around
    return delta
