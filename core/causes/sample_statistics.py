"""Broad measures: many plain statistics of a sample, against which the joint fit of what shifted is checked.

They name nothing and belong to no factor. Their use is that a change which is blamed on the wrong factor shows in some
of them: a zoom blurs, but it also moves the lowest frequencies. One function per kind of sample; a kind without one
is fitted by the factors' own measures alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from scipy import fft

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.causes.parts import in_parts, parts_of, rows_per_part

RINGS = ((1e-6, 0.06), (0.06, 0.12), (0.12, 0.2), (0.2, 0.3), (0.3, 0.75))
"""Of spatial frequency, in waves per pixel."""
SHORTEST = 3
"""Pixels a side that second differences take."""


def broad_measures(kind: str, x: FloatArray) -> Floats:
    """``(n, k)`` statistics of samples ``x`` ``(n, *sample)``; k depends on kind and sample shape, and may be 0."""
    measure = BY_KIND.get(kind)
    if measure is None:
        return np.zeros((len(x), 0))

    def measured(rows: slice) -> Floats:
        part = x[rows]
        return measure(part if np.isfinite(part).all() else np.nan_to_num(part))

    return np.concatenate(in_parts(measured, parts_of(len(x), rows_per_part(x.shape[1:]))))


def _of_images(x: FloatArray) -> Floats:
    """``(n, C, H, W)`` in [0, 1]: light, colour, edges, frequency bands, orientation, place, blocks, flat area."""
    missing = [(0, max(0, SHORTEST - length)) for length in x.shape[2:]]
    if any(after for _, after in missing):  # differences need neighbours; repeated ends add none that were not there
        x = np.pad(x, ((0, 0), (0, 0), *missing), mode="edge")
    luma = _luma(x)
    spread, centred = luma.std((1, 2)), luma - luma.mean((1, 2), keepdims=True)
    columns = [*_light_and_colour(x, luma), *_edges(luma, spread), *_bands(centred, RINGS), *_place(luma)]
    return np.stack(columns, axis=1).astype(np.float64)


def coarse_measures(x: FloatArray) -> Floats:
    """``(n, k)`` of images ``(n, C, H, W)``: what `broad_measures` says of light, colour, coarse shapes and place."""

    def measured(rows: slice) -> Floats:
        luma = _luma(x[rows])
        centred = luma - luma.mean((1, 2), keepdims=True)
        columns = [*_light_and_colour(x[rows], luma), *_bands(centred, RINGS[:2]), *_place(luma)]
        return np.stack(columns, axis=1).astype(np.float64)

    return np.concatenate(in_parts(measured, parts_of(len(x), rows_per_part(x.shape[1:]))))


def fine_measures(x: FloatArray) -> Floats:
    """``(n, k)`` of images ``(n, C, H, W)``: what `broad_measures` says of fine structure, edges and frequencies."""

    def measured(rows: slice) -> Floats:
        luma = _luma(x[rows])
        columns = _edges(luma, luma.std((1, 2))) + _bands(luma - luma.mean((1, 2), keepdims=True), RINGS)
        return np.stack(columns, axis=1).astype(np.float64)

    return np.concatenate(in_parts(measured, parts_of(len(x), rows_per_part(x.shape[1:]))))


def _luma(x: FloatArray) -> FloatArray:
    """``(n, C, H, W)`` to ``(n, H, W)``."""
    channels = x.shape[1]
    weights = np.array([0.299, 0.587, 0.114]) if channels == 3 else np.full(channels, 1 / channels)
    return np.tensordot(x, weights.astype(np.float32), axes=([1], [0]))


def _light_and_colour(x: FloatArray, luma: FloatArray) -> list[FloatArray]:
    """Mean, spread and levels of light; of three channels also strength and direction of the colours."""
    count, channels = x.shape[:2]
    flat = luma.reshape(count, -1)
    mean, spread = flat.mean(1), flat.std(1)
    columns = [mean, spread, *np.quantile(flat[:, ::2], [0.05, 0.25, 0.5, 0.75, 0.95], axis=1)]
    columns += [(flat < 0.02).mean(1), (flat > 0.98).mean(1)]
    if channels == 3:
        red, green, blue = x[:, 0], x[:, 1], x[:, 2]
        chroma = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
        red_green, yellow_blue = red - green, (red + green) / 2 - blue
        columns += [
            chroma.mean((1, 2)),
            chroma.std((1, 2)),
            np.quantile(chroma.reshape(count, -1)[:, ::3], 0.9, axis=1),
        ]
        columns += [red_green.mean((1, 2)), yellow_blue.mean((1, 2)), red_green.std((1, 2)), yellow_blue.std((1, 2))]
        weight = chroma + 1e-3
        columns += [(channel * weight).sum((1, 2)) / weight.sum((1, 2)) for channel in (red, green, blue)]
    return columns


def _edges(luma: FloatArray, spread: FloatArray) -> list[FloatArray]:
    """First and second differences, their tails and ratios; flat area; steps at the 8-pixel blocks of JPEG."""
    across, down = np.abs(np.diff(luma, axis=2)), np.abs(np.diff(luma, axis=1))
    count = len(luma)
    edge = np.concatenate([across.reshape(count, -1), down.reshape(count, -1)], axis=1)
    tail = np.quantile(edge[:, ::3], [0.5, 0.9, 0.99], axis=1)
    curved = np.abs(np.diff(luma, 2, axis=2)).mean((1, 2)) + np.abs(np.diff(luma, 2, axis=1)).mean((1, 2))
    crossed = np.abs(luma[:, 1:, 1:] - luma[:, :-1, 1:] - luma[:, 1:, :-1] + luma[:, :-1, :-1])
    mean = edge.mean(1)
    columns = [np.log(mean + 1e-3), *np.log(tail + 1e-3), np.log(curved + 1e-3), np.log(crossed.mean((1, 2)) + 1e-3)]
    columns += [mean / (spread + 1e-2), np.log(np.median(crossed.reshape(count, -1)[:, ::2], axis=1) + 1e-3)]
    columns += [(edge < 1 / 255).mean(1), np.log((across.mean((1, 2)) + 1e-3) / (down.mean((1, 2)) + 1e-3))]
    for steps, axis in ((across, 2), (down, 1)):
        positions = np.arange(steps.shape[axis]) % 8 == 7
        if positions.any() and not positions.all():
            at_blocks = np.compress(positions, steps, axis).mean((1, 2))
            columns.append(np.log((at_blocks + 1e-3) / (np.compress(~positions, steps, axis).mean((1, 2)) + 1e-3)))
    return columns


def _bands(centred: FloatArray, rings: Sequence[tuple[float, float]]) -> list[FloatArray]:
    """Log power in rings of spatial frequency, and the balance between the diagonals up to 0.3 or the last ring."""
    height, width = centred.shape[1:]
    spectrum = fft.rfft2(centred)  # (n, H, W // 2 + 1)
    power = (spectrum.real**2 + spectrum.imag**2) / (height * width)
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    radius = np.hypot(fy, fx)
    columns = []
    for low, high in rings:
        ring = (radius >= low) & (radius < high)
        if ring.any():
            columns.append(np.log(power[:, ring].mean(1) + 1e-5))
    most = min(0.3, rings[-1][1])
    rising, falling = (fy * fx > 0) & (radius < most), (fy * fx < 0) & (radius < most)
    if rising.any():
        columns.append(np.log((power[:, rising].mean(1) + 1e-5) / (power[:, falling].mean(1) + 1e-5)))
    return [column.astype(np.float32) for column in columns]


def _place(luma: FloatArray) -> list[FloatArray]:
    """Where the light differs from the border's: centre, extent and tilt of that mass, its share of the area."""
    height, width = luma.shape[1:]
    border = np.concatenate([luma[:, 0], luma[:, -1], luma[:, :, 0], luma[:, :, -1]], axis=1)
    mass = np.abs(luma - np.median(border, axis=1)[:, None, None])
    total = mass.sum((1, 2)) + 1e-3
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = (mass * rows).sum((1, 2)) / total, (mass * columns).sum((1, 2)) / total
    dy, dx = rows - y[:, None, None], columns - x[:, None, None]
    yy, xx, xy = ((mass * d).sum((1, 2)) / total for d in (dy * dy, dx * dx, dy * dx))
    half = mass > 0.5 * mass.max((1, 2))[:, None, None]
    outline = (half[:, 1:] != half[:, :-1]).sum((1, 2)) + (half[:, :, 1:] != half[:, :, :-1]).sum((1, 2))
    area = half.mean((1, 2))
    size = np.sqrt(yy + xx)
    return [y, x, size, xy / (yy + xx + 1e-3), (yy - xx) / (yy + xx + 1e-3), area, half.sum((1, 2)) / (outline + 1.0)]


