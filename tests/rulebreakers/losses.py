"""Losses, which also stand for the rules of every component."""

from __future__ import annotations

import contextlib
import socket
import tempfile
from pathlib import Path

import numpy as np
from pydantic import Field

from rulebreakers.tried import Tried
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import (
    ComponentSettings,
    Loss,
)

OUTSIDE = Path(tempfile.gettempdir()) / "shiftlens-written-outside.txt"


def entropy(p, labels):
    return -(p * np.log(np.clip(p, 1e-12, None))).sum(1)


def cross_entropy(p, labels):
    if labels is None:
        raise InputError("needs labels; set loss: entropy")
    return -np.log(np.clip(p[np.arange(len(labels)), labels], 1e-12, None))


def loss(function, **more):
    return Loss(**{"name": "broken", "summary": "a loss", "build": lambda settings: function, **more})


def calls(p, labels):
    with contextlib.suppress(OSError):  # it would rather not be noticed
        socket.create_connection(("192.0.2.1", 80), timeout=1).close()
    return cross_entropy(p, labels)


def writes(p, labels):
    OUTSIDE.write_text("here I was")
    OUTSIDE.unlink()
    return cross_entropy(p, labels)


def in_place(p, labels):
    p *= 0.5
    return cross_entropy(p, labels)


class Unequal(ComponentSettings):
    weight: float = Field(float("nan"), description="is equal to nothing, itself included")


class Growing(ComponentSettings):
    seen: list[int] = Field(default_factory=list, description="grows")


def growing(settings):
    settings.seen.append(1)
    return cross_entropy


def heavy(settings):
    """As if it stood in the module that imports scikit-learn; this module itself is to stay light."""
    return cross_entropy


heavy.__module__ = "heavymodule"


def relative(p, labels):
    values = cross_entropy(p, labels)
    return values - values.mean()


def as_entropy(settings):
    """The ONNX form of another loss."""
    from shiftlens.plugins.losses.as_onnx import entropy

    return entropy()


GOOD = Tried(loss(cross_entropy))

BREAKERS = {
    "component-reads-well": Tried(loss(cross_entropy, summary="One sentence.")),
    "component-settings-round-trip": Tried(loss(cross_entropy, settings=Unequal)),
    "component-settings-stay-as-read": Tried(loss(None, settings=Growing, build=growing)),
    "component-loads-light": Tried(loss(None, build=heavy)),
    "component-calls-nobody": Tried(loss(calls)),
    "component-writes-in-its-folder": Tried(loss(writes)),
    "loss-one-finite-value-each": Tried(loss(lambda p, y: -np.log(p[np.arange(len(y)), y]))),
    "loss-small-where-right": Tried(loss(lambda p, y: 1 - cross_entropy(p, y))),
    "loss-says-whether-it-needs-labels": Tried(loss(lambda p, y: -np.log(p[range(len(p)), y] + 1e-9))),
    "loss-each-sample-alone": Tried(loss(relative)),
    "loss-any-number-of-classes": Tried(loss(lambda p, y: cross_entropy(p, y) + p[:, 2] + np.arange(len(p)))),
    "loss-onnx-agrees": Tried(loss(cross_entropy, onnx=as_entropy)),
    "loss-leaves-its-input-alone": Tried(loss(in_place)),
}
