"""Stage ``grid``: pick the pairs, decode and re-score their grids, and measure how far to believe them (¶52–63).

From here on numpy and ONNX Runtime do all the work; torch is not imported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from shiftlens.core.arrays import BoolArray, FloatArray, Floats, IntArray
from shiftlens.core.causes.sample_statistics import broad_measures
from shiftlens.core.data.scoring import Scores, join, score_batch
from shiftlens.core.errors import NoPairError
from shiftlens.core.grid.calibration import calibrate
from shiftlens.core.grid.fidelity import axis_leak, fidelity, fidelity_of_grids, leak, plain_realism, realism
from shiftlens.core.grid.interpolate import GridNetworks, GridShape, PairGrid, grid_of_pair
from shiftlens.core.host.kinds import SOURCE, Candidates, Pair
from shiftlens.core.results.results import Fidelity, Leak, Realism
from shiftlens.core.run.context import DOMAINS, Context, Outcome, Stage

CELL_FIELDS = np.dtype(
    [
        ("requested", "f8"),
        ("measured", "f8"),
        ("prediction", "i8"),
        ("confidence", "f8"),
        ("real", "?"),
        ("reached", "?"),
    ]
)
logger = logging.getLogger("shiftlens")

ARRAYS = ("pairs", "cells", "given-back", "series", "cell-figures")
GIVEN_BACK = 500  # samples of each domain that are decoded again, for plain statistics to compare the cells with
LOOKED_AT = 2000  # samples of each domain, and rows of the trial, by which leak and realism are measured


def work(context: Context) -> Outcome:
    for name in ARRAYS:  # of an earlier run that found pairs
        (context.run.arrays.folder / f"{name}.npy").unlink(missing_ok=True)
    try:
        pairs, skipped = _select(context), 0
        if context.settings.converter is not None:
            pairs, skipped = _convertible(context, pairs)
    except NoPairError as error:
        return _without_pairs(context, str(error))
    grids = []
    for number, pair in enumerate(pairs):
        grids.append(_grid(context, pair))
        context.progress(number + 1, len(pairs))
    cells = np.stack([grid.cells for grid in grids])  # (pairs, losses, features, *sample)
    figures = np.stack([_figures(grid) for grid in grids])  # (pairs, losses, features)
    series = cells[:, :, 0].copy()  # claim 2: the source's features held, only the loss interpolated,
    series[:, -1] = cells[:, -1, -1]  # between the two real samples
    arrays = context.run.arrays
    outputs = [
        arrays.save("pairs", np.array([(pair.source, pair.target) for pair in pairs], dtype=np.int64)),
        arrays.save("cells", cells),
        arrays.save("given-back", np.stack([grid.given_back for grid in grids])),
        arrays.save("series", series),
        arrays.save("cell-figures", figures),
    ]
    generated = ~figures["real"]
    facts: dict[str, Any] = {
        "fidelity": fidelity_of_grids(figures["requested"], figures["measured"], generated).model_dump(),
        "leak": _leak(context).model_dump(),
        "realism": found.model_dump() if (found := _realism(context, pairs, cells, generated)) else None,
        "second_opinion": _second_opinion(context, pairs, cells, figures),
        "reached": float(figures["reached"][generated].mean()),
        "providers": context.bundle.providers,
        "skipped": skipped,
        "why_none": "",
    }
    return Outcome(outputs, facts)


def _without_pairs(context: Context, why: str) -> Outcome:
    """No grid: the verdicts, which need none, stand by themselves."""
    logger.warning("the report comes without a grid: %s", why)
    facts: dict[str, Any] = {
        "fidelity": Fidelity(spearman=None, pearson=None, cells=0).model_dump(),
        "leak": _leak(context).model_dump(),
        "realism": None,
        "second_opinion": None,
        "reached": None,
        "providers": context.bundle.providers,
        "skipped": 0,
        "why_none": why,
    }
    return Outcome(facts=facts)


def _select(context: Context) -> list[Pair]:
    """The pairs that the selector picks, checked."""
    scores = {role: context.scores(role) for role in DOMAINS}

    def encode(role: int, indices: IntArray) -> FloatArray:
        name = DOMAINS[0] if role == SOURCE else DOMAINS[1]
        x = context.domain(name).batch(indices)
        return context.bundle.encode(x, scores[name].loss[indices], context.generator_labels(name)[indices])

    rng = np.random.default_rng(context.general.seed)
    pairs: list[Pair] = context.settings.selector.build()(Candidates(scores["source"], scores["target"], encode), rng)
    if not pairs:
        raise NoPairError(
            f'the selector "{context.settings.selector.name}" found no pair; loosen its settings '
            f"(`shiftlens plugins show {context.settings.selector.name}`)"
        )
    return pairs


def _convertible(context: Context, pairs: list[Pair]) -> tuple[list[Pair], int]:
    """Each pair's target sample on both sides, where converting it brings its loss down; and how many others (¶83)."""
    places = list(dict.fromkeys(pair.target for pair in pairs))
    kept = []
    for place in places:
        (loss_after, loss), _ = _losses_and_samples(context, Pair(place, place))
        if loss_after < loss:
            kept.append(Pair(place, place))
    if not kept:
        raise NoPairError(
            f"the style converter brings down the loss of none of the {len(places)} target samples picked; train it "
            "for more steps, choose another, or set converter to null"
        )
    return kept, len(places) - len(kept)


