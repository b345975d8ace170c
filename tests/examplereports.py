"""Reports to render: real samples, really changed, scored by a small classifier, every figure measured.

The target domain is the source's other half with two changes at full strength. One hurts the classifier (nearest mean
of each class) and one does not, or hardly. The cells of a grid are the same changes at partial strengths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np
from realdata import cifar, digits, power
from scipy import ndimage

from shiftlens.core.grid import fidelity
from shiftlens.core.grid.interpolate import steps
from shiftlens.core.results.report import Report
from shiftlens.core.results.results import (
    Axes,
    Cause,
    Cell,
    ClassAccuracy,
    Confusion,
    Curve,
    Distribution,
    DosePoint,
    Fidelity,
    GridSize,
    Interaction,
    Intervals,
    Intervention,
    InterventionAxis,
    InterventionCell,
    InterventionSample,
    Leak,
    MeasuredRemedy,
    NearestTarget,
    PairMove,
    PairResult,
    PerDomain,
    Provenance,
    Realism,
    RemedyResult,
    Results,
    Samples,
    SecondOpinion,
    Shift,
    Slider,
    SliderStep,
    StripCell,
    Unexplained,
    WorstSample,
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """A named change of samples ``apply(x (n, *sample), strength 0..1)`` and its measure."""

    factor: str
    unit: str
    apply: Callable[[np.ndarray, float], np.ndarray]
    measure: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Scene:
    """A kind of data with the harmful and the harmless change."""

    kind: str
    x: np.ndarray
    y: np.ndarray
    view: Callable[[np.ndarray], np.ndarray]  # what the classifier looks at, (n, features)
    harmful: Change
    harmless: Change


def _thicker(x: np.ndarray, t: float) -> np.ndarray:
    wide = ndimage.grey_dilation(x, size=(1, 1, 7, 7))
    return ((1 - t) * x + t * wide).astype(np.float32)


def _bluer(x: np.ndarray, t: float) -> np.ndarray:
    ink = x.max(axis=1, keepdims=True)
    return (ink * np.array([1 - 0.8 * t, 0.45, 0.2 + 0.8 * t], dtype=np.float32)[:, None, None]).astype(np.float32)


def _ink(x: np.ndarray) -> np.ndarray:
    return x.max(axis=1).reshape(len(x), -1)


@cache
def _digits() -> Scene:
    grey, y = digits()
    large = ndimage.zoom(grey[:800], (1, 1, 3, 3), order=1).clip(0, 1)  # (800, 1, 24, 24)
    x = _bluer(np.pad(large, [(0, 0), (0, 0), (4, 4), (4, 4)]), 0.0)  # (800, 3, 32, 32)
    return Scene(
        "image",
        x,
        y[:800].astype(str),
        _ink,
        Change("stroke-thickness", "px", _thicker, lambda x: (_ink(x) > 0.4).mean(1) * 18),
        Change("hue", "degrees", _bluer, lambda x: 240 * x[:, 2].mean((1, 2)) / (x[:, 0] + x[:, 2]).mean((1, 2))),
    )


@cache
def _photos() -> Scene:
    x, y = cifar(40)

    def blur(x: np.ndarray, t: float) -> np.ndarray:
        return ndimage.gaussian_filter(x, (0, 0, 2.5 * t, 2.5 * t)) if t else x

    def warm(x: np.ndarray, t: float) -> np.ndarray:
        return (x * np.array([1.0, 1 - 0.15 * t, 1 - 0.5 * t], dtype=np.float32)[:, None, None]).astype(np.float32)

    def edges(x: np.ndarray) -> np.ndarray:
        grey = x.mean(axis=1)
        return np.abs(np.diff(grey, axis=2))[:, :, :].reshape(len(x), -1)

    return Scene(
        "image",
        x,
        y,
        edges,
        Change("sharpness", "of full range", blur, lambda x: edges(x).mean(1) * 10),
        Change("hue", "degrees", warm, lambda x: 60 * (x[:, 0] - x[:, 2]).mean((1, 2)) + 30),
    )


@cache
def _series() -> Scene:
    x, y = power()

    def later(x: np.ndarray, t: float) -> np.ndarray:
        return ndimage.shift(x, (0, 0, 5 * t), mode="nearest", order=1).astype(np.float32)

    def higher(x: np.ndarray, t: float) -> np.ndarray:
        return (x + 0.8 * t).astype(np.float32)

    def shape(x: np.ndarray) -> np.ndarray:
        return (x - x.mean(axis=2, keepdims=True)).reshape(len(x), -1)

    return Scene(
        "series",
        x,
        y,
        shape,
        Change("delay", "hours", later, lambda x: np.diff(x[:, 0]).argmax(1).astype(float)),
        Change("level", "", higher, lambda x: x.mean((1, 2))),
    )


@cache
def _table() -> Scene:
    from sklearn.datasets import load_wine

    loaded = load_wine()
    x = ((loaded.data - loaded.data.mean(0)) / loaded.data.std(0)).astype(np.float32)

    def column(index: int, by: float) -> Callable[[np.ndarray, float], np.ndarray]:
        return lambda x, t: x + np.eye(x.shape[1], dtype=np.float32)[index] * np.float32(by * t)

    names = loaded.target_names[loaded.target]
    seen = np.ones(x.shape[1], dtype=np.float32)
    seen[4] = 0
    return Scene(
        "tabular",
        x,
        names,
        lambda x: x * seen,
        Change("flavanoids", "", column(6, -6.0), lambda x: x[:, 6]),
        Change("magnesium", "mg", column(4, 3.0), lambda x: x[:, 4]),
    )


SCENES = {"digits": _digits, "photos": _photos, "series": _series, "table": _table}


class NearestMean:
    """Softmax over the squared distances to each class's mean."""

    def __init__(self, scene: Scene, x: np.ndarray, y: np.ndarray) -> None:
        self.view, self.classes = scene.view, sorted(set(y))
        seen = scene.view(x)
        self.means = np.stack([seen[y == name].mean(0) for name in self.classes])
        distance = self._distances(seen)
        self.temperature = 0.6 * float(np.median(np.sort(distance, 1)[:, 1] - distance.min(1)))

    def _distances(self, seen: np.ndarray) -> np.ndarray:
        return ((seen[:, None] - self.means) ** 2).sum(-1)

    def score(self, x: np.ndarray, y: Sequence[str]) -> tuple[np.ndarray, list[str], np.ndarray]:
        """Loss, predicted class and confidence of each sample."""
        logits = -self._distances(self.view(x)) / self.temperature
        logits -= logits.max(1, keepdims=True)
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        own = p[np.arange(len(x)), [self.classes.index(name) for name in y]]
        return -np.log(np.maximum(own, 1e-7)), [self.classes[k] for k in p.argmax(1)], p.max(1)


