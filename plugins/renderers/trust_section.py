"""How far the grid may be trusted: each figure with a sentence that says what it means."""

from __future__ import annotations

from shiftlens.core.grid.fidelity import LOW_FIDELITY
from shiftlens.core.results.results import Realism, Results, SecondOpinion
from shiftlens.plugins.renderers.context import Check, Trust
from shiftlens.plugins.renderers.words import UNKNOWN, count, number, percent

NEAR = 0.1  # rank correlations that differ by less count as equal
LOW_REALISM = 0.8  # share of cells near real samples, below which the reader is told to look closely


def trust_section(results: Results) -> Trust:
    checks = [_fidelity(results), _second_opinion(results)]
    if results.realism is not None:
        checks.append(_realism(results.realism))
    return Trust((*checks, _leak(results)))


def _fidelity(results: Results) -> Check:
    found, cells = results.fidelity, count(results.fidelity.cells, "generated cell")
    if found.spearman is None:
        return Check("Fidelity", UNKNOWN, "It could not be measured: too few cells, or all of one loss.")
    if found.spearman < LOW_FIDELITY:
        words = (
            f"Each row asks for a loss. On {cells} the classifier then measured something else: the two orders hardly "
            "agree (1 is full agreement, 0 is chance)."
        )
    else:
        words = (
            f"Each row asks for a loss. On {cells} the classifier then measured losses in nearly that order "
            "(1 is full agreement, 0 is chance). What changes down the rows is what the classifier finds hard."
        )
    if found.source is not None and found.target is not None:
        words += f" With the source samples' features alone {number(found.source)}, with the targets' "
        words += f"{number(found.target)}."
    missed = _missed(results)
    if missed:
        share = percent(missed) if missed >= 0.005 else f"under {percent(0.01)}"
        words += f" The loss axis does not reach the loss that {share} of the cells ask for; they say so."
    return Check("Fidelity", number(found.spearman), words)


def _missed(results: Results) -> float:
    cells = [cell for pair in results.pairs for row in pair.cells for cell in row if not cell.real]
    return sum(cell.reached is False for cell in cells) / len(cells) if cells else 0.0


def _second_opinion(results: Results) -> Check:
    second = results.second_opinion
    if second is None:
        words = "No other classifier was asked: there are no source labels to train one on, or it was switched off."
        return Check("Second opinion", UNKNOWN, words)
    words = (
        "Another classifier, trained on the source for this check alone, scored the same cells: this is how well its "
        f"loss follows the one asked for. It names the same class on {percent(second.agreement)} of the cells, and on "
        f"{percent(second.agreement_on_real)} of real samples. {_believed(second)} {_own_accuracy(second)}"
    )
    return Check("Second opinion", number(second.fidelity), words)


def _believed(second: SecondOpinion) -> str:
    if second.fidelity is None:
        return ""
    usual = number(second.fidelity_on_real)
    if second.fidelity >= LOW_FIDELITY:
        return "So what raises the loss is no noise that only the first one sees."
    if second.fidelity_on_real is not None and second.fidelity >= second.fidelity_on_real - NEAR:
        return f"On real samples the losses of the two agree no better ({usual}), so that is no sign of noise."
    return (
        f"On real samples the losses of the two agree better ({usual}): part of what raises the loss here is peculiar "
        "to the classifier under analysis. Believe the verdicts before the pictures."
    )


def _own_accuracy(second: SecondOpinion) -> str:
    target = "" if second.accuracy.target is None else f" and {percent(second.accuracy.target)} on the target"
    return f"It is itself right on {percent(second.accuracy.source)} of held-out source samples{target}."


def _realism(found: Realism) -> Check:
    words = (
        "The share of cells that lie as near to a real sample as real samples lie to each other, as the encoder sees "
        f"them; their usual distance is {number(found.ratio)} times that of real ones."
    )
    if found.near < LOW_REALISM:
        words += " The others look like nothing in the data: take them as a hint at the direction, not as samples."
    if found.plain_near is not None and found.plain_lowest is not None:
        words += (
            f" By plain statistics (light, edges, frequencies), beside real samples as the networks give them back, "
            f"{percent(found.plain_near)} do; in the row where it is lowest, {percent(found.plain_lowest)}."
        )
        if found.plain_lowest < LOW_REALISM <= found.near:
            words += " There the axis is followed further than real samples go, or draws noise: look closely."
    return Check("Realism", percent(found.near), words)


def _leak(results: Results) -> Check:
    found = results.leak
    if found.r2 is None:
        return Check("Leak", UNKNOWN, "It could not be measured: too few samples.")
    words = (
        "The part of the loss that can still be read from the features alone. Near 0 a step sideways says nothing "
        "about the loss; near 1 both axes tell the same story."
    )
    if found.source is not None and found.target is not None:
        words += f" Inside the source {number(found.source)}, inside the target {number(found.target)}."
    if found.axis_r2 is not None:
        words += (
            f" Of what the randomised changes did to the loss, {number(found.axis_r2)} is left in the features: that "
            "is the loss axis's own part. The rest is of what else makes a sample hard, and no part of the axis."
        )
    return Check("Leak", number(found.r2), words)
