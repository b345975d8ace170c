"""Stage ``conversion``: what the exported style converter does to target samples, measured (¶82–84). No torch."""

from __future__ import annotations

import numpy as np

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.grid.conversion import conversion_sentence, factor_gaps
from shiftlens.core.results.results import BeforeAfter, Cause, ConverterResult
from shiftlens.core.run.context import Context, Outcome, Stage
from shiftlens.core.run.stages.trial import active_factors

MOST_SAMPLES = 2000
ENOUGH_HELD_OUT = 30
"""Held-out target samples from which the figures do without those that the converter was trained on."""


def work(context: Context) -> Outcome:
    if context.settings.converter is None:
        return Outcome()
    trained = context.facts("converter")
    held_out = np.array(trained["held_out"], dtype=np.int64)
    unseen = len(held_out) >= ENOUGH_HELD_OUT
    rows = _spread(held_out if unseen else np.arange(len(context.domain("target"))))
    target = context.domain("target").batch(rows)
    made = _converted(context, target, context.generator_labels("target")[rows])
    scores = context.scores("target")
    before = scores.rows(rows)
    after = context.score_in_batches(made, before.label)
    source = context.domain("source").batch(_spread(context.evaluated()))
    causes = [Cause(**found) for found in context.facts("trial")["causes"]]
    gaps = factor_gaps(active_factors(context)[0], causes, source, target, made)
    result = ConverterResult(
        name=trained["name"],
        samples=len(rows),
        held_out=unseen,
        accuracy=BeforeAfter(before=before.accuracy, after=after.accuracy),
        loss=BeforeAfter(before=float(before.loss.mean()), after=float(after.loss.mean())),
        gaps=gaps,
        facts=trained["facts"],
        sentence=conversion_sentence(before, after, gaps),
    )
    return Outcome(facts={"result": result.model_dump(mode="json")})


def _spread(places: IntArray) -> IntArray:
    """At most so many of them, evenly."""
    return places[np.linspace(0, len(places) - 1, min(len(places), MOST_SAMPLES)).astype(np.int64)]


def _converted(context: Context, target: FloatArray, label: IntArray) -> FloatArray:
    """Target samples ``(n, *sample)`` converted, a batch at a time."""
    size, parts = context.batch_size, []
    for start in range(0, len(target), size):
        parts.append(context.bundle.convert(target[start : start + size], label[start : start + size]))
        context.progress(min(start + size, len(target)), len(target))
    return np.concatenate(parts)


STAGE = Stage(
    "conversion",
    settings=("converter", "factors", "loss", "batch_size", "device"),
    after=("data", "classifier", "score", "trial", "converter", "export"),
    work=work,
)
