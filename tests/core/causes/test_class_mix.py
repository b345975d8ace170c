"""Classes that one domain has more of, or alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from shiftlens.core.causes.marginal_shifts import class_mix
from shiftlens.core.causes.policy import TrialSettings


def mix_of(source: list[int], target: list[int]) -> tuple[np.ndarray | None, list[str]]:
    """Of domains with so many samples of each of the classes a, b and c."""
    labels = [np.repeat(np.arange(3), counts) for counts in (source, target)]
    warnings: list[str] = []
    asked = SimpleNamespace(
        source_labels=labels[0], target_labels=labels[1], classes=("a", "b", "c"), settings=TrialSettings()
    )
    return class_mix(asked, warnings), warnings


def test_weights_give_the_source_the_targets_mix() -> None:
    weight, warnings = mix_of([100, 100, 200], [300, 50, 50])
    assert weight == pytest.approx([(300 / 400) / (100 / 400), (50 / 400) / (100 / 400), (50 / 400) / (200 / 400)])
    assert warnings == []
    assert mix_of([100, 100, 200], [50, 50, 100]) == (None, [])


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ([100, 100, 0], [100, 50, 50], "the source has no sample of class c: it is compared with nothing"),
        ([100, 100, 0], [100, 50, 50], "the loss of the target's samples of it is not explained"),
        ([0, 0, 100], [0, 50, 50], "the source has no sample of class b"),
        ([100, 50, 50], [0, 100, 100], "the target has no sample of class a"),
    ],
)
def test_a_class_that_one_domain_lacks_is_named(source: list[int], target: list[int], said: str) -> None:
    weight, (warning,) = mix_of(source, target)
    assert said in warning
    assert weight is not None
    assert np.isfinite(weight).all()
