"""Stage ``trial``: what shifted, what each change costs when it is made alone, and the verdicts."""

from __future__ import annotations

import logging
from math import prod
from typing import Any

import numpy as np
import yaml

from shiftlens.core.arrays import IntArray
from shiftlens.core.causes.changes import ActiveFactor, Plan
from shiftlens.core.causes.find_causes import CausesFound, find_causes
from shiftlens.core.causes.plan_file import plan_as_values, plan_of_values
from shiftlens.core.causes.request import CauseRequest
from shiftlens.core.causes.verdict import DomainGap
from shiftlens.core.config.settings import Choice
from shiftlens.core.config.yaml_file import read_yaml_file
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.samples import LazySamples
from shiftlens.core.files import write_text
from shiftlens.core.host.kinds import Factor
from shiftlens.core.run.context import DOMAINS, TRIAL_FIELDS, Context, Outcome, Stage

logger = logging.getLogger("shiftlens")

MOST_SAMPLES = 6000
"""LazySamples of each domain that the trial looks at; more would not narrow the intervals visibly."""
HELD = 256 * 2**20
"""Bytes of decoded samples up to which a domain is held in memory; of a larger one, samples are read as needed."""
PLAN = "plan.yaml"
"""In the run directory: every change that was fitted, with its verdict."""
ENOUGH_HELD_OUT = 200
"""Held-out source samples from which the trial does without those that the classifier was trained on."""


def active_factors(context: Context) -> tuple[list[ActiveFactor], dict[str, str]]:
    """The factors of this analysis, and those left out with the reason.

    ``auto`` takes every factor that fits the kind of sample; a factor that is asked for by name and does not fit is
    left out with the reason, too.
    """
    domain = context.domain("source")
    found: list[ActiveFactor] = []
    left_out: dict[str, str] = {}
    for choice in _wanted(context):
        factor = choice.component
        assert isinstance(factor, Factor)
        name = factor.name
        if factor.per_column:
            column = int(getattr(choice.settings, "column"))  # noqa: B009 - the field is part of the protocol
            name = domain.columns[column] if column < len(domain.columns) else f"column-{column}"
        if domain.kind not in factor.kinds:
            left_out[name] = f"it is made for samples of kind {', '.join(factor.kinds)}, these are {domain.kind}"
            continue
        found.append(ActiveFactor(name, factor, choice.build(), choice.settings))
    return found, left_out


def _wanted(context: Context) -> list[Choice]:
    if context.settings.factors is not None:
        return list(context.settings.factors)
    domain = context.domain("source")
    chosen: list[Choice] = []
    for name in context.host.names(Factor):
        factor = context.host.find(Factor, name)
        if domain.kind not in factor.kinds:
            continue
        if factor.per_column:
            chosen += [
                Choice(factor, factor.settings.model_validate({"column": index}))
                for index in range(domain.sample_shape[0])
            ]
        else:
            chosen.append(Choice(factor, factor.settings()))
    return chosen


def work(context: Context) -> Outcome:
    factors, left_out = active_factors(context)
    rng = np.random.default_rng(context.general.seed)
    source_rows = _drawn(_source_rows(context), rng)
    target_rows = _drawn(np.setdiff1d(np.arange(len(context.domain("target"))), context.kept_for_remedies()), rng)
    target_labels = context.labels("target")
    request = CauseRequest(
        source=_samples(context.domain("source"), source_rows),
        source_labels=context.generator_labels("source")[source_rows],
        target=_samples(context.domain("target"), target_rows),
        target_labels=None if target_labels is None else target_labels[target_rows],
        source_scores=context.scores("source").rows(source_rows),
        target_scores=context.scores("target").rows(target_rows),
        factors=factors,
        score=context.score_in_batches,
        sample_kind=context.domain("source").kind,
        classes=context.classes,
        settings=context.general.trial,
        seed=context.general.seed,
        progress=context.progress,
        label_free=not context.loss_needs_labels,
        loss_unit=context.loss_unit,
        domain_gap=_domain_gap(context),
    )
    return _written(context, find_causes(request), left_out)


def _domain_gap(context: Context) -> DomainGap:
    """What the target lost, as results.json states it: the trial's samples may be others."""
    source, target = (context.facts("score")[role] for role in DOMAINS)

    def between(figure: str) -> float | None:
        ends = source[figure], target[figure]
        return None if None in ends else float(ends[1] - ends[0])

    fall = between("accuracy")
    return DomainGap(between("loss"), None if fall is None else -100 * fall)


