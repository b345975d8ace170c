"""Words and bars of the report's sections at their turning points, from results whose answer is known."""

from __future__ import annotations

import pytest
from examplereports import example

from shiftlens.core.results.results import (
    Cause,
    Confusion,
    DosePoint,
    PerDomain,
    Realism,
    Results,
    SecondOpinion,
    Shift,
)
from shiftlens.plugins.renderers import charts
from shiftlens.plugins.renderers.causes_section import causes_section
from shiftlens.plugins.renderers.gallery import Gallery
from shiftlens.plugins.renderers.trust_section import trust_section
from shiftlens.plugins.renderers.where_section import where_section


def results_with(**changes: object) -> Results:
    return example(pairs=0).results.model_copy(update=changes)


def check_of(name: str, **changes: object) -> str:
    (found,) = (check.words for check in trust_section(results_with(**changes)).checks if check.name == name)
    return found


@pytest.mark.parametrize(
    ("on_cells", "on_real", "said"),
    [
        (0.7, 0.9, "is no noise that only the first one sees"),
        (0.6, 0.9, "is no noise that only the first one sees"),
        (0.5, 0.55, "agree no better (0.55)"),
        (0.5, 0.6, "agree no better (0.60)"),
        (0.3, 0.9, "agree better (0.90): part of what raises the loss here is peculiar"),
        (0.3, None, "agree better"),
    ],
)
def test_what_a_second_opinion_means_depends_on_real_samples(on_cells: float, on_real: float | None, said: str) -> None:
    second = SecondOpinion(
        fidelity=on_cells, agreement=0.8, fidelity_on_real=on_real, agreement_on_real=0.9,
        accuracy=PerDomain(source=0.95, target=0.7),
    )  # fmt: skip
    assert said in check_of("Second opinion", second_opinion=second)


@pytest.mark.parametrize(
    ("near", "plain", "lowest", "hint", "followed"),
    [(0.9, None, None, False, False), (0.9, 0.9, 0.85, False, False), (0.9, 0.8, 0.3, False, True),
     (0.5, 0.8, 0.3, True, False), (0.8, 0.8, 0.8, False, False)],
)  # fmt: skip
def test_realism_says_how_near_and_where_to_look_closely(
    near: float, plain: float | None, lowest: float | None, hint: bool, followed: bool
) -> None:
    words = check_of(
        "Realism", realism=Realism(near=near, ratio=1.2, samples=500, plain_near=plain, plain_lowest=lowest)
    )
    assert ("look like nothing in the data" in words) == hint
    assert ("By plain statistics" in words) == (plain is not None)
    assert ("look closely" in words) == followed


def test_confusions_that_grew_have_bars_on_one_scale() -> None:
    """A class that one domain lacks counts as never confused there."""
    shares = [(0.1, 0.4), (None, 0.2), (0.3, 0.1), (0.2, None), (0.05, 0.1)]
    confusions = [Confusion(label=str(i), predicted="9", source=s, target=t) for i, (s, t) in enumerate(shares)]
    report = example(pairs=0)
    rows = where_section(results_with(confusions=confusions, worst=[]), Gallery(report, 0)).confusions
    assert [row.words for row in rows] == ["0 taken for 9", "1 taken for 9", "4 taken for 9"]
    assert [(row.source_bar, row.target_bar) for row in rows] == [(25, 100), (0, 50), (12.5, 25)]


@pytest.mark.parametrize(("source", "target", "way"), [(1.0, 3.0, "up"), (3.0, 1.0, "down")])
def test_a_safe_value_is_told_in_the_direction_of_the_shift(source: float, target: float, way: str) -> None:
    cause = Cause(
        factor="hue", verdict="harmful", effect=0.5, ci=(0.4, 0.6), safe_until=2.0, sentence="Hue costs.",
        shift=Shift(source=source, target=target),
    )  # fmt: skip
    report = example(pairs=0)
    results = results_with(causes=[cause])
    section = causes_section(results, Gallery(report, 0), charts.loss_scale([0.0, 1.0]))
    assert section is not None
    (card,) = section.cards
    assert [name for name, _ in card.facts if name.startswith("Costs nothing")] == [
        f"Costs nothing worth naming {way} to"
    ]


def test_a_small_dose_curve_needs_two_points_and_goes_from_edge_to_edge() -> None:
    doses = [DosePoint(value=v, loss=1.0, accuracy=a, loss_ci=(0.9, 1.1)) for v, a in ((0.0, 1.0), (1.0, 0.5))]
    cause = Cause(factor="hue", verdict="harmful", effect=0.5, sentence="", dose=doses)
    found = charts.small_dose(cause, 0.5)
    assert found is not None
    assert found.last == (96.0, 25.0)
    assert "from 100" in found.title
    assert charts.small_dose(cause.model_copy(update={"dose": doses[:1]}), 0.5) is None
