"""Stage ``estimate``: the accuracy on a target without labels, from changed source samples and from predictions."""

from __future__ import annotations

import logging

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats, IntArray
from shiftlens.core.causes.groups import weights_of
from shiftlens.core.data.samples import LazySamples
from shiftlens.core.estimate.accuracy import EstimateRequest, estimate_accuracy
from shiftlens.core.estimate.known_sets import Changer
from shiftlens.core.run.context import DOMAINS, Context, Outcome, Stage
from shiftlens.core.run.stages.trial import active_factors, fitted_plan

logger = logging.getLogger("shiftlens")

MOST_CHANGED = 1000
"""Source samples that are changed, and drawn from for sets of known accuracy."""
MOST_LOOKED_AT = 6000
"""Target samples whose predictions are looked at; more would not narrow the interval visibly."""


def work(context: Context) -> Outcome:
    source_labels, accuracy = context.labels("source"), context.facts("score")["source"]["accuracy"]
    if context.labels("target") is not None or source_labels is None:
        return Outcome(facts={"estimate": None})
    rng = np.random.default_rng([context.general.seed, 59])
    rows = _drawn(context.evaluated(), MOST_CHANGED, rng)
    source = context.domain("source")

    def probabilities(x: FloatArray) -> Floats:
        size = context.batch_size
        return np.concatenate([context.predict(x[i : i + size]) for i in range(0, len(x), size)])

    plan, _ = fitted_plan(context)
    trial = context.facts("trial")["joint"]
    planned = {change.name for change in plan}
    looked_at = _drawn(np.arange(len(context.domain("target"))), MOST_LOOKED_AT, rng)
    target = LazySamples(context.domain("target").batch, looked_at, source.sample_shape)
    found = estimate_accuracy(
        EstimateRequest(
            source=Changer(
                LazySamples(source.batch, rows, source.sample_shape), source_labels[rows], probabilities,
                context.general.seed,
            ),
            plan=plan,
            others=[factor for factor in active_factors(context)[0] if factor.name not in planned],
            accuracy=accuracy,
            fall=trial["fall"],
            fall_error=trial["error"],
            mixes=_mixes(context, rows),
            target=np.concatenate([probabilities(target[part]) for part in target.parts()]),
        )
    )  # fmt: skip
    logger.info("%s", found.sentence)
    return Outcome(facts={"estimate": found.model_dump(mode="json")})


def _mixes(context: Context, rows: IntArray) -> dict[str, Floats]:
    """Weights of these source samples by the columns of metadata whose changed mix costs accuracy."""
    found = {}
    here, there = (context.domain(role).groups for role in DOMAINS)
    for column in context.facts("groups")["groups"]:
        name = column["column"]
        if column["verdict"] == "harmful" and name in here:
            weight = weights_of(np.asarray(here[name])[rows], np.asarray(there[name]))
            if weight is not None:
                found[name] = weight
    return found


def _drawn(rows: IntArray, most: int, rng: np.random.Generator) -> IntArray:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


STAGE = Stage(
    "estimate",
    settings=("factors", "seed", "batch_size", "device"),
    after=("data", "classifier", "score", "groups", "trial"),
    work=work,
)
