"""The sentences that state the findings, in words a manager understands."""

from __future__ import annotations

from collections.abc import Sequence

from shiftlens.core.causes.verdict import LEAST_REACHED, NEARLY_ALL, Evidence, Gap, Verdict
from shiftlens.core.results.numbers import number, percent, signed, with_unit
from shiftlens.core.results.results import Cause, Interval, RemedyResult, Shift

MOST_ASKED_FOR = 200_000
"""Source samples beyond which nobody is asked for more."""


def noun_of(noun: tuple[str, str], name: str, rises: bool) -> str:
    """How a sentence calls the change: "thicker strokes", or "a higher jpeg" where the factor offers no words."""
    offered = noun[0] if rises else noun[1]
    return offered or f"{'a higher' if rises else 'a lower'} {name}"


def values(shift: Shift) -> str:
    """``3.1 → 6.8 px``, and how far round where the measure is circular."""
    moved = f"{number(shift.source)} → {with_unit(shift.target, shift.unit)}"
    return moved if shift.turn is None else f"{moved}, turned by {number(abs(shift.turn))}"


def rises(shift: Shift) -> bool:
    """Whether the target's values are the higher ones; of a circular measure, whether it turned onwards."""
    return (shift.target - shift.source if shift.turn is None else shift.turn) >= 0


def sentence_of(verdict: Verdict, e: Evidence, gap: Gap) -> str:
    """One sentence for a factor that shifted and was tried."""
    what = _capital(e.noun) if e.advice else f"{_capital(e.noun)} ({values(e.shift)})"
    cost = f"{with_unit(e.effect, gap.unit, signed)} of loss, {_points(100 * e.accuracy_effect)} of accuracy"
    if verdict == "harmful":
        text = (
            f"{what} cost{_ending(e)} {_lost(100 * e.accuracy_effect, gap)}"
            if e.accuracy_effect > 0.002
            else f"{what} cost{_ending(e)} {cost}"
        )
        if e.restored is not None and e.restored > 0.005:
            text += f"; undoing it on the target brings {_points(100 * e.restored)} back"
        if e.advice:
            text += f". To mend it without any training, {e.advice}"
    elif verdict == "harmless":
        text = f"{what} cost{_ending(e)} nothing worth naming ({_at_most(e.effect, e.ci, gap)})"
        if e.reached < NEARLY_ALL:
            text += f"; this was tried for {percent(e.reached)} of the change"
        if e.advice:
            text += f". To have it as in the source, {e.advice}"
    elif e.rivals:
        others = _listed([e.name, *e.rivals])
        text = (
            f"{what}: {others} explain the difference equally well; a sample with only one of them changed would decide"
        )
    elif e.ci[0] > gap.worth and not e.supported:
        text = (
            f"{what} would cost {cost} alone, but taking all measures together nothing says that this is what "
            "changed; look at samples of both domains"
        )
    elif e.ci[0] > gap.worth:
        text = (
            f"{what} would cost {cost} alone, but most of the loss is explained by nothing that was measured, so it "
            "may only stand in for the true cause; look at the grid"
        )
    elif e.reached < LEAST_REACHED:
        text = (
            f"{what} could be imitated only to {percent(max(e.reached, 0))}, so its cost is not known; source "
            "samples with the full change would decide"
        )
    else:
        if e.needed is None:
            decide = f"the doubt is how strong the change is: samples with only the {e.name} changed would"
        elif e.needed > MOST_ASKED_FOR:
            decide = "it is too close to that for any number of samples"
        else:
            decide = f"about {_rounded(e.needed)} source samples would"
        text = (
            f"{what} cost{_ending(e)} between {signed(e.ci[0])} and {with_unit(e.ci[1], gap.unit, signed)}, which does "
            f"not decide whether that is worth naming (above {number(gap.worth)}); {decide}"
        )
    if e.clipped is not None and e.clipped > 0.05:
        text += f" ({percent(e.clipped)} of the values left their range and were cut)"
    return text + "."


def unchanged_sentence(name: str, shift: Shift | None, causes: Sequence[str]) -> str:
    """A factor that did not shift, or whose measure moved only as the shadow of others."""
    if causes and shift is not None:
        moved = "turned" if shift.turn is not None else "rose" if rises(shift) else "fell"
        return f"{_capital(name)} {moved} ({values(shift)}) only because of {_listed(list(causes))}."
    return f"{_capital(name)} is the same in both domains."


