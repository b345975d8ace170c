"""Networks of the classifiers trained here: one per kind of sample, standardisation built in.

Each takes samples as they are, ``(N, *sample)`` float32, and gives logits ``(N, classes)``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Standardise(nn.Module):
    """``(x - mean) / std`` per channel or column, with figures of the training samples; part of the exported file."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor, rank: int) -> None:
        super().__init__()
        shape = (1, -1, *[1] * (rank - 1))
        self.register_buffer("mean", mean.reshape(shape))  # (1, C, 1, ...)
        self.register_buffer("std", std.reshape(shape))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class ConvClassifier(nn.Module):
    """Convolutions of stride 2 until few positions are left, then the mean and the largest value of each channel.

    ``dimensions`` is 2 for images, 1 for series. The number of halvings follows from the sample's longest side, so
    that what is seen at once grows with it.
    """

    def __init__(self, standardise: Standardise, sample_shape: tuple[int, ...], classes: int, width: int) -> None:
        super().__init__()
        channels, *sides = sample_shape
        dimensions = len(sides)
        conv = nn.Conv2d if dimensions == 2 else nn.Conv1d
        norm = nn.BatchNorm2d if dimensions == 2 else nn.BatchNorm1d
        kernel = 3 if dimensions == 2 else 7
        layers: list[nn.Module] = []
        before, side = channels, max(sides)
        halvings = 0
        while side > 4 or halvings < 2:
            after = width * min(2**halvings, 8)
            layers += [
                conv(before, after, kernel, stride=2, padding=kernel // 2, bias=False),
                norm(after),
                nn.ReLU(),
                conv(after, after, 3, padding=1, bias=False),
                norm(after),
                nn.ReLU(),
            ]
            before, side, halvings = after, (side + 1) // 2, halvings + 1
        self.standardise = standardise
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(2 * before, classes)
        self.positions = tuple(range(2, 2 + dimensions))

    def forward(self, x: Tensor) -> Tensor:
        h = self.features(self.standardise(x))  # (N, channels, positions...)
        pooled = torch.cat([h.mean(self.positions), h.amax(self.positions)], dim=1)  # (N, 2 * channels)
        logits: Tensor = self.head(pooled)
        return logits


class MLP(nn.Module):
    """Two hidden layers on the values of a vector (or of any flattened sample)."""

    def __init__(self, standardise: Standardise, values: int, classes: int, width: int) -> None:
        super().__init__()
        self.standardise = standardise
        self.layers = nn.Sequential(
            nn.Linear(values, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(self.standardise(x).flatten(1))
        return logits


def network(architecture: str, sample_shape: tuple[int, ...], classes: int, mean: Tensor, std: Tensor) -> nn.Module:
    """A new network; ``mean`` and ``std`` are ``(C,)`` or ``(F,)``, the first axis of a sample."""
    standardise = Standardise(mean, std, len(sample_shape))
    if architecture == "mlp":
        values = int(torch.tensor(sample_shape).prod())
        return MLP(standardise, values, classes, width=128)
    return ConvClassifier(standardise, sample_shape, classes, width=16 if len(sample_shape) == 3 else 32)
