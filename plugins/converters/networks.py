"""The small networks of the adversarial converter: residual, starting as the identity, for images and series.

A converter first moves the sample as a whole: turned, scaled, sheared, shifted by an affine map of its own that a small
network reads from it (Jaderberg et al. 2015, https://arxiv.org/abs/1506.02025), because convolutions learn such moves
slowly. Then it repaints it: it shrinks the sample by 4-wide convolutions of stride 2 until its shorter side is about
8, changes it there in residual blocks, and enlarges it again beside what it saw on the way down. The last layers of
both start at zero, so that at first every sample comes out as it went in. Sides may be odd: samples are padded by their
edge and cut again.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, leaky_relu, pad
from torch.nn.utils.parametrizations import spectral_norm

from shiftlens.core.errors import TrainingError

SMALLEST = 8  # shortest side
LARGEST_IMAGE, LARGEST_SERIES = 256, 65536
INNER = 12  # shorter side from which another level is added
WIDEST = 96  # channels
REACH = 0.9  # of every entry of the affine map, which so can turn a sample by 60 degrees, but not throw it out
SLOWNESS = 0.1  # by which it learns more slowly than the layers: a bad move is hard to come back from

_CONV: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d}
_TRANSPOSED: dict[int, Callable[..., nn.Module]] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}


def check_shape(shape: tuple[int, ...]) -> None:
    """Raise where no network fits samples of this shape."""
    sides = shape[1:]
    if len(shape) not in (2, 3) or min(sides) < SMALLEST:
        raise TrainingError(
            f"the style converter cyclegan has no network for samples of shape {shape}: images (C, H, W) and series "
            f"(C, T) need sides of {SMALLEST} and more. Use converter: {{name: latent-transport}}"
        )
    largest = LARGEST_IMAGE if len(sides) == 2 else LARGEST_SERIES
    if max(sides) > largest:
        raise TrainingError(
            f"samples of shape {shape} are too large for the style converter cyclegan: {largest} is the longest side; "
            "resize them"
        )


def _levels(shape: tuple[int, ...]) -> int:
    """How often a sample of this shape is halved."""
    shorter, levels = min(shape[1:]), 1
    while shorter / 2**levels >= INNER:
        levels += 1
    return levels


class ConverterNetwork(nn.Module):
    """``(N, *shape) -> (N, *shape)``, values not bounded; the identity at first."""

    def __init__(self, shape: tuple[int, ...], width: int, blocks: int) -> None:
        super().__init__()
        dims, levels = len(shape) - 1, _levels(shape)
        conv, transposed = _CONV[dims], _TRANSPOSED[dims]
        self.move = _Move(shape)
        self.padding = [part for side in reversed(shape[1:]) for part in (0, -side % 2**levels)]
        self.sides = shape[1:]
        widths = [shape[0], *(min(WIDEST, width << level) for level in range(levels))]
        self.down = nn.ModuleList(
            nn.Sequential(conv(before, after, 4, 2, 1), nn.LeakyReLU(0.2)) for before, after in pairwise(widths)
        )
        self.middle = nn.Sequential(*(_Residual(conv, widths[-1]) for _ in range(blocks)))
        self.up = nn.ModuleList(
            nn.Sequential(
                transposed(2 * widths[level], max(widths[level - 1], width // 2), 4, 2, 1),
                nn.LeakyReLU(0.2),
                _Smooth(dims),
            )
            for level in range(levels, 0, -1)
        )
        self.last = nn.Sequential(
            conv(max(shape[0], width // 2) + shape[0], width, 3, 1, 1),
            nn.LeakyReLU(0.2),
            _starting_at_zero(conv(width, shape[0], 3, 1, 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.move(x)
        padded = pad(x, self.padding, mode="replicate") if any(self.padding) else x
        seen, here = [], padded
        for layer in self.down:
            here = layer(here)
            seen.append(here)
        here = self.middle(here)
        for layer in self.up:
            here = layer(torch.cat([here, seen.pop()], dim=1))
        change = self.last(torch.cat([here, padded], dim=1))
        for axis, side in enumerate(self.sides, start=2):
            change = change.narrow(axis, 0, side)
        repainted: Tensor = x + change
        return repainted


def _starting_at_zero(layer: nn.Module) -> nn.Module:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class _Smooth(nn.Module):
    """Mean of each two neighbours: takes out the stripes of period two that enlarging by transposed convolutions makes.

    With them a converter can make thick strokes look thin to every statistic, and to nobody who looks.
    """

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.padding = [1, 0] * dims
        self.mean = nn.AvgPool1d(2, 1) if dims == 1 else nn.AvgPool2d(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        smooth: Tensor = self.mean(pad(x, self.padding, mode="replicate"))
        return smooth


class _Move(nn.Module):
    """``(N, *shape) -> (N, *shape)``: each sample under an affine map of its own; a series is moved along its time."""

    places: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        conv, sides = _CONV[len(shape) - 1], shape[1:]
        widths = [shape[0], *(min(32, 8 << level) for level in range(_levels(shape) + 1))]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [conv(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
        values = widths[-1] * int(np.prod([side >> (len(widths) - 1) for side in sides]))
        last = _starting_at_zero(nn.Linear(32, 6 if len(sides) == 2 else 2))
        self.read = nn.Sequential(*layers, nn.Flatten(), nn.Linear(values, 32), nn.LeakyReLU(0.2), last)
        # Where each value is read from, (values, 3): column and row in [-1, 1], and 1. A series has one row.
        rows, columns = np.indices(sides if len(sides) == 2 else (1, *sides)).reshape(2, -1) + 0.5
        height, width = sides if len(sides) == 2 else (1, *sides)
        places = np.stack([2 * columns / width - 1, 2 * rows / height - 1, np.ones_like(rows)], axis=1)
        self.register_buffer("places", torch.tensor(places, dtype=torch.float32))
        self.picture = (height, width)

    def urge(self, x: Tensor) -> Tensor:
        """What the map follows from, ``(N, 6)`` or ``(N, 2)``; far from 0 its entries are at the end of their reach."""
        urge: Tensor = SLOWNESS * self.read(x)
        return urge

    def forward(self, x: Tensor) -> Tensor:
        found = REACH * torch.tanh(self.urge(x))
        wide = x if x.ndim == 4 else x[:, :, None]
        if x.ndim == 4:
            change = self.places @ found.reshape(-1, 3, 2)  # (N, values, 2)
        else:
            along = self.places[:, ::2] @ found[:, :, None]  # (N, values, 1)
            change = torch.cat([along, torch.zeros_like(along)], dim=2)
        grid = (self.places[:, :2] + change).reshape(-1, *self.picture, 2)  # (N, H, W, 2)
        moved = grid_sample(wide, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return moved if x.ndim == 4 else moved[:, :, 0]


class _Residual(nn.Module):
    def __init__(self, conv: Callable[..., nn.Module], width: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            conv(width, width, 3, 1, 1), nn.GroupNorm(4, width), nn.LeakyReLU(0.2), conv(width, width, 3, 1, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = x + self.change(x)
        return changed


class PatchDiscriminator(nn.Module):
    """``(x (N, *shape), label (N,)) -> (N, patches)``: positive where a patch looks like one of the source's.

    Spectral normalisation keeps it from growing too sure; with the class as a condition (Miyato & Koyama 2018,
    https://arxiv.org/abs/1802.05637) it asks for the source's shapes of that class.
    """

    def __init__(self, shape: tuple[int, ...], width: int, classes: int) -> None:
        super().__init__()
        conv = _CONV[len(shape) - 1]
        widths = [shape[0], *(min(WIDEST, width << level) for level in range(_levels(shape)))]
        layers = [spectral_norm(conv(before, after, 4, 2, 1)) for before, after in pairwise(widths)]
        self.layers = nn.ModuleList([*layers, spectral_norm(conv(widths[-1], widths[-1], 3, 1, 1))])
        self.verdict = spectral_norm(conv(widths[-1], 1, 3, 1, 1))
        self.of_class = spectral_norm(nn.Embedding(classes, widths[-1]))

    def features(self, x: Tensor) -> list[Tensor]:
        """What each layer sees, ``(N, channels, ...)``."""
        found = []
        for layer in self.layers:
            x = leaky_relu(layer(x), 0.2)
            found.append(x)
        return found

    def judged(self, features: Tensor, label: Tensor) -> Tensor:
        """The verdict on what the last layer sees, ``(N, patches)``."""
        matched = (features.flatten(2) * self.of_class(label)[:, :, None]).sum(1)  # (N, patches)
        verdict: Tensor = self.verdict(features).flatten(1) + matched
        return verdict

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return self.judged(self.features(x)[-1], label)


class Surrogate(nn.Module):
    """``(N, *shape) -> (N, classes)`` logits: a copy of the frozen classifier that gradients pass."""

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        conv = _CONV[len(shape) - 1]
        pool = nn.AdaptiveAvgPool1d(4) if len(shape) == 2 else nn.AdaptiveAvgPool2d(4)
        self.layers = nn.Sequential(
            conv(shape[0], 16, 4, 2, 1), nn.LeakyReLU(0.1), conv(16, 24, 3, 1, 1), nn.LeakyReLU(0.1),
            conv(24, 48, 4, 2, 1), nn.LeakyReLU(0.1), pool, nn.Flatten(),
            nn.Linear(48 * 4 ** (len(shape) - 1), 96), nn.LeakyReLU(0.1), nn.Linear(96, classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits
