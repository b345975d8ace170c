"""The whole trial on real digits: a harmful and a harmless shift told apart, and all that can go wrong told."""

from __future__ import annotations

import numpy as np
import pytest
from realdata import digits
from smallfactors import Level, Spread, active, logistic, two_channels

from shiftlens.core.causes.find_causes import find_causes
from shiftlens.core.causes.policy import TrialSettings
from shiftlens.core.causes.request import CauseRequest
from shiftlens.core.grid.moves import grid_moves

QUICK = TrialSettings(samples=250, matching_samples=100, rows=50, bootstrap=200, dose_steps=2)
CLASSES = [str(c) for c in range(10)]


@pytest.fixture(scope="module")
def world():
    """A classifier that knows bright second channels and has never seen a bright first one."""
    x, y = digits()
    order = np.random.default_rng(3).permutation(len(x))  # the last digits come from other writers
    x, y = two_channels(x[order]), y[order]
    train, source, target = (slice(0, 700), slice(700, 1250), slice(1250, 1797))
    seen = x[train].copy()
    seen[:, 1] += np.random.default_rng(0).uniform(0, 1.0, len(seen))[:, None, None]
    return logistic(x[train], y[train], seen), (x[source], y[source]), (x[target], y[target])


def factors(**others):
    return [
        active("first", others.get("first", Level(0)), noun=("brighter firsts", "darker firsts")),
        active("second", Level(1), noun=("brighter seconds", "darker seconds")),
        active("spread", Spread()),
    ]


def shifted(target, first, second):
    x = target[0].copy()
    own = np.random.default_rng(1).uniform(0.8, 1.2, len(x))
    x[:, 0] += first * own[:, None, None]
    x[:, 1] += second * own[:, None, None]  # fully confounded
    return x, target[1]


def analyse(world, target, use=None, labelled=True, settings=QUICK, label_free=False):
    score, source, _ = world
    labels = target[1] if labelled else None
    scores = score(*target)
    request = CauseRequest(
        source=source[0], source_labels=source[1], source_scores=score(*source),
        target=target[0], target_labels=labels, target_scores=scores,
        factors=use or factors(), score=score, sample_kind="image", classes=CLASSES,
        settings=settings, seed=0, label_free=label_free,
    )  # fmt: skip
    return find_causes(request)


@pytest.fixture(scope="module")
def found(world):
    return analyse(world, shifted(world[2], 0.8, 0.5))


def by_name(found):
    return {cause.factor: cause for cause in found.causes}


def test_the_harmful_and_the_harmless_are_told_apart_though_they_travel_together(found, world):
    causes = by_name(found)
    assert causes["first"].verdict == "harmful"
    assert causes["second"].verdict in ("harmless", "unclear")
    assert [c.factor for c in found.causes if c.verdict == "harmful"] == ["first"]
    score, source, _target = world
    truth = score(*shifted(source, 0.8, 0.0)).loss.mean() - score(*source).loss.mean()
    assert causes["first"].effect == pytest.approx(truth, rel=0.25)
    assert causes["first"].ci[0] <= causes["first"].effect <= causes["first"].ci[1]


def test_a_harmful_cause_carries_all_that_the_report_shows(found):
    cause = by_name(found)["first"]
    assert cause.evidence == "intervention"
    assert cause.reached == pytest.approx(1, abs=0.02)
    assert cause.shift.target - cause.shift.source == pytest.approx(0.8, abs=0.05)
    assert cause.restored > 0.05
    assert cause.share == pytest.approx(1, abs=0.5)
    assert [cell.correct for cell in cause.strip] in ([True, True, False], [True, False, False])
    assert cause.dose[0].loss < cause.dose[-1].loss
    assert cause.shift.source < cause.safe_until < cause.shift.target
    assert sum(cause.distribution.source) > 0
    assert "righter firsts" in cause.sentence
    assert "points of accuracy" in cause.sentence
    assert cause.sentence in found.headline
    assert found.strips.shape[1:] == (2, 8, 8)
    assert {c.index for cause in found.causes for c in cause.strip} == set(range(len(found.strips)))


