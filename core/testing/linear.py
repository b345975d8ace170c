"""A small linear generator for whatever needs one to be looked at: principal components, moved along with the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from shiftlens.core.host.kinds import TrainedGenerator, TrainingData

LATENT = 4


def linear_generator(data: TrainingData, latent: int = LATENT) -> TrainedGenerator:
    """``latent`` principal components of the rows; what goes with the loss is taken out of z and put back."""
    import torch

    flat = data.batch(np.arange(len(data))).reshape(len(data), -1)
    centre = flat.mean(0)
    basis = np.linalg.svd(flat - centre, full_matrices=False)[2][:latent].astype(np.float32)
    codes = (flat - centre) @ basis.T
    slope = np.linalg.lstsq(np.c_[data.loss, np.ones(len(data))], codes, rcond=None)[0][:1]
    mean, axes, along = (torch.from_numpy(np.asarray(v, dtype=np.float32)) for v in (centre, basis, slope))

    class Encoder(torch.nn.Module):
        def forward(self, x: Any, loss: Any, label: Any) -> Any:
            return (x.flatten(1) - mean) @ axes.T - loss[:, None] * along + 0 * label[:, None].float()

    class Decoder(torch.nn.Module):
        def forward(self, z: Any, loss: Any, label: Any) -> Any:
            flat = (z + loss[:, None] * along) @ axes + mean + 0 * label[:, None].float()
            return flat.unflatten(1, data.sample_shape)

    return TrainedGenerator(Encoder().eval(), Decoder().eval(), latent=len(basis))
