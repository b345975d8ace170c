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
    pairs = _select(context)
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


def _grid(context: Context, pair: Pair) -> PairGrid:
    bundle, settings = context.bundle, context.general.grid
    samples = np.concatenate(
        [
            context.domain(name).batch(np.array([index]))
            for name, index in zip(DOMAINS, (pair.source, pair.target), strict=True)
        ]
    )
    loss = np.array([context.scores("source").loss[pair.source], context.scores("target").loss[pair.target]])

    def calibrated(
        z: FloatArray, requested: npt.NDArray[np.float64], label: IntArray
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        return calibrate(z, requested, label, bundle.decode, context.score)

    return grid_of_pair(
        samples,
        loss,
        int(context.generator_labels("source")[pair.source]),
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
