"""Pairs that the user names by their places in the two domains (¶52: arbitrary data)."""

from __future__ import annotations

import numpy as np
from pydantic import Field, field_validator

from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import Candidates, ComponentSettings, Pair, Selector
from shiftlens.plugins.selectors.pairing import classes_of


class Settings(ComponentSettings):
    """Settings of the indices selector."""

    pairs: tuple[tuple[int, int], ...] = Field(
        min_length=1, description="[[source, target], ...]: places of the samples, counted from 0"
    )
    same_class: bool = Field(True, description="refuse pairs of two classes, whose grid would mix them")

    @field_validator("pairs")
    @classmethod
    def _no_repeats(cls, pairs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        twice = [list(pair) for pair in dict.fromkeys(pairs) if pairs.count(pair) > 1]
        if twice:
            raise ValueError(f"these pairs stand twice: {twice}")
        return pairs


class Indices:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, candidates: Candidates, rng: np.random.Generator) -> list[Pair]:
        """The user's pairs in the user's order, checked."""
        pairs = [Pair(source, target) for source, target in self.settings.pairs]
        counts = len(candidates.source), len(candidates.target)
        beyond = [p for p in pairs if not (0 <= p.source < counts[0] and 0 <= p.target < counts[1])]
        if beyond:
            raise InputError(
                f"selector.pairs names samples that are not there: {_listed(beyond)}; the source has samples 0 to "
                f"{counts[0] - 1}, the target 0 to {counts[1] - 1}"
            )
        source_class = classes_of(candidates.source, self.settings.same_class)
        target_class = classes_of(candidates.target, self.settings.same_class)
        mixed = [p for p in pairs if source_class[p.source] != target_class[p.target]]
        if mixed:
            raise InputError(
                f"selector.pairs has pairs of two classes: {_listed(mixed)}; choose samples of one class, or set "
                "selector.same_class to false"
            )
        return pairs


def _listed(pairs: list[Pair]) -> str:
    return ", ".join(f"[{pair.source}, {pair.target}]" for pair in pairs[:10])


SELECTOR = Selector(
    name="indices",
    summary="the pairs you name",
    settings=Settings,
    build=Indices,
    reference="patent ¶52",
)