@cache
def example(
    name: str = "digits",
    pairs: int = 3,
    causes: bool = True,
    labelled: bool = True,
    faithful: bool = True,
    features: int = 5,
    losses: int = 5,
    text: Callable[[str], str] = str,
) -> Report:
    """A report on one of the SCENES; ``text`` is put around every text that a user could have chosen."""
    scene = SCENES[name]()
    order = np.random.default_rng(0).permutation(len(scene.x))
    scene = replace(scene, x=scene.x[order], y=scene.y[order])
    half = len(scene.x) // 2
    classifier = NearestMean(scene, scene.x[:half], scene.y[:half])
    source, y_source = scene.x[:half], scene.y[:half]
    before, y_target = scene.x[half:], scene.y[half:]
    target = scene.harmful.apply(scene.harmless.apply(before, 1.0), 1.0)
    loss_source, said_source, _ = classifier.score(source, y_source)
    loss_target, said_target, _ = classifier.score(target, y_target)
    right_source, right_target = np.array(said_source) == y_source, np.array(said_target) == y_target

    caused = loss_target - 2 * classifier.score(before, y_target)[0]  # bad because of the change, not from the start
    suffers = classifier.score(scene.harmful.apply(source, 1.0), y_source)[0]
    chosen = _choose(loss_source - suffers, y_source, caused, y_target, pairs)
    found, cells, series = [], [], []
    for s, t in chosen:
        label = str(y_target[t])
        requested = steps(float(loss_source[s]), float(loss_target[t]), losses)
        strengths = np.linspace(0, 1, 25) if faithful else np.array([0.5])
        grid = np.empty((losses, features, *source.shape[1:]), dtype=np.float32)
        for c, across in enumerate(np.linspace(0, 1, features)):
            mixed = scene.harmless.apply((1 - across) * source[s : s + 1] + across * before[t : t + 1], across)
            tried = np.concatenate([scene.harmful.apply(mixed, float(strength)) for strength in strengths])
            reached = classifier.score(tried, [label] * len(tried))[0]
            grid[:, c] = tried[np.abs(reached - requested[:, None]).argmin(axis=1)]
        grid[0, 0], grid[-1, -1] = source[s], target[t]
        cells.append(grid)
        series.append(np.concatenate([grid[:-1, 0], grid[-1:, -1]]))
        rows = _cells(classifier, grid.reshape(-1, *source.shape[1:]), label, np.repeat(requested, features), text)
        table = [rows[r * features : (r + 1) * features] for r in range(losses)]
        for row, column in ((0, 0), (-1, -1)):
            table[row][column] = table[row][column].model_copy(update={"real": True})
        found.append(
            PairResult(
                source=s, target=t, source_name=text(f"a/{s}.png") if name == "photos" else "", label=text(label),
                loss=(float(loss_source[s]), float(loss_target[t])), cells=table,
                series=[*(row[0] for row in table[:-1]), table[-1][-1]],
                moves=[
                    PairMove(factor=text(scene.harmful.factor), down=2.0, right=0.1, gap=3.0),
                    # The first pair's harmless factor strays; the others' does not.
                    PairMove(factor=text(scene.harmless.factor), down=0.1 if found else 50.0, right=90.0, gap=100.0),
                ],
            )
        )  # fmt: skip

    shown = (
        _intervention(scene, classifier, source, y_source, target, y_target, losses, features, text) if pairs else None
    )
    worst = np.argsort(-loss_target)[:12]
    generated = [cell for pair in found for row in pair.cells for cell in row if not cell.real]
    strips: list[np.ndarray] = []
    accuracy_target = float(right_target.mean())
    gap = float(loss_target.mean() - loss_source.mean())
    told = _causes(scene, classifier, source, y_source, target, strips, gap, text) if causes else []
    lost = float(right_source.mean()) - accuracy_target
    headline = f"{told[0].sentence} {told[1].sentence}" if told else f"The accuracy falls by {100 * lost:.1f} points."
    explained = sum(cause.share or 0.0 for cause in told)
    results = Results(
        schema=1, shiftlens="0.1.0", name=text(f"{name}-example"), kind=scene.kind,
        sample_shape=list(source.shape[1:]), headline=text(headline),
        warnings=[text("The target has few samples of class 8.")] if name == "digits" else [],
        classes=[text(str(c)) for c in classifier.classes], samples=Samples(source=half, target=len(target)),
        accuracy=PerDomain(source=float(right_source.mean()), target=accuracy_target if labelled else None),
        loss=PerDomain(source=float(loss_source.mean()), target=float(loss_target.mean())),
        loss_distribution=_distribution(loss_source, loss_target),
        per_class=[
            ClassAccuracy(
                label=text(str(c)), source=float(right_source[y_source == c].mean()),
                target=float(right_target[y_target == c].mean()) if labelled else None,
                samples=Samples(source=int((y_source == c).sum()), target=int((y_target == c).sum())),
            )
            for c in classifier.classes
        ],
        accuracy_ci=Intervals(source=(0.88, 0.93), target=(0.6, 0.7) if labelled else None),
        measured_on=Samples(source=half, target=len(target)),
        confusions=[
            Confusion(label=text(str(a)), predicted=text(str(b)), source=0.01, target=0.2)
            for a, b in pairwise(classifier.classes)
        ] if labelled else [],
        worst=[
            WorstSample(
                target=int(t), label=text(str(y_target[t])) if labelled else None, predicted=text(said_target[t]),
                confidence=0.5, loss=float(loss_target[t]),
                values={text(scene.harmful.factor): float(scene.harmful.measure(target[t : t + 1])[0])},
            )
            for t in worst
        ],
        causes=told,
        unexplained=Unexplained(
            share=1 - explained, ci=(1 - explained - 0.06, 1 - explained + 0.06),
            sentence=text(f"{100 * (1 - explained):.0f} % of the loss gap is explained by none of the 3 factors."),
        ) if causes else None,
        interactions=[
            Interaction(
                factors=(text(scene.harmful.factor), text(scene.harmless.factor)), effect=0.08, ci=(0.03, 0.13),
                sentence=text(f"{scene.harmful.factor} and {scene.harmless.factor} cost more together than alone."),
            )
        ] if causes else [],
        fidelity=fidelity.fidelity(
            np.array([cell.requested for cell in generated]), np.array([cell.measured for cell in generated])
        ),
        leak=Leak(r2=0.04, source=0.02, target=0.05, axis_r2=0.01) if pairs else Leak(r2=None),
        realism=Realism(near=0.91, ratio=0.8, samples=1200, plain_near=0.82, plain_lowest=0.39) if pairs else None,
        second_opinion=SecondOpinion(
            fidelity=0.83, agreement=0.78, fidelity_on_real=0.71, agreement_on_real=0.82,
            accuracy=PerDomain(source=0.93, target=0.7)
        ) if pairs else None,
        intervention=shown[0] if shown else None,
        grid=GridSize(features=features, losses=losses), pairs=found,
        curves=[
            Curve(name=text("classifier"), rows=[
                {"epoch": float(e), "loss": 2.3 * 0.6**e + 0.1, "held_out": 2.3 * 0.7**e + 0.2}
                for e in range(1, 9)
            ]),
            Curve(name=text("generator"), rows=[
                {"step": 50.0 * e, "loss": 40 / (e + 1) + 1, "held_out": 42 / (e + 1) + 1.4} for e in range(60)
            ]),
        ],
        remedy=RemedyResult(
            advice="retrain",
            measured=[
                MeasuredRemedy(name=text("retrain"), samples="as in the target", target=0.85, target_ci=(0.8, 0.9),
                               source=0.9, source_ci=(0.86, 0.93), recovered=0.7, recovered_ci=(0.5, 0.9)),
                MeasuredRemedy(name=text("undo"), why_not=text("it cannot be undone")),
            ],
            measured_sentence=text("Retraining brings most of it back."), samples=Samples(source=100, target=120),
            sentence=text(f"Retrain with samples of changed {scene.harmful.factor} (augmentation.yaml makes them)."),
        ) if causes else None,
        generator={"name": "autoencoder", "loss_axis": "observed", "reconstruction_mse": 0.0041},
        provenance=Provenance(
            settings_sha256="3f" * 32, data_sha256={"source": "a1" * 32, "target": "b2" * 32},
            classifier_sha256="c3" * 32, versions={"numpy": np.__version__, "python": "3.11"}, device="cpu",
            providers=["CPUExecutionProvider"], seed=0,
        ),
    )  # fmt: skip
    arrays = {"worst": target[worst]}
    if shown:
        arrays |= shown[1]
    if pairs:
        ends = np.stack([grid[[0, -1], [0, -1]] for grid in cells])
        arrays |= {"cells": np.stack(cells), "series": np.stack(series), "given-back": ends}
    if strips:
        arrays["strips"] = np.stack(strips)
    return Report(results, {"name": text(name), "seed": 0, "grid": {"features": features, "losses": losses}}, arrays)


