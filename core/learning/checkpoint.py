"""The checkpoint of a training: how far it is, its best state so far, and what it is a checkpoint of."""

from __future__ import annotations

import hashlib
import io
import logging
import math
import pickle
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shiftlens.core.files import write_bytes
from shiftlens.core.host.kinds import TrainingData

logger = logging.getLogger("shiftlens")


@dataclass(frozen=True)
class TrainingState:
    """What a checkpoint holds; only tensors, numbers, strings, lists and dicts, so that nothing is executed on load."""

    stamp: str
    step: int
    finished: bool
    untrained_error: float
    model: dict[str, Tensor]
    optimisers: dict[str, Any]
    history: list[dict[str, float]]
    best: dict[str, Tensor]
    best_step: int
    best_error: float
    looks_since: int

    @classmethod
    def start(cls, stamp: str) -> TrainingState:
        return cls(stamp, 0, False, math.inf, {}, {}, [], {}, 0, math.inf, 0)

    @classmethod
    def load(cls, path: Path, stamp: str) -> TrainingState | None:
        """The state at ``path``, or None where there is none, a broken one, or one of another training."""
        if not path.is_file():
            return None
        try:
            state = cls(**torch.load(path, map_location="cpu", weights_only=True))
        except (OSError, EOFError, RuntimeError, TypeError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
            logger.warning("the checkpoint %s cannot be read (%s); training starts anew", path, error)
            return None
        return state if state.stamp == stamp else None

    def save(self, path: Path) -> None:
        """Write whole; a finished training needs no optimiser and no last state any more."""
        kept = replace(self, model={}, optimisers={}) if self.finished else self
        content = io.BytesIO()  # torch itself, writing to a full disk, raises no OSError
        torch.save(kept.__dict__, content)
        write_bytes(path, content.getvalue())


def stamp_of(network: nn.Module, data: TrainingData, made_by: tuple[object, ...]) -> str:
    """Hash of what a training depends on, its first samples included; not the device, so that a run can move.

    ``made_by`` is all else: seed, schedule, settings, as values whose ``repr`` tells them apart.
    """
    digest = hashlib.sha256(repr((*made_by, data.sample_shape, data.classes, len(data))).encode())
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)}".encode())
    for array in (data.loss, data.label, data.role, data.batch(np.arange(min(len(data), 16)))):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
