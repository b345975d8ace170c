"""Factors of series and sound, gathered: level, amplitude, trend, pitch, bandwidth, speed, delay, missing.

Samples are ``(N, C, T)`` float32 of any range. The noise of series is in `noise`, for it is that of images, too.
"""

from __future__ import annotations

from shiftlens.core.host.kinds import Factor
from shiftlens.plugins.factors import series_frequency, series_time, series_values

FACTORS: tuple[Factor, ...] = series_values.FACTORS + series_frequency.FACTORS + series_time.FACTORS