def test_the_loss_is_explained_and_retraining_is_advised(found):
    assert abs(found.unexplained.share) < 0.4
    assert found.unexplained.ci[0] <= found.unexplained.share <= found.unexplained.ci[1]
    assert found.remedy.advice == "retrain"
    assert [change["factor"] for change in found.augmentation["changes"]] == ["first"]
    assert len(found.rows.loss) == 50


def test_the_same_seed_finds_the_same(found, world):
    again = analyse(world, shifted(world[2], 0.8, 0.5))
    assert again.causes == found.causes
    assert again.unexplained == found.unexplained
    assert np.array_equal(again.rows.x, found.rows.x)


def test_a_target_that_is_not_worse_blames_nobody(world):
    found = analyse(world, shifted(world[2], 0.0, 0.4))
    assert not [c for c in found.causes if c.verdict == "harmful"]
    assert found.unexplained is None
    assert "not worse" in found.headline
    assert found.remedy.advice == "use"
    assert found.augmentation is None


def test_a_cause_outside_the_list_is_told_as_unexplained(world):
    x = world[2][0].copy()[:, :, ::-1]  # upside down
    found = analyse(world, (x, world[2][1]), use=factors()[1:])
    assert not [c for c in found.causes if c.verdict == "harmful"]
    assert found.unexplained.share > 0.5
    assert "none of the 2 factors" in found.headline or "explain" in found.headline
    assert found.remedy.advice == "investigate"


def test_other_labels_for_the_same_inputs_are_told_as_a_changed_relation(world):
    x, y = world[2]
    other = np.where(np.random.default_rng(0).random(len(y)) < 0.35, (y + 1) % 10, y)  # labelled by other rules
    found = analyse(world, (x, other))
    assert found.split.relation
    assert "relation of label and input has changed" in found.headline
    parts = (found.split.classes, found.split.inputs, found.split.rest)
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert all(part.ci[0] <= part.share <= part.ci[1] for part in parts)


def test_inputs_that_changed_are_no_changed_relation_though_nothing_explains_them(world, found):
    assert not found.split.relation
    x = world[2][0].copy()[:, :, ::-1]  # upside down: on no list here
    unlisted = analyse(world, (x, world[2][1]), use=factors()[1:])
    assert unlisted.split.rest.share > 0.5
    assert not unlisted.split.relation


def test_without_target_labels_costs_are_still_told_on_source_samples(world):
    found = analyse(world, shifted(world[2], 0.8, 0.5), labelled=False)
    assert by_name(found)["first"].verdict == "harmful"
    assert by_name(found)["first"].share is None
    assert found.unexplained is None
    assert any("no labels" in warning for warning in found.warnings)


def test_a_loss_that_needs_no_labels_lets_the_gap_be_known_without_them(world):
    found = analyse(world, shifted(world[2], 0.8, 0.5), labelled=False, label_free=True)
    assert by_name(found)["first"].verdict == "harmful"
    assert by_name(found)["first"].share > 0.5
    assert found.unexplained is not None


def test_a_changed_class_mix_is_a_finding_of_its_own(world):
    score, _, target = world
    loss = [score(target[0][target[1] == c], target[1][target[1] == c]).loss.mean() for c in range(10)]
    hard = np.argsort(loss)[-3:]
    kept = np.flatnonzero(np.isin(target[1], hard) | (np.arange(len(target[1])) % 6 == 0))
    found = analyse(world, (target[0][kept], target[1][kept]))
    mix = by_name(found)["class-mix"]
    assert mix.effect > 0
    assert "mix of classes" in mix.sentence
    assert by_name(found)["first"].verdict == "unchanged"


def test_classes_that_only_one_domain_has_are_named(world):
    _, _, target = world
    kept = target[1] != 7
    found = analyse(world, (target[0][kept], target[1][kept]))
    assert any("no sample of class 7" in warning for warning in found.warnings)


@pytest.mark.parametrize(("precision", "drawn", "reached"), [(5.0, 400, True), (1e-4, 500, False)])
def test_samples_are_drawn_until_the_effects_are_as_precise_as_wanted(world, precision, drawn, reached):
    settings = QUICK.model_copy(update={"samples": 500, "precision": precision, "smallest_effect": 1e-4})
    found = analyse(world, shifted(world[2], 0.2, 0.1), settings=settings)
    assert found.size.drawn == drawn
    assert found.size.reached is reached
    assert (found.size.widest <= found.size.wanted) is reached
    assert {cause.samples for cause in found.causes if cause.effect is not None} <= {400, 500}


