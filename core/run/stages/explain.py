"""Stage ``explain``: hold the grid against the verdicts and put everything found together in results.json."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

import shiftlens
from shiftlens.core.arrays import AnyArray, FloatArray
from shiftlens.core.causes.changes import ActiveFactor
from shiftlens.core.causes.verdict import hold_against_grid
from shiftlens.core.config.settings import EVERY_SETTING
from shiftlens.core.files import write_text
from shiftlens.core.grid.moves import grid_moves, pair_moves
from shiftlens.core.host.kinds import Loss
from shiftlens.core.results.results import (
    AccuracyEstimate,
    Cause,
    Cell,
    ClassAccuracy,
    ConverterResult,
    Curve,
    Distribution,
    Fidelity,
    GridSize,
    GroupColumn,
    GroupRow,
    Interaction,
    Intervention,
    Leak,
    LossSplit,
    PairMove,
    PairResult,
    PerDomain,
    Provenance,
    Realism,
    RemedyResult,
    Results,
    Samples,
    SecondOpinion,
    TrialSize,
    Unexplained,
)
from shiftlens.core.run.context import DOMAINS, Context, Outcome, Stage
from shiftlens.core.run.stages.groups import CLASS
from shiftlens.core.run.stages.trial import active_factors
from shiftlens.core.run.stages.where import accuracy_intervals, confusions, rows_of, worst_samples

LOSS_BINS = 40
MOST = 0.5
"""Share of the loss gap from which a changed mix of a group is the first thing to say."""


def work(context: Context) -> Outcome:
    data, score, trial = context.facts("data"), context.facts("score"), context.facts("trial")
    grid, generator, model = context.facts("grid"), context.facts("generator"), context.facts("classifier")
    loss = context.settings.loss.component
    assert isinstance(loss, Loss)
    causes, remarks, moves = _causes(context, trial)
    worst, pictures = worst_samples(context, _shifted(context, causes))
    found = context.facts("estimate")["estimate"]
    estimate = AccuracyEstimate(**found) if found else None
    groups = [GroupColumn(**found) for found in context.facts("groups")["groups"]]
    results = Results(
        shiftlens=shiftlens.__version__,
        name=context.general.name,
        kind=data["kind"],
        sample_shape=data["sample_shape"],
        columns=data["columns"],
        headline=" ".join([*_told_with_groups(trial["headline"], groups), *([estimate.sentence] if estimate else [])]),
        warnings=[
            *data["warnings"],
            *model.get("warnings", []),
            *score["warnings"],
            *trial["warnings"],
            *remarks,
            *_axis_remarks(generator),
            *([f"There is no grid: {grid['why_none']}. The verdicts need none."] if grid["why_none"] else []),
        ],
        classes=model["classes"],
        samples=Samples(**data["samples"]),
        accuracy=PerDomain(source=score["source"]["accuracy"], target=score["target"]["accuracy"]),
        accuracy_ci=accuracy_intervals(context),
        accuracy_estimate=estimate,
        measured_on=Samples(**{role: len(rows_of(context, role)) for role in DOMAINS}),
        loss=PerDomain(source=score["source"]["loss"], target=score["target"]["loss"]),
        loss_name=loss.name,
        loss_unit=loss.unit,
        loss_distribution=_loss_distribution(context),
        per_class=_per_class(context),
        confusions=confusions(context),
        worst=worst,
        causes=causes,
        groups=groups,
        groups_left_out=context.facts("groups")["left_out"],
        left_out=trial["left_out"],
        unexplained=Unexplained(**trial["unexplained"]) if trial["unexplained"] else None,
        split=LossSplit(**trial["split"]) if trial["split"] else None,
        interactions=[Interaction(**found) for found in trial["interactions"]],
        trial=TrialSize(**trial["trial"]),
        fidelity=Fidelity(**grid["fidelity"]),
        leak=Leak(**grid["leak"]),
        realism=Realism(**grid["realism"]) if grid["realism"] else None,
        second_opinion=SecondOpinion(**grid["second_opinion"]) if grid["second_opinion"] else None,
        intervention=Intervention(**context.facts("intervention")["intervention"]),
        grid=GridSize(features=context.general.grid.features, losses=context.general.grid.losses),
        pairs=_pairs(context, moves),
        curves=_curves(generator, model, context.facts("converter")),
        remedy=_remedy(context),
        converter=_converter(context),
        generator={
            "name": generator["name"],
            "latent": generator["latent"],
            **generator["facts"],
            "reached": grid["reached"],
        },
        provenance=_provenance(context),
    )
    write_text(context.run.path / "results.json", results.to_json())
    return Outcome(["results.json", context.run.arrays.save("worst", pictures)])


def _told_with_groups(headline: str, groups: list[GroupColumn]) -> list[str]:
    """The headline with the costliest mix of metadata and the group that became worse most; classes are a cause.

    A mix that makes most of the gap comes first, and one that costs accuracy where the gap is not known.
    """
    told: list[str] = []
    own = [column for column in groups if column.column != CLASS]
    told += [column.sentences[0] for column in own if column.verdict == "harmful"][:1]
    worse = [(row.within or 0.0, sentence) for column in own for row, sentence in _worse_ones(column)]
    first = [headline, *told]
    if any(one.verdict == "harmful" and (one.gap is None or (one.mix_share or 0.0) > MOST) for one in own[:1]):
        first.reverse()
    return [*first, *([max(worse)[1]] if worse else [])]


def _worse_ones(column: GroupColumn) -> list[tuple[GroupRow, str]]:
    """Groups that became worse, each with its sentence: they stand last, in the order of the groups."""
    rows = [row for row in column.groups if row.worse]
    return list(zip(rows, column.sentences[len(column.sentences) - len(rows) :], strict=True))


def _axis_remarks(generator: dict[str, Any]) -> list[str]:
    """What the grid's vertical axis cannot do when it was not fitted on a trial."""
    if generator["facts"].get("loss_axis") != "observed":
        return []
    return [
        "The grid's loss axis was fitted on the domains as they are, not on a randomised trial: what merely travels "
        "with the shift can move along it. Trust the verdicts, not the grid."
    ]


