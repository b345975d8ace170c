"""A small report for renderers: real samples, a real classifier, every figure measured.

The shift is the kit's own: samples fade towards their mean, which costs the classifier, and half of them get an offset
that costs nothing to speak of. Cells of the grids are the same changes at partial strengths.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

import shiftlens
from shiftlens.core.arrays import FloatArray
from shiftlens.core.grid.fidelity import fidelity
from shiftlens.core.grid.interpolate import steps
from shiftlens.core.results.report import Report
from shiftlens.core.results.results import (
    Cause,
    Cell,
    ClassAccuracy,
    Curve,
    Distribution,
    DosePoint,
    GridSize,
    Interaction,
    Leak,
    PairResult,
    PerDomain,
    Provenance,
    RemedyResult,
    Results,
    Samples,
    Shift,
    Unexplained,
)  # fmt: skip
from shiftlens.core.testing.realdata import NearestMean, faded, samples

MARKUP = "<script>shiftlens()</script>"
"""What `report` puts before every text where a renderer's escaping is looked at."""

COUNT = 120  # samples of each domain
SIDE = 3  # of a grid
FADE, OFFSET = 0.6, 0.02


def report(kind: str = "image", labelled: bool = True, bare: bool = False, text: Callable[[str], str] = str) -> Report:
    """A report of a real analysis in small.

    Args:
        kind: of the samples: image, series or tabular.
        labelled: whether the target has labels.
        bare: without causes, pairs, arrays, warnings and a remedy.
        text: put around every text that a user or a plugin could have chosen.
    """
    scene = _scene(kind)
    results, arrays = scene.results(labelled, bare, text)
    return Report(results, {"name": text("kit"), "seed": 0, "grid": {"features": SIDE, "losses": SIDE}}, arrays)


@cache
def _scene(kind: str) -> Scene:
    return Scene(kind)


