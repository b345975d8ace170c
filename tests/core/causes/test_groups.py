"""Groups: the parts sum to the gap, planted mixes and groups are found, and what makes no groups says why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shiftlens.core.causes.groups import GroupRequest, groups_of_columns, parts_of

REQUEST = GroupRequest(smallest_effect=0.02, smallest_share=0.1, alpha=0.01, draws=400, seed=0, points=30.0)
GROUPS = st.integers(1, 6)


@st.composite
def decomposed(draw):
    """Shares and means of two domains; some groups are in one of them only."""
    count = draw(st.integers(1, 6))
    shares = []
    for _ in range(2):
        weight = draw(arrays.arrays(float, count, elements=st.sampled_from([0.0, 0.5, 1.0, 3.0])))
        weight[draw(st.integers(0, count - 1))] += 1
        shares.append(weight / weight.sum())
    means = [draw(arrays.arrays(float, count, elements=st.floats(-3, 3))) for _ in range(2)]
    return shares[0], means[0], shares[1], means[1]


@given(decomposed())
def test_mix_and_within_sum_to_the_gap_whatever_groups_there_are(case):
    p, l, q, m = case  # noqa: E741 - as in the formula
    parts = parts_of(p, l, q, m)
    assert parts.mix.sum() + parts.within.sum() == pytest.approx((q * m).sum() - (p * l).sum(), abs=1e-9)


@given(decomposed())
def test_the_same_shares_cost_nothing_and_the_same_losses_became_no_worse(case):
    p, l, q, _ = case  # noqa: E741 - as in the formula
    assert np.abs(parts_of(p, l, p, l + 1).mix).max() == pytest.approx(0, abs=1e-9)
    both = (p > 0) & (q > 0)
    assert np.abs(parts_of(p, l, q, l).within[both]).max(initial=0) == pytest.approx(0, abs=1e-9)


def drawn(counts, losses, seed):
    """Samples of groups: names, losses around each group's mean, and whether they are right."""
    rng = np.random.default_rng(seed)
    names = np.repeat(list(counts), list(counts.values()))
    mean = np.array([losses[name] for name in names])
    return names, rng.exponential(mean), (rng.random(len(mean)) > mean / 2).astype(float)


def column(source, target, **others):
    columns = {"light": (source[0], target[0]), **others}
    return groups_of_columns(columns, source[1:], target[1:], REQUEST)


def test_more_of_a_hard_group_is_a_harmful_mix_and_no_group_became_worse():
    losses = {"day": 0.2, "night": 1.0}
    found, _ = column(drawn({"day": 800, "night": 200}, losses, 0), drawn({"day": 200, "night": 800}, losses, 1))
    (one,) = found
    assert one.verdict == "harmful"
    assert one.mix == pytest.approx(0.6 * 0.8, abs=0.1)
    assert one.mix_ci[0] <= 0.48 <= one.mix_ci[1]
    assert one.mix + one.within == pytest.approx(one.gap)
    assert one.mix_share == pytest.approx(1, abs=0.25)
    assert not any(row.worse for row in one.groups)
    assert one.groups[0].value == "night"
    assert one.sentences == [sentence for sentence in one.sentences if "More of the target has light night" in sentence]
    assert "of the 30 points of accuracy lost" in one.sentences[0]


def test_a_group_that_became_worse_is_named_and_the_mix_is_not():
    counts = {"A": 400, "B": 400, "C": 400}
    before, after = dict.fromkeys("ABC", 0.3), {"A": 0.3, "B": 1.2, "C": 0.3}
    found, _ = column(drawn(counts, before, 0), drawn(counts, after, 1))
    (one,) = found
    assert one.verdict == "unchanged"
    assert [row.value for row in one.groups if row.worse] == ["B"]
    assert one.groups[0].rise_ci[0] <= 0.9 <= one.groups[0].rise_ci[1]
    assert len(one.sentences) == 1
    assert one.sentences[0].startswith("Light B became worse")


def test_where_all_became_worse_alike_nobody_is_named():
    counts = {"A": 400, "B": 400, "C": 400}
    found, _ = column(drawn(counts, dict.fromkeys("ABC", 0.3), 0), drawn(counts, dict.fromkeys("ABC", 0.9), 1))
    assert found[0].sentences == []


