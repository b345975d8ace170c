"""Verdicts by their definition, and sentences that hold the numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftlens.core.causes import sentences, verdict
from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import Loss
from shiftlens.core.results.numbers import THIN
from shiftlens.core.results.results import Axes, Cause, Shift

GAP = verdict.Gap(loss=0.6, loss_ci=(0.5, 0.7), points=30.0, worth=0.06)
THICKER = Shift(source=3.1, target=6.8, unit="px")


def evidence(**changed):
    values = {
        "name": "stroke-thickness",
        "noun": "Thicker strokes",
        "shift": THICKER,
        "effect": 0.49,
        "ci": (0.44, 0.54),
        "accuracy_effect": 0.24,
        "reached": 0.98,
        "clipped": None,
        "restored": None,
    }
    return verdict.Evidence(**{**values, **changed})


def test_the_example_of_the_contract():
    e = evidence()
    assert verdict.verdict_of(e, GAP.worth, False, 0.8) == "harmful"
    assert sentences.sentence_of("harmful", e, GAP) == (
        f"Thicker strokes (3.10 → 6.80{THIN}px) cost 24 of the 30 points of accuracy lost."
    )


def test_singular_nouns_take_their_verb():
    assert f"More noise (3.10 → 6.80{THIN}px) costs" in sentences.sentence_of(
        "harmful", evidence(noun="More noise"), GAP
    )
    colour = evidence(noun="A changed colour", effect=0.0, ci=(0, 0.01))
    assert "costs nothing" in sentences.sentence_of("harmless", colour, GAP)


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0.01, 0.5), st.floats(0, 1.2), st.booleans())
def test_the_verdict_follows_its_definition(middle, half, worth, reached, rest_is_large):
    e = evidence(effect=middle, ci=(middle - half, middle + half), reached=reached)
    found = verdict.verdict_of(e, worth, rest_is_large, 0.9)
    if found == "harmful":
        assert e.ci[0] > worth
    elif found == "harmless":
        assert e.ci[1] < worth
        assert reached >= verdict.LEAST_REACHED
    else:
        assert found == "unclear"
        assert e.ci[0] <= worth
        assert e.ci[1] >= worth or reached < verdict.LEAST_REACHED


@pytest.mark.parametrize(
    ("changed", "rest_is_large", "share", "says"),
    [
        ({"rivals": ["scale"]}, False, 0.9, "equally well"),
        ({}, True, 0.2, "most of the loss is explained by nothing"),
        ({"supported": False}, False, None, "nothing says that this is what changed"),
        ({"effect": 0.0, "ci": (-0.01, 0.01), "reached": 0.2}, False, 0.0, f"only to 20{THIN}%"),
        ({"effect": 0.08, "ci": (-0.1, 0.2), "needed": 3144}, False, 0.1, "about 3,200 source samples would"),
        ({"effect": 0.06, "ci": (-0.1, 0.2), "needed": 10**7}, False, 0.1, "too close to that"),
        ({"effect": 0.08, "ci": (-0.1, 0.2)}, False, 0.1, "only the stroke-thickness changed would"),
    ],
)
def test_unclear_says_what_would_decide(changed, rest_is_large, share, says):
    e = evidence(**changed)
    assert verdict.verdict_of(e, GAP.worth, rest_is_large, share) == "unclear"
    assert says in sentences.sentence_of("unclear", e, GAP)


def test_changes_that_are_harmful_only_together_are_told_so():
    together = sentences.together_sentence(["a", "b", "c"], 0.4, (0.3, 0.5), GAP)
    assert together.startswith(f"A, b and c together cost 0.40{THIN}nats (0.30 to 0.50, 67{THIN}% of the loss)")
    assert sentences.headline_of([cause("a", "unclear")], GAP, "", False, together) == together
    assert sentences.together_sentence(["a", "b"], 0.4, (0.05, 0.7), GAP) == ""
    assert sentences.together_sentence(["a"], 0.4, (0.3, 0.5), GAP) == ""


def test_a_circular_shift_is_told_by_how_far_round_it_went():
    onwards = THICKER.model_copy(update={"source": 5.0, "target": -55.0, "unit": "degrees", "turn": 120.0})
    assert sentences.rises(onwards)
    assert sentences.values(onwards) == f"5.00 → −55.0{THIN}degrees, turned by 120"
    assert "turned (" in sentences.unchanged_sentence("hue", onwards, ["rotation"])


def test_more_than_was_lost_is_not_told_as_a_part_of_it():
    sentence = sentences.sentence_of("harmful", evidence(accuracy_effect=0.36), GAP)
    assert "cost 36 points of accuracy alone (the target lost 30)" in sentence


def test_clipping_is_told():
    assert f"12{THIN}% of the values left their range" in sentences.sentence_of("harmful", evidence(clipped=0.12), GAP)


def test_a_shadow_names_its_causes():
    shift = Shift(source=0.2, target=0.3)
    sentence = sentences.unchanged_sentence("brightness", shift, ["stroke-thickness", "scale"])
    assert sentence == "Brightness rose (0.20 → 0.30) only because of stroke-thickness and scale."
    assert "same in both" in sentences.unchanged_sentence("brightness", None, [])


def cause(name, verdict, **more):
    return Cause(factor=name, verdict=verdict, effect=0.1, sentence=f"{name} is {verdict}.", **more)


def test_a_large_rest_is_the_headline_and_asks_to_look_further():
    rest = sentences.unexplained_sentence(0.71, (0.62, 0.8), True, 14)
    assert rest.startswith(
        f"Most of the loss, 71{THIN}% (62{THIN}% to 80{THIN}%), is explained by none of the 14 factors measured"
    )
    alone = sentences.unexplained_sentence(1.0, (1.0, 1.0), True, 1)
    assert alone == "Nothing of the loss is explained by the one factor measured; look at the grid."
    assert sentences.headline_of([cause("hue", "unclear")], GAP, rest, True).startswith(rest)
    assert sentences.remedy_of([cause("hue", "unclear")], GAP, True).advice == "investigate"


def test_headlines():
    fine = verdict.Gap(loss=0.0, loss_ci=(-0.01, 0.01), points=0.0, worth=0.02)
    assert "not worse" in sentences.headline_of([cause("hue", "harmless")], fine, "", False)
    both = [cause("noise", "harmful"), cause("hue", "harmless")]
    assert sentences.headline_of(both, GAP, "", False) == "noise is harmful. Hue changed too, and costs nothing."
    assert "does not decide" in sentences.headline_of([cause("hue", "unclear")], GAP, "", False)
    assert "no factor that was measured explains it" in sentences.headline_of([], GAP, "", False)
    assert "without labels" in sentences.headline_of([], verdict.Gap(None, None, None, 0.02), "", False)


def test_the_remedy_names_the_safe_range():
    harmful = cause("stroke-thickness", "harmful", shift=THICKER, safe_until=4.2)
    remedy = sentences.remedy_of([harmful], GAP, False)
    assert remedy.advice == "retrain"
    assert f"safe up to 4.20{THIN}px" in remedy.sentence
    thinner = THICKER.model_copy(update={"source": THICKER.target, "target": THICKER.source})
    falling = cause("stroke-thickness", "harmful", shift=thinner, safe_until=4.2)
    assert f"safe down to 4.20{THIN}px" in sentences.remedy_of([falling], GAP, False).sentence
    assert sentences.remedy_of([], verdict.Gap(0.0, (-0.1, 0.1), 0.0, 0.02), False).advice == "use"


def test_the_grid_agrees_or_disagrees():
    causes = [cause("a", "harmful"), cause("b", "harmless"), cause("c", "harmful"), cause("d", "unchanged")]
    moves = {
        "a": Axes(loss_axis=0.7, feature_axis=0.1, loss_axis_ci=(0.6, 0.8), feature_axis_ci=(0, 0.2)),
        "b": Axes(loss_axis=0.5, feature_axis=0.1, loss_axis_ci=(0.4, 0.6), feature_axis_ci=(0, 0.2)),
        "c": Axes(loss_axis=0.2, feature_axis=0.1, loss_axis_ci=(0.0, 0.4), feature_axis_ci=(0, 0.2)),
    }
    held, remarks = verdict.hold_against_grid(causes, moves)
    assert [c.grid.agrees if c.grid else None for c in held] == [True, False, None, None]
    assert len(remarks) == 1
    assert "b is harmless" in remarks[0]


UNITS = sorted({offer.component.unit for offer in Host().offers(Loss)} | {"pounds"})


@pytest.mark.parametrize("unit", UNITS)
def test_every_sentence_says_the_unit_of_the_loss(unit):
    gap = verdict.Gap(loss=0.6, loss_ci=(0.5, 0.7), points=30.0, worth=0.06, unit=unit)
    no_worse = verdict.Gap(loss=-0.02, loss_ci=(-0.1, 0.1), points=0.0, worth=0.06, unit=unit)
    cheap = evidence(effect=0.01, ci=(-0.01, 0.03))
    said = [
        sentences.sentence_of("harmful", evidence(accuracy_effect=0.0), gap),
        sentences.sentence_of("harmless", cheap, gap),
        sentences.sentence_of("unclear", evidence(effect=0.08, ci=(-0.1, 0.2)), gap),
        sentences.sentence_of("unclear", evidence(supported=False), gap),
        *(sentences.class_mix_sentence(v, 0.1, (-0.1, 0.2), 0.0, gap) for v in ("harmful", "harmless", "unclear")),
        sentences.together_sentence(["a", "b"], 0.4, (0.3, 0.5), gap),
        sentences.interaction_sentence(("a", "b"), -0.2, 0.4, (0.3, 0.3), unit),
        sentences.headline_of([], no_worse, "", False),
    ]
    for sentence in said:
        assert unit in sentence
        assert unit == "nats" or "nats" not in sentence


@pytest.mark.parametrize(("trial", "stated", "says"), [
    (23.0, 11.4, f"costs 57{THIN}% of the 11 points of accuracy lost"),
    (23.0, 22.7, "costs 13 of the 23 points of accuracy lost"),
    (8.0, 11.4, "costs all of the 11 points of accuracy lost"),
    (23.0, 0.2, "costs 13 points of accuracy"),
])  # fmt: skip
def test_what_the_target_lost_is_the_number_that_the_results_state(trial, stated, says):
    """The trial stands on other samples where few were held out: its points are not those of the accuracies."""
    own = verdict.Gap(0.6, (0.5, 0.7), trial, 0.06, domains=verdict.DomainGap(loss=0.3, points=stated))
    sentence = sentences.sentence_of("harmful", evidence(noun="More noise", accuracy_effect=0.13), own)
    assert f"{says}." in sentence
    assert "+0.30" in sentences.headline_of(
        [], verdict.Gap(0.01, (0.0, 0.02), 0.0, 0.06, domains=verdict.DomainGap(0.3, 0.0)), "", False
    )
