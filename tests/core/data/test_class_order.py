"""The order of the class names, held against the accuracy under other likely ones."""

from __future__ import annotations

import numpy as np
import pytest

from shiftlens.core.data.labels import better_order, class_names, likely_orders


def predictions(trained_in: tuple[str, ...], in_use: tuple[str, ...], right: float, counts: dict[str, int]):
    """Labels as places in ``in_use``, and what a classifier that was trained in another order says of them."""
    rng = np.random.default_rng(0)
    names = np.repeat(list(counts), list(counts.values()))
    said = np.where(rng.random(len(names)) < right, names, rng.choice(list(counts), len(names)))
    labels = np.array([in_use.index(name) for name in names])
    return labels, np.array([trained_in.index(name) for name in said])


@pytest.mark.parametrize(
    ("names", "trained_in"),
    [
        (("0", "90", "180", "270"), ("0", "180", "270", "90")),
        (("class1", "class10", "class2"), ("class1", "class2", "class10")),
        (("Ant", "Wasp", "bee"), ("Ant", "bee", "Wasp")),
        (("no", "yes"), ("yes", "no")),
        (("1.5", "10", "2"), ("1.5", "2", "10")),
    ],
)
@pytest.mark.parametrize("right", [1.0, 0.8])
@pytest.mark.parametrize("most", [50, 400])
def test_the_order_of_the_training_is_named_at_any_accuracy(names, trained_in, right, most):
    counts = {name: most if i == 0 else 40 for i, name in enumerate(names)}
    labels, said = predictions(trained_in, names, right, counts)
    found = better_order(names, labels, said)
    assert found is not None
    assert found.classes == trained_in
    assert found.right > found.right_now
    assert ", ".join(trained_in) in found.told


@pytest.mark.parametrize("right", [1.0, 0.6, 0.3])
def test_the_right_order_is_left_alone(right):
    names = class_names([str(i) for i in range(12)])
    labels, said = predictions(names, names, right, dict.fromkeys(names, 30))
    assert better_order(names, labels, said) is None


def test_a_file_of_names_is_tried_too():
    names, trained_in = ("a", "b", "c"), ("b", "a", "c")
    labels, said = predictions(trained_in, names, 0.9, dict.fromkeys(names, 30))
    assert trained_in not in likely_orders(names).values()
    found = better_order(names, labels, said, {"as in labels.txt": trained_in})
    assert found is not None
    assert found.name == "as in labels.txt"
