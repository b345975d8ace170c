"""Calibration: which loss to ask the decoder for, so that the loss measured on the cell is the requested one (claim 1).

A decoder's loss axis is one direction; how far to go along it differs from sample to sample. Each column's features
are decoded at several places of the axis in one call and re-scored, and the cell is put where the measured loss
crosses the requested one; a second look there, between the two places nearest, sharpens it. There is only one way to
go, so it can take no short cut such as fading the sample.
"""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import BoolArray, FloatArray, Floats, IntArray
from shiftlens.core.grid.interpolate import Decode, Score
from shiftlens.core.grid.loss_axis import OFFSET

CANDIDATES = 33
LOW, HIGH = -3.0, 5.0  # places tried; 0 and 1 are the smallest and the largest requested loss; weak effects need room
NARROWEST = 1.0  # log-nats; pairs whose losses are almost equal are searched as far as this
NEAR = 0.02  # of the largest distance between requested losses; a measured loss this close is as good as the requested
CLOSE = 0.1  # of the distance between the ends; further away, the axis does not reach the requested loss


def calibrate(
    z: FloatArray, requested: Floats, label: IntArray, decode: Decode, score: Score
) -> tuple[Floats, BoolArray]:
    """Find the decoder's loss input for each cell of a grid.

    Args:
        z: ``(n, latent)``; cells of one column share it, and it is decoded once for all of them.
        requested: ``(n,)`` losses, in nats.
        label: ``(n,)``.

    Returns:
        The loss to give the decoder, ``(n,)``: a place on its axis, which below the smallest loss may be negative.
        And ``(n,)`` whether the measured loss comes close to the requested one there.
    """
    logs = np.log(np.maximum(requested, 0) + OFFSET)
    start, span = logs.min(), max(float(np.ptp(logs)), NARROWEST)
    wanted = (logs - start) / span  # (n,) in [0, 1]
    places = np.linspace(LOW, HIGH, CANDIDATES)
    columns, first, column_of = np.unique(np.column_stack([z, label]), axis=0, return_index=True, return_inverse=True)
    asked = np.exp(start + span * places) - OFFSET
    labels = np.repeat(label[first], CANDIDATES)
    cells = decode(np.repeat(z[first], CANDIDATES, axis=0), np.tile(asked, len(columns)), labels)
    measured = (np.log(score(cells, labels).loss + OFFSET) - start) / span
    curves = measured.reshape(len(columns), CANDIDATES)[column_of.ravel()]  # (n, candidates)
    # Near enough is good enough: within a small tolerance, the level to be crossed is the one nearest to what the place
    # of the requested loss gives by itself. So no cell is driven far for a hair's breadth of loss.
    slack = NEAR * np.ptp(requested)
    low, high = ((np.log(np.maximum(requested + side, 0) + OFFSET) - start) / span for side in (-slack, slack))
    here = np.array([np.interp(at, places, curve) for at, curve in zip(wanted, curves, strict=True)])
    level = np.clip(here, low, high)
    above = curves - level[:, None]
    place, left, distance = _crossing(above, places, wanted)
    found = np.flatnonzero(distance == 0)
    if len(found):
        cells = decode(z[found], np.exp(start + span * place[found]) - OFFSET, label[found])
        missed = (np.log(score(cells, label[found]).loss + OFFSET) - start) / span - level[found]
        place[found] = _between(places, above[found], left[found], place[found], missed)
    return np.exp(start + span * place) - OFFSET, distance <= CLOSE


def _crossing(above: Floats, places: Floats, wanted: Floats) -> tuple[Floats, IntArray, Floats]:
    """Where each row of ``above`` ``(n, candidates)`` rises through 0, nearest to ``wanted``; else its closest place.

    Returns the places ``(n,)``, the candidate to the left of each, and how far from 0 the row is there.
    """
    left, right = above[:, :-1], above[:, 1:]
    rises = (left <= 0) & (right >= 0) & (right > left)
    crossing = places[:-1] + np.diff(places) * np.where(rises, -left / np.where(rises, right - left, 1.0), 0.0)
    away = np.where(rises, np.abs(crossing - wanted[:, None]), np.inf)
    rows = np.arange(len(above))
    nearest, closest = away.argmin(axis=1), np.abs(above).argmin(axis=1)
    found = rises.any(axis=1)
    place = np.where(found, crossing[rows, nearest], places[closest])
    return place, nearest, np.where(found, 0.0, np.abs(above[rows, closest]))


def _between(
    places: Floats,
    above: Floats,
    left: IntArray,
    tried: Floats,
    here: Floats,
) -> Floats:
    """The crossing again, after the place ``tried`` ``(n,)`` between two candidates was measured to be ``here``."""
    rows = np.arange(len(tried))
    low = here > 0  # the crossing lies to the left of the place tried
    other, value = np.where(low, left, left + 1), np.where(low, above[rows, left], above[rows, left + 1])
    step = here - value
    part = np.where(np.abs(step) > 1e-12, here / np.where(np.abs(step) > 1e-12, step, 1.0), 0.0)
    return np.asarray(tried + np.clip(part, 0, 1) * (places[other] - tried), dtype=np.float64)
