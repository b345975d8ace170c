"""One case of the grid benchmark: a generator trained with one loss axis on one scenario, and what its grids do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.planted.cases import PLANTS, Case
from benchmarks.planted.data import scorer
from benchmarks.planted.scenarios import Ruler, Scenario, as_float, planted_factors, training_data
from shiftlens.core.arrays import FloatArray, Floats, IntArray, Predict
from shiftlens.core.causes.statistics import percentile_interval
from shiftlens.core.errors import TrainingError
from shiftlens.core.grid.calibration import calibrate
from shiftlens.core.grid.fidelity import fidelity, leak
from shiftlens.core.grid.interpolate import Decode, Encode, GridNetworks, GridShape, PairGrid, grid_of_pair
from shiftlens.core.grid.moves import grid_moves
from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import Candidates, Generator, Pair, Selector, TrainedGenerator, TrainingData
from shiftlens.core.job import Job

WORTH = (0.02, 0.1)
"""Smallest rise of the mean loss worth naming: nats, and a part of what both changes cost together."""
CLEARLY = 0.1
"""Share of the gap by which the harmful factor has to move more than the harmless one."""
FEATURES, LOSSES = 3, 5
"""Columns and rows of each grid; the corners, where moves are read, do not depend on them."""
DRAWS = 500

Move = tuple[float, float, float]
"""A share of the pairs' gap, with the ends of its 95 % interval over the pairs."""


@dataclass(frozen=True)
class GridRow:
    """What came out of one case.

    Attributes:
        setup: what it was measured with, besides the case; stored rows of another setup are not used again.
        accuracy: of the classifier, in both domains.
        truth: rise of the mean loss by the harmful and by the harmless change alone, in nats.
        company: rise by both together, by the harmless one on samples that have the harmful one already, and the
            standard error of the latter.
        found: factors whose change the trial varied.
        harmful, harmless: moves of the planted change along ``"loss"`` and ``"feature"``, beyond what encoding and
            decoding alone make of the pair's samples.
        by_measure: the same as the factors' own measures see it, ``{factor: (loss axis, feature axis)}``.
        fidelity, fidelity_plain: Spearman's over all generated cells, calibrated and not.
        reached: share of the cells whose requested loss the axis reaches.
        leak: R² of the loss from all of z; ``leak_along``: from z's component along the loss axis alone, None where
            nothing is taken out of z.
        reconstruction: mean squared error of held-out samples.
        train, measure: seconds of processor time; ``train`` is short where another axis had trained the networks.
        failure: why there is nothing of all this; an empty string where there is.
        given_back: strength of the harmful and of the harmless change that is read, on average, in the pairs' source
            samples after encoding and decoding alone; nothing was planted in them.
    """

    case: Case
    backend: str
    axis: str
    setup: str
    pairs: int
    accuracy: tuple[float, float]
    truth: tuple[float, float]
    found: list[str]
    harmful: dict[str, Move]
    harmless: dict[str, Move]
    by_measure: dict[str, tuple[float, float]]
    fidelity: float | None
    fidelity_plain: float | None
    reached: float
    leak: float | None
    leak_along: float | None
    reconstruction: float | None
    train: float
    measure: float
    failure: str = ""
    given_back: tuple[float, float] = (0.0, 0.0)
    company: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def clean(self) -> bool:
        """Whether the harmless change is harmless in company, too: else both belong on the loss axis."""
        both, added, error = self.company
        return added - 2 * error < max(WORTH[0], WORTH[1] * both)

    @property
    def ranked(self) -> bool:
        """The harmful change moves clearly more along the loss axis than the harmless one."""
        (harmful, low, _), (harmless, *_) = self.harmful["loss"], self.harmless["loss"]
        return harmful - abs(harmless) >= CLEARLY and low > abs(harmless)

    @property
    def solved(self) -> bool:
        """Besides, each moves chiefly along its own axis."""
        return (
            self.ranked
            and abs(self.harmful["loss"][0]) > abs(self.harmful["feature"][0])
            and abs(self.harmless["feature"][0]) > abs(self.harmless["loss"][0])
        )


