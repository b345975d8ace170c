"""Delay, speed and missing stretches: what happens to a series along its time axis."""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import BoolArray, FloatArray, Floats, IntArray
from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors.series_parts import envelope, ground, highest, per_sample, put_back, rest
from shiftlens.plugins.factors.series_vocoder import stretched

SHORTEST_SOUND = 256  # values below which a series has too few frames for the vocoder
FULL = 0.6  # part of the length from which on an event has no silence left around it
SHORTEST_CURVE = 8
CLEAR = 0.1  # part of the variation that the first harmonic must hold for a place to be told
CORRECTED = (0.75, 1.25)  # bounds of the correction for what a delay loses at the edges
FASTEST = 1.0  # doublings of the speed, up or down
ONSET = 0.1  # part of the peak of the envelope at which an event begins
DROPOUT = 0.05  # length of one dropout, of the series
MOST_MISSING = 0.9


class Delay:
    """Where in the length the series is high: the phase of the first harmonic of its upper envelope.

    Nothing but the place counts: not the level, the amplitude, or silence and even noise around. Changed by whole
    steps, rounded up or down at random so that the mean is right; the edges are held.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in % of the length, from 0 to 100 in a circle; NaN where the series is as high everywhere."""
        upper = highest(x)
        length = x.shape[2]
        wave = upper @ np.exp(2j * np.pi * np.arange(length) / length)
        around = np.abs(upper - upper.mean(1, keepdims=True)).sum(1, dtype=np.float64)
        clear = np.abs(wave) > CLEAR * np.maximum(around, 1e-9)
        return np.where(clear, np.mod(np.angle(wave) * 50 / np.pi, 100), np.nan)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        steps = delta * x.shape[2] / 100
        # What is held at one edge and lost at the other counts in the measure, too: one trial tells how much.
        tried = np.where(np.abs(steps) < 1, np.copysign(1, steps), np.round(steps)).astype(np.int64)
        moved = self.measure(moved_by(x, tried)) - self.measure(x)
        part = (np.mod(moved + 50, 100) - 50) * x.shape[2] / 100 / tried
        steps = steps / np.clip(np.nan_to_num(part, nan=1), *CORRECTED)
        return moved_by(x, np.floor(steps + rng.random(len(x))).astype(np.int64))

    def refuses(self, x: FloatArray) -> str:
        if x.shape[2] < SHORTEST_CURVE:
            return f"series of {x.shape[2]} values are too short for a delay"
        if np.isnan(self.measure(x)).mean() > 0.5:
            return "most samples are as high at every time: there is nothing whose place could be told"
        return ""


def moved_by(x: FloatArray, steps: IntArray) -> FloatArray:
    """Each series ``steps`` ``(N,)`` later; the value at the edge is held."""
    length = x.shape[2]
    times = np.clip(np.arange(length) - steps[:, None], 0, length - 1)  # (N, T)
    return np.take_along_axis(x, times[:, None, :], axis=2)


class Speed:
    """How often the event would fit into the series, in doublings: 1 means that it takes half of the length.

    The event's length is that of its power, counted by participation: ``(sum p)² / sum p²``. Changed by a phase
    vocoder from the onset on, so that pitch, onset and loudness stay; what no longer fits is cut off at the end.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in doublings, 0 for an event that fills the series; NaN for constant series."""
        filled = event_share(envelope(x))
        return np.where(filled > 0, -np.log2(np.where(filled > 0, filled, 1)), np.nan)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        ratio = 2 ** np.clip(delta, -FASTEST, FASTEST)
        shape = envelope(x)
        onset = np.argmax(shape > ONSET * shape.max(1, keepdims=True), axis=1)
        quiet = ground(x)
        changed = quiet + stretched(x - quiet, ratio, onset.astype(np.float64))
        return np.where(per_sample(delta) == 0, x, put_back(changed, x))

    def refuses(self, x: FloatArray) -> str:
        if x.shape[2] < SHORTEST_SOUND:
            return f"series of {x.shape[2]} values are too short to be stretched without changing their frequencies"
        if np.mean(event_share(envelope(x)) > FULL) > 0.5:
            return "most samples fill their whole length: there is no event whose length could be told"
        return ""


def event_share(shape: FloatArray) -> Floats:
    """``(N,)``: part of the length of an envelope ``(N, T)`` that the event fills; 0 for constant series."""
    power = np.square(shape, dtype=np.float64)
    squares = np.einsum("nt,nt->n", power, power)
    return np.where(squares > 1e-24, power.sum(1) ** 2 / np.maximum(squares, 1e-24) / shape.shape[1], 0.0)


class Missing:
    """Share of the series that is a straight line (flat, held or interpolated), between its first and last movement.

    What stands still before the first and after the last movement counts as silence and not as missing. More puts
    dropouts of about a twentieth of the length at random places; less fills holes with what stands beside them,
    mirrored.
    """

    def measure(self, x: FloatArray) -> Floats:
        """``(N,)`` in [0, 1]; NaN for straight lines."""
        holes, active = holes_of(x)
        count = active.sum(1)
        return np.where(count > 0, holes.sum(1) / np.maximum(count, 1), np.nan)

    def shift(self, x: FloatArray, delta: Floats, rng: np.random.Generator) -> FloatArray:
        holes, active = holes_of(x)
        wanted = np.nan_to_num(delta * active.sum(1))  # values to drop, or to fill
        filled = filled_up(x, holes, np.round(np.maximum(-wanted, 0)))
        dropped = _dropouts(active & ~holes, np.maximum(wanted, 0), rng)
        around = rest(x)
        return np.where(dropped[:, None], x - around, filled)

    def refuses(self, x: FloatArray) -> str:
        if x.shape[2] < 2 * SHORTEST_CURVE:
            return f"series of {x.shape[2]} values are too short for missing stretches"
        return "most samples are straight lines" if np.isnan(self.measure(x)).mean() > 0.5 else ""


