"""Verdicts: from effects with intervals to harmful, harmless, unclear or unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shiftlens.core.results.results import Axes, Cause, Interval, Shift

Verdict = Literal["harmful", "harmless", "unclear", "unchanged"]

NEARLY_ALL = 0.8
"""Part of the observed change from which an intervention counts as the whole of it."""
LEAST_REACHED = 0.5
"""A change that could be made only in smaller part than this does not acquit a factor."""
CLEAR_MOVE = 0.25
"""Part of the pairs' gap from which a factor counts as moved along an axis of the grid."""


@dataclass(frozen=True)
class DomainGap:
    """How much worse the target is on the samples that the results state accuracy and loss of; see `Gap`."""

    loss: float | None
    points: float | None


@dataclass(frozen=True)
class Gap:
    """How much worse the target is; None where it has no labels.

    Attributes:
        loss: rise of the mean loss from source to target, on the trial's samples.
        loss_ci: its interval.
        points: fall of the accuracy, in points, on the trial's samples.
        worth: smallest rise of the loss worth naming.
        unit: of the loss.
        domains: the same on the samples that the results state; None where they are the trial's.
    """

    loss: float | None
    loss_ci: Interval | None
    points: float | None
    worth: float
    unit: str = "nats"
    domains: DomainGap | None = None

    @property
    def stated_loss(self) -> float | None:
        """The rise of the loss as the results state it: sentences say no other."""
        return self.domains.loss if self.domains else self.loss

    @property
    def stated_points(self) -> float | None:
        """The fall of the accuracy as the results state it, in points."""
        return self.domains.points if self.domains else self.points

    @property
    def stands_on_other_samples(self) -> bool:
        """Whether the trial's own fall of the accuracy is clearly not the stated one: then costs are said as shares."""
        if self.points is None or self.stated_points is None:
            return False
        return abs(self.points - self.stated_points) >= max(1.0, 0.1 * abs(self.stated_points))

    @property
    def worse(self) -> bool:
        """Whether there is a loss to explain: the rise is above the smallest worth naming, beyond chance."""
        return self.loss is not None and self.loss_ci is not None and self.loss > self.worth and self.loss_ci[0] > 0


@dataclass(frozen=True)
class Evidence:
    """What the trial says about one factor that shifted.

    ``advice``: of a discrete change, how to mend it where the data are read; else empty.
    ``needed``: source samples that would narrow the interval enough for a verdict; None where their number is not what
    keeps it open, but how strong the change is.
    """

    name: str
    noun: str
    shift: Shift
    effect: float
    ci: Interval
    accuracy_effect: float
    reached: float
    clipped: float | None
    restored: float | None
    rivals: Sequence[str] = field(default_factory=list)
    supported: bool = True
    advice: str = ""
    needed: int | None = None


def verdict_of(evidence: Evidence, worth: float, rest_is_large: bool, share: float | None) -> Verdict:
    """harmful: its own change raises the loss, beyond chance and beyond what is worth naming; harmless: it does not.

    Where most of the loss is explained by nothing that was measured, a factor with a small share may only stand in
    for what is missing: unclear.
    """
    if evidence.rivals:
        return "unclear"
    if evidence.ci[0] > worth:
        doubtful = rest_is_large and (share is None or share < 0.5)
        return "unclear" if doubtful or not evidence.supported else "harmful"
    if evidence.ci[1] < worth and evidence.reached >= LEAST_REACHED:
        return "harmless"
    return "unclear"


def hold_against_grid(causes: Sequence[Cause], moves: Mapping[str, Axes]) -> tuple[list[Cause], list[str]]:
    """The causes with their moves along the grid's axes and whether those agree, and what has to be said about it.

    A harmful factor should move along the loss axis, a harmless one should not; other verdicts expect nothing.
    "Moves" means at least `CLEAR_MOVE` of the pairs' gap beyond chance; "does not" that the interval stays below it.
    """
    held, remarks = [], []
    for cause in causes:
        axes = moves.get(cause.factor)
        if axes is None:
            held.append(cause)
            continue
        agrees: bool | None = None
        low, high = axes.loss_axis_ci or (-float("inf"), float("inf"))
        if cause.verdict == "harmful":
            agrees = True if low > CLEAR_MOVE else False if high < CLEAR_MOVE else None
            if agrees is False:
                remarks.append(
                    f"{cause.factor} is harmful by the trial, but the grid's loss axis hardly moves it "
                    f"({axes.loss_axis:.2f} of the pairs' gap): trust the trial, and read the grid with care."
                )
        elif cause.verdict == "harmless":
            agrees = True if high < CLEAR_MOVE else False if low > CLEAR_MOVE else None
            if agrees is False:
                remarks.append(
                    f"{cause.factor} is harmless by the trial, but the grid's loss axis moves it along "
                    f"({axes.loss_axis:.2f} of the pairs' gap): trust the trial, and read the grid with care."
                )
        held.append(cause.model_copy(update={"grid": axes.model_copy(update={"agrees": agrees})}))
    return held, remarks
