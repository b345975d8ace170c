"""What was measured of the remedies, in words."""

from __future__ import annotations

from collections.abc import Sequence

from shiftlens.core.remedy.controls import AS_IN_TARGET, RANDOM
from shiftlens.core.remedy.measure import AS_IT_IS
from shiftlens.core.results.numbers import percent
from shiftlens.core.results.results import MeasuredRemedy

DOES = {
    "normalise": "Estimating the normalisation anew on target samples",
    "undo": "Undoing the harmful change before the classifier",
    "refit-head": "Refitting the last layer with samples changed as in the target",
    "retrain": "Training again with samples changed as in the target",
}
LEAST_POINTS = 1.0
"""Points of accuracy from which a remedy is said to help."""


def with_sentences(rows: Sequence[MeasuredRemedy]) -> list[MeasuredRemedy]:
    """The rows, each with its sentence."""
    begun = rows[0]
    return [row.model_copy(update={"sentence": _sentence(row, begun, rows)}) for row in rows]


def remedy_sentence(rows: Sequence[MeasuredRemedy]) -> str:
    """The best remedy in one sentence, or that none helped; rows as of `with_sentences`."""
    real = [row for row in rows[1:] if row.samples in ("", AS_IN_TARGET) and row.recovered is not None]
    helping = [row for row in real if _helps(row, rows[0])]
    if helping:
        return max(helping, key=lambda row: row.target or 0.0).sentence
    if real:
        names = ", ".join(row.name for row in real)
        return f"None of the remedies that were tried brings accuracy back on the target ({names})."
    return ""


def _helps(row: MeasuredRemedy, begun: MeasuredRemedy) -> bool:
    assert row.target is not None
    assert row.target_ci is not None
    assert begun.target is not None
    return 100 * (row.target - begun.target) >= LEAST_POINTS and row.target_ci[0] > begun.target


def _sentence(row: MeasuredRemedy, begun: MeasuredRemedy, rows: Sequence[MeasuredRemedy]) -> str:
    if row.why_not:
        return f"{row.name} was not tried: {row.why_not}."
    assert row.target is not None
    assert row.source is not None
    assert begun.target is not None
    assert begun.source is not None
    if row.name == AS_IT_IS:
        return f"As it is, the classifier is right on {percent(begun.target, 1)} of the held-out target samples."
    if row.coverage is not None:
        return (
            f"Used only where it can be trusted, the classifier takes {percent(row.coverage, 1)} of the target and is "
            f"right on {percent(row.target, 1)} of that, instead of {percent(begun.target, 1)} of all."
        )
    if row.samples not in ("", AS_IN_TARGET):
        return f"The same effort with {row.samples} samples: {percent(row.target, 1)} on the target."
    what = DOES.get(row.name, f"The remedy {row.name}")
    source = f"source accuracy {percent(begun.source, 1)} → {percent(row.source, 1)}"
    if not _helps(row, begun):
        return f"{what} does not help: {percent(begun.target, 1)} → {percent(row.target, 1)} on the target; {source}."
    text = f"{what} brings {percent(begun.target, 1)} back to {percent(row.target, 1)}"
    random = next((r for r in rows if r.name == row.name and r.samples == RANDOM and r.target is not None), None)
    if random is not None and random.target is not None:
        text += f"; the same effort with random changes: {percent(random.target, 1)}"
    alone = f" It cannot be exported as one file: {row.why_no_file}." if row.why_no_file else ""
    return f"{text}; {source}.{alone}"