class Bench:
    """One scenario with its classifier: all that is shared by the generators and axes that are tried on it."""

    def __init__(self, case: Case, scenario: Scenario, predict: Predict, pairs: int) -> None:
        self.case, self.scenario, self.predict, self.wanted = case, scenario, predict, pairs
        self.score = score = scorer(predict)
        self.x = (as_float(scenario.source), as_float(scenario.target))
        self.label = (scenario.source_class, scenario.target_class)
        self.scores = (score(self.x[0], self.label[0]), score(self.x[1], self.label[1]))

    @cached_property
    def data(self) -> TrainingData:
        """What a generator is trained on."""
        return training_data(self.scenario, *self.scores, self.predict)

    @cached_property
    def pairs(self) -> list[Pair]:
        """As an analysis picks them by default: of one class, small loss against large."""
        component = Host().find(Selector, "threshold")

        def no_latents(role: int, indices: IntArray) -> FloatArray:
            raise AssertionError("this selector looks at losses only")

        select = component.build(component.settings.model_validate({"pairs": self.wanted}))
        chosen: list[Pair] = select(Candidates(*self.scores, no_latents), np.random.default_rng(self.case.seed))
        return chosen

    @cached_property
    def rulers(self) -> tuple[Ruler, Ruler]:
        """For cells with the content of the pairs' source samples, and of their target samples before planting."""
        source, target = (np.array([getattr(pair, name) for pair in self.pairs]) for name in ("source", "target"))
        return Ruler.of(self.case, self.scenario.source[source]), Ruler.of(self.case, self.scenario.before[target])

    @cached_property
    def gaps(self) -> Floats:
        """``(pairs, 2)`` strengths planted in the pairs' target samples; the source samples have none."""
        gaps: Floats = self.scenario.strength[[pair.target for pair in self.pairs]]
        return gaps

    @cached_property
    def company(self) -> tuple[float, float, float]:
        """See `GridRow`: both changes made on source samples, with the strengths of as many target samples."""
        rng = np.random.default_rng([self.case.seed, 31])
        strength = self.scenario.strength[rng.permutation(len(self.x[0]))]
        harmful = PLANTS[self.case.unseen](self.x[0], strength[:, 0], rng)
        both = PLANTS[self.case.seen](harmful, strength[:, 1], rng)
        first, then = (self.score(x.astype(np.float32), self.label[0]).loss for x in (harmful, both))
        added = then - first
        error = float(added.std() / np.sqrt(len(added)))
        return float((then - self.scores[0].loss).mean()), float(added.mean()), error

    def run(self, backend: str, axis: str, steps: int | None, folder: Path, setup: str) -> GridRow:
        """Train (or go on, or take what is finished in ``folder``) and measure."""
        begun = time.process_time()
        try:
            trained = self._train(backend, axis, steps, folder)
        except TrainingError as error:  # collapsed, diverged, or no factor was found to have shifted: a lost case
            return self._failed(backend, axis, setup, str(error), time.process_time() - begun)
        measured = time.process_time()
        encode, decode = functions_of(trained)
        grids, plain = zip(*(self._grids(pair, encode, decode) for pair in self.pairs), strict=True)
        cells = np.stack([grid.cells for grid in grids])
        given_back = np.stack([grid.given_back for grid in grids])
        lost = self.rulers[0].read(given_back[:, 0]), self.rulers[1].read(given_back[:, 1]) - self.gaps
        moves = self.rulers[0].read(cells[:, -1, 0]) - lost[0], self.rulers[1].read(cells[:, 0, -1]) - lost[1]
        seen = grid_moves(planted_factors(self.case), cells, given_back, self.case.seed)
        generated = np.stack([~grid.real for grid in grids])
        whole, along = self._leaks(encode)
        return GridRow(
            case=self.case,
            backend=backend,
            axis=axis,
            setup=setup,
            pairs=len(grids),
            **self._scenario,
            harmful={name: self._share(move[:, 0], 0) for name, move in zip(("loss", "feature"), moves, strict=True)},
            harmless={name: self._share(move[:, 1], 1) for name, move in zip(("loss", "feature"), moves, strict=True)},
            by_measure={name: (axes.loss_axis, axes.feature_axis) for name, axes in seen.items()},
            fidelity=_fidelity(grids),
            fidelity_plain=_fidelity(plain),
            reached=float(np.stack([grid.reached for grid in grids])[generated].mean()),
            leak=whole,
            leak_along=along,
            reconstruction=float(trained.facts["reconstruction_mse"]),
            train=measured - begun,
            measure=time.process_time() - measured,
            given_back=(float(lost[0][:, 0].mean()), float(lost[0][:, 1].mean())),
        )

    @property
    def _scenario(self) -> dict[str, Any]:
        """What all rows of this scenario say alike."""
        return {
            "accuracy": tuple(float(scores.correct.mean()) for scores in self.scores),
            "truth": tuple(float(rise) for rise in self.scenario.truth),
            "company": self.company,
            "found": [str(name) for name in self.scenario.found],
        }

    def _failed(self, backend: str, axis: str, setup: str, failure: str, train: float) -> GridRow:
        """A case that is neither ranked right nor solved: nothing moves."""
        still = {name: (0.0, 0.0, 0.0) for name in ("loss", "feature")}
        return GridRow(
            case=self.case, backend=backend, axis=axis, setup=setup, pairs=0, **self._scenario, harmful=still,
            harmless=still, by_measure={}, fidelity=None, fidelity_plain=None, reached=0.0, leak=None, leak_along=None,
            reconstruction=None, train=train, measure=0.0, failure=failure,
        )  # fmt: skip

    def _train(self, backend: str, axis: str, steps: int | None, folder: Path) -> TrainedGenerator:
        component = Host().find(Generator, backend)
        folder.mkdir(parents=True, exist_ok=True)
        chosen = {"loss_axis": axis, "steps": steps} if steps else {"loss_axis": axis}
        worker = component.build(component.settings.model_validate(chosen))
        trained: TrainedGenerator = worker(self.data, Job(folder, self.case.seed, "cpu"))
        return trained

    def _grids(self, pair: Pair, encode: Encode, decode: Decode) -> tuple[PairGrid, PairGrid]:
        """Calibrated, and with the losses asked for as they are."""
        samples = np.stack([self.x[0][pair.source], self.x[1][pair.target]])
        loss = np.array([self.scores[0].loss[pair.source], self.scores[1].loss[pair.target]])
        label, shape = int(self.label[0][pair.source]), GridShape(FEATURES, LOSSES)
        plain = GridNetworks(encode, decode, self.score)
        calibrated = replace(plain, calibrate=lambda z, asked, y: calibrate(z, asked, y, decode, self.score))
        return grid_of_pair(samples, loss, label, calibrated, shape), grid_of_pair(samples, loss, label, plain, shape)

    def _share(self, move: Floats, which: int) -> Move:
        """The mean move in units of the mean gap: pairs whose gap is small weigh as little as they are."""
        gap = self.gaps[:, which]
        picks = np.random.default_rng([self.case.seed, 29]).integers(0, len(gap), (DRAWS, len(gap)))
        shares = (move[picks] * gap[picks]).sum(1) / np.maximum((gap[picks] ** 2).sum(1), 1e-12)
        return float((move * gap).sum() / max(float((gap**2).sum()), 1e-12)), *percentile_interval(shares)

    def _leaks(self, encode: Encode) -> tuple[float | None, float | None]:
        """R² of the loss from z, and from z's component along what the encoder takes out of a class as the loss rises.

        See `GridRow`.
        """
        loss, label = np.concatenate([s.loss for s in self.scores]), np.concatenate(self.label)
        z = np.concatenate(
            [encode(x, s.loss, y) for x, s, y in zip(self.x, self.scores, self.label, strict=True)]
        ).astype(np.float64)
        classes = np.arange(self.data.classes)
        again = np.repeat(self.x[0][:1], len(classes), axis=0)
        low, high = (encode(again, np.full(len(classes), end), classes) for end in (loss.min(), loss.max()))
        axis = (low - high).astype(np.float64)
        length = np.linalg.norm(axis, axis=1, keepdims=True)
        whole = leak(z, loss, self.case.seed).r2
        if length.min() < 1e-6:
            return whole, None
        along = np.einsum("nk,nk->n", z, (axis / length)[label])[:, None]
        return whole, leak(along, loss, self.case.seed).r2


def functions_of(trained: TrainedGenerator) -> tuple[Encode, Decode]:
    """Encoder and decoder on numpy arrays."""
    from shiftlens.export.to_onnx import on_numpy

    encoder, decoder = on_numpy(trained.encoder, ["z"]), on_numpy(trained.decoder, ["x"])

    def encode(x: FloatArray, loss: Floats, label: IntArray) -> FloatArray:
        return np.asarray(encoder({"x": x, "loss": loss.astype(np.float32), "label": label})["z"], dtype=np.float32)

    def decode(z: FloatArray, loss: Floats, label: IntArray) -> FloatArray:
        return np.asarray(decoder({"z": z, "loss": loss.astype(np.float32), "label": label})["x"], dtype=np.float32)

    return encode, decode


def _fidelity(grids: Sequence[PairGrid]) -> float | None:
    """Spearman's correlation of requested and measured loss over all generated cells."""
    requested, measured = (
        np.concatenate([getattr(grid, name)[~grid.real] for grid in grids]) for name in ("requested", "measured")
    )
    return fidelity(requested, measured).spearman