class Faulty(Level):
    """Works on the first batch, then breaks: a fault that no probe can meet."""

    def __init__(self, fault):
        super().__init__(0)
        self.fault, self.calls = fault, 0

    def measure(self, x):
        self.calls += 1
        return super().measure(x) if self.calls < 4 else self.fault(x)


@pytest.mark.parametrize("fault", [lambda x: 1 / 0, lambda x: np.zeros(1), lambda x: np.full(len(x), np.nan)])
def test_a_factor_that_breaks_is_left_out_and_the_others_go_on(world, fault):
    use = [*factors()[1:], active("broken", Faulty(fault))]
    found = analyse(world, shifted(world[2], 0.0, 0.4), use=use)
    assert list(found.left_out) == ["broken"]
    assert any("broken" in warning for warning in found.warnings)
    assert "second" in by_name(found)


def test_a_factor_that_refuses_is_left_out_with_its_reason(world):
    worker = Level(0)
    worker.refuses = lambda x: "these are no pictures"
    found = analyse(world, shifted(world[2], 0.0, 0.4), use=[*factors()[1:], active("picky", worker)])
    assert found.left_out == {"picky": "these are no pictures"}


def test_what_cannot_be_changed_is_observed_and_never_more_than_unclear(world):
    use = [active("watched", Level(0), interventional=False)]
    found = analyse(world, shifted(world[2], 0.5, 0.0), use=use)
    (cause,) = found.causes
    assert cause.verdict == "unclear"
    assert cause.evidence == "observation"
    assert "no proof" in cause.sentence
    assert cause.effect is None


def test_grid_moves_by_hand():
    """Rows add to the first channel, columns to the second, by the pairs' whole gap; every generated cell is darker."""
    rng = np.random.default_rng(0)
    cells = np.zeros((12, 3, 4, 2, 8, 8), dtype=np.float32)
    gap = rng.uniform(0.5, 1.5, 12)
    for row in range(3):
        cells[:, row, :, 0] += (gap * row / 2)[:, None, None, None]
    for column in range(4):
        cells[:, :, column, 1] += (gap * column / 3)[:, None, None, None]
    given_back = cells[:, [0, -1], [0, -1]] - 0.2
    real = cells[:, [0, -1], [0, -1]].copy()
    cells -= 0.2
    cells[:, [0, -1], [0, -1]] = real
    moves = grid_moves([active("first", Level(0)), active("second", Level(1))], cells, given_back)
    assert moves["first"].loss_axis == pytest.approx(1, abs=1e-5)
    assert moves["first"].feature_axis == pytest.approx(0, abs=1e-5)
    assert moves["second"].feature_axis == pytest.approx(1, abs=1e-5)
    assert moves["first"].loss_axis_ci == pytest.approx((1, 1), abs=1e-4)
    assert grid_moves([active("first", Level(0))], cells[:0], given_back[:0]) == {}


def test_a_budget_ends_the_drawing_and_tells_what_more_would_bring(world):
    endless = QUICK.model_copy(update={"samples": 547, "precision": 1e-4, "smallest_effect": 1e-4})
    target = shifted(world[2], 0.8, 0.5)
    free = analyse(world, target, settings=endless)
    assert free.size.drawn == 547
    assert free.size.cut_off == []
    tight = analyse(world, target, settings=endless.model_copy(update={"budget": 1}))
    assert tight.size.drawn == 400
    assert tight.size.scored < free.size.scored
    assert set(tight.size.cut_off) <= {*(cause.factor for cause in tight.causes), "all together"}
    assert 0 < tight.size.more <= 147 * len(tight.size.cut_off)
    (told,) = (text for text in tight.warnings if "trial.budget" in text)
    assert f"about {tight.size.more} more" in told
    some = analyse(world, target, settings=endless.model_copy(update={"budget": tight.size.scored + 130}))
    assert 400 < some.size.drawn <= 547
    assert some.size.scored <= tight.size.scored + 130
