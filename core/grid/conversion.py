"""What a style converter does to the target samples, measured: class, loss, and the factors that had shifted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shiftlens.core.arrays import FloatArray
from shiftlens.core.causes.changes import ActiveFactor, FactorFault
from shiftlens.core.causes.statistics import centre, wrapped
from shiftlens.core.data.scoring import Scores
from shiftlens.core.results.results import Cause, FactorGap

NOT_WORTH = 0.25  # of a factor's spread over source samples; a smaller gap is too small to speak of its closed share

WIDER = 0.5  # of the gap, from which a warning says that a gap grew, or that the conversion went past the source


def factor_gaps(
    factors: Sequence[ActiveFactor], causes: Sequence[Cause], source: FloatArray, target: FloatArray, made: FloatArray
) -> list[FactorGap]:
    """How much of each shifted factor's gap the conversion closes: 1 all of it, 0 nothing, below 0 it grew.

    Args:
        factors: those of the analysis; one that fails on converted samples is left out.
        causes: the verdicts; factors that did not shift are left out.
        source: ``(n, *sample)``.
        target, made: ``(m, *sample)``, target samples and what the converter makes of them.
    """
    shifted = {cause.factor for cause in causes if cause.verdict != "unchanged"}
    found = []
    for factor in factors:
        if factor.name not in shifted:
            continue
        try:
            of_source, of_target, of_made = (factor.measure(x) for x in (source, target, made))
        except FactorFault:
            continue
        start, end, now = (centre(values, factor.period) for values in (of_source, of_target, of_made))
        gap = float(wrapped(end - start, factor.period))
        spread = float(np.nanstd(wrapped(of_source - start, factor.period)))
        if not np.isfinite([gap, now]).all() or abs(gap) <= NOT_WORTH * spread:
            continue
        closed = float(wrapped(end - now, factor.period)) / gap
        found.append(
            FactorGap(
                factor=factor.name, source=start, target=end, converted=now, closed=closed, unit=factor.description.unit
            )
        )
    return found


def conversion_sentence(before: Scores, after: Scores, gaps: Sequence[FactorGap]) -> str:
    """What the conversion did, in plain words; the scores are of the same samples before and after it."""
    right, right_after = before.accuracy, after.accuracy
    loss, loss_after = float(before.loss.mean()), float(after.loss.mean())
    if right is not None and right_after is not None and right_after < right:
        return (
            f"The conversion does harm: the classifier is right on {right:.0%} of the target samples, and on "
            f"{right_after:.0%} of the converted ones. Believe none of its pairs; train it for more steps, or use "
            "another converter."
        )
    if loss_after >= loss:
        return (
            "The conversion does not bring the loss down, so its pairs show little. Train it for more steps, or use "
            "another converter."
        )
    sentence = f"The mean loss falls from {loss:.2f} on target samples to {loss_after:.2f} on converted ones"
    if right is None:
        return f"{sentence}; the target has no labels, so whether the class is kept cannot be known."
    sentence += f", and the classifier is right on {right_after:.0%} of them instead of {right:.0%}"
    closed = [f"{gap.factor} {min(gap.closed, 1):.0%}" for gap in gaps if 0 < gap.closed <= 1 + WIDER]
    widened = [gap.factor for gap in gaps if gap.closed < -WIDER]
    passed = [gap.factor for gap in gaps if gap.closed > 1 + WIDER]
    if closed:
        sentence += f". Of the gaps between the domains it closes: {', '.join(closed)}"
    if widened:
        sentence += f". It widens the gap in {', '.join(widened)}"
    if passed:
        sentence += f". It goes past the source in {', '.join(passed)}"
    return f"{sentence}."