def _of_series(x: FloatArray) -> Floats:
    """``(n, C, T)``: level, spread, tails, differences, eight frequency bands, trend, place of the energy, silence."""
    length = x.shape[2]
    mean_over = x.mean(1)  # (n, T)
    level = mean_over.mean(1)
    centred = mean_over - level[:, None]
    spread = centred.std(1)
    columns = [level, np.log(spread + 1e-4), *np.quantile(mean_over, [0.02, 0.25, 0.5, 0.75, 0.98], axis=1)]
    steps = np.abs(np.diff(mean_over, axis=1))
    columns += [np.log(steps.mean(1) + 1e-4), np.log(np.quantile(steps, 0.5, axis=1) + 1e-4)]
    columns += [np.log((np.abs(np.diff(mean_over, 2, axis=1)).mean(1) + 1e-4) / (steps.mean(1) + 1e-4))]
    columns += [(steps < 1e-6).mean(1), (np.diff(np.signbit(centred), axis=1)).mean(1)]
    time = np.linspace(-1, 1, length)
    columns.append(centred @ (time / (time @ time)))
    energy = centred**2 + 1e-9
    place = (energy @ time) / energy.sum(1)
    columns += [place, np.sqrt((energy * (time - place[:, None]) ** 2).sum(1) / energy.sum(1))]
    power = np.abs(np.fft.rfft(centred, axis=1)) ** 2 / length
    frequency = np.arange(power.shape[1])
    edges = np.unique(np.round(np.geomspace(1, power.shape[1], 9)).astype(int))
    columns += [np.log(power[:, low:high].mean(1) + 1e-6) for low, high in pairwise(edges)]
    columns.append((power @ frequency) / (power.sum(1) + 1e-9) / power.shape[1])
    columns += _places(mean_over)
    return np.stack(columns, axis=1).astype(np.float64)


