"""Classifiers trained here: good on digits, series and vectors; resumed to the same result; bad sources told."""

from __future__ import annotations

import numpy as np
import pytest
from realdata import digits, power

from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError, TrainingError
from shiftlens.core.job import Job
from shiftlens.export.session import Session
from shiftlens.plugins.classifiers.trained import Settings, Trained, split


def domain(count=600, x=None, y=None, kind="image"):
    if x is None:
        x, y = digits()
        x, y = x[:count], y[:count]
    return Domain(x, x.shape[1:], kind, np.asarray(y).astype(str))


def trained(source, folder, seed=0, progress=None, **train):
    job = Job(folder, seed, "cpu") if progress is None else Job(folder, seed, "cpu", progress)
    return Trained(Settings.model_validate({"train": train}))(source, job)


def accuracy(provided, x, y):
    logits = Session(provided.onnx, device="cpu").run(x=x)["logits"]
    return float((np.array(provided.classes)[logits.argmax(1)] == np.asarray(y).astype(str)).mean())


@pytest.fixture(scope="module")
def on_digits(tmp_path_factory):
    return trained(domain(1200), tmp_path_factory.mktemp("digits"), epochs=4)


def test_digits_are_learnt_and_the_held_out_accuracy_is_that_of_the_file(on_digits):
    x, y = digits()
    assert on_digits.accuracy > 0.93
    held_out = on_digits.held_out
    assert accuracy(on_digits, x[held_out], y[held_out]) == pytest.approx(on_digits.accuracy)
    assert accuracy(on_digits, x[1200:], y[1200:]) > 0.88, "samples that were not even held out"
    assert on_digits.classes == tuple("0123456789")
    assert [row["epoch"] for row in on_digits.history] == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["series", "tabular"])
def test_series_and_vectors_are_learnt(tmp_path, kind):
    x, y = power()
    x = x if kind == "series" else x[:, 0]
    provided = trained(domain(x=x[:300], y=y[:300], kind=kind), tmp_path, epochs=8)
    assert accuracy(provided, x[300:], y[300:]) > 0.9


@pytest.mark.slow  # as the loop goes on, so does it: tests/core/learning/test_training.py
def test_training_goes_on_where_it_was_cut_off_and_ends_the_same(tmp_path):
    class CutOffError(Exception):
        pass

    def cut(done, total, **values):
        if done > 0.6 * total:
            raise CutOffError

    source = domain(300)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    first = trained(source, whole, epochs=3, architecture="mlp")
    with pytest.raises(CutOffError):
        trained(source, broken, epochs=3, architecture="mlp", progress=cut)
    steps = []
    second = trained(
        source, broken, epochs=3, architecture="mlp", progress=lambda done, total, **values: steps.append(done)
    )
    assert 0 < len(steps) < 24, "the epochs that were done are not done again"
    assert second.history == first.history
    assert second.onnx.read_bytes() == first.onnx.read_bytes()
    again = []
    trained(source, whole, epochs=3, architecture="mlp", progress=lambda done, total, **values: again.append(done))
    assert not again, "a training that has finished is not repeated"


@pytest.mark.slow
def test_a_checkpoint_of_other_data_or_cut_short_is_not_gone_on_from(tmp_path):
    source = domain(200)
    first = trained(source, tmp_path, epochs=1, architecture="mlp")
    (tmp_path / "checkpoint.pt").write_bytes((tmp_path / "checkpoint.pt").read_bytes()[:1000])
    assert trained(source, tmp_path, epochs=1, architecture="mlp").history == first.history
    other = domain(x=1 - source.stored, y=source.labels)
    steps = []
    trained(other, tmp_path, epochs=1, architecture="mlp", progress=lambda done, total, **values: steps.append(done))
    assert steps


def test_the_split_keeps_every_class_on_both_sides():
    labels = np.array([0] * 50 + [1] * 2 + [2] * 9)
    train, held_out = split(labels, 0.2, seed=3)
    assert np.bincount(labels[held_out]).tolist() == [10, 1, 2]
    assert sorted([*train, *held_out]) == list(range(61))
    assert not np.array_equal(held_out, split(labels, 0.2, seed=4)[1])


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["a"] * 10 + ["b"], 'one sample only of the class "b"; training needs two'),
        (["a"] * 11, 'only the class "a"'),
    ],
)
def test_classes_that_cannot_be_learnt_are_told(tmp_path, labels, told):
    with pytest.raises(InputError, match=told):
        trained(domain(x=digits()[0][: len(labels)], y=labels), tmp_path)


def test_a_source_without_labels_is_told(tmp_path):
    x = digits()[0][:20]
    with pytest.raises(InputError, match="without labels"):
        trained(Domain(x, x.shape[1:], "image"), tmp_path)


def test_values_that_are_not_finite_are_told(tmp_path):
    x = digits()[0][:100].copy()
    x[3, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        trained(domain(x=x, y=digits()[1][:100]), tmp_path)


def test_an_architecture_that_does_not_fit_is_told(tmp_path):
    with pytest.raises(InputError, match="set auto, small-cnn or mlp"):
        trained(domain(100), tmp_path, architecture="series-cnn")


def test_a_training_that_explodes_is_told(tmp_path):
    y = digits()[1][:100]
    x = np.where(y == 0, -3e38, 3e38).astype(np.float32)  # their difference is more than float32 can hold
    with pytest.raises(TrainingError, match=r"diverged at step .* Try a smaller learning_rate"):
        trained(domain(x=x[:, None], y=y, kind="tabular"), tmp_path)
