"""Stage ``remedy``: what brings the lost accuracy back, tried and measured on target samples kept for that (¶73)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from shiftlens.core.arrays import FloatArray, IntArray, Predict
from shiftlens.core.causes.changes import Plan
from shiftlens.core.config.settings import Choice
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.scoring import probabilities_of
from shiftlens.core.errors import InputError
from shiftlens.core.files import whole
from shiftlens.core.host.kinds import Remedy, RemedyData, SampleSet
from shiftlens.core.job import Job
from shiftlens.core.remedy.controls import AS_IN_TARGET, by_plan, controls
from shiftlens.core.remedy.measure import HeldOut, Tried, measure
from shiftlens.core.remedy.sentences import remedy_sentence, with_sentences
from shiftlens.core.run.context import Context, Outcome, Stage
from shiftlens.core.run.stages.trial import active_factors, fitted_plan

FOLDER = "remedies"
"""In the run directory: the mended classifiers, ``classifier-NAME.onnx``."""
MOST_MEASURED = 4000
"""Held-out samples of each domain that a remedy is measured on, at most."""


def work(context: Context) -> Outcome:
    why_not = _why_not(context)
    if why_not:
        return Outcome(facts={"why_not": why_not, "measured": None, "samples": None, "sentence": ""})
    plan, verdicts = fitted_plan(context)
    harmful = tuple(change for change in plan if verdicts[change.name] == "harmful")
    harmless = tuple(change for change in plan if verdicts[change.name] == "harmless")
    data, held_out = _data(context, harmful)
    folder = context.run.folder(FOLDER)
    outputs: list[str] = []

    def keep(name: str, file: Path) -> str:
        kept = folder / f"classifier-{context.host.find(Remedy, name).makes or name}.onnx"
        with whole(kept) as temporary:
            shutil.copyfile(file, temporary)
        outputs.append(f"{FOLDER}/{kept.name}")
        return outputs[-1]

    probe = data.source.batch(np.arange(min(len(data.source), 300)))
    others = controls(active_factors(context)[0], harmless, probe)
    tried = []
    for choice in wanted(context):
        component = choice.component
        assert isinstance(component, Remedy)
        learns_from = {AS_IN_TARGET: by_plan(harmful), **others} if component.learns else {"": by_plan(harmful)}
        tried.append(Tried(choice.name, choice.build(), learns_from, component.learns))
    rows = measure(tried, data, held_out, context.job("remedy"), context.general.remedy.seeds, keep)
    rows = with_sentences(rows)
    return Outcome(
        outputs,
        {
            "why_not": "",
            "measured": [row.model_dump(mode="json") for row in rows],
            "samples": {"source": len(held_out.source), "target": len(held_out.target)},
            "sentence": remedy_sentence(rows),
        },
    )


def _why_not(context: Context) -> str:
    """Why nothing is measured; an empty string where it can be."""
    if not wanted(context):
        return "it is switched off (remedy.measure: off)"
    if context.labels("source") is None:
        return "the source has no labels"
    if context.labels("target") is None:
        return "the target has no labels to measure on"
    if not len(context.kept_for_remedies()):
        return "the target is too small to keep a part of it for measuring"
    if "harmful" not in fitted_plan(context)[1].values():
        return "no change was found harmful"
    return ""


def _data(context: Context, harmful: Plan) -> tuple[RemedyData, HeldOut]:
    """What the remedies may use, and what they are measured on; no sample is in both."""
    general, settings = context.general, context.general.remedy
    rng = np.random.default_rng([general.seed, 43])
    source, target = context.domain("source"), context.domain("target")
    evaluated = rng.permutation(context.evaluated())
    everything = rng.permutation(len(source))
    if len(evaluated) < len(source):  # trained here: what it was trained on is learned from, the rest measures
        measured = evaluated[:MOST_MEASURED]
        learned = np.setdiff1d(everything, context.evaluated())
    else:
        measured, learned = everything[: len(source) // 2][:MOST_MEASURED], everything[len(source) // 2 :]
    learned = np.sort(rng.permutation(learned)[: settings.samples])
    kept = context.kept_for_remedies()
    rest = np.setdiff1d(np.arange(len(target)), kept)
    accuracy = float(context.scores("source").correct[measured].mean())
    exported = context.facts("classifier")["exported"]
    data = RemedyData(
        source=_samples(source, context.labels("source"), learned),
        target=_samples(target, context.labels("target"), np.sort(rng.permutation(rest)[: settings.samples])),
        plan=harmful,
        predict=context.predict,
        onnx=context.run.bundle / "classifier.onnx" if exported else None,
        train=_own_training(context) if context.facts("classifier")["trained_here"] else None,
        kind=source.kind,
        sample_shape=source.sample_shape,
        classes=tuple(context.classes),
        open=lambda path: _opened(context, path),
        accuracy=accuracy,
        command=settings.command,
        timeout=settings.timeout,
    )
    held_out = HeldOut(
        _samples(source, context.labels("source"), np.sort(measured)),
        _samples(target, context.labels("target"), np.sort(rng.permutation(kept)[:MOST_MEASURED])),
        general.batch_size,
    )
    return data, held_out


def _samples(domain: Domain, labels: IntArray | None, rows: IntArray) -> SampleSet:
    return SampleSet(lambda indices: domain.batch(rows[indices]), None if labels is None else labels[rows], len(rows))


def _opened(context: Context, path: Path) -> Predict:
    """An ONNX file that answers as the classifier does."""
    from shiftlens.export.session import Session

    session = Session(path, device=context.general.device)
    (entry,), output = session.inputs, session.outputs[0].name
    reading = context.facts("classifier")["output"]
    return lambda x: probabilities_of(session.run(**{entry.name: x})[output], reading)


def _own_training(context: Context) -> Callable[[FloatArray, IntArray, Job], Path]:
    """The classifier's own training, on other samples of the source's form."""
    source = context.domain("source")

    def train(x: FloatArray, label: IntArray, job: Job) -> Path:
        names = np.array(context.classes)[label]
        changed = Domain(x, source.sample_shape, source.kind, labels=names, columns=source.columns)
        provided = context.settings.classifier.build()(changed, job)
        if provided.onnx is None or tuple(provided.classes or ()) != tuple(context.classes):
            raise InputError("the training gave no ONNX file, or one of other classes")
        return Path(provided.onnx)

    return train


def wanted(context: Context) -> list[Choice]:
    """The remedies to be tried: those asked for, or all that there are."""
    if context.settings.remedies is not None:
        return list(context.settings.remedies)
    host = context.host
    found = (host.find(Remedy, name) for name in host.names(Remedy))
    return [Choice(component, component.settings()) for component in found]


def outside(context: Context) -> Any:
    """Which remedies there are, and where they come from: a new one is tried, too."""
    return [[choice.name, context.host.origin(Remedy, choice.name).identity] for choice in wanted(context)]


STAGE = Stage(
    "remedy",
    settings=("remedy", "factors", "classifier", "seed", "batch_size", "device"),
    after=("data", "classifier", "score", "trial"),
    work=work,
    outside=outside,
)
