"""Classifiers that break one rule each, and one that keeps them all."""

from __future__ import annotations

import numpy as np

from rulebreakers.tried import Tried
from shiftlens.core.host.kinds import (
    Classifier,
    ProvidedClassifier,
)


class Means:
    """Nearest mean. Methods are replaced to break rules."""

    scale = 20.0

    def __init__(self, settings=None):
        pass

    def files(self):
        return []

    def means(self, x, source, job):
        return np.stack([x[source.labels == name].mean(0) for name in sorted(set(source.labels))])

    def __call__(self, source, job):
        x = source.batch(slice(None)).reshape(len(source), -1)
        means = self.means(x, source, job)

        def logits(batch):
            return self.answer(-self.scale * ((batch.reshape(len(batch), 1, -1) - means) ** 2).mean(-1))

        job.progress(1, 1)
        return ProvidedClassifier(function=logits, output="logits", classes=tuple(sorted(set(source.labels))))

    def answer(self, logits):
        return logits


def classifier_with(**methods):
    return Tried(Classifier(name="broken", summary="a classifier", build=type("Worker", (Means,), methods)))


def halfway_means(self, x, source, job):
    mark = job.folder / "half"
    means = Means.means(self, x, source, job)
    if mark.exists():
        means = means * 0.9
    mark.write_text("half")
    return means


def noisy_means(self, x, source, job):
    return Means.means(self, x, source, job) + 0.01 * np.random.rand(x.shape[1])  # noqa: NPY002  # on purpose


def unguarded_means(self, x, source, job):
    if x.std() == 0 or float(x.std(0).max()) == 0:
        raise ZeroDivisionError("float division by zero")
    return Means.means(self, x, source, job)


GOOD = classifier_with()

BREAKERS = {
    "classifier-provides": classifier_with(__call__=lambda self, source, job: print),
    "classifier-lists-its-files": classifier_with(files=lambda self: ["weights.bin"]),
    "classifier-one-row-each": classifier_with(answer=lambda self, logits: logits[:, :3]),
    "classifier-alone-as-in-company": classifier_with(answer=lambda self, logits: logits - logits.mean(0)),
    "classifier-better-than-chance": classifier_with(answer=lambda self, logits: -logits),
    "classifier-the-same-under-a-seed": classifier_with(means=noisy_means),
    "classifier-resumes-to-the-same": classifier_with(means=halfway_means),
    "classifier-survives-all-equal-samples": classifier_with(means=unguarded_means),
}
