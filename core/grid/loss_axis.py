"""The loss as a direction in a generator's latent space, fitted in closed form (¶48-51, as a residual).

An ordinary encoder E and decoder D are given a loss axis after their training: the part of the latent that goes with
the loss, ``f(loss, label)``, is found by regression, taken out by the encoder and added back by the decoder:

    z = E(x) - f(loss, label)        x' = D(z + f(loss', label))

Two fits. `fit_observed` regresses on the rows as they were found, source ∪ target, and takes with it whatever
travels with the loss. `fit_randomised` regresses on the rows of a randomised trial, with the label and the sample's
own loss before the change as covariates, so that what merely travels with the shift stays out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shiftlens.core.arrays import Floats, IntArray

OFFSET = 0.05  # nats; keeps the logarithm of the loss of a perfect prediction finite, and fine steps there small
ENDS = (0.005, 0.995)  # quantiles of the transformed loss that become positions 0 and 1
REACH = (-3.0, 5.5)  # positions that the axis is continued to; beyond, it stands still
BENDS = (0.25, 0.5, 0.75)  # quantiles of the losses at which the observed axis may bend
CLASS_ROWS = 20.0  # as many rows speak for the slope that all classes share, against the rows of the class itself


@dataclass(frozen=True)
class LossScale:
    """Losses in nats to positions: ``(log(loss + 0.05) - low) / span``, 0 at the usual smallest, 1 at the largest.

    A raw cross-entropy has a tail that would eat the whole range.
    """

    low: float
    span: float

    @classmethod
    def of(cls, loss: Floats) -> LossScale:
        """The scale on which these losses ``(n,)`` lie between 0 and 1, but for half a percent at each end."""
        low, high = np.quantile(np.log(np.maximum(loss, 0) + OFFSET), ENDS)
        return cls(float(low), max(float(high - low), 1e-3))

    def position(self, loss: Floats) -> Floats:
        """Positions of losses ``(n,)``, held inside `REACH`."""
        logs = np.log(np.maximum(np.asarray(loss, dtype=np.float64) + OFFSET, 1e-12))
        positions: Floats = np.clip((logs - self.low) / self.span, *REACH)
        return positions

    def loss(self, position: Floats) -> Floats:
        """The inverse of `position`; below position 0 it may give numbers below 0 nats: places, not losses."""
        losses: Floats = np.exp(self.low + self.span * np.asarray(position, dtype=np.float64)) - OFFSET
        return losses

    @property
    def ends(self) -> tuple[float, float]:
        """The losses at positions 0 and 1, in nats."""
        low, high = self.loss(np.array([0.0, 1.0]))
        return float(low), float(high)


@dataclass(frozen=True)
class LossAxis:
    """``f(loss, label) = intercept[label] + sum_k basis_k(position) * slope[label, k]``, in latent units.

    ``basis`` is the position itself and one hinge ``max(position - bend, 0)`` per bend.

    Attributes:
        scale: from nats to positions.
        bends: ``(B,)`` positions.
        intercept: ``(classes, latent)``.
        slope: ``(classes, 1 + B, latent)``.
    """

    scale: LossScale
    bends: Floats
    intercept: Floats
    slope: Floats

    def __call__(self, loss: Floats, label: IntArray) -> Floats:
        """The loss's part of the latents of n samples, ``(n, latent)``."""
        basis = hinges(self.scale.position(loss), self.bends)
        part: Floats = self.intercept[label] + np.einsum("nk,nkl->nl", basis, self.slope[label])
        return part


def hinges(position: Floats, bends: Floats) -> Floats:
    """``(n, 1 + B)``: the position, and what it exceeds each bend by."""
    return np.column_stack([position, np.maximum(position[:, None] - bends, 0.0)])


def fit_observed(latent: Floats, loss: Floats, label: IntArray, classes: int, scale: LossScale) -> LossAxis:
    """The mean of the latent given loss and label, over source ∪ target rows as they are (¶48).

    Args:
        latent: ``(n, k)`` latents of the rows; loss, label: ``(n,)``.
    """
    position = scale.position(loss)
    bends = _bends(position)
    shared = hinges(position, bends)
    found = _regress(latent, shared, position[:, None], label, classes)
    slope = np.repeat(found.shared[None], classes, axis=0)  # (classes, 1 + B, k)
    slope[:, 0] += found.by_class[:, 0]
    return LossAxis(scale, bends, found.intercept, slope)


def fit_randomised(
    latent: Floats, loss: Floats, loss_before: Floats, label: IntArray, classes: int, scale: LossScale
) -> LossAxis:
    """What raising the loss by randomised changes does to the latent, straight along the transformed loss.

    The sample's own loss before the change (and its product with the label) is a covariate: what made the sample
    easy or hard in the first place is no part of the axis. Nor is the class's mean, which no trial changes.

    Args:
        latent: ``(n, k)`` latents of the trial's rows; loss, loss_before, label: ``(n,)``.
    """
    after, before = scale.position(loss), scale.position(loss_before)
    both = np.column_stack([after, before])
    found = _regress(latent, both, both, label, classes)
    slope = found.shared[None, :1] + found.by_class[:, :1]  # (classes, 1, k)
    return LossAxis(scale, np.zeros(0), np.zeros((classes, latent.shape[1])), slope)


@dataclass(frozen=True)
class _Found:
    """Coefficients: shared ``(P, k)``, intercept ``(classes, k)``, by_class ``(classes, Q, k)`` beside the shared."""

    shared: Floats
    intercept: Floats
    by_class: Floats


def _regress(latent: Floats, shared: Floats, varying: Floats, label: IntArray, classes: int) -> _Found:
    """Least squares on shared columns ``(n, P)``, the class, and class × varying columns ``(n, Q)``.

    What a class has of its own is shrunk towards what all share, as if `CLASS_ROWS` rows spoke for the latter.
    """
    member = np.eye(classes)[label]  # (n, classes)
    centred = varying - varying.mean(axis=0)
    products = [member * column[:, None] for column in centred.T]
    x = np.concatenate([np.ones((len(label), 1)), shared, member, *products], axis=1)
    first = 1 + shared.shape[1]
    spread = np.concatenate([np.ones(classes), *(np.full(classes, v) for v in centred.var(axis=0))])
    penalty = np.full(x.shape[1], 1e-6 * len(label))
    penalty[first : first + classes] = 1.0  # the mean of a class needs few rows
    penalty[first + classes :] += CLASS_ROWS * spread[classes:]
    weights = np.linalg.solve(x.T @ x + np.diag(penalty), x.T @ np.asarray(latent, dtype=np.float64))
    by_class = weights[first + classes :].reshape(varying.shape[1], classes, -1).swapaxes(0, 1)
    own_mean = weights[0] + weights[first : first + classes]
    intercept = own_mean - np.einsum("q,cqk->ck", varying.mean(axis=0), by_class)
    return _Found(weights[1:first], intercept, by_class)


def _bends(position: Floats) -> Floats:
    """Quantiles of the positions that lie apart from each other and from the ends by a twentieth at least."""
    chosen: list[float] = []
    for candidate in np.quantile(position, BENDS):
        if 0.05 <= candidate <= 0.95 and (not chosen or candidate - chosen[-1] >= 0.05):
            chosen.append(float(candidate))
    return np.array(chosen)
