"""Domains, and the checks of two of them before they are compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from realdata import digits

from shiftlens.core.data.domain import Domain, check_pair
from shiftlens.core.errors import InputError


@pytest.fixture
def domain() -> Domain:
    x, y = digits()
    return Domain(x[:50].copy(), (1, 8, 8), "image", y[:50].astype(str), names=tuple(f"{i}.png" for i in range(50)))


def message(source: Domain, target: Domain) -> str:
    with pytest.raises(InputError) as caught:
        check_pair(source, target, batch_size=7)
    return str(caught.value)


def test_batches_are_the_samples_in_order(domain: Domain) -> None:
    assert [len(x) for x in domain.batches(20)] == [20, 20, 10]
    np.testing.assert_array_equal(np.concatenate(list(domain.batches(20))), domain.stored)
    np.testing.assert_array_equal(domain.batch(np.array([9, 2])), domain.stored[[9, 2]])


def test_a_reader_must_keep_its_promise(domain: Domain) -> None:
    with pytest.raises(InputError, match="promised"):
        replace(domain, sample_shape=(8, 8)).batch(slice(0, 2))


def test_sound_domains_pass_without_a_word(domain: Domain) -> None:
    assert check_pair(domain, replace(domain, labels=None, names=())) == []


def test_what_does_not_fit_together(domain: Domain) -> None:
    empty = Domain(domain.stored[:0], (1, 8, 8), "image")
    assert "target domain is empty" in message(domain, empty)
    assert "kind: under source and target" in message(domain, replace(domain, kind="series"))
    flat = Domain(domain.stored.reshape(50, 64), (64,), "image")
    assert "(1, 8, 8) and target samples (64,)" in message(domain, flat)
    assert "50 samples and 49 labels" in message(replace(domain, labels=domain.labels[:-1]), domain)
    assert "50 samples and 2 names" in message(domain, replace(domain, names=("a", "b")))
    table = Domain(domain.stored[:, 0, 3, :3], (3,), "tabular", columns=("a", "b", "c"))
    assert "the target lacks c; the source lacks d" in message(table, replace(table, columns=("a", "b", "d")))
    assert "order differs" in message(table, replace(table, columns=("b", "a", "c")))


def test_values_that_are_not_finite_are_named_by_sample(domain: Domain) -> None:
    domain.stored[[3, 17, 30], 0, 2, 2] = [np.nan, np.inf, -np.inf]
    told = message(domain, domain)
    assert "3 of 50 source samples" in told
    assert "3 (3.png), 17 (17.png), 30 (30.png)" in told


def test_images_outside_their_range_are_told_what_to_do(domain: Domain) -> None:
    assert "divide them by 255" in message(domain, replace(domain, stored=domain.stored * 255, labels=None))
    assert "from -0.5 to 0.5: bring" in message(replace(domain, stored=domain.stored - 0.5), domain)
    series = replace(domain, stored=domain.stored * 255, kind="series")
    assert check_pair(series, series) == []


def test_constant_samples_are_counted_and_all_of_them_refused(domain: Domain) -> None:
    domain.stored[[4, 5]] = 0.5
    (warning, _) = check_pair(domain, domain, batch_size=5)
    assert warning == "2 of 50 source samples are constant (the same value throughout): 4 (4.png), 5 (5.png)."
    domain.stored[:] = domain.stored[:, :, :1, :1]
    assert "every source sample is constant" in message(domain, domain)


def test_classes_of_one_sample_are_pointed_out(domain: Domain) -> None:
    assert domain.labels is not None
    labels = domain.labels.astype("<U8")
    labels[7] = "lonely"
    (warning,) = check_pair(domain, replace(domain, labels=labels))
    assert "target has one sample only of the class lonely" in warning