def _shifted(context: Context, causes: list[Cause]) -> list[ActiveFactor]:
    """The factors whose own change was looked at."""
    names = {cause.factor for cause in causes if cause.verdict != "unchanged"}
    return [factor for factor in active_factors(context)[0] if factor.name in names]


def _causes(context: Context, trial: dict[str, Any]) -> tuple[list[Cause], list[str], list[list[PairMove]]]:
    """The trial's verdicts, each with how far its factor moves along the grid's two axes, and that of each pair."""
    causes = [Cause(**found) for found in trial["causes"]]
    factors = _shifted(context, causes)
    arrays = context.run.arrays
    if "cells" not in arrays:
        return causes, [], []
    cells, given_back = np.asarray(arrays["cells"]), np.asarray(arrays["given-back"])
    if not factors:
        return causes, [], [[] for _ in cells]
    held, remarks = hold_against_grid(causes, grid_moves(factors, cells, given_back, seed=context.general.seed))
    return held, remarks, pair_moves(factors, cells, given_back)


def _loss_distribution(context: Context) -> Distribution:
    """Histograms of the loss over the same bins, even in log(loss + 0.05): even ones would put nearly all into one."""
    source, target = context.scores("source").loss[context.evaluated()], context.scores("target").loss
    if context.facts("score")["target"]["loss"] is None:  # what the scores hold is no loss of the target's classes
        target = target[:0]
    low, high = (float(f(np.concatenate([source, target]))) for f in (np.min, np.max))
    below = 0.05 - min(low, 0.0)  # a loss of a plugin's may be negative
    edges = np.exp(np.linspace(np.log(low + below), np.log(max(high, low + 1e-6) + below), LOSS_BINS + 1)) - below
    edges[0], edges[-1] = low, max(high, low + 1e-6)  # the ends exactly, so that every sample is counted
    return Distribution(
        edges=[float(edge) for edge in edges],
        source=[int(n) for n in np.histogram(source, edges)[0]],
        target=[int(n) for n in np.histogram(target, edges)[0]],
    )