def _intervention(
    scene: Scene,
    classifier: NearestMean,
    source: np.ndarray,
    y: np.ndarray,
    target: np.ndarray,
    y_target: np.ndarray,
    losses: int,
    features: int,
    text: Callable[[str], str],
) -> tuple[Intervention, dict[str, np.ndarray]]:
    """Two source samples that suffer most, with the harmless change to the right and the harmful one downwards."""
    suffering = classifier.score(scene.harmful.apply(source, 1.0), y)[0] - 4 * classifier.score(source, y)[0]
    samples, grids, doses, nearest = [], [], [], []
    for s in np.argsort(-suffering)[:2]:
        label, grid, rows = str(y[s]), [], []
        for down in np.linspace(0, 1, losses):
            across = np.linspace(0, 1, features)
            row = [scene.harmful.apply(scene.harmless.apply(source[s : s + 1], a), down)[0] for a in across]
            loss, said, sure = classifier.score(np.stack(row), [label] * features)
            grid.append(np.stack(row))
            rows.append(
                [
                    InterventionCell(
                        requested=float(loss[0]), measured=float(loss[c]), predicted=text(said[c]),
                        confidence=float(sure[c]), correct=said[c] == label, right=float(across[c]), down=float(down),
                        reached=abs(loss[c] - loss[0]) < 0.5,
                    )
                    for c in range(features)
                ]
            )  # fmt: skip
        sliders, drawn = [], []
        for change in (scene.harmful, scene.harmless):
            steps_ = np.concatenate([change.apply(source[s : s + 1], float(part)) for part in np.linspace(0, 1, 9)])
            loss, said, sure = classifier.score(steps_, [label] * 9)
            drawn.append(steps_)
            sliders.append(
                Slider(factor=text(change.factor), steps=[
                    SliderStep(
                        part=i / 8, value=float(change.measure(steps_)[i]) if i else None, loss=float(loss[i]),
                        predicted=text(said[i]), confidence=float(sure[i]), correct=said[i] == label,
                    )
                    for i in range(9)
                ])
            )  # fmt: skip
        t = int(np.flatnonzero(y_target == y[s])[0])
        loss, said, sure = classifier.score(target[t : t + 1], [label])
        near = NearestTarget(
            target=t, loss=float(loss[0]), predicted=text(said[0]), confidence=float(sure[0]), correct=said[0] == label,
            distance=1.1, distance_before=2.3,
        )  # fmt: skip
        grids.append(np.stack(grid))
        doses.append(np.stack(drawn))
        nearest.append(target[t])
        samples.append(InterventionSample(source=int(s), label=text(label), cells=rows, nearest=near, sliders=sliders))
    harmful, harmless = text(scene.harmful.factor), text(scene.harmless.factor)
    found = Intervention(
        right=InterventionAxis(factors=[harmless], words=f"harmless: {harmless}"),
        down=InterventionAxis(factors=[harmful], words=f"harmful: {harmful}"),
        samples=samples, fidelity=Fidelity(spearman=0.97, pearson=0.96, cells=40), near=0.9, looked_at=200, flipped=80,
        distance=1.1, distance_before=2.3, sentence=text("Going right nothing happens, going down the loss rises."),
    )  # fmt: skip
    arrays = {"intervention-cells": grids, "intervention-targets": nearest, "intervention-sliders": doses}
    return found, {name: np.stack(array) for name, array in arrays.items()}