def _losses_and_samples(context: Context, pair: Pair) -> tuple[Floats, FloatArray]:
    """The losses ``(2,)`` and the samples ``(2, *sample)`` of a pair; converted, its source side is made (¶83)."""
    target = context.domain("target").batch(np.array([pair.target]))
    loss = context.scores("target").loss[pair.target]
    if context.settings.converter is None:
        source, loss_source = context.domain("source").batch(np.array([pair.source])), context.scores("source").loss
        return np.array([loss_source[pair.source], loss]), np.concatenate([source, target])
    label = context.generator_labels("target")[[pair.target]]
    made = context.bundle.convert(target, label)
    return np.array([context.score(made, label).loss[0], loss]), np.concatenate([made, target])


def _grid(context: Context, pair: Pair) -> PairGrid:
    bundle, settings = context.bundle, context.general.grid
    loss, samples = _losses_and_samples(context, pair)

    def calibrated(z: FloatArray, requested: Floats, label: IntArray) -> tuple[Floats, BoolArray]:
        return calibrate(z, requested, label, bundle.decode, context.score)

    return grid_of_pair(
        samples,
        loss,
        int(context.generator_labels(context.source_side)[pair.source]),
        GridNetworks(bundle.encode, bundle.decode, context.score, calibrated if settings.calibrate else None),
        GridShape(settings.features, settings.losses, settings.interpolation == "spherical"),
    )


def _figures(grid: PairGrid) -> Any:
    table = np.empty(grid.requested.shape, dtype=CELL_FIELDS)
    table["requested"], table["measured"] = grid.requested, grid.measured
    table["prediction"] = grid.scores.prediction.reshape(grid.requested.shape)
    table["confidence"] = grid.scores.confidence.reshape(grid.requested.shape)
    table["real"], table["reached"] = grid.real, grid.reached
    return table


def _leak(context: Context) -> Leak:
    """What z still tells of the loss: of all real samples, of each domain's, and of the trial's changes."""
    seed, latents, losses = context.general.seed, {}, {}
    for role in DOMAINS:
        rows, scores = _evenly(len(context.domain(role))), context.scores(role)
        losses[role] = scores.loss[rows]
        latents[role] = _encoded(context, role, rows, losses[role], context.generator_labels(role)[rows])
    whole = leak(np.concatenate(list(latents.values())), np.concatenate(list(losses.values())), seed)
    alone = {role: leak(latents[role], losses[role], seed).r2 for role in DOMAINS}
    return whole.model_copy(update={**alone, "axis_r2": _axis_leak(context)})


def _axis_leak(context: Context) -> float | None:
    """None where there was no trial."""
    arrays, size = context.run.arrays, context.batch_size
    if "trial-x" not in arrays:
        return None
    chosen = _evenly(len(arrays["trial-rows"]))
    table = np.asarray(arrays["trial-rows"])[chosen]
    latents = []
    for start in range(0, len(chosen), size):
        here = slice(start, start + size)
        x = np.asarray(arrays["trial-x"][chosen[here]], dtype=np.float32)
        latents.append(context.bundle.encode(x, table["loss"][here], table["label"][here]))
    return axis_leak(
        np.concatenate(latents), table["loss"], table["loss_before"], table["label"], seed=context.general.seed
    )


