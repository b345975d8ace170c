"""Remedies are measured on what they have not seen: accuracies, shares recovered, intervals, faults told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens import InputError, Job, Remedied, RemedyData
from shiftlens.core.host.kinds import SampleSet
from shiftlens.core.remedy.controls import AS_IN_TARGET, RANDOM
from shiftlens.core.remedy.measure import HeldOut, Tried, measure
from shiftlens.core.remedy.sentences import remedy_sentence, with_sentences
from shiftlens.core.results.numbers import THIN

COUNT = 400


def answers(shares):
    """A classifier of numbers that is right on the first part of the samples of each domain, and wrong on the rest."""

    def predict(x):
        right = x[:, 1] < np.where(x[:, 2] == 0, shares[0], shares[1])
        label = x[:, 0].astype(int)
        return np.eye(2)[np.where(right, label, 1 - label)]

    return predict


def domain(which: int) -> SampleSet:
    label = np.arange(COUNT) % 2
    x = np.column_stack([label, (np.arange(COUNT) + 0.5) / COUNT, np.full(COUNT, which)]).astype(np.float32)
    return SampleSet(lambda rows: x[rows], label, COUNT)


HELD_OUT = HeldOut(domain(0), domain(1), 64)


def given_data(before=(0.9, 0.5)) -> RemedyData:
    return RemedyData(
        source=domain(0), target=domain(1), plan=(), predict=answers(before), onnx=None, train=None, kind="tabular",
        sample_shape=(3,), classes=("a", "b"), open=lambda path: answers(before), accuracy=before[0],
    )  # fmt: skip


def tried(tmp_path, *workers, seeds=1, learns=False, **more):
    some = [
        Tried(f"r{i}", worker, {AS_IN_TARGET: lambda x, seed: x, **more}, learns) for i, worker in enumerate(workers)
    ]
    return measure(some, given_data(), HELD_OUT, Job(tmp_path), seeds, lambda name, file: name)


@given(st.integers(20, 80))
def test_the_share_recovered_is_that_of_the_accuracy_lost(percent):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        begun, row = tried(Path(folder), lambda *given: Remedied(answers((0.9, percent / 100))))
    assert (begun.source, begun.target) == (0.9, 0.5)
    assert row.target == percent / 100
    assert row.recovered == pytest.approx((percent / 100 - 0.5) / 0.4)
    assert row.recovered_ci[0] <= row.recovered <= row.recovered_ci[1]
    half = 1.96 * np.sqrt(percent / 100 * (1 - percent / 100) / COUNT)
    assert row.target_ci[1] - row.target_ci[0] == pytest.approx(2 * half, rel=0.2)


def test_seeds_widen_the_interval_and_are_averaged(tmp_path):
    def by_seed(data, augment, job):
        return Remedied(answers((0.9, 0.6 if job.seed % 2 else 0.8)))

    row = tried(tmp_path, by_seed, seeds=4, learns=True)[1]
    assert row.target == pytest.approx(0.7)
    assert row.seeds == 4
    assert row.target_ci[1] - row.target_ci[0] > 2 * 1.96 * 0.05


def test_selective_use_is_measured_on_what_it_accepts(tmp_path):
    row = tried(tmp_path, lambda *given: Remedied(answers((0.9, 0.5)), accepts=lambda x: x[:, 1] < 0.25))[1]
    assert row.coverage == pytest.approx(0.25)
    assert row.target == 1.0
    assert row.recovered is None


def test_a_remedy_that_fails_or_does_not_fit_costs_only_itself(tmp_path):
    def unfit(data, augment, job):
        raise InputError("there is no linear layer")

    def broken(data, augment, job):
        raise ZeroDivisionError("of mine")

    rows = tried(tmp_path, unfit, broken, lambda *given: Remedied(answers((0.9, 0.8))))
    assert [row.why_not for row in rows] == [
        "",
        "there is no linear layer",
        "it failed: ZeroDivisionError: of mine",
        "",
    ]
    assert rows[3].target == 0.8


def test_the_sentence_names_the_best_and_what_the_same_effort_brings_otherwise(tmp_path):
    def learned(data, augment, job):
        return Remedied(answers((0.89, 0.85 if augment(np.zeros(1), 0) is not None else 0.6)))

    rows = with_sentences(tried(tmp_path, learned, learns=True, **{RANDOM: lambda x, seed: None}))
    sentence = remedy_sentence(rows)
    assert f"brings 50.0{THIN}% back to 85.0{THIN}%" in sentence
    assert f"the same effort with random changes: 60.0{THIN}%" in sentence
    assert f"source accuracy 90.0{THIN}% → 89.0{THIN}%" in sentence


def test_what_does_not_help_is_said_to_not_help(tmp_path):
    rows = with_sentences(tried(tmp_path, lambda *given: Remedied(answers((0.9, 0.505)))))
    assert "does not help" in rows[1].sentence
    assert remedy_sentence(rows).startswith("None of the remedies that were tried brings accuracy back")