def _choose(
    badly: np.ndarray, y_source: np.ndarray, badness: np.ndarray, y_target: np.ndarray, count: int
) -> list[tuple[int, int]]:
    """Target samples, the worst of each class first, each with a source sample that was well classified
    before the change and is not after it."""
    rank = np.empty(len(y_target), dtype=int)
    for name in set(y_target):
        own = np.flatnonzero(y_target == name)
        rank[own[np.argsort(-badness[own])]] = np.arange(len(own))
    chosen = []
    for t in np.lexsort((-badness, rank))[:count]:
        same = np.flatnonzero(y_source == y_target[t])
        order = same[np.argsort(badly[same])]
        chosen.append((int(order[rank[t] % len(order)]), int(t)))
    return chosen


def _cells(
    classifier: NearestMean, x: np.ndarray, label: str, requested: np.ndarray, text: Callable[[str], str]
) -> list[Cell]:
    loss, said, confidence = classifier.score(x, [label] * len(x))
    return [
        Cell(
            requested=float(requested[i]), measured=float(loss[i]), predicted=text(said[i]),
            confidence=float(confidence[i]), correct=said[i] == label, reached=abs(loss[i] - requested[i]) < 2.5,
        )
        for i in range(len(x))
    ]  # fmt: skip


def _distribution(source: np.ndarray, target: np.ndarray, bins: int = 30) -> Distribution:
    both = np.concatenate([source, target])
    edges = np.linspace(both.min(), both.max(), bins + 1)
    return Distribution(
        edges=edges.tolist(),
        source=np.histogram(source, edges)[0].tolist(),
        target=np.histogram(target, edges)[0].tolist(),
    )