def unmatched_sentence(name: str, shift: Shift) -> str:
    """A measure that moved, and no change that was tried accounts for it."""
    return (
        f"{_capital(name)} differs ({values(shift)}), and neither its own change nor another one reproduces how; look "
        "at samples of both domains."
    )


def observed_sentence(name: str, shift: Shift, correlation: float, ci: Interval) -> str:
    """A factor that can be measured, but not changed."""
    tie = (
        "goes with a higher loss" if ci[0] > 0 else "goes with a lower loss" if ci[1] < 0 else "has no clear tie to it"
    )
    return (
        f"{_capital(name)} differs ({values(shift)}); inside the target it {tie} (partial correlation "
        f"{signed(correlation)}, {signed(ci[0])} to {signed(ci[1])}). It cannot be changed on its own, so this is no "
        "proof."
    )


def class_mix_sentence(verdict: Verdict, effect: float, ci: Interval, accuracy_effect: float, gap: Gap) -> str:
    """The changed class proportions."""
    if verdict == "harmful":
        cost = with_unit(effect, gap.unit, signed)
        return f"The changed mix of classes costs {_lost(100 * accuracy_effect, gap)} ({cost})."
    if verdict == "harmless":
        return f"The mix of classes changed, and costs nothing worth naming ({_at_most(effect, ci, gap)})."
    most = with_unit(ci[1], gap.unit, signed)
    return f"The mix of classes changed and costs between {signed(ci[0])} and {most}, which does not decide."


def unexplained_sentence(share: float, ci: Interval, large: bool, factors: int) -> str:
    """The rest of the loss that no factor explains."""
    part = f"{percent(share)} ({percent(ci[0])} to {percent(ci[1])})"
    by_none = "not explained by the one factor" if factors == 1 else f"explained by none of the {factors} factors"
    of_all = "the one factor" if factors == 1 else f"any of the {factors} factors"
    if large and ci[0] == ci[1]:  # no change was fitted at all
        return f"Nothing of the loss is explained by {of_all} measured; look at the grid."
    if large:
        return f"Most of the loss, {part}, is {by_none} measured; look at the grid."
    if ci[1] < 0:
        return f"The changes together cost more than the target lost (by {percent(-share)})."
    if ci[0] <= 0:
        return f"No part of the loss is clearly left unexplained: {part}."
    return f"{part} of the loss is left unexplained."


def together_sentence(names: Sequence[str], value: float, ci: Interval, gap: Gap) -> str:
    """Several changes of which none is harmful beyond doubt, all together surely are; "" where they are not."""
    if len(names) < 2 or ci[0] <= gap.worth:
        return ""
    part = f", {percent(value / gap.loss)} of the loss" if gap.loss else ""
    return (
        f"{_capital(_listed(list(names)))} together cost {with_unit(value, gap.unit)} "
        f"({number(ci[0])} to {number(ci[1])}{part}), and none "
        "of them alone does so beyond doubt: treat them as one cause."
    )


def headline_of(causes: Sequence[Cause], gap: Gap, rest: str, rest_is_large: bool, together: str = "") -> str:
    """The whole finding in a sentence or two. ``together``: see `together_sentence`."""
    harmful = [c for c in causes if c.verdict == "harmful"]
    unclear = [c for c in causes if c.verdict == "unclear"]
    harmless = [c for c in causes if c.verdict == "harmless" and c.factor != "class-mix"]
    harmless = [c for c in harmless if c.share is not None] or harmless  # those that the joint fit found, if any
    if gap.loss is not None and not gap.worse:
        names = _listed([c.factor for c in harmless[:3]])
        shifted = (
            f" {_capital(names)} changed, and cost{'s' if len(harmless) == 1 else ''} nothing." if harmless else ""
        )
        rise = with_unit(gap.stated_loss, gap.unit, signed)
        return f"The target is not worse than the source ({rise}): there is no loss to explain.{shifted}"
    if rest_is_large:
        return " ".join([rest, *(c.sentence for c in harmful[:1])])
    if harmful:
        said = [c.sentence for c in harmful[:2]]
        if harmless:
            names = _listed([c.factor for c in harmless[:3]])
            said.append(f"{_capital(names)} changed too, and cost{'s' if len(harmless) == 1 else ''} nothing.")
        return " ".join(said)
    if unclear:
        return together or f"The evidence does not decide. {unclear[0].sentence}"
    if gap.loss is None:
        return (
            "Nothing that was found to have changed costs accuracy; without labels the target's own loss is not known."
        )
    return "The target is worse, and no factor that was measured explains it; look at the grid."