def _per_class(context: Context) -> list[ClassAccuracy]:
    chosen = {"source": context.evaluated(), "target": np.arange(len(context.domain("target")))}
    scores = {role: context.scores(role) for role in DOMAINS}
    if not any(scores[role].labelled for role in DOMAINS):
        return []

    def accuracy(role: str, index: int) -> tuple[float | None, int]:
        own = scores[role]
        here = chosen[role][own.label[chosen[role]] == index]
        return (float(own.correct[here].mean()) if len(here) else None), len(here)

    found = []
    for index, name in enumerate(context.classes):
        (before, n), (after, m) = accuracy("source", index), accuracy("target", index)
        found.append(ClassAccuracy(label=name, source=before, target=after, samples=Samples(source=n, target=m)))
    return found


def _remedy(context: Context) -> RemedyResult | None:
    """The trial's advice, with what the remedies were measured to bring."""
    advised, found = context.facts("trial")["remedy"], context.facts("remedy")
    if not advised:
        return None
    measured = {key: found[key] for key in ("measured", "samples") if found["measured"]}
    return RemedyResult(**{**advised, **measured, "measured_sentence": found["sentence"], "why_not": found["why_not"]})


def _converter(context: Context) -> ConverterResult | None:
    if context.settings.converter is None:
        return None
    return ConverterResult(**{**context.facts("conversion")["result"], "skipped": context.facts("grid")["skipped"]})


def _pairs(context: Context, moves: list[list[PairMove]]) -> list[PairResult]:
    arrays = context.run.arrays
    if "cells" not in arrays:
        return []
    figures, cells = np.asarray(arrays["cell-figures"]), arrays["cells"]  # (pairs, losses, features[, *sample])
    pairs = np.asarray(arrays["pairs"])
    found = [_pair(context, int(s), int(t), figures[i], cells[i]) for i, (s, t) in enumerate(pairs)]
    return [pair.model_copy(update={"moves": own}) for pair, own in zip(found, moves, strict=True)]


def _pair(context: Context, s: int, t: int, figures: AnyArray, samples: FloatArray) -> PairResult:
    side, converted = context.source_side, context.settings.converter is not None
    label = int(context.generator_labels(side)[s])
    cells = [[_cell(context.classes, cell, label) for cell in row] for row in figures]
    if converted:
        cells[0][0] = cells[0][0].model_copy(update={"real": False, "converted": True})
    source_names, target_names = context.domain(side).names, context.domain("target").names
    return PairResult(
        source=s,
        target=t,
        source_name=source_names[s] if source_names else "",
        target_name=target_names[t] if target_names else "",
        label=context.classes[label],
        loss=(float(figures["requested"][0, 0]), float(figures["requested"][-1, -1])),
        cells=cells,
        series=[*(row[0] for row in cells[:-1]), cells[-1][-1]],
        converted=converted,
        moved=float(np.abs(samples[0, 0] - samples[-1, -1]).mean()) if converted else None,
    )


def _cell(classes: list[str], figures: Any, label: int) -> Cell:
    return Cell(
        requested=float(figures["requested"]),
        measured=float(figures["measured"]),
        predicted=classes[int(figures["prediction"])],
        confidence=float(figures["confidence"]),
        correct=int(figures["prediction"]) == label,
        real=bool(figures["real"]),
        reached=bool(figures["reached"]),
    )


def _curves(generator: dict[str, Any], model: dict[str, Any], converter: dict[str, Any]) -> list[Curve]:
    trained = (("classifier", model), ("generator", generator), ("style converter", converter))
    return [Curve(name=name, rows=facts["history"]) for name, facts in trained if facts.get("history")]


def _provenance(context: Context) -> Provenance:
    return Provenance(
        settings_sha256=context.settings.sha256,
        data_sha256=context.facts("data")["data_sha256"],
        classifier_sha256=context.facts("classifier")["sha256"],
        versions=_versions(context),
        device=context.general.device,
        providers=context.facts("grid")["providers"],
        seed=context.general.seed,
        date=datetime.now(UTC).date().isoformat(),
    )


def _versions(context: Context) -> dict[str, str]:
    """Versions that the models were made with: those of the stages that trained and exported them."""
    record = context.run.record("export")
    return record.versions if record else {}


STAGE = Stage(
    "explain",
    settings=EVERY_SETTING,  # their hash is part of the results
    after=(
        "data",
        "classifier",
        "score",
        "groups",
        "trial",
        "estimate",
        "intervention",
        "remedy",
        "generator",
        "converter",
        "export",
        "conversion",
        "grid",
    ),
    work=work,
)