class Scene:
    """One kind of sample before and after the shift, with the classifier that suffers."""

    def __init__(self, kind: str) -> None:
        x, label = samples(kind)
        self.kind, self.source, self.label = kind, x[:COUNT], label[:COUNT]
        self.classifier, self.middle = NearestMean(x, label), x.mean(0)
        self.before, self.label_after = x[COUNT : 2 * COUNT], label[COUNT : 2 * COUNT]
        self.spread = float(x.std())
        self.target = self.changed(self.before, FADE, OFFSET)

    def changed(self, x: FloatArray, fade: float, offset: float) -> FloatArray:
        """Samples faded by a share and lifted by a part of their spread."""
        moved = faded(x, np.full(len(x), fade), self.middle) + np.float32(offset * self.spread)
        return np.clip(moved, 0, 1) if self.kind == "image" else moved

    def effect(self, fade: float, offset: float) -> tuple[float, tuple[float, float]]:
        """Rise of the mean loss when source samples are changed, with its 95 % interval."""
        loss = self.classifier.loss
        rise = loss(self.changed(self.source, fade, offset), self.label) - loss(self.source, self.label)
        half = 1.96 * float(rise.std()) / len(rise) ** 0.5
        return float(rise.mean()), (float(rise.mean()) - half, float(rise.mean()) + half)

    def results(self, labelled: bool, bare: bool, text: Callable[[str], str]) -> tuple[Results, dict[str, FloatArray]]:
        """What a run of this scene would have found, and its arrays."""
        before, after = (
            self.classifier.loss(x, y) for x, y in ((self.source, self.label), (self.target, self.label_after))
        )
        right = [
            self.classifier(x).argmax(1) == y for x, y in ((self.source, self.label), (self.target, self.label_after))
        ]
        accuracy = PerDomain(source=right[0].mean(), target=right[1].mean() if labelled else None)
        edges = np.linspace(0, max(before.max(), after.max()), 13)
        pairs, arrays = ([], {}) if bare else self._pairs(before, after, text)
        cells = [cell for pair in pairs for row in pair.cells for cell in row if not cell.real]
        causes = [] if bare else self._causes(float(after.mean() - before.mean()), text)
        explained = sum(cause.share or 0.0 for cause in causes)
        names = [text(str(k)) for k in range(len(self.classifier.means))]
        results = Results(
            schema_version=1, shiftlens=shiftlens.__version__, name=text(f"kit-{self.kind}"), kind=self.kind,
            sample_shape=list(self.source.shape[1:]),
            columns=[text(f"x{i}") for i in range(self.source.shape[1])] if self.kind == "tabular" else [],
            headline=text("Fading samples cost the accuracy."),
            warnings=[] if bare else [text("This is the conformance kit's own small report.")],
            classes=names, samples=Samples(source=COUNT, target=COUNT), accuracy=accuracy,
            loss=PerDomain(source=before.mean(), target=after.mean()),
            loss_distribution=Distribution(
                edges=edges.tolist(), source=np.histogram(before, edges)[0].tolist(),
                target=np.histogram(after, edges)[0].tolist(),
            ),
            per_class=[
                ClassAccuracy(
                    label=name, source=_mean(right[0][self.label == k]),
                    target=_mean(right[1][self.label_after == k]) if labelled else None,
                    samples=Samples(source=int((self.label == k).sum()), target=int((self.label_after == k).sum())),
                )
                for k, name in enumerate(names)
            ],
            causes=causes, left_out={} if bare else {text("pitch"): text("images have no pitch")},
            unexplained=None if bare else Unexplained(
                share=1 - explained, ci=(0.9 - explained, 1.1 - explained), sentence=text("The rest has no name."),
            ),
            fidelity=fidelity(np.array([c.requested for c in cells]), np.array([c.measured for c in cells])),
            loss_name=text("cross-entropy"), loss_unit=text("nats"),
            interactions=[] if bare else [self._interaction(text)],
            leak=Leak(r2=None if bare else 0.0), grid=GridSize(features=SIDE, losses=SIDE), pairs=pairs,
            curves=[] if bare else [
                Curve(name=text("classifier"), rows=[{"epoch": 1.0, "loss": float(before.mean())}])
            ],
            remedy=None if bare else RemedyResult(advice="retrain", sentence=text("Retrain with faded samples.")),
            generator={"name": text("kit")},
            provenance=Provenance(
                settings_sha256="0" * 64, data_sha256={"source": "0" * 64, "target": "0" * 64},
                classifier_sha256="0" * 64, versions={"numpy": np.__version__}, device="cpu", seed=0,
            ),
        )  # fmt: skip
        return results, arrays

    def _interaction(self, text: Callable[[str], str]) -> Interaction:
        """What both changes cost together, beyond the sum of what each costs alone."""
        together, ci = self.effect(FADE, OFFSET)
        alone = self.effect(FADE, 0.0)[0] + self.effect(0.0, OFFSET)[0]
        return Interaction(
            factors=(text("fading"), text("lift")), effect=together - alone, ci=(ci[0] - alone, ci[1] - alone),
            sentence=text("Together they cost as much as each alone."),
        )  # fmt: skip

    def _accuracy(self, x: FloatArray) -> float:
        return float((self.classifier(x).argmax(1) == self.label).mean())

    def _causes(self, gap: float, text: Callable[[str], str]) -> list[Cause]:
        found = []
        for name, verdict, fade, offset in (("fading", "harmful", FADE, 0.0), ("lift", "harmless", 0.0, OFFSET)):
            effect, ci = self.effect(fade, offset)
            dose = []
            for strength in (0.0, 0.5, 1.0):
                x = self.changed(self.source, strength * fade, strength * offset)
                loss = self.classifier.loss(x, self.label)
                point = (float(loss.mean()), float(loss.mean()))
                dose.append(DosePoint(value=strength, loss=point[0], accuracy=self._accuracy(x), loss_ci=point))
            found.append(
                Cause(
                    factor=text(name), verdict=verdict, effect=effect, ci=ci, share=min(1.0, effect / max(gap, 1e-6)),
                    share_ci=(0.0, 1.0), shift=Shift(source=0.0, target=max(fade, offset), unit=text("share")),
                    rivals=[text("blur")], shadow_of=[text("haze")], evidence="intervention", dose=dose,
                    sentence=text(f"{name.capitalize()} is {verdict}."),
                )
            )  # fmt: skip
        return found

    def _pairs(
        self, before: np.ndarray, after: np.ndarray, text: Callable[[str], str]
    ) -> tuple[list[PairResult], dict[str, FloatArray]]:
        """Two pairs; the cells are blends of the two samples that fade downwards."""
        pairs, grids = [], []
        for t in np.argsort(-after)[:2].tolist():
            same = np.flatnonzero(self.label == self.label_after[t])
            s = int(same[np.argmin(before[same])])
            across = np.linspace(0, 1, SIDE, dtype=np.float32).reshape(-1, *[1] * (self.source.ndim - 1))
            row = self.source[s] * (1 - across) + self.before[t] * across
            grid = np.stack([self.changed(row, FADE * down, 0.0) for down in np.linspace(0, 1, SIDE)])
            grid[0, 0], grid[-1, -1] = self.source[s], self.target[t]
            requested = steps(float(before[s]), float(after[t]), SIDE)
            cells = [self._row(grid[r], int(self.label_after[t]), float(requested[r]), text) for r in range(SIDE)]
            for r, c in ((0, 0), (-1, -1)):
                cells[r][c] = cells[r][c].model_copy(update={"real": True})
            pairs.append(
                PairResult(
                    source=s, target=t, source_name=text(f"a/{s}"), target_name=text(f"b/{t}"),
                    label=text(str(self.label_after[t])), loss=(float(before[s]), float(after[t])), cells=cells,
                    series=[*(row[0] for row in cells[:-1]), cells[-1][-1]],
                )
            )  # fmt: skip
            grids.append(grid)
        cells_array = np.stack(grids).astype(np.float32)
        series = np.concatenate([cells_array[:, :-1, 0], cells_array[:, -1:, -1]], axis=1)
        return pairs, {"cells": cells_array, "series": series}

    def _row(self, x: FloatArray, label: int, requested: float, text: Callable[[str], str]) -> list[Cell]:
        p, loss = self.classifier(x), self.classifier.loss(x, np.full(len(x), label))
        return [
            Cell(
                requested=requested, measured=float(loss[i]), predicted=text(str(p[i].argmax())),
                confidence=float(p[i].max()), correct=bool(p[i].argmax() == label),
            )
            for i in range(len(x))
        ]  # fmt: skip


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