def _interval(values: np.ndarray) -> tuple[float, float]:
    half = 1.96 * values.std() / len(values) ** 0.5
    return float(values.mean() - half), float(values.mean() + half)


def _causes(
    scene: Scene,
    classifier: NearestMean,
    source: np.ndarray,
    y: np.ndarray,
    target: np.ndarray,
    strips: list[np.ndarray],
    gap: float,
    text: Callable[[str], str],
) -> list[Cause]:
    """Harmful, harmless and unchanged, by the matched intervention."""
    base, said, _ = classifier.score(source, y)
    right = np.array(said) == y
    shown = int(np.argmax(classifier.score(scene.harmful.apply(source, 1.0), y)[0] - 4 * base))
    told = []
    for change, verdict in ((scene.harmful, "harmful"), (scene.harmless, "harmless")):
        dose = []
        for strength in np.linspace(0, 1, 6):
            changed = change.apply(source, float(strength))
            loss, said, _ = classifier.score(changed, y)
            accuracy = float((np.array(said) == y).mean())
            value = float(change.measure(changed).mean())
            dose.append(DosePoint(value=value, loss=float(loss.mean()), accuracy=accuracy, loss_ci=_interval(loss)))
        rise, fall = loss - base, right.astype(float) - (np.array(said) == y)
        strip = []
        for strength in (0.0, 0.5, 1.0):
            sample = change.apply(source[shown : shown + 1], strength)
            loss_here, said_here, _ = classifier.score(sample, [y[shown]])
            strip.append(
                StripCell(
                    index=len(strips), value=float(change.measure(sample)[0]), loss=float(loss_here[0]),
                    predicted=text(said_here[0]), correct=said_here[0] == y[shown],
                )
            )  # fmt: skip
            strips.append(sample[0])
        low, high = dose[0].value, dose[-1].value
        harmful = verdict == "harmful"
        cost = f"costs {100 * fall.mean():.1f} points of accuracy" if harmful else "costs nothing worth naming"
        told.append(
            Cause(
                factor=text(change.factor), verdict=verdict, effect=float(rise.mean()), ci=_interval(rise),
                accuracy_effect=float(fall.mean()), accuracy_ci=_interval(fall), share=float(0.86 * rise.mean() / gap),
                share_ci=(0.86 * _interval(rise)[0] / gap, 0.86 * _interval(rise)[1] / gap),
                shift=Shift(source=low, target=float(change.measure(target).mean()), unit=text(change.unit)),
                reached=0.97, clipped=0.012 if harmful else 0.0, restored=0.21 if harmful else None,
                grid=Axes(
                    loss_axis=0.71 if harmful else 0.02, feature_axis=0.12 if harmful else 0.93,
                    loss_axis_ci=(0.61, 0.8) if harmful else (-0.04, 0.08),
                    feature_axis_ci=(0.05, 0.19) if harmful else (0.88, 0.97), agrees=True,
                ),
                evidence="intervention", safe_until=dose[1].value if harmful else None, dose=dose, strip=strip,
                distribution=_distribution(change.measure(source), change.measure(target)),
                sentence=text(f"The changed {change.factor} ({low:.1f} → {high:.1f} {change.unit}) {cost}."),
            )
        )  # fmt: skip
    told.append(
        Cause(
            factor=text("contrast"), verdict="unchanged", effect=None, shadow_of=[text(scene.harmful.factor)],
            sentence=text(f"contrast rose only because of {scene.harmful.factor}."),
        )
    )  # fmt: skip
    told.append(
        Cause(
            factor=text("noise"), verdict="unclear", effect=0.05, ci=(-0.06, 0.15), share=0.03, share_ci=(-0.04, 0.1),
            evidence="observation", rivals=[text("sharpness")], shift=Shift(source=0.02, target=0.04),
            sentence=text("noise and sharpness explain the same gap equally well; more target samples would tell."),
        )
    )  # fmt: skip
    return told
