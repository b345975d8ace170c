"""Small classifying networks: one per kind of sample, standardisation built in.

Each takes samples as they are, ``(N, *sample)`` float32, and gives logits ``(N, classes)``; ``features`` gives what its
layers make of a sample on the way, the first layer's first.
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
    """Strided convolutions until few positions are left, then the mean and the largest value of each channel.

    Their number follows from the sample's longest side, so that what is seen at once grows with it. Long series are
    shortened by 4 at a time: most of the work is in the first layers, and a wave needs no place to the sample.
    """

    def __init__(self, standardise: Standardise, sample_shape: tuple[int, ...], classes: int, width: int) -> None:
        super().__init__()
        channels, *sides = sample_shape
        dimensions = len(sides)
        conv = nn.Conv2d if dimensions == 2 else nn.Conv1d
        norm = nn.BatchNorm2d if dimensions == 2 else nn.BatchNorm1d
        levels: list[nn.Module] = []
        before, side = channels, max(sides)
        shortenings = 0
        while side > 4 or shortenings < 2:
            after = width * min(2**shortenings, 8)
            stride = 4 if dimensions == 1 and side > 64 else 2
            kernel = 3 if dimensions == 2 else 2 * stride + 3
            levels.append(
                nn.Sequential(
                    conv(before, after, kernel, stride=stride, padding=kernel // 2, bias=False),
                    norm(after),
                    nn.ReLU(),
                    conv(after, after, 3, padding=1, bias=False),
                    norm(after),
                    nn.ReLU(),
                )
            )
            before, side, shortenings = after, -(-side // stride), shortenings + 1
        self.standardise = standardise
        self.levels = nn.ModuleList(levels)
        self.head = nn.Linear(2 * before, classes)
        self.positions = tuple(range(2, 2 + dimensions))

    def features(self, x: Tensor) -> list[Tensor]:
        """One ``(N, channels, positions...)`` for each level, the finest first."""
        found = [self.standardise(x)]
        for level in self.levels:
            found.append(level(found[-1]))
        return found[1:]

    def answer(self, features: list[Tensor]) -> Tensor:
        """Logits ``(N, classes)`` of what `features` gave."""
        h = features[-1]
        pooled = torch.cat([h.mean(self.positions), h.amax(self.positions)], dim=1)  # (N, 2 * channels)
        logits: Tensor = self.head(pooled)
        return logits

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.features(x))


class MLP(nn.Module):
    """Two hidden layers on the values of a vector (or of any flattened sample)."""

    def __init__(self, standardise: Standardise, values: int, classes: int, width: int) -> None:
        super().__init__()
        self.standardise = standardise
        self.first, self.second = nn.Linear(values, width), nn.Linear(width, width)
        self.head = nn.Linear(width, classes)

    def features(self, x: Tensor) -> list[Tensor]:
        """The two hidden layers, ``(N, width)`` each."""
        first = self.first(self.standardise(x).flatten(1)).relu()
        return [first, self.second(first).relu()]

    def answer(self, features: list[Tensor]) -> Tensor:
        """Logits ``(N, classes)`` of what `features` gave."""
        logits: Tensor = self.head(features[-1])
        return logits

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.features(x))


ClassifyingNetwork = ConvClassifier | MLP


def network(
    architecture: str, sample_shape: tuple[int, ...], classes: int, mean: Tensor, std: Tensor
) -> ClassifyingNetwork:
    """A new network; ``mean`` and ``std`` are ``(C,)`` or ``(F,)``, the first axis of a sample.

    ``architecture`` is ``mlp``, or anything else for convolutions, which need a sample with sides.
    """
    standardise = Standardise(mean, std, len(sample_shape))
    if architecture == "mlp" or len(sample_shape) == 1:
        values = int(torch.tensor(sample_shape).prod())
        return MLP(standardise, values, classes, width=128)
    return ConvClassifier(standardise, sample_shape, classes, width=16 if len(sample_shape) == 3 else 32)
