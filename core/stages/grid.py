"""Stage ``grid``: pick the pairs, decode and re-score their grids, and measure how far to believe them (¶52–63).

From here on numpy and ONNX Runtime do all the work; torch is not imported.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from shiftlens.core.calibration import calibrate
from shiftlens.core.domain import FloatArray, IntArray
from shiftlens.core.errors import InputError
from shiftlens.core.fidelity import fidelity, leak
from shiftlens.core.grid import PairGrid, grid_of_pair
from shiftlens.core.kinds import SOURCE, Candidates, Pair
from shiftlens.core.stages.context import DOMAINS, Context, Outcome, Stage

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
LEAK_SAMPLES = 4000


def work(context: Context) -> Outcome:
    pairs, skipped = _select(context), 0
    if context.settings.converter is not None:
        pairs, skipped = _convertible(context, pairs)
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
        arrays.save("series", series),
        arrays.save("cell-figures", figures),
    ]
    generated = ~figures["real"]
    facts: dict[str, Any] = {
        "fidelity": fidelity(figures["requested"][generated], figures["measured"][generated]).model_dump(),
        "leak": leak(*_latents(context), seed=context.general.seed).model_dump(),
        "reached": float(figures["reached"][generated].mean()),
        "providers": context.bundle.providers,
        "skipped": skipped,
    }
    return Outcome(outputs, facts)


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
        raise InputError(
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
        raise InputError(
            f"the style converter brings down the loss of none of the {len(places)} target samples picked; train it "
            "for more steps, choose another, or set converter to null"
        )
    return kept, len(places) - len(kept)


def _losses_and_samples(context: Context, pair: Pair) -> tuple[npt.NDArray[np.float64], FloatArray]:
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

    def calibrated(
        z: FloatArray, requested: npt.NDArray[np.float64], label: IntArray
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        return calibrate(z, requested, label, bundle.decode, context.score)

    return grid_of_pair(
        samples,
        loss,
        int(context.generator_labels(context.source_side)[pair.source]),
        bundle.encode,
        bundle.decode,
        context.score,
        calibrated if settings.calibrate else None,
        settings.features,
        settings.losses,
        spherical=settings.interpolation == "spherical",
    )


def _figures(grid: PairGrid) -> Any:
    table = np.empty(grid.requested.shape, dtype=CELL_FIELDS)
    table["requested"], table["measured"] = grid.requested, grid.measured
    table["prediction"] = grid.scores.prediction.reshape(grid.requested.shape)
    table["confidence"] = grid.scores.confidence.reshape(grid.requested.shape)
    table["real"], table["reached"] = grid.real, grid.reached
    return table


def _latents(context: Context) -> tuple[FloatArray, npt.NDArray[np.float64]]:
    """Latents and losses of samples drawn evenly from both domains, for the leak."""
    latents, losses = [], []
    size = context.general.batch_size
    for role in DOMAINS:
        domain, scores = context.domain(role), context.scores(role)
        chosen = np.linspace(0, len(domain) - 1, min(len(domain), LEAK_SAMPLES // 2)).astype(np.int64)
        labels = context.generator_labels(role)
        for start in range(0, len(chosen), size):
            here = chosen[start : start + size]
            latents.append(context.bundle.encode(domain.batch(here), scores.loss[here], labels[here]))
        losses.append(scores.loss[chosen])
    return np.concatenate(latents), np.concatenate(losses)


STAGE = Stage(
    "grid",
    settings=("selector", "grid", "batch_size", "seed"),
    after=("data", "classifier", "score", "export"),
    work=work,
)
