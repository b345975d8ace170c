"""The section on the causes: what each factor's change costs, with pictures, intervals and curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shiftlens.core.results.results import Axes, Cause, Interval, Results
from shiftlens.plugins.renderers import charts
from shiftlens.plugins.renderers.charts import IntervalBar, LossColours, Span
from shiftlens.plugins.renderers.context import CauseRow, Causes, FactorCard, StripPicture
from shiftlens.plugins.renderers.gallery import Gallery
from shiftlens.plugins.renderers.words import (
    VERDICTS,
    factor_title,
    interval,
    listed,
    number,
    percent,
    points,
    signed,
    with_unit,
)

MEANINGS = {
    "harmful": "its change alone raises the loss",
    "harmless": "changed, and cost nothing worth naming",
    "unclear": "the evidence does not decide",
    "unchanged": "it did not change of its own",
    "unexplained": "no measured factor accounts for it",
}
EVIDENCE = {
    "intervention": "intervention: changed alone on real source samples, which were then scored again",
    "observation": "observation only: it goes along with the loss inside the target",
    "none": "none",
}


def _unexplained(results: Results) -> str:
    """What is left, and the split of the whole loss by classes, inputs and neither."""
    if results.unexplained is None:
        return ""
    told = results.unexplained.sentence or "This part of the loss gap is explained by no measured factor."
    return f"{told} {results.split.sentence}" if results.split else told


def causes_section(results: Results, gallery: Gallery, scale: LossColours) -> Causes | None:
    if not results.causes:
        return None
    unit = results.loss_unit
    causes = sorted(results.causes, key=lambda c: (VERDICTS.index(c.verdict), -(c.effect or 0.0)))
    changed = [cause for cause in causes if cause.verdict != "unchanged"]
    gap = "How much the loss rose is not known, as the target has no labels. "
    if results.loss.target is not None:
        rise = results.loss.target - results.loss.source
        gap = (
            f"The mean loss goes from {number(results.loss.source)} to {number(results.loss.target)} {unit}, "
            f"a difference of {number(rise)}. "
        )
    shown = [cause for cause in changed if cause.verdict != "harmless"]
    return Causes(
        gap=f"{gap}Each change below was made alone on real source samples, and the classifier asked again.",
        rows=_rows(changed, results),
        loss_unit=unit,
        cards=tuple(_card(cause, results, gallery, scale) for cause in shown),
        harmless=tuple(_card(cause, results, gallery, scale) for cause in changed if cause.verdict == "harmless"),
        unchanged=tuple(
            (factor_title(cause.factor, results.columns), cause.sentence)
            for cause in causes
            if cause.verdict == "unchanged"
        ),
        left_out=tuple((factor_title(name, results.columns), why) for name, why in results.left_out.items()),
        unexplained=_unexplained(results),
        interactions=tuple(
            (
                listed([factor_title(name, results.columns) for name in found.factors]),
                f"{found.sentence} 95 % interval: {' to '.join(map(signed, found.ci))} {unit}.",
            )
            for found in results.interactions
        ),
    )


def _rows(causes: Sequence[Cause], results: Results) -> tuple[CauseRow, ...]:
    """One row per harmful or unclear factor, one for all harmless ones, one for the rest that nothing explains."""
    rest = results.unexplained
    shown = [cause for cause in causes if cause.verdict != "harmless"]
    harmless = [cause for cause in causes if cause.verdict == "harmless"]
    lost = [None if c.accuracy_effect is None else -100 * c.accuracy_effect for c in shown]
    lost_ci = [None if c.accuracy_ci is None else (-100 * c.accuracy_ci[1], -100 * c.accuracy_ci[0]) for c in shown]
    by_points = charts.interval_scale(lost, lost_ci)
    by_loss = charts.interval_scale([c.effect for c in shown], [c.ci for c in shown])
    by_share = charts.interval_scale(
        [*(c.share for c in shown), rest.share if rest else None],
        [*(c.share_ci for c in shown), rest.ci if rest else None],
    )
    accuracies = [dose.accuracy for cause in shown for dose in cause.dose]
    lowest = min(accuracies, default=0.0)

    def bar(span: Span, value: float | None, ci: Interval | None, say: Callable[[float], str]) -> IntervalBar | None:
        if value is None:
            return None
        return charts.interval_bar(span, value, ci, say(value), f"{say(ci[0])} to {say(ci[1])}" if ci else "")

    rows = [
        CauseRow(
            factor_title(cause.factor, results.columns), cause.verdict, cause.verdict, MEANINGS[cause.verdict],
            bar(by_points, lost[i], lost_ci[i], _one_digit),
            bar(by_loss, cause.effect, cause.ci, signed),
            bar(by_share, cause.share, cause.share_ci, percent),
            charts.small_dose(cause, lowest),
        )
        for i, cause in enumerate(shown)
    ]  # fmt: skip
    if harmless:
        names = listed([factor_title(cause.factor, results.columns) for cause in harmless])
        rows.append(CauseRow(names, "harmless", "harmless", MEANINGS["harmless"], None, None, None, None))
    if rest:
        # It alarms only where some of the loss surely has a cause that is on no list.
        verdict = "unexplained" if rest.ci[0] > 0 else "rest"
        share = bar(by_share, rest.share, rest.ci, percent)
        rows.append(
            CauseRow("none of the factors", verdict, "not explained", MEANINGS["unexplained"], None, None, share, None)
        )
    return tuple(rows)


def _one_digit(value: float) -> str:
    sign = "−" if value < 0 and round(value, 1) != 0 else "+" if round(value, 1) > 0 else ""
    return f"{sign}{abs(value):.1f}"


def strip_pictures(cause: Cause, results: Results, gallery: Gallery, scale: LossColours) -> tuple[StripPicture, ...]:
    """One real sample at several strengths of one change."""
    unit, name = cause.shift.unit if cause.shift else "", factor_title(cause.factor, results.columns)
    return tuple(
        StripPicture(
            picture=picture,
            value=number(cell.value),
            unit=unit,
            loss=number(cell.loss),
            level=scale.level(cell.loss),
            bar=scale.bar(cell.loss),
            predicted=cell.predicted,
            wrong=not cell.correct,
            label=(
                f"{name} {with_unit(cell.value, unit)}: loss {number(cell.loss)}, "
                f"predicted {cell.predicted}{'' if cell.correct else ', wrong'}"
            ),
        )
        for picture, cell in zip(gallery.strip(cause.strip), cause.strip, strict=False)
    )


def _card(cause: Cause, results: Results, gallery: Gallery, scale: LossColours) -> FactorCard:
    unit, name = cause.shift.unit if cause.shift else "", factor_title(cause.factor, results.columns)
    dose = charts.dose_chart(cause, results.loss_unit, results.columns)
    distribution = None
    if dose is None and cause.distribution and cause.shift:
        distribution = charts.distribution_chart(
            f"Distribution of {name} in both domains", cause.distribution, f"{name}, {unit}" if unit else name,
            cause.shift.source, cause.shift.target,
        )  # fmt: skip
    return FactorCard(
        factor=name,
        verdict=cause.verdict,
        meaning=MEANINGS[cause.verdict],
        sentence=cause.sentence,
        strip=strip_pictures(cause, results, gallery, scale),
        dose=dose,
        distribution=distribution,
        facts=tuple(_facts(cause, results)),
        notes=tuple(_notes(cause)),
    )


def _facts(cause: Cause, results: Results) -> list[tuple[str, str]]:
    """The figures of one factor, as far as they are known."""
    loss_unit = results.loss_unit
    unit = cause.shift.unit if cause.shift else ""
    facts = []
    if cause.shift:
        facts.append(("Mean, source → target", f"{number(cause.shift.source)} → {with_unit(cause.shift.target, unit)}"))
        if cause.shift.turn is not None:
            facts.append(("Turned by", with_unit(cause.shift.turn, unit)))
    if cause.accuracy_effect is not None:
        cost = points(cause.accuracy_effect) + interval(cause.accuracy_ci, lambda v: points(v).split(" ")[0])
        facts.append(("Alone costs", f"{cost} of accuracy"))
    if cause.effect is not None:
        facts.append(("Alone adds to the loss", f"{signed(cause.effect)} {loss_unit}{interval(cause.ci, signed)}"))
    if cause.samples is not None:
        facts.append(("Measured on", f"{cause.samples} source samples{_precision(cause, results)}"))
    if cause.share is not None:
        facts.append(("Share of the loss gap", percent(cause.share) + interval(cause.share_ci, percent)))
    if cause.restored is not None:
        restored = points(cause.restored) + interval(cause.restored_ci, lambda v: points(v).split(" ")[0])
        facts.append(("Undone on the target", f"brings back {restored} of accuracy"))
    if cause.safe_until is not None:
        falls = cause.shift is not None and cause.shift.target < cause.shift.source
        facts.append((f"Costs nothing worth naming {'down' if falls else 'up'} to", with_unit(cause.safe_until, unit)))
    if cause.reached is not None:
        facts.append(("The change reached", f"{percent(cause.reached)} of the measured gap"))
    if cause.clipped is not None and cause.clipped >= 0.0005:
        facts.append(("Cut at the valid range", f"{percent(cause.clipped, 1)} of the values"))
    if cause.rivals:
        facts.append(("Explains it equally well", listed([factor_title(n, results.columns) for n in cause.rivals])))
    if cause.shadow_of:
        facts.append(("Moved along by", listed([factor_title(n, results.columns) for n in cause.shadow_of])))
    return facts


def _precision(cause: Cause, results: Results) -> str:
    """How precise the effect became, beside the precision that was wanted."""
    if cause.ci is None or results.trial is None:
        return ""
    width = (cause.ci[1] - cause.ci[0]) / 2
    wanted = number(results.trial.wanted)
    enough = f"±{wanted} was asked for" if width <= results.trial.wanted else f"±{wanted} was asked for and missed"
    return f", to ±{number(width)} {results.loss_unit} ({enough})"


def _notes(cause: Cause) -> list[tuple[str, str]]:
    """What takes a sentence to say about one factor."""
    notes = []
    if cause.grid:
        notes.append(("In the generated grid", _grid_words(cause.grid)))
    if cause.evidence != "none":
        notes.append(("Evidence", EVIDENCE[cause.evidence]))
    return notes


def _grid_words(axes: Axes) -> str:
    moves = (
        f"moves {percent(axes.loss_axis)} of the pairs' gap along the loss axis{interval(axes.loss_axis_ci, percent)}, "
        f"{percent(axes.feature_axis)} along the feature axis{interval(axes.feature_axis_ci, percent)}"
    )
    if axes.agrees is None:
        return moves
    return f"{moves}; this {'agrees' if axes.agrees else 'does not agree'} with the verdict"
