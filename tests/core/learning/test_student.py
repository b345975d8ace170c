"""The student: answers as the classifier does, lets gradients through, and can be interrupted."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import realdata
import torch

from shiftlens.core.host.kinds import TrainingData
from shiftlens.core.job import Job
from shiftlens.core.learning.student import Student, distil


@cache
def classifier():
    """A classifier that knows no torch: scikit-learn's logistic regression on the handwritten digits."""
    from sklearn.linear_model import LogisticRegression

    x, y = realdata.digits()
    fitted = LogisticRegression(max_iter=300).fit(x.reshape(len(x), -1), y)
    return lambda batch: fitted.predict_proba(np.asarray(batch, np.float64).reshape(len(batch), -1))


def data(kind: str = "image", count: int = 600) -> TrainingData:
    x, y = realdata.digits()
    x = x[:count].reshape(count, *{"image": (1, 8, 8), "series": (1, 64), "tabular": (64,)}[kind])
    nothing = np.zeros(count)
    return TrainingData(
        lambda rows: x[rows], nothing, y[:count], nothing.astype(np.int8), nothing, x.shape[1:], kind, 10
    )


def taught(folder, kind: str = "image", steps: int = 200, **job) -> Student:
    return distil(classifier(), data(kind), Job(folder, device="cpu", **job), steps)


@pytest.mark.parametrize(
    "kind", [pytest.param("image", marks=pytest.mark.slow), pytest.param("series", marks=pytest.mark.slow), "tabular"]
)
def test_it_answers_as_the_classifier_does_on_samples_it_never_saw(tmp_path, kind):
    student = taught(tmp_path, kind)
    assert student.agreement > 0.8
    x = data(kind, 1200).batch(np.arange(600, 1200))
    with torch.no_grad():
        own = student(torch.from_numpy(x)).softmax(1).numpy()
    asked = classifier()(x)
    assert (own.argmax(1) == asked.argmax(1)).mean() > 0.8
    assert abs(own - asked).mean() < 0.04


def test_gradients_reach_the_sample_and_leave_the_student_alone(tmp_path):
    student = taught(tmp_path, steps=20)
    assert not any(parameter.requires_grad for parameter in student.parameters())
    x = torch.from_numpy(data().batch(np.arange(4))).requires_grad_()
    sum(level.square().mean() for level in student.features(x)).backward()
    assert float(x.grad.abs().sum()) > 0
    student.train()
    assert not any(part.training for part in student.modules())


def test_a_step_along_its_gradient_moves_the_classifiers_own_answer(tmp_path):
    """Which is all that it is for: what looks worse to the student is worse for the classifier."""
    student = taught(tmp_path, "tabular")
    x = torch.from_numpy(data("tabular", 900).batch(np.arange(600, 900)))
    label = torch.from_numpy(classifier()(x.numpy()).argmax(1))
    x.requires_grad_()
    torch.nn.functional.cross_entropy(student(x), label, reduction="sum").backward()
    harder = x.detach() + 0.1 * x.grad.sign()
    elsewhere = x.detach() + 0.1 * x.grad.sign().flip(0)
    before, by_chance, aimed = (
        classifier()(moved.numpy())[np.arange(len(label)), label.numpy()].mean()
        for moved in (x.detach(), elsewhere, harder)
    )
    assert before - aimed > 3 * (before - by_chance)


def test_a_second_call_returns_the_same_student_at_once(tmp_path):
    first = taught(tmp_path, steps=60)

    def never(*_, **__):
        raise AssertionError("trained again")

    again = taught(tmp_path, steps=60, progress=never)
    assert again.agreement == first.agreement
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items())


def test_another_classifier_is_learnt_anew(tmp_path):
    told: list[int] = []
    taught(tmp_path, steps=20)

    def another(x):
        return classifier()(x)[:, ::-1]

    distil(another, data(), Job(tmp_path, device="cpu", progress=lambda done, total, **_: told.append(done)), 20)
    assert told


def test_few_samples_make_small_batches(tmp_path):
    few = replace(data(), loss=np.zeros(9), label=np.zeros(9, np.int64), role=np.zeros(9, np.int8))
    assert 0 <= distil(classifier(), few, Job(tmp_path, device="cpu"), 5).agreement <= 1
