"""Torch modules that give a tuple, a dict, an object with ``.logits`` or one value a sample, as ones that give logits.

A module that gives ``(N, classes)`` already is left as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shiftlens.core.data.domain import Domain
from shiftlens.core.data.labels import class_names
from shiftlens.core.data.scoring import WITHIN
from shiftlens.core.errors import ClassifierError
from shiftlens.export.found_onnx import LIKELY, UNLIKELY

logger = logging.getLogger("shiftlens")

PROBED = 16  # samples that the form is decided on


class OneOutput(nn.Module):
    """The module with one of its outputs taken out, as ``(N, classes)``.

    One value a sample becomes two columns: ``(0, z)`` where z is a logit, ``(1 - p, p)`` where p is a probability.
    """

    def __init__(
        self, module: nn.Module, key: str | int | None, columns: int, bounded: bool, attribute: bool = False
    ) -> None:
        super().__init__()
        self.module, self.key, self.columns, self.bounded = module, key, columns, bounded
        self.attribute = attribute
        self.training = False  # not .eval(), which a program of torch.export refuses

    def forward(self, x: Tensor) -> Tensor:
        given = self.module(x)
        if self.key is not None:
            given = getattr(given, str(self.key)) if self.attribute else given[self.key]
        values: Tensor = given.reshape(-1, self.columns)  # a single value may come as (N,), classes as (N, K, 1, 1)
        if self.columns > 1:
            return values
        return torch.cat([1 - values if self.bounded else torch.zeros_like(values), values], dim=1)


def plain(name: str, module: nn.Module, source: Domain) -> nn.Module:
    """The module itself where it gives ``(N, classes)``, else an `OneOutput` around it; decided on real samples.

    Raises:
        ClassifierError: nothing it gives holds a value for each class.
    """
    x = torch.from_numpy(source.batch(np.resize(np.arange(len(source)), PROBED)))
    try:
        with torch.no_grad():
            given = module(x)
    except Exception:  # whoever runs it next tells what it was given and what it said
        return module
    if isinstance(given, Tensor) and (given.ndim != 2 or given.shape[1] > 1) and given.numel() != len(x):
        return module
    outputs = _outputs(given)
    columns = {key: _columns(value, len(x)) for key, value in outputs.items()}
    usable = [key for key, count in columns.items() if count]
    if not usable:
        gave = ", ".join(f"{key} {tuple(value.shape)}" for key, value in outputs.items()) or type(given).__name__
        raise ClassifierError(
            f"{name} gives {gave} for {len(x)} samples; it must give ({len(x)}, classes), in a tensor, a tuple, a dict "
            "or an object with .logits"
        )
    classes = len(class_names(source.labels)) if source.labels is not None else None

    def likeliness(key: str | int | None) -> tuple[bool, int, bool]:
        fits = classes is not None and (columns[key] == classes or (columns[key] == 1 and classes == 2))
        return fits, bool(LIKELY.search(str(key))) - 2 * bool(UNLIKELY.search(str(key))), columns[key] > 1

    key = max(usable, key=likeliness)  # of equals the first
    values = outputs[key]
    bounded = columns[key] == 1 and bool(values.min() >= -WITHIN and values.max() <= 1 + WITHIN)
    if len(usable) > 1:
        others = ", ".join(str(other) for other in usable if other != key)
        logger.info("%s gives several outputs: %s is used, and not %s", name, key, others)
    if columns[key] == 1:
        what = "the probability" if bounded else "the logit"
        logger.info("%s gives one value a sample; it is read as %s of the second of two classes", name, what)
    return OneOutput(module, key, columns[key], bounded, not isinstance(given, Tensor | Mapping | tuple | list))


def _outputs(given: Any) -> dict[str | int | None, Tensor]:
    """Every tensor that a module gave, by what it is reached with; None: it is what was given."""
    if isinstance(given, Tensor):
        return {None: given}
    if isinstance(given, Mapping):
        pairs = list(given.items())
    elif isinstance(given, tuple | list):
        pairs = list(enumerate(given))
    else:
        pairs = [("logits", getattr(given, "logits", None))]
    return {key: value for key, value in pairs if isinstance(value, Tensor)}


def _columns(value: Tensor, count: int) -> int:
    """Values a sample, where they can be one for each class; else 0."""
    if not value.is_floating_point() or not value.ndim or len(value) != count or not value.numel():
        return 0
    columns = value.numel() // count
    return columns if max(value.shape[1:], default=1) == columns else 0  # else a map of features
