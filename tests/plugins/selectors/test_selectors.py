"""The selectors, on scores whose right pairs can be worked out by hand, and on random ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shiftlens import Host
from shiftlens.core.data.scoring import UNLABELLED, Scores
from shiftlens.core.errors import InputError
from shiftlens.core.host.kinds import SOURCE, Candidates, Pair, Selector

SEARCHING = ("threshold", "extremes", "nearest")


def scores(loss: Sequence[float], label: Sequence[int], prediction: Sequence[int] | None = None) -> Scores:
    return Scores(
        np.array(loss, dtype=np.float64),
        np.array(label, dtype=np.int64),
        np.array(label if prediction is None else prediction, dtype=np.int64),
        np.exp(-np.array(loss, dtype=np.float64)),
    )


def candidates(source: Scores, target: Scores) -> Candidates:
    """Latents are the index on a line, source and target alike."""
    return Candidates(source, target, lambda role, i: np.stack([i, np.zeros(len(i))], 1).astype(np.float32))


HOST = Host()


def select(name: str, given: Candidates, seed: int = 0, **settings: object) -> list[Pair]:
    component = HOST.find(Selector, name)
    return component.build(component.settings(**settings))(given, np.random.default_rng(seed))


def random_candidates(seed: int, count: int = 300, accuracy: float = 0.6, labelled: bool = True) -> Candidates:
    rng = np.random.default_rng(seed)

    def domain(share: float) -> Scores:
        label = rng.integers(0, 5, count)
        prediction = np.where(rng.random(count) < share, label, (label + 1) % 5)
        loss = np.where(prediction == label, rng.random(count) / 2, 0.5 + 3 * rng.random(count))
        return Scores(loss, label if labelled else np.full(count, UNLABELLED), prediction, np.exp(-loss))

    latents = rng.normal(size=(2, count, 4)).astype(np.float32)
    return Candidates(domain(0.95), domain(accuracy), lambda role, i: latents[role][i])


def test_extremes_pairs_the_smallest_with_the_largest() -> None:
    source = scores([0.3, 0.1, 0.2, 0.0], [0, 0, 1, 1])
    target = scores([5, 9, 7, 1], [1, 0, 0, 0], [0, 1, 1, 1])
    pairs = select("extremes", candidates(source, target))
    assert pairs == [Pair(1, 1), Pair(0, 2), Pair(3, 0)]  # nothing is left for the target's last
    assert select("extremes", candidates(source, target), pairs=1) == [Pair(1, 1)]
    assert select("extremes", candidates(source, target), pairs=1, same_class=False) == [Pair(3, 1)]


def test_right_source_and_wrong_target_samples_are_preferred() -> None:
    source = scores([0.0, 0.5], [0, 0], [1, 0])
    target = scores([9, 2], [0, 0], [0, 1])
    assert select("extremes", candidates(source, target)) == [Pair(1, 1)]
    assert select("threshold", candidates(source, target), quantile=1) == [Pair(1, 1)]
    assert select("nearest", candidates(source, target), quantile=1) == [Pair(1, 1)]


def test_threshold_keeps_to_its_border() -> None:
    source = scores([0.1, 0.2, 0.3, 2.0], [0, 0, 0, 0])
    target = scores([0.2, 0.3, 1.0, 3.0], [0, 0, 0, 0])
    pairs = select("threshold", candidates(source, target), threshold=0.3)
    assert {pair.source for pair in pairs} == {0, 1, 2}
    assert {pair.target for pair in pairs} == {1, 2, 3}
    with pytest.raises(InputError, match=r"selector.threshold is 5: 4 source .* 0 target"):
        select("threshold", candidates(source, target), threshold=5)


def test_threshold_spreads_over_classes_even_where_one_is_hard() -> None:
    hard = np.repeat([0, 1], 50)
    source = scores(np.where(hard, 1.0, 0.0) + np.arange(100) / 1000, hard)  # class 1 is worse than all of class 0
    target = scores(np.full(100, 4.0), hard, 1 - hard)
    pairs = select("threshold", candidates(source, target), pairs=10)
    assert sorted(int(hard[pair.target]) for pair in pairs) == [0] * 5 + [1] * 5


def test_nearest_is_nearest() -> None:
    label = np.array([0, 0, 0, 1, 1, 1])
    target = scores([9, 0, 0, 0, 0, 8], label, 1 - label)
    pairs = select("nearest", candidates(scores(np.zeros(6), label), target), quantile=0.3)
    assert pairs == [Pair(0, 0), Pair(5, 5)]


def test_nearest_encodes_both_domains_in_pieces() -> None:
    given = random_candidates(1, count=2000)
    asked: list[tuple[int, int]] = []

    def encode(role: int, indices: np.ndarray) -> np.ndarray:
        asked.append((role, len(indices)))
        return given.encode(role, indices)

    assert len(select("nearest", Candidates(given.source, given.target, encode), pairs=5, pool=700)) == 5
    assert max(count for _, count in asked) <= 256
    assert sum(count for role, count in asked if role == SOURCE) == 700


@pytest.mark.parametrize("name", SEARCHING)
@given(seed=st.integers(0, 1000), pairs=st.integers(1, 60), labelled=st.booleans())
def test_pairs_are_of_one_class_without_repeats_and_repeatable(
    name: str, seed: int, pairs: int, labelled: bool
) -> None:
    found = random_candidates(seed, labelled=labelled)
    chosen = select(name, found, seed, pairs=pairs)
    assert chosen == select(name, found, seed, pairs=pairs)
    assert 1 <= len(chosen) <= pairs
    assert len({pair.source for pair in chosen}) == len({pair.target for pair in chosen}) == len(chosen)
    source, target = [pair.source for pair in chosen], [pair.target for pair in chosen]
    if labelled:
        assert (found.source.label[source] == found.target.label[target]).all()
        assert found.source.correct[source].all()
        assert not found.target.correct[target].any()
    else:
        assert (found.source.prediction[source] == found.target.prediction[target]).all()


@pytest.mark.parametrize("name", SEARCHING)
def test_fewer_pairs_than_asked_are_fewer_pairs(name: str) -> None:
    found = random_candidates(3, count=12)
    assert len(select(name, found, pairs=500)) <= 12


@pytest.mark.parametrize("name", SEARCHING)
def test_no_common_class_is_told_with_the_way_out(name: str) -> None:
    found = candidates(scores([0.1, 0.2], [0, 0]), scores([3, 4], [1, 1], [0, 0]))
    with pytest.raises(InputError, match="same_class to false"):
        select(name, found)
    assert select(name, found, same_class=False)


def test_an_unlabelled_target_is_paired_by_its_prediction() -> None:
    source = scores([0.1, 0.2], [0, 1])
    target = scores([3, 4], [UNLABELLED, UNLABELLED], [1, 0])
    assert select("extremes", candidates(source, target)) == [Pair(0, 1), Pair(1, 0)]


def test_indices_gives_the_users_pairs_in_their_order() -> None:
    found = candidates(scores([0.1, 0.2, 0.3], [0, 1, 1]), scores([3, 4], [1, 1]))
    assert select("indices", found, pairs=((2, 0), (1, 1))) == [Pair(2, 0), Pair(1, 1)]
    assert select("indices", found, pairs=((0, 0),), same_class=False) == [Pair(0, 0)]
    with pytest.raises(InputError, match=r"two classes: \[0, 0\]"):
        select("indices", found, pairs=((0, 0),))
    with pytest.raises(InputError, match=r"not there: \[3, 0\], \[0, -1\]; .* 0 to 2, the target 0 to 1"):
        select("indices", found, pairs=((3, 0), (0, -1)))


def test_settings_that_make_no_sense() -> None:
    for name, wrong in (
        ("threshold", {"threshold": 1, "quantile": 0.1}),
        ("threshold", {"quantile": 0}),
        ("extremes", {"pairs": 0}),
        ("indices", {"pairs": []}),
        ("indices", {"pairs": [[1, 2], [1, 2]]}),
    ):
        with pytest.raises(ValidationError):
            HOST.find(Selector, name).settings(**wrong)