def _places(series: FloatArray) -> list[FloatArray]:
    """``(n, T)``: energy in eight parts of the length, and the times and frequencies that part it.

    Without them a delay, and a resampling, move too little to be distinguished from chance.
    """
    power = np.square(series - np.median(series, axis=1, keepdims=True))
    parts = np.array_split(np.arange(series.shape[1]), min(8, series.shape[1]))
    energy = np.stack([power[:, part].mean(1) for part in parts], axis=1)
    columns = list(np.log(energy + 1e-4 * energy.sum(1, keepdims=True) + 1e-9).T)
    so_far = np.cumsum(power, axis=1) / (power.sum(1, keepdims=True) + 1e-12)
    columns += [(so_far < level).mean(1) for level in (0.05, 0.25, 0.5, 0.75, 0.95)]
    spectrum = np.square(np.abs(np.fft.rfft(series - series.mean(1, keepdims=True), axis=1)))[:, 1:]
    below = np.cumsum(spectrum, axis=1) / (spectrum.sum(1, keepdims=True) + 1e-12)
    columns += [np.log((below < level).sum(1) + 1.0) for level in (0.25, 0.5, 0.75, 0.95)]
    return columns


def _of_vectors(x: FloatArray) -> Floats:
    """``(n, F)``: the values themselves, up to 64 of them."""
    return x.reshape(len(x), -1)[:, :64].astype(np.float64)


BY_KIND: dict[str, Callable[[FloatArray], Floats]] = {
    "image": _of_images,
    "series": _of_series,
    "tabular": _of_vectors,
}
