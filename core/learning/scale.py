"""Between the samples' own units and those that networks work in: what generators and style converters share."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from shiftlens.core.host.kinds import TrainingData

SCALE_ROWS = 4096  # rows that means and spreads are taken from


class Scale(nn.Module):
    """From the samples' own units to those that the networks work in, and back.

    Images stay as they are and are held in [0, 1] on the way back; series are standardised by channel, vectors by
    column.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, data: TrainingData, seed: int) -> None:
        super().__init__()
        self.bounded = data.kind == "image"
        mean, spread = np.zeros(()), np.ones(())
        if not self.bounded:
            rows = np.sort(np.random.default_rng([seed, 3]).permutation(len(data))[:SCALE_ROWS])
            x = data.batch(rows).astype(np.float64)
            over = (0, 2) if x.ndim == 3 else (0,)
            mean, spread = x.mean(over), x.std(over)
            spread[spread < 1e-6 * np.maximum(1.0, abs(mean))] = 1.0  # a constant stays what it is
            if x.ndim == 3:
                mean, spread = mean[:, None], spread[:, None]  # (C, 1)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("spread", torch.tensor(spread, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, *sample)`` in the networks' units."""
        return x if self.bounded else (x - self.mean) / self.spread

    def back(self, y: Tensor) -> Tensor:
        """``(N, *sample)`` in the samples' own units and range."""
        return y.clamp(0.0, 1.0) if self.bounded else y * self.spread + self.mean
