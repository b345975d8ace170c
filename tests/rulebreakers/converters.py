"""Converters that break one rule each, and one that keeps them all."""

from __future__ import annotations

import numpy as np

from rulebreakers.tried import Tried
from shiftlens.core.host.kinds import (
    Converter,
    TrainedConverter,
)


class Moments:
    """Each value gets the mean and spread it has in the source. Methods are replaced to break rules."""

    def __init__(self, settings=None):
        pass

    def __call__(self, data, job):
        rows = data.rows
        source, target = (rows.batch(np.flatnonzero(rows.role == role)) for role in (0, 1))
        job.progress(1, 1)
        return self.made(self.moments(source, data, job), self.moments(target, data, job))

    def moments(self, x, data, job):
        return x.mean(0), x.std(0) + 0.01

    def made(self, *moments):
        import torch

        outer, values = self, [torch.tensor(np.asarray(v), dtype=torch.float32) for pair in moments for v in pair]

        class Module(torch.nn.Module):
            def forward(self, x):
                return outer.forward(x, *values)

        return TrainedConverter(outer.mode(Module()))

    def forward(self, x, mean, spread, mean_before, spread_before):
        return (x - mean_before) / spread_before * spread + mean

    def mode(self, module):
        return module.eval()


def converter_with(**methods):
    worker = type("Worker", (Moments,), methods)
    return Tried(Converter(name="broken", summary="a converter", build=worker, kinds=("image",)))


def branching_forward(self, x, *moments):
    if float(x.abs().max()) > 1e6:
        x = x * 0
    return Moments.forward(self, x, *moments)


def drawn_moments(self, x, data, job):
    return x.mean(0) + 0.01 * np.random.rand(), x.std(0) + 0.01  # noqa: NPY002  # on purpose


def moments_left_behind(self, x, data, job):
    mark = job.folder / "half"
    known = mark.exists()
    mark.write_text("half")
    return x.mean(0) * (0.9 if known else 1), x.std(0) + 0.01


def unguarded_moments(self, x, data, job):
    return x.mean(0), x.std(0) + (0.01 if np.ptp(x, axis=0).max() else np.nan)


def even_moments(self, x, data, job):
    if x.shape[2] % 2:
        raise ValueError("cannot halve an odd side")
    return Moments.moments(self, x, data, job)


GOOD = converter_with()

BREAKERS = {
    "converter-trains": converter_with(mode=lambda self, module: module.train()),
    "converter-leads-to-the-source": converter_with(forward=lambda self, x, *moments: 1 - x),
    "converter-alone-as-in-company": converter_with(forward=lambda self, x, mean, *others: x - x.mean(0) + mean),
    "converter-exports-to-onnx": converter_with(forward=branching_forward),
    "converter-the-same-under-a-seed": converter_with(moments=drawn_moments),
    "converter-resumes-to-the-same": converter_with(moments=moments_left_behind),
    "converter-survives-all-equal-samples": converter_with(moments=unguarded_moments),
    "converter-takes-odd-sizes": converter_with(moments=even_moments),
}
