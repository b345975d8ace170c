"""Remedies, each tried and measured on held-out samples of both domains, with intervals over samples and seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from shiftlens.core.arrays import Floats
from shiftlens.core.causes.statistics import percentile_interval
from shiftlens.core.errors import ShiftlensError
from shiftlens.core.host.kinds import Augmentation, Remedied, RemedyData, RemedyWorker, SampleSet
from shiftlens.core.job import Job
from shiftlens.core.remedy.controls import AS_IN_TARGET
from shiftlens.core.results.results import MeasuredRemedy

DRAWS = 1000
AS_IT_IS = "as it is"


@dataclass(frozen=True)
class HeldOut:
    """Labelled samples of both domains that no remedy has seen."""

    source: SampleSet
    target: SampleSet
    batch_size: int


@dataclass(frozen=True)
class Tried:
    """One remedy to be tried: its name, its worker, and the samples to learn from, by name."""

    name: str
    worker: RemedyWorker
    learns_from: Mapping[str, Augmentation]
    learns: bool


@dataclass(frozen=True)
class _Answers:
    """Whether each held-out sample is accepted and right, ``(N,)`` bool, per domain."""

    source: tuple[Floats, Floats]
    target: tuple[Floats, Floats]


def measure(
    tried: Sequence[Tried],
    data: RemedyData,
    held_out: HeldOut,
    job: Job,
    seeds: int,
    keep: Callable[[str, Path], str],
) -> list[MeasuredRemedy]:
    """Try every remedy, and say what each brings on held-out samples, beside the classifier as it is.

    Args:
        job: its folder gets one folder per attempt; its seed is that of the first attempt.
        seeds: attempts of a remedy that learns.
        keep: ``keep(name, onnx file) -> path in the run directory`` of the first attempt's file.
    """
    begun = _asked(Remedied(data.predict), held_out)
    rows = [_row(AS_IT_IS, "", [begun], begun, job.seed)]
    attempts = sum(len(one.learns_from) * (seeds if one.learns else 1) for one in tried)
    done = 0
    for one in tried:
        for samples, augment in one.learns_from.items():
            answers: list[_Answers] = []
            file, why_no_file, why_not, facts = "", "", "", {}
            for number in range(seeds if one.learns else 1):
                folder = job.folder / f"{one.name}-{samples.replace(' ', '-')}-{number}"
                folder.mkdir(parents=True, exist_ok=True)
                try:
                    mended = one.worker(data, augment, replace(job, folder=folder, seed=job.seed + number))
                    answers.append(_asked(mended, held_out))
                except ShiftlensError as error:
                    why_not = str(error)
                except Exception as error:  # a plugin's own fault costs only itself
                    why_not = f"it failed: {type(error).__name__}: {error}"
                done += 1
                job.progress(done, attempts)
                if why_not:
                    break
                facts, why_no_file = dict(mended.facts), mended.why_no_onnx
                if number == 0 and mended.onnx is not None and samples in (AS_IN_TARGET, ""):
                    file = keep(one.name, mended.onnx)
            if why_not:
                rows.append(MeasuredRemedy(name=one.name, samples=samples, why_not=why_not, seeds=0))
                break  # nor would it fit with other samples
            row = _row(one.name, samples, answers, begun, job.seed)
            rows.append(row.model_copy(update={"file": file, "why_no_file": why_no_file, "facts": facts}))
    return rows


def _asked(mended: Remedied, held_out: HeldOut) -> _Answers:
    """The mended classifier's answers on the held-out samples."""

    def of(samples: SampleSet) -> tuple[Floats, Floats]:
        assert samples.label is not None
        accepted, right = [], []
        for start in range(0, len(samples), held_out.batch_size):
            rows = np.arange(start, min(start + held_out.batch_size, len(samples)))
            x = samples.batch(rows)
            taken = np.ones(len(x), dtype=bool) if mended.accepts is None else np.asarray(mended.accepts(x), dtype=bool)
            accepted.append(taken)
            right.append(np.asarray(mended.predict(x)).argmax(1) == samples.label[rows])
        return np.concatenate(accepted).astype(np.float64), np.concatenate(right).astype(np.float64)

    return _Answers(of(held_out.source), of(held_out.target))


def _row(name: str, samples: str, answers: Sequence[_Answers], begun: _Answers, seed: int) -> MeasuredRemedy:
    """Accuracies with intervals: samples and seeds are both drawn again."""
    rng = np.random.default_rng([seed, 29])
    picked = rng.integers(0, len(answers), (DRAWS, len(answers)))

    def accuracy(which: str) -> tuple[float, Floats, float]:
        accepted = np.stack([getattr(one, which)[0] for one in answers])  # (seeds, N)
        right = accepted * np.stack([getattr(one, which)[1] for one in answers])
        count = accepted.shape[1]
        weights = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS)  # (draws, N)
        taken_by, right_by = weights @ accepted.T, weights @ right.T  # (draws, seeds)
        drawn = np.take_along_axis(right_by, picked, 1).sum(1) / np.maximum(
            np.take_along_axis(taken_by, picked, 1).sum(1), 1e-9
        )
        return float(right.sum() / max(accepted.sum(), 1e-9)), drawn, float(accepted.mean())

    def plain(which: str) -> float:
        return float(getattr(begun, which)[1].mean())

    target, target_draws, coverage = accuracy("target")
    source, source_draws, _ = accuracy("source")
    lost = plain("source") - plain("target")
    selective = coverage < 1
    found = MeasuredRemedy(
        name=name, samples=samples, target=target, target_ci=percentile_interval(target_draws), source=source,
        source_ci=percentile_interval(source_draws), coverage=coverage if selective else None, seeds=len(answers),
    )  # fmt: skip
    if lost <= 0 or name == AS_IT_IS or selective:
        return found
    low, high = (float((end - plain("target")) / lost) for end in percentile_interval(target_draws))
    return found.model_copy(update={"recovered": (target - plain("target")) / lost, "recovered_ci": (low, high)})
