"""Stage ``intervention``: the fitted changes made, forward, on real source samples (FIG. 10, 11). No generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.causes.changes import Change, Plan
from shiftlens.core.causes.outcomes import Rig
from shiftlens.core.data.scoring import Scores
from shiftlens.core.grid.fidelity import fidelity
from shiftlens.core.grid.intervention import InterventionGrid, Sides, changed, intervention_grid, sides_of
from shiftlens.core.grid.intervention_samples import Space, samples_to_show
from shiftlens.core.results.numbers import percent
from shiftlens.core.results.results import (
    Intervention,
    InterventionAxis,
    InterventionCell,
    InterventionSample,
    NearestTarget,
    Slider,
    SliderStep,
)
from shiftlens.core.run.context import Context, Outcome, Stage
from shiftlens.core.run.stages.trial import fitted_plan

SHOWN = 12
SHOWN_LARGE = 6  # of samples with more values than LARGE: a grid of these takes seconds
LARGE = 40_000
LOOKED_AT = 200  # source samples that the whole shift is made on, to find such as show what it does
COMPARED = 500  # target samples among which the nearest one is looked for
WITH_SLIDERS = 3
SLIDER_STEPS = np.linspace(0.0, 1.0, 9)
ARRAYS = ("intervention-cells", "intervention-targets", "intervention-sliders")


def work(context: Context) -> Outcome:
    for name in ARRAYS:  # of an earlier trial that found more than this one
        (context.run.arrays.folder / f"{name}.npy").unlink(missing_ok=True)
    plan, verdicts = fitted_plan(context)
    sides = sides_of(plan, verdicts)
    right, down = _axis(sides.right, verdicts, "harmless"), _axis(sides.down, verdicts, "harmful")
    if not plan:
        words = "Nothing was found to have changed, so there is nothing to change a sample by."
        return _outcome([], Intervention(right=right, down=down, sentence=words))
    rows, alike, looked_at = _chosen(context, plan, sides)
    x, label = context.domain("source").batch(rows), context.generator_labels("source")[rows]
    size = context.general.grid
    grids = []
    for number, (sample, own) in enumerate(zip(x, label, strict=True)):
        grids.append(
            intervention_grid(
                Rig(sample[None], own[None], context.score_in_batches, context.general.seed), plan, sides,
                size.features, size.losses,
            )
        )  # fmt: skip
        context.progress(number + 1, len(rows))
    nearest, targets = _nearest(context, x, np.stack([grid.cells[-1, -1] for grid in grids]), label)
    sliders, pictures = _sliders(context, plan, x[:WITH_SLIDERS], label)
    found = [
        _sample(context, int(row), int(own), grid, near)
        for row, own, grid, near in zip(rows, label, grids, nearest, strict=True)
    ]
    found = [
        sample.model_copy(update={"sliders": sliders[i] if i < len(sliders) else []}) for i, sample in enumerate(found)
    ]
    save = context.run.arrays.save
    outputs = [
        save("intervention-cells", np.stack([grid.cells for grid in grids])),
        save("intervention-targets", targets),
        save("intervention-sliders", pictures),
    ]
    flipped = alike if sides.down else looked_at - alike
    result = Intervention(
        right=right,
        down=down,
        samples=found,
        **_trust(grids, sides),
        looked_at=looked_at,
        flipped=flipped,
        distance=float(np.median([near.distance for near in nearest])),
        distance_before=float(np.median([near.distance_before for near in nearest])),
        sentence=_sentence(grids, sides, looked_at, flipped),
    )
    return _outcome(outputs, result)


def _outcome(outputs: list[str], result: Intervention) -> Outcome:
    return Outcome(outputs, {"intervention": result.model_dump(mode="json")})


def _axis(names: tuple[str, ...], verdicts: Mapping[str, str], kind: str) -> InterventionAxis:
    """Headings from the verdicts: "harmless: hue; unclear: noise"."""
    if not names:
        return InterventionAxis(words=f"nothing that changed is {kind}")
    kinds = dict.fromkeys(verdicts[name] for name in names)
    words = "; ".join(f"{verdict}: {', '.join(n for n in names if verdicts[n] == verdict)}" for verdict in kinds)
    return InterventionAxis(factors=list(names), words=words)


def _chosen(context: Context, plan: Plan, sides: Sides) -> tuple[IntArray, int, int]:
    """Places of source samples on which the finding shows; and of how many how many behave like them."""
    rng = np.random.default_rng([context.general.seed, 41])
    known = context.evaluated()
    rows = np.sort(rng.choice(known, min(LOOKED_AT, len(known)), replace=False))
    x, label = context.domain("source").batch(rows), context.generator_labels("source")[rows]
    whole = {change.name: np.ones(len(rows)) for change in plan}
    before = context.score_in_batches(x, label)
    after = context.score_in_batches(changed(plan, x, whole, context.general.seed), label)
    count = SHOWN if x[0].size <= LARGE else SHOWN_LARGE
    shown = samples_to_show(before, after, bool(sides.down), count)
    return rows[shown.places], shown.alike, shown.looked_at


def _nearest(
    context: Context, x: FloatArray, whole: FloatArray, label: IntArray
) -> tuple[list[NearestTarget], FloatArray]:
    """The real target sample most like each source sample with the whole shift ``(n, *sample)``, and its picture."""
    domain, scores, kind = context.domain("target"), context.scores("target"), context.domain("source").kind
    places = np.unique(np.linspace(0, len(domain) - 1, min(COMPARED, len(domain))).astype(np.int64))
    looked_at, classes = domain.batch(places), context.generator_labels("target")
    space = Space.of(kind, looked_at, _probabilities(context, looked_at), classes[places])
    found, far = space.nearest(whole, _probabilities(context, whole), label)
    before = space.nearest(x, _probabilities(context, x), label)[1]
    targets = []
    for place, distance, was in zip(places[found], far, before, strict=True):
        targets.append(
            NearestTarget(
                target=int(place),
                target_name=domain.names[place] if domain.names else "",
                loss=float(scores.loss[place]),
                predicted=context.classes[scores.prediction[place]],
                confidence=float(scores.confidence[place]),
                correct=bool(scores.prediction[place] == classes[place]),
                distance=float(distance),
                distance_before=float(was),
            )
        )
    return targets, looked_at[found]


def _probabilities(context: Context, x: FloatArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    size = context.batch_size
    return np.concatenate([context.predict(x[i : i + size]) for i in range(0, len(x), size)])


def _sliders(context: Context, plan: Plan, x: FloatArray, label: IntArray) -> tuple[list[list[Slider]], FloatArray]:
    """Each change alone on each sample, and its samples ``(samples, changes, steps, *sample)``."""
    samples, pictures = [], []
    for sample, own in zip(x, label, strict=False):
        drawn = [_dosed(context, change, sample) for change in plan]
        pictures.append(np.stack(drawn))
        samples.append(
            [
                Slider(factor=change.name, steps=_steps(context, change, states, int(own)))
                for change, states in zip(plan, drawn, strict=True)
            ]
        )
    return samples, np.stack(pictures)


def _dosed(context: Context, change: Change, sample: FloatArray) -> FloatArray:
    repeated = np.repeat(sample[None], len(SLIDER_STEPS), axis=0)
    return changed([change], repeated, {change.name: SLIDER_STEPS}, context.general.seed)


def _steps(context: Context, change: Change, x: FloatArray, label: int) -> list[SliderStep]:
    scores = context.score_in_batches(x, np.full(len(x), label, dtype=np.int64))
    values = change.factor.measured_or_nan(x)
    return [
        SliderStep(
            part=float(part),
            value=float(value) if np.isfinite(value) else None,
            loss=float(scores.loss[i]),
            predicted=context.classes[scores.prediction[i]],
            confidence=float(scores.confidence[i]),
            correct=bool(scores.prediction[i] == label),
        )
        for i, (part, value) in enumerate(zip(SLIDER_STEPS, values, strict=True))
    ]


def _sample(
    context: Context, row: int, label: int, grid: InterventionGrid, nearest: NearestTarget
) -> InterventionSample:
    scores, reached = grid.scores, grid.reached
    columns = len(grid.right)
    names = context.domain("source").names
    return InterventionSample(
        source=row,
        source_name=names[row] if names else "",
        label=context.classes[label],
        nearest=nearest,
        cells=[
            [
                _cell(context.classes, scores, r * columns + c, label).model_copy(
                    update={
                        "requested": float(requested),
                        "right": float(grid.right[c]),
                        "down": float(grid.down[r, c]),
                        "reached": bool(reached[r, c]),
                    }
                )
                for c in range(columns)
            ]
            for r, requested in enumerate(grid.requested)
        ],
    )


def _cell(classes: list[str], scores: Scores, i: int, label: int) -> InterventionCell:
    return InterventionCell(
        requested=0.0, right=0.0, down=0.0, reached=True,
        measured=float(scores.loss[i]),
        predicted=classes[scores.prediction[i]],
        confidence=float(scores.confidence[i]),
        correct=bool(scores.prediction[i] == label),
    )  # fmt: skip


def _trust(grids: list[InterventionGrid], sides: Sides) -> dict[str, Any]:
    """Fidelity over all cells whose strength was chosen by the loss, and the share of these that reached it."""
    if not sides.down:
        return {}
    requested = np.concatenate([np.repeat(grid.requested[1:], len(grid.right)) for grid in grids])
    measured = np.concatenate([grid.measured[1:].ravel() for grid in grids])
    near = np.concatenate([grid.reached[1:].ravel() for grid in grids])
    return {"fidelity": fidelity(requested, measured), "near": float(near.mean())}


def _sentence(grids: list[InterventionGrid], sides: Sides, looked_at: int, flipped: int) -> str:
    """What the means over the samples say along each axis, and how usual such samples are."""
    start = np.mean([grid.measured[0, 0] for grid in grids])
    ways = []
    if sides.right:
        there = np.mean([grid.measured[0, -1] for grid in grids])
        ways.append(f"Going right, the mean loss goes from {start:.2f} to {there:.2f}")
    if sides.down:
        there = np.mean([grid.measured[-1, 0] for grid in grids])
        ways.append(f"{'going down,' if ways else 'Going down, the mean loss goes'} from {start:.2f} to {there:.2f}")
    share = percent(flipped / looked_at) if looked_at else "none"
    return (
        f"{'; '.join(ways)} ({len(grids)} samples, picked to show the finding). At its usual strength the whole shift "
        f"changes the answer on {share} of {looked_at} source samples that the classifier had right."
    )


STAGE = Stage(
    "intervention",
    settings=("factors", "loss", "grid.features", "grid.losses", "seed", "batch_size", "device"),
    after=("data", "classifier", "score", "trial"),
    work=work,
)
