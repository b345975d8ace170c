"""Remedies that break one rule each, and one that keeps them all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rulebreakers.tried import Tried
from shiftlens import Remedied, Remedy


def everything(data):
    return data.source.batch(np.arange(len(data.source))), data.source.label


def trained(data, augment, job):
    file = data.train(*everything(data), job)
    return Remedied(data.open(file), file, lambda x: data.predict(x).max(1) > 0.3)


def remedy(mend):
    return Tried(Remedy(name="broken", summary="a remedy", build=lambda settings: mend))


def changed(**parts):
    def mend(data, augment, job):
        mended = trained(data, augment, job)
        return replace(mended, **{name: part(mended) for name, part in parts.items()})

    return remedy(mend)


def brightening(mended):
    def predict(x):
        answers = mended.predict(x)
        x += 0.01
        return answers

    return predict


def by_chance(mended):
    mix = np.random.random(10)  # noqa: NPY002  # on purpose
    return lambda x: (mended.predict(x) * mix) / (mended.predict(x) * mix).sum(1, keepdims=True)


def ranked(mended):
    def predict(x):
        answers = mended.predict(x) * (1 + np.arange(len(x)))[:, None] ** np.arange(10)
        return answers / answers.sum(1, keepdims=True)

    return predict


GOOD = remedy(trained)

BREAKERS = {
    "remedy-gives-a-classifier": changed(predict=lambda m: lambda x: m.predict(x).argmax(1)),
    "remedy-each-sample-alone": changed(predict=ranked),
    "remedy-the-file-agrees": changed(predict=lambda m: lambda x: np.full((len(x), 10), 0.1)),
    "remedy-accepts-with-a-mask": changed(accepts=lambda m: lambda x: m.predict(x)),
    "remedy-leaves-samples-alone": changed(predict=brightening),
    "remedy-the-same-under-a-seed": changed(predict=by_chance),
}
