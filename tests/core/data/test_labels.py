"""Class names matched against outputs: what fits, and what each mismatch says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.core.data.labels import class_names, match_classes
from shiftlens.core.errors import ClassifierError, InputError


def of(*labels):
    return np.array(labels)


def test_integers_are_sorted_as_numbers():
    assert class_names(["10", "9", "1", "10"]) == ("1", "9", "10")
    assert class_names(["10", "9", "ten"]) == ("10", "9", "ten")


@given(st.sets(st.integers(-50, 50), min_size=1))
def test_numeric_order_for_any_integers(numbers):
    assert [int(name) for name in class_names(str(n) for n in numbers)] == sorted(numbers)


@pytest.mark.parametrize(
    ("source", "target", "outputs", "declared", "names"),
    [
        (of("cat", "dog"), of("dog"), 2, None, ("cat", "dog")),
        (of("cat", "dog"), None, 2, ("dog", "cat"), ("dog", "cat")),
        (of("0", "2"), of("0"), 3, None, ("0", "1", "2")),  # column numbers, one class without samples
        (of("1", "2", "10"), None, 3, None, ("1", "2", "10")),  # three names, three columns
        (of("cat"), of("dog"), 2, None, ("cat", "dog")),  # a class that only the target has
        (None, None, 3, None, ("0", "1", "2")),
        (None, of("cat", "dog"), 2, None, ("cat", "dog")),
        (of("cat"), None, 3, ("ant", "bee", "cat"), ("ant", "bee", "cat")),
    ],
)
def test_names_in_the_order_of_the_columns(source, target, outputs, declared, names):
    assert match_classes(source, target, outputs, declared) == names


@pytest.mark.parametrize(
    ("source", "target", "outputs", "declared", "error", "told"),
    [
        (of("cat", "dog"), None, 1, None, ClassifierError, "gives 1 value a sample"),
        (of("cat", "dog"), None, 3, None, ClassifierError, r'3 outputs and the source 2 classes \("cat", "dog"\)'),
        (of("a", "b", "c"), None, 2, None, ClassifierError, "2 outputs and the source 3 classes"),
        (of("0", "9"), of("0"), 9, None, ClassifierError, 'labels out of range: "9"; .* knows 0 to 8'),
        (of(*"0123456789"), of("3", "12"), 10, None, InputError, 'target: 1 of 2 samples .* not know: "12"'),
        (of(*"012345678"), of("3", "12"), 10, None, InputError, 'target: 1 of 2 samples .* not know: "12"'),
        (of("cat", "dog"), of("catt"), 2, None, InputError, 'target: .*"catt"; did you mean "cat"'),
        (of("cat", "cow"), None, 2, ("cat", "dog"), InputError, 'source: .*"cow"'),
        (of("cat"), None, 3, ("cat", "dog"), ClassifierError, "3 outputs and 2 class names"),
        (of("cat"), None, 2, ("cat", "cat"), ClassifierError, 'name "cat" twice'),
    ],
)
def test_each_mismatch_is_told(source, target, outputs, declared, error, told):
    with pytest.raises(error, match=told):
        match_classes(source, target, outputs, declared)


def test_a_thousand_strange_labels_make_a_short_message():
    strange = np.array([f"class-{i}" for i in range(1000)])
    with pytest.raises(InputError, match="and 988 more") as caught:
        match_classes(of("a", "b"), strange, 2, None)
    assert len(str(caught.value)) < 1000