def test_intervals_cover_the_truth_as_often_as_they_say():
    losses, inside = {"day": 0.2, "dusk": 0.5, "night": 1.0}, 0
    for seed in range(120):
        source = drawn({"day": 200, "dusk": 100, "night": 60}, losses, 2 * seed)
        rng = np.random.default_rng([seed, 9])
        shares = rng.multinomial(360, [0.3, 0.3, 0.4])
        target = drawn(dict(zip(losses, shares.tolist(), strict=True)), losses, 2 * seed + 1)
        p = np.array([200, 100, 60]) / 360
        truth = ((np.array([0.3, 0.3, 0.4]) - p) * np.array([0.2, 0.5, 1.0])).sum()
        low, high = column(source, target)[0][0].mix_ci
        inside += low <= truth <= high
    assert inside >= 0.9 * 120


def test_without_target_labels_the_mix_is_told_in_points_and_nothing_else():
    losses = {"day": 0.2, "night": 1.0}
    source = drawn({"day": 800, "night": 200}, losses, 0)
    target = (drawn({"day": 200, "night": 800}, losses, 1)[0], None, None)
    (one,), _ = column(source, target)
    assert one.verdict == "harmful"
    assert one.gap is None
    assert one.within is None
    assert one.mix_accuracy > 0.15
    assert all(row.accuracy_target is None and row.rise is None for row in one.groups)


def test_what_makes_no_groups_is_left_out_with_the_reason_and_the_others_go_on():
    source, target = (drawn({"day": 300, "night": 300}, {"day": 0.2, "night": 0.9}, seed) for seed in (0, 1))
    ids = np.char.add("id", np.arange(1200).astype(str))
    batches = np.char.add("b", (np.arange(1200) // 8).astype(str))
    found, left_out = column(
        source, target,
        id=(ids[:600], ids[600:]),
        country=(np.full(600, "CH"), np.full(600, "CH")),
        device=(np.full(600, "old"), np.full(600, "new")),
        batch=(batches[:600], batches[400:1000]),
    )  # fmt: skip
    assert [one.column for one in found] == ["light"]
    assert "too many to be groups" in left_out["id"]
    assert "one value" in left_out["country"]
    assert "no value stands in both domains" in left_out["device"]
    assert "too many to be groups" in left_out["batch"] or "fewer than 20 samples" in left_out["batch"]


def test_groups_of_two_samples_and_missing_values_are_taken_together_and_told():
    source, target = (drawn({"day": 300, "night": 300}, {"day": 0.2, "night": 0.9}, seed) for seed in (0, 1))
    for names, _, _ in (source, target):
        names[:2] = "x"
        names[2:4] = "y"
        names[4:40] = ""
    (one,), _ = column(source, target)
    assert {row.value for row in one.groups} == {"day", "night", "(small groups)", "(no value)"}
    assert one.mix + one.within == pytest.approx(one.gap)
    assert any("2 values of fewer than 20 samples (x, y)" in remark for remark in one.remarks)
    assert any("72 samples without a value" in remark for remark in one.remarks)


def test_numbers_of_many_values_become_ranges():
    rng = np.random.default_rng(0)
    temperature = rng.normal(15, 8, 1200)
    loss = np.where(temperature > 20, 1.0, 0.2) * rng.exponential(1, 1200)
    right = (loss < 0.7).astype(float)
    warm = rng.random(1200) < np.where(temperature > 20, 0.8, 0.3)  # the target is warmer
    texts = np.array([f"{value:.6f}" for value in temperature])
    (one,), _ = groups_of_columns(
        {"temperature": (texts[~warm], texts[warm])}, (loss[~warm], right[~warm]), (loss[warm], right[warm]), REQUEST
    )
    assert len(one.groups) == 5
    assert one.verdict == "harmful"
    assert any("ranges" in remark for remark in one.remarks)


def test_a_group_that_the_source_lacks_counts_as_worse_not_as_mix():
    losses = {"A": 0.3, "B": 0.3, "new": 1.5}
    (one,), _ = column(drawn({"A": 300, "B": 300}, losses, 0), drawn({"A": 200, "B": 200, "new": 200}, losses, 1))
    assert one.mix == pytest.approx(0, abs=0.05)
    assert one.within == pytest.approx(one.gap - one.mix)
    new = next(row for row in one.groups if row.value == "new")
    assert new.samples.source == 0
    assert new.rise is None
    assert new.worse
