"""Layers that the generators share: networks by the shape of a sample, its scale, and how the loss enters.

Images and series shrink by 4-wide convolutions of stride 2 (long series first by 8-wide ones of stride 4) until their
shorter side is about 4; at 32x32 that makes 16, 32 and 64 channels. Images of 32 pixels and more have a residual block
(He et al. 2016, https://arxiv.org/abs/1512.03385) at each small level, where it costs least: of a quarter of the side
and less, and of 16 pixels at most. Vectors go through two hidden layers. Sides may be odd. Upsampling is by transposed
convolution: ONNX Runtime runs it as fast as any of its replacements at these sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from shiftlens.core.errors import TrainingError
from shiftlens.core.grid.loss_axis import OFFSET, REACH, LossAxis, LossScale
from shiftlens.core.learning.scale import Scale

LONG_SERIES = 128  # values; from here on strides of 4: at 4,096 values they take a fifth of the time
WIDEST = 128  # channels
HIDDEN = 128  # units of a vector's hidden layers
SMALLEST = {1: 8, 2: 16}  # shortest side, by the number of sides
LARGEST_IMAGE = 256
REFINED_FROM, REFINED_TO = 32, 16  # px: shorter sides of the images that get residual blocks, and of their levels

_CONV: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d}
_TRANSPOSED: dict[int, Callable[..., nn.Module]] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}
_NORM: dict[int, Callable[..., nn.Module]] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}


def check_shape(shape: tuple[int, ...]) -> None:
    """Raise where no network fits samples of this shape."""
    sides = shape[1:]
    if len(shape) > 3:
        raise TrainingError(f"no network for samples of shape {shape}; there are ones for (F,), (C, T) and (C, H, W)")
    if sides and min(sides) < SMALLEST[len(sides)]:
        what = "images need sides of 16 and more" if len(sides) == 2 else "series need 8 values and more"
        raise TrainingError(f"samples of shape {shape} are too small: {what}; enlarge or pad them")
    if len(sides) == 2 and max(sides) > LARGEST_IMAGE:
        raise TrainingError(f"samples of shape {shape} are too large: {LARGEST_IMAGE} is the longest side; resize them")


def encoder_network(shape: tuple[int, ...], outputs: int, normalised: bool = True) -> nn.Module:
    """``(N, *shape) -> (N, outputs)``; a discriminator does without batch normalisation."""
    if len(shape) == 1:
        hidden = [*_layer(shape[0], HIDDEN, normalised), *_layer(HIDDEN, HIDDEN, normalised)]
        return nn.Sequential(*hidden, nn.Linear(HIDDEN, outputs))
    pyramid, dims = _pyramid(shape), len(shape) - 1
    layers: list[nn.Module] = []
    for level, ((before, after), stride) in enumerate(zip(pairwise(pyramid.widths), pyramid.strides, strict=True)):
        layers.append(_CONV[dims](before, after, 2 * stride, stride, stride // 2, bias=not normalised))
        layers += [_NORM[dims](after), nn.ReLU()] if normalised else [nn.LeakyReLU(0.2)]
        if normalised and pyramid.refined(level + 1):
            layers.append(ResidualBlock(after))
    features = pyramid.widths[-1] * math.prod(pyramid.sides[-1])
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, outputs))


def decoder_network(shape: tuple[int, ...], inputs: int) -> nn.Module:
    """``(N, inputs) -> (N, *shape)``, the mirror image of the encoder; values are not bounded."""
    if len(shape) == 1:
        return nn.Sequential(*_layer(inputs, HIDDEN), *_layer(HIDDEN, HIDDEN), nn.Linear(HIDDEN, shape[0]))
    pyramid, dims = _pyramid(shape), len(shape) - 1
    top = pyramid.sides[-1]
    layers: list[nn.Module] = [
        *_layer(inputs, pyramid.widths[-1] * math.prod(top)),
        nn.Unflatten(1, (pyramid.widths[-1], *top)),
    ]
    for level in range(len(pyramid.strides), 0, -1):
        before, after, stride = pyramid.widths[level], pyramid.widths[level - 1], pyramid.strides[level - 1]
        odd = tuple(
            large - stride * small for large, small in zip(pyramid.sides[level - 1], pyramid.sides[level], strict=True)
        )
        last = level == 1
        layers.append(_TRANSPOSED[dims](before, after, 2 * stride, stride, stride // 2, output_padding=odd, bias=last))
        if not last:
            layers += [_NORM[dims](after), nn.ReLU()]
            if pyramid.refined(level - 1):
                layers.append(ResidualBlock(after))
    return nn.Sequential(*layers)


def _layer(inputs: int, outputs: int, normalised: bool = True) -> list[nn.Module]:
    if not normalised:
        return [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
    return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]


@dataclass(frozen=True)
class _Pyramid:
    """Sides and channels of every level, the sample's own first; and the stride from each level to the next."""

    sides: list[tuple[int, ...]]
    widths: list[int]
    strides: list[int]

    def refined(self, level: int) -> bool:
        """Whether this level has a residual block."""
        own, here = self.sides[0], self.sides[level]
        large = len(own) == 2 and min(own) >= REFINED_FROM
        return large and min(here) <= min(REFINED_TO, min(own) // 4)


def _pyramid(shape: tuple[int, ...]) -> _Pyramid:
    channels, *sides = shape
    levels, strides = [tuple(sides)], []
    while min(levels[-1]) >= 6:
        strides.append(4 if len(sides) == 1 and levels[-1][0] >= LONG_SERIES else 2)
        levels.append(tuple(side // strides[-1] for side in levels[-1]))
    first = 16 if len(strides) >= 3 else 32
    return _Pyramid(levels, [channels, *(min(WIDEST, first << level) for level in range(len(strides)))], strides)


class ResidualBlock(nn.Module):
    """``relu(x + body(x))``, the same shape; it begins as no change."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.BatchNorm2d(channels)
        nn.init.zeros_(last.weight)
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


class Position(nn.Module):
    """`LossScale.position` as a layer: losses ``(N,)`` in nats to positions ``(N,)``."""

    def __init__(self, scale: LossScale) -> None:
        super().__init__()
        self.low, self.span = scale.low, scale.span

    def forward(self, loss: Tensor) -> Tensor:
        return (((loss + OFFSET).clamp(min=1e-12).log() - self.low) / self.span).clamp(*REACH)


class Condition(nn.Module):
    """What a decoder that learns the loss axis gets besides z (¶50): position and class, ``(N, 1 + classes)``."""

    classes: Tensor

    def __init__(self, scale: LossScale, classes: int) -> None:
        super().__init__()
        self.position = Position(scale)
        self.register_buffer("classes", torch.eye(classes))

    def forward(self, loss: Tensor, label: Tensor) -> Tensor:
        return torch.cat([self.position(loss)[:, None], self.classes[label]], dim=1)


class Residual(nn.Module):
    """`LossAxis` as a layer: ``f(loss, label)``, ``(N, latent)``."""

    bends: Tensor
    intercept: Tensor
    slope: Tensor

    def __init__(self, axis: LossAxis) -> None:
        super().__init__()
        self.position = Position(axis.scale)
        for name in ("bends", "intercept", "slope"):
            self.register_buffer(name, torch.tensor(getattr(axis, name), dtype=torch.float32))

    def forward(self, loss: Tensor, label: Tensor) -> Tensor:
        position = self.position(loss)[:, None]  # (N, 1)
        basis = torch.cat([position, (position - self.bends).clamp(min=0.0)], dim=1)  # (N, 1 + bends)
        return self.intercept[label] + (basis[:, :, None] * self.slope[label]).sum(1)


class Encoder(nn.Module):
    """The exported encoder: ``(x (N, *sample), loss (N,), label (N,)) -> z (N, latent)``.

    Latents are centred and scaled per dimension; ``residual`` is what the loss axis takes out, None where the decoder
    has learnt the axis.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self, scale: Scale, network: nn.Module, centre: Tensor, spread: Tensor, residual: Residual | None
    ) -> None:
        super().__init__()
        self.scale, self.network, self.residual = scale, network, residual
        self.register_buffer("centre", centre)
        self.register_buffer("spread", spread)

    def forward(self, x: Tensor, loss: Tensor, label: Tensor) -> Tensor:
        return self.placed(self.network(self.scale(x)), loss, label)

    def placed(self, latent: Tensor, loss: Tensor, label: Tensor) -> Tensor:
        """z ``(N, latent)`` of what the network gave."""
        z: Tensor = (latent - self.centre) / self.spread
        return z if self.residual is None else z - self.residual(loss, label)


class Decoder(nn.Module):
    """The exported decoder: ``(z (N, latent), loss (N,), label (N,)) -> x (N, *sample)``, the encoder's way back.

    Exactly one of ``residual`` (a fitted loss axis) and ``condition`` (a learnt one) is given.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        scale: Scale,
        network: nn.Module,
        centre: Tensor,
        spread: Tensor,
        residual: Residual | None,
        condition: Condition | None,
    ) -> None:
        super().__init__()
        self.scale, self.network, self.residual, self.condition = scale, network, residual, condition
        self.register_buffer("centre", centre)
        self.register_buffer("spread", spread)

    def forward(self, z: Tensor, loss: Tensor, label: Tensor) -> Tensor:
        if self.residual is not None:
            z = z + self.residual(loss, label)
        z = z * self.spread + self.centre
        if self.condition is not None:
            z = torch.cat([z, self.condition(loss, label)], dim=1)
        return self.scale.back(self.network(z))
