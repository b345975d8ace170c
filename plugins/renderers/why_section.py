"""The section "Why": what each factor's change costs, with pictures, intervals and curves."""

from __future__ import annotations

from collections.abc import Sequence

from shiftlens.core.results.results import Axes, Cause, Interval, Results
from shiftlens.plugins.renderers import charts
from shiftlens.plugins.renderers.charts import IntervalBar, LossColours, Span
from shiftlens.plugins.renderers.context import EffectRow, FactorCard, StripPicture, Why
from shiftlens.plugins.renderers.gallery import Gallery
from shiftlens.plugins.renderers.words import (
    ADVICE,
    VERDICTS,
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
    "harmless": "it changed, and its change alone does not raise the loss",
    "unclear": "the evidence does not decide",
    "unchanged": "it did not change of its own",
    "unexplained": "no measured factor accounts for it",
}
EVIDENCE = {
    "intervention": "intervention: changed alone on real source samples, which were then scored again",
    "observation": "observation only: it goes along with the loss inside the target",
    "none": "none",
}


def why_section(results: Results, gallery: Gallery, scale: LossColours) -> Why | None:
    if not results.causes:
        return None
    unit = results.loss_unit
    causes = sorted(results.causes, key=lambda c: (VERDICTS.index(c.verdict), -(c.effect or 0.0)))
    changed = [cause for cause in causes if cause.verdict != "unchanged"]
    gap = "The mean loss of the target is not known."
    if results.loss.target is not None:
        rise = results.loss.target - results.loss.source
        gap = (
            f"The mean loss goes from {number(results.loss.source)} to {number(results.loss.target)} {unit}, "
            f"a difference of {number(rise)}. Each factor below was changed alone, and the classifier asked again."
        )
    rest = results.unexplained
    remedy = results.remedy
    return Why(
        gap=gap,
        rows=_effect_rows(changed, results),
        loss_unit=unit,
        cards=tuple(_card(cause, results, gallery, scale) for cause in changed),
        unchanged=tuple(_card(cause, results, gallery, scale) for cause in causes if cause.verdict == "unchanged"),
        left_out=tuple(results.left_out.items()),
        unexplained=(rest.sentence or "This part of the loss gap is explained by no measured factor.") if rest else "",
        unexplained_share=percent(rest.share) + interval(rest.ci, percent) if rest else "",
        unexplained_first=rest is not None and rest.share > 0.5,
        interactions=tuple(
            (listed(found.factors), f"{found.sentence} 95 % interval: {' to '.join(map(signed, found.ci))} {unit}.")
            for found in results.interactions
        ),
        advice=ADVICE[remedy.advice] if remedy else "",
        remedy=remedy.sentence if remedy else "",
        remedy_measured=remedy.measured_sentence if remedy else "",
    )


def _effect_rows(causes: Sequence[Cause], results: Results) -> tuple[EffectRow, ...]:
    rest = results.unexplained
    effects = charts.interval_scale([c.effect for c in causes], [c.ci for c in causes])
    shares = charts.interval_scale(
        [*(c.share for c in causes), rest.share if rest else None],
        [*(c.share_ci for c in causes), rest.ci if rest else None],
    )

    def bar(span: Span, value: float | None, ci: Interval | None, share: bool) -> IntervalBar | None:
        if value is None:
            return None
        say = percent if share else signed
        between = f"{say(ci[0])} to {say(ci[1])}" if ci else ""
        return charts.interval_bar(span, value, ci, say(value), between)

    rows = [
        EffectRow(
            cause.factor,
            cause.verdict,
            MEANINGS[cause.verdict],
            bar(effects, cause.effect, cause.ci, share=False),
            bar(shares, cause.share, cause.share_ci, share=True),
        )
        for cause in causes
    ]
    if rest:
        share = bar(shares, rest.share, rest.ci, share=True)
        rows.append(EffectRow("none of the factors", "unexplained", MEANINGS["unexplained"], None, share))
    return tuple(rows)


def _card(cause: Cause, results: Results, gallery: Gallery, scale: LossColours) -> FactorCard:
    unit = cause.shift.unit if cause.shift else ""
    strip = tuple(
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
                f"{cause.factor} {with_unit(cell.value, unit)}: loss {number(cell.loss)}, "
                f"predicted {cell.predicted}{'' if cell.correct else ', wrong'}"
            ),
        )
        for picture, cell in zip(gallery.strip(cause.strip), cause.strip, strict=False)
    )
    dose = charts.dose_chart(cause, results.loss_unit)
    distribution = None
    if dose is None and cause.distribution and cause.shift:
        name = f"{cause.factor}, {unit}" if unit else cause.factor
        title = f"Distribution of {cause.factor} in both domains"
        distribution = charts.distribution_chart(
            title, cause.distribution, name, cause.shift.source, cause.shift.target
        )
    return FactorCard(
        factor=cause.factor,
        verdict=cause.verdict,
        meaning=MEANINGS[cause.verdict],
        sentence=cause.sentence,
        strip=strip,
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
        facts.append((f"Costs nothing {'down' if falls else 'up'} to", with_unit(cause.safe_until, unit)))
    if cause.reached is not None:
        facts.append(("The change reached", f"{percent(cause.reached)} of the measured gap"))
    if cause.clipped is not None and cause.clipped >= 0.0005:
        facts.append(("Cut at the valid range", f"{percent(cause.clipped, 1)} of the values"))
    if cause.rivals:
        facts.append(("Explains it equally well", listed(cause.rivals)))
    if cause.shadow_of:
        facts.append(("Moved along by", listed(cause.shadow_of)))
    return facts


def _precision(cause: Cause, results: Results) -> str:
    """How precise the effect became, beside the precision that was wanted."""
    if cause.ci is None or results.trial is None:
        return ""
    width = (cause.ci[1] - cause.ci[0]) / 2
    return f", to ±{number(width)} {results.loss_unit} (enough: ±{number(results.trial.wanted)})"


def _notes(cause: Cause) -> list[tuple[str, str]]:
    """What takes a sentence to say about one factor."""
    notes = []
    if cause.grid:
        notes.append(("In the grid", _grid_words(cause.grid)))
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