def _realism(context: Context, pairs: list[Pair], cells: FloatArray, generated: BoolArray) -> Realism | None:
    """Where the cells lie among the real samples, in the encoder's space and by plain statistics.

    All are encoded as of one loss and one class: what the encoder takes out for the loss is then the same for all, and
    their distances are those of the trained encoder itself, the loss axis's part included. Plain statistics compare the
    cells with real samples as the networks give them back: a ground that a drawing has perfectly even has some grain
    after any decoder, and that is no sign of what the loss axis does.
    """
    real, plain, kind = [], [], context.facts("data")["kind"]
    shown: dict[str, set[int]] = {"source": set(), "target": {pair.target for pair in pairs}}
    shown[context.source_side] |= {pair.source for pair in pairs}
    for role in DOMAINS:
        rows = np.setdiff1d(_evenly(len(context.domain(role))), sorted(shown[role]))
        real.append(_encoded(context, role, rows, np.zeros(len(rows)), np.zeros(len(rows), dtype=np.int64)))
        few = rows[_evenly(len(rows), GIVEN_BACK)]
        known = context.scores(role).loss[few], context.generator_labels(role)[few]
        given_back = context.bundle.decode(_encoded(context, role, few, *known), *known)
        plain.append(broad_measures(kind, given_back))
    made = cells[generated]
    nothing = np.zeros(len(made))
    found = realism(context.bundle.encode(made, nothing, nothing.astype(np.int64)), np.concatenate(real))
    if found is None:
        return None
    row_of = np.broadcast_to(np.arange(cells.shape[1])[:, None], generated.shape)[generated]
    return found.model_copy(update=plain_realism(broad_measures(kind, made), np.concatenate(plain), row_of))


def _second_opinion(context: Context, pairs: list[Pair], cells: FloatArray, figures: Any) -> dict[str, Any] | None:
    """The cells as another classifier scores them, and for comparison real samples; None where there is no other."""
    predict, size = context.second_opinion, context.batch_size
    if predict is None:
        return None

    def scored(read: Callable[[slice], FloatArray], label: IntArray) -> Scores:
        parts = [slice(start, start + size) for start in range(0, len(label), size)]
        return join([score_batch(predict(read(part)), label[part], context.loss) for part in parts])

    generated = ~figures["real"]
    labels = context.generator_labels(context.source_side)[[pair.source for pair in pairs]]
    made = cells[generated]
    own = scored(lambda part: made[part], np.broadcast_to(labels[:, None, None], generated.shape)[generated])

    def of_real(role: str) -> tuple[Scores, Scores]:
        """Both classifiers on real samples of a domain."""
        domain, first = context.domain(role), context.scores(role)
        rows = _evenly(len(domain))
        known = Scores(first.loss[rows], first.label[rows], first.prediction[rows], first.confidence[rows])
        return known, scored(lambda part: domain.batch(rows[part]), context.generator_labels(role)[rows])

    known, second = (join(list(parts)) for parts in zip(*map(of_real, DOMAINS), strict=True))
    return {
        "fidelity": fidelity(figures["requested"][generated], own.loss).spearman,
        "agreement": float((own.prediction == figures["prediction"][generated]).mean()),
        "fidelity_on_real": fidelity(known.loss, second.loss).spearman,
        "agreement_on_real": float((second.prediction == known.prediction).mean()),
        "accuracy": context.facts("second-opinion")["accuracy"],
    }


def _evenly(count: int, most: int = LOOKED_AT) -> IntArray:
    """At most ``most`` indices, evenly spread."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def _encoded(context: Context, role: str, rows: IntArray, loss: Floats, label: IntArray) -> FloatArray:
    """Latents of some samples of a domain, read in batches; loss and label are those of the rows."""
    size, domain = context.batch_size, context.domain(role)
    starts = range(0, len(rows), size)
    return np.concatenate(
        [
            context.bundle.encode(domain.batch(rows[i : i + size]), loss[i : i + size], label[i : i + size])
            for i in starts
        ]
    )


STAGE = Stage(
    "grid",
    settings=("selector", "converter", "loss", "grid", "batch_size", "seed", "device"),
    after=("data", "classifier", "score", "trial", "export", "second-opinion"),
    work=work,
)
