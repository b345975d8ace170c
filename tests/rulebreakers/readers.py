"""Readers that break one rule each, and one that keeps them all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from rulebreakers.tried import Tried
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import (
    ComponentSettings,
    Reader,
)
from shiftlens.testing import samples


class Settings(ComponentSettings):
    path: Path = Field(description="an .npy of images")


class Array:
    """Images of a .npy. Methods are replaced to break rules."""

    def __init__(self, settings):
        self.path = settings.path

    def files(self):
        return [self.path]

    def __call__(self, scratch):
        try:
            x = np.load(self.path, allow_pickle=False)
        except (OSError, EOFError, ValueError) as error:
            raise InputError(f"{self.path} cannot be read: {error}") from None
        return self.domain(x)

    def domain(self, x):
        return Domain(x, x.shape[1:], "image", np.full(len(x), "a"))


def on_disk(folder):
    path = folder / "images.npy"
    np.save(path, samples("image")[0][:20])
    return {"path": path}


def reader(worker, **more):
    return Tried(Reader(name="broken", summary="a reader", settings=Settings, build=worker, **more), on_disk)


def reader_with(**methods):
    return reader(type("Worker", (Array,), methods))


def unsorted_domain(self, x):
    x = x[np.random.permutation(len(x))]  # noqa: NPY002  # on purpose
    return Domain(x, x.shape[1:], "image", np.full(len(x), "a"))


GOOD = reader(Array)

BREAKERS = {
    "reader-reads-a-domain": reader_with(domain=lambda self, x: x),
    "reader-decodes-to-float32": reader_with(domain=lambda self, x: Domain(255 * x, x.shape[1:], "image")),
    "reader-a-label-and-a-name-each": reader_with(
        domain=lambda self, x: Domain(x, x.shape[1:], "image", np.arange(len(x) - 1))
    ),
    "reader-reads-the-same-twice": reader_with(domain=unsorted_domain),
    "reader-lists-its-files": reader_with(files=lambda self: []),
    "reader-tells-what-is-missing": reader_with(
        __call__=lambda self, scratch: Array.domain(self, np.load(self.path, allow_pickle=False))
    ),
    "reader-claims-without-raising": reader(Array, claims=lambda raw, base: raw["path"].endswith(".npy")),
}