def remedy_of(causes: Sequence[Cause], gap: Gap, rest_is_large: bool) -> RemedyResult:
    """¶73: use as it is, do not use where, mend how the data are read, retrain with such data, or look further."""
    harmful = [c for c in causes if c.verdict == "harmful" and c.factor != "class-mix"]
    if gap.loss is not None and not gap.worse:
        return RemedyResult(advice="use", sentence="The classifier may be used on the target as it is.")
    if rest_is_large or (gap.loss is not None and not harmful):
        return RemedyResult(
            advice="investigate",
            sentence="Do not retrain on the named factors alone: look at the grid and samples of both domains first.",
        )
    if not harmful:
        return RemedyResult(
            advice="investigate",
            sentence="No change that was found costs accuracy; label some target samples to know whether it is worse.",
        )
    limits = [
        f"{c.factor} is safe {'up' if c.shift.target > c.shift.source else 'down'} to "
        f"{with_unit(c.safe_until, c.shift.unit)}"
        for c in harmful
        if c.safe_until is not None and c.shift is not None
    ]
    mended = [c.advice for c in harmful if c.advice]
    harmful = [c for c in harmful if not c.advice]
    mend = f"Mend how the data are read: {_listed(mended)}. That needs no training." if mended else ""
    if not harmful:
        return RemedyResult(advice="mend", sentence=mend)
    names = _listed([c.factor for c in harmful])
    vary = "varies" if len(harmful) == 1 else "vary"
    until = f"; until then {_listed(limits)}" if limits else ""
    return RemedyResult(
        advice="retrain",
        sentence=f"{mend}{' ' if mend else ''}Retrain with samples whose {names} {vary} as in the target "
        f"(augmentation.yaml makes them){until}.",
    )


def _lost(points: float, gap: Gap) -> str:
    """What a change costs, in points that were measured on the trial's samples, beside what the target lost."""
    lost = gap.stated_points
    if gap.points is None or lost is None or gap.points < 0.5 or lost < 0.5:
        return f"{_points(points)} of accuracy"
    if gap.stands_on_other_samples:  # their points do not add up to the stated ones; their shares do
        if points > gap.points + 0.5:
            return f"all of the {_points(lost)} of accuracy lost"
        return f"{percent(points / gap.points)} of the {_points(lost)} of accuracy lost"
    if points > gap.points + 0.5:  # another change brings some of it back, or ours is not quite what happened
        return f"{_points(points)} of accuracy alone (the target lost {lost:.0f})"
    return f"{points:.0f} of the {lost:.0f} points of accuracy lost"


def _at_most(effect: float, ci: Interval, gap: Gap) -> str:
    return f"{with_unit(effect, gap.unit, signed)}, at most {number(max(ci[1], 0))}"


def interaction_sentence(
    names: tuple[str, str], extra: float, both: float, alone: tuple[float, float], unit: str
) -> str:
    """Two changes that cost more or less together than the sum of both."""
    word = "more" if extra > 0 else "less"
    return (
        f"{names[0]} and {names[1]} together cost {with_unit(abs(extra), unit)} {word} than the sum of both "
        f"({number(both)} against {number(alone[0])} and {number(alone[1])})."
    )


def _rounded(count: int) -> str:
    """A number of samples with two digits that count."""
    digits = max(0, len(str(count)) - 2)
    return f"{-(-count // 10**digits) * 10**digits:,}"


def _points(points: float) -> str:
    text = f"{points:.0f}" if abs(points) >= 10 else f"{points:.1f}"
    return f"{text} points" if text not in ("1", "1.0") else "1 point"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _ending(e: Evidence) -> str:
    """Of "cost": "thicker strokes cost", but "more noise costs" and "a tilt to the left costs".

    The noun of a discrete change is a plural.
    """
    plural = e.advice or (e.noun.endswith("s") and not e.noun.lower().startswith(("a ", "an ")))
    return "" if plural else "s"
