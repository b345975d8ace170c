"""Stage ``groups``: what a changed mix of classes, cameras, sites ... costs, and which of them became worse."""

from __future__ import annotations

import logging

import numpy as np

from shiftlens.core.causes.groups import GroupRequest, groups_of_columns
from shiftlens.core.run.context import DOMAINS, Context, Outcome, Stage
from shiftlens.core.run.stages.where import rows_of

logger = logging.getLogger("shiftlens")

CLASS = "class"
"""What the labels are called among the columns; a column of metadata of that name is called ``class (metadata)``."""


def work(context: Context) -> Outcome:
    if context.labels("source") is None:
        return Outcome(facts={"groups": [], "left_out": {}})
    rows = {role: rows_of(context, role) for role in DOMAINS}
    scores = {role: context.scores(role).rows(rows[role]) for role in DOMAINS}
    columns, left_out = {}, {}
    if scores["target"].labelled:
        names = np.array(context.classes)
        columns[CLASS] = (names[scores["source"].label], names[scores["target"].label])
    here, there = (context.domain(role).groups for role in DOMAINS)
    for name in dict.fromkeys([*here, *there]):
        if name not in here or name not in there:
            left_out[name] = f"the {'target' if name in here else 'source'} has no such column"
            continue
        told = f"{name} (metadata)" if name == CLASS else name
        columns[told] = (np.asarray(here[name])[rows["source"]], np.asarray(there[name])[rows["target"]])
    trial, target = context.general.trial, scores["target"]
    accuracy = {role: context.facts("score")[role]["accuracy"] for role in DOMAINS}
    lost = None if accuracy["target"] is None else 100 * (accuracy["source"] - accuracy["target"])
    found, others = groups_of_columns(
        columns,
        (scores["source"].loss, scores["source"].correct.astype(np.float64)),
        (
            target.loss if context.facts("score")["target"]["loss"] is not None else None,
            target.correct.astype(np.float64) if target.labelled else None,
        ),
        GroupRequest(
            trial.smallest_effect, trial.smallest_share, trial.alpha, trial.bootstrap, context.general.seed,
            context.loss_unit, lost,
        ),
    )  # fmt: skip
    left_out |= others
    for name, why in left_out.items():
        logger.info("the column %s makes no groups: %s", name, why)
    return Outcome(facts={"groups": [one.model_dump(mode="json") for one in found], "left_out": left_out})


STAGE = Stage(
    "groups",
    settings=(
        "loss", "seed", "trial.smallest_effect", "trial.smallest_share", "trial.alpha", "trial.bootstrap",
    ),
    after=("data", "classifier", "score"),
    work=work,
)  # fmt: skip