def shortest_hole(length: int) -> int:
    """Values from which a straight run counts: less than that happens by chance."""
    return max(4, length // 100)


def holes_of(x: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Which values are missing, and which lie between the first and the last movement, both ``(N, T)``."""
    length = x.shape[2]
    spread = rest(x).std(2)  # (N, C)
    rounding = 5e-7 * np.abs(x).max(2)
    tolerance = np.maximum(1e-4 * spread, rounding)[:, :, None]
    bend = np.ones((len(x), length), dtype=bool)
    bend[:, 1:-1] = (np.abs(np.diff(x, 2, axis=2)) > tolerance).any(1)
    first, last = run_ends(~bend)
    inside = ~bend & (last - first + 3 >= shortest_hole(length))
    straight = inside.copy()  # a run's two outer values belong to it, though the series bends there
    straight[:, 1:] |= inside[:, :-1]
    straight[:, :-1] |= inside[:, 1:]
    moving = ~straight
    active = np.maximum.accumulate(moving, axis=1) & np.maximum.accumulate(moving[:, ::-1], axis=1)[:, ::-1]
    return straight & active, active


def run_ends(mask: BoolArray) -> tuple[IntArray, IntArray]:
    """First and last place of the run of True that each place of ``(N, T)`` is in; of use only where it is True."""
    places = np.arange(mask.shape[1])
    first = np.maximum.accumulate(np.where(mask, -1, places), axis=1) + 1
    last = np.minimum.accumulate(np.where(mask, len(places), places)[:, ::-1], axis=1)[:, ::-1] - 1
    return first, last


def filled_up(x: FloatArray, holes: BoolArray, count: Floats) -> FloatArray:
    """``x`` with the first ``count`` ``(N,)`` missing values of each series filled from both sides, mirrored."""
    length = x.shape[2]
    first, last = run_ends(holes)
    chosen = holes & (np.cumsum(holes, axis=1) <= count[:, None])
    places = np.arange(length)
    part = ((places - first + 1) / np.maximum(last - first + 2, 1)).astype(np.float32)[:, None]
    before = np.take_along_axis(x, np.clip(2 * first - 1 - places, 0, length - 1)[:, None], axis=2)
    after = np.take_along_axis(x, np.clip(2 * last + 1 - places, 0, length - 1)[:, None], axis=2)
    return np.where(chosen[:, None], (1 - part) * before + part * after, x)


def _dropouts(allowed: BoolArray, wanted: Floats, rng: np.random.Generator) -> BoolArray:
    """Random runs among the allowed places ``(N, T)``, ``wanted`` ``(N,)`` of them on average.

    The allowed places, counted through, are parted evenly, and each part gets one run at a random place.
    """
    count, length = allowed.shape
    shortest = shortest_hole(length)
    room = allowed.sum(1)
    wanted = np.minimum(wanted, MOST_MISSING * room)
    usual = max(shortest, round(DROPOUT * length))
    runs = np.maximum(np.round(wanted / usual), 1)
    each = wanted / runs
    size = np.floor(each + rng.random(count))
    # A run that would be too short to be seen is made of the shortest size, and as much rarer.
    rare = each < shortest
    size[rare] = np.where(rng.random(count) < each / shortest, shortest, 0)[rare]
    rank = np.cumsum(allowed, axis=1) - 1.0
    share = np.maximum(room / runs, 1)[:, None]  # allowed places of one part
    part = np.minimum(np.floor(rank / share), runs[:, None] - 1).clip(0).astype(np.int64)
    place = rng.random((count, int(runs.max(initial=1))))
    start = 1 + np.take_along_axis(place, part, axis=1) * np.maximum(share - size[:, None] - 2, 0)
    inside = rank - part * share
    first = np.floor(start)
    return np.asarray(allowed & (inside >= first) & (inside < first + size[:, None]))


FACTORS: tuple[Factor, ...] = (
    Factor(
        name="speed",
        summary="how fast the event in a series runs, at the same pitch",
        build=lambda settings: Speed(),
        why_no_onnx="a phase vocoder works frame by frame, which ONNX cannot for strengths of their own",
        kinds=("series",),
        unit="doublings",
        span=0.25,
        noun=("Faster samples", "Slower samples"),
        confused_with=("noise", "missing"),
        reference="https://doi.org/10.1109/89.759041",
    ),
    Factor(
        name="delay",
        summary="where in its length the series is high",
        build=lambda settings: Delay(),
        why_no_onnx="nobody has written one for moves by whole steps that are tried first",
        kinds=("series",),
        unit="% of the length",
        period=100.0,
        span=5.0,
        noun=("Later samples", "Earlier samples"),
        confused_with=("speed", "trend"),
    ),
    Factor(
        name="missing",
        summary="share of the series that is flat, held or interpolated",
        build=lambda settings: Missing(),
        why_no_onnx="what it drops lies at places counted along each series",
        kinds=("series",),
        unit="share",
        span=0.1,
        noun=("More missing stretches", "Fewer missing stretches"),
    ),
)