def _source_rows(context: Context) -> IntArray:
    """Source samples that the classifier was not trained on, as far as there are enough of them."""
    held_out = context.evaluated()
    if len(held_out) >= ENOUGH_HELD_OUT:
        return held_out
    return np.arange(len(context.domain("source")))


def _remarks(context: Context) -> list[str]:
    """What a reader of the trial's figures should know of the samples it was made on."""
    held_out = len(context.evaluated())
    if not context.facts("classifier")["trained_here"] or held_out >= ENOUGH_HELD_OUT:
        return []
    return [
        f"Only {held_out} source samples were held out from the classifier's training, too few for the trial: its "
        "figures rest on samples that the classifier has seen, and the gap that they explain is a little too large. "
        "Bring a trained classifier along, or raise classifier.train.held_out."
    ]


def _drawn(rows: IntArray, rng: np.random.Generator) -> IntArray:
    """At most as many rows as are looked at, in their order."""
    return rows if len(rows) <= MOST_SAMPLES else np.sort(rng.choice(rows, MOST_SAMPLES, replace=False))


def _samples(domain: Domain, rows: IntArray) -> LazySamples:
    samples = LazySamples(domain.batch, rows, domain.sample_shape)
    small = 4 * len(rows) * prod(domain.sample_shape) <= HELD
    return LazySamples.of(samples[slice(None)]) if small else samples


def _written(context: Context, found: CausesFound, left_out: dict[str, str]) -> Outcome:
    arrays, outputs = context.run.arrays, []
    for name in ("trial-x", "trial-rows", "strips"):  # of an earlier trial that found more than this one
        (arrays.folder / f"{name}.npy").unlink(missing_ok=True)
    if len(found.rows.loss):
        table = np.empty(len(found.rows.loss), dtype=TRIAL_FIELDS)
        for name in TRIAL_FIELDS.names or ():
            table[name] = getattr(found.rows, name)
        outputs += [arrays.save("trial-x", found.rows.x), arrays.save("trial-rows", table)]
    if len(found.strips):
        outputs.append(arrays.save("strips", found.strips))
    outputs += [_plan(context, found), *_augmentation(context, found)]
    facts: dict[str, Any] = {
        "causes": [cause.model_dump(mode="json") for cause in found.causes],
        "unexplained": found.unexplained.model_dump(mode="json") if found.unexplained else None,
        "split": found.split.model_dump(mode="json") if found.split else None,
        "trial": found.size.model_dump(mode="json"),
        "joint": {"fall": found.joint.value, "error": float(found.joint.draws.std())},
        "interactions": [interaction.model_dump(mode="json") for interaction in found.interactions],
        "remedy": found.remedy.model_dump(mode="json") if found.remedy else None,
        "headline": found.headline,
        "warnings": [*_remarks(context), *found.warnings],
        "left_out": {**left_out, **found.left_out},
    }
    for name, reason in facts["left_out"].items():
        logger.info("factor %s is left out: %s", name, reason)
    return Outcome(outputs, facts)


def fitted_plan(context: Context) -> tuple[Plan, dict[str, str]]:
    """The changes that the trial fitted, ready to be made again, and the verdict of each factor among them."""
    path = context.run.path / PLAN
    values = read_yaml_file(path, "do the trial again: `shiftlens run CONFIG --from trial`")
    plan = plan_of_values(values, active_factors(context)[0], str(path))
    return plan, {change["factor"]: change["verdict"] for change in values["changes"]}


def _plan(context: Context, found: CausesFound) -> str:
    verdicts = {cause.factor: cause.verdict for cause in found.causes}
    write_text(context.run.path / PLAN, yaml.safe_dump(plan_as_values(found.plan, verdicts), sort_keys=False))
    return PLAN


def _augmentation(context: Context, found: CausesFound) -> list[str]:
    """What to retrain with, beside the results; removed where an earlier trial found more than this one."""
    path = context.run.path / "augmentation.yaml"
    if found.augmentation is None:
        path.unlink(missing_ok=True)
        return []
    write_text(path, yaml.safe_dump(found.augmentation, sort_keys=False))
    return [path.name]


STAGE = Stage(
    "trial",
    settings=("factors", "loss", "trial", "seed", "batch_size", "device", "remedy.measure", "remedy.held_out"),
    after=("data", "classifier", "score"),
    work=work,
)
