"""``intervention.onnx``: the same cells as the grid made in Python, of any sample, for plans of several factors."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realdata import digits

from shiftlens import Factor, Host
from shiftlens.core.causes.changes import ActiveFactor, Change
from shiftlens.core.causes.outcomes import Rig
from shiftlens.core.errors import BundleError, ExportError, InputError
from shiftlens.core.grid.intervention import STRENGTHS, Sides, intervention_grid
from shiftlens.core.grid.intervention import rising_choice as in_python
from shiftlens.export import traced as tr
from shiftlens.export.bundle import Bundle
from shiftlens.export.intervention_graph import add_intervention, rising_choice
from shiftlens.export.session import Session

SEED = 5


def change(name: str, *strengths: float) -> Change:
    component = Host().find(Factor, name)
    return Change(ActiveFactor(name, component, component.build(component.settings())), *strengths)


def variant(name: str, which: str) -> Change:
    whole = change(name, 1.0)
    return Change(whole.factor.as_variant(which), 1.0)


PLANS = {
    "turned down": ((variant("orientation", "turned-left"), change("brightness", 0.05)), ("brightness",)),
    "both": ((change("brightness", 0.06, 0.0, 0.01), change("contrast", -0.1, -0.5, 0.0, 0.9)), ("brightness",)),
    "noise down": ((change("contrast", -0.2), change("noise", 0.12)), ("contrast",)),
    "scatter down": ((change("position-x", 0.0, 0.0, 1.5), change("brightness", -0.08)), ("brightness",)),
    "right only": ((change("noise", 0.1), change("contrast", -0.1)), ("noise", "contrast")),
    "down only": ((change("rotation", 25.0),), ()),
}


def sides(plan, right) -> Sides:
    return Sides(tuple(right), tuple(c.name for c in plan if c.name not in right))


def with_plan(exported, folder, plan, right) -> Bundle:
    shutil.copytree(exported, folder)
    x, y = digits()
    add_intervention(Bundle.open(folder), plan, sides(plan, right), x[:3], y[:3].tolist(), SEED)
    return Bundle.open(folder)


@pytest.fixture(scope="module")
def bundles(exported, tmp_path_factory):
    folder = tmp_path_factory.mktemp("interventions")
    return {name: with_plan(exported, folder / name, plan, right) for name, (plan, right) in PLANS.items()}


def by_hand(bundle, name, x, y, columns, rows):
    plan, right = PLANS[name]
    return intervention_grid(Rig(x[None], np.array([y]), bundle.score, SEED), plan, sides(plan, right), columns, rows)


@pytest.mark.parametrize("name", PLANS)
@settings(deadline=None, max_examples=6, derandomize=True)
@given(row=st.integers(0, 400), columns=st.integers(2, 6), rows=st.integers(2, 6))
def test_the_cells_and_their_losses_are_those_made_in_python(bundles, name, row, columns, rows):
    x, y = digits()
    bundle = bundles[name]
    made = bundle.intervention(x[row], int(y[row]), columns, rows)
    expected = by_hand(bundle, name, x[row], int(y[row]), columns, rows)
    assert made.cells.shape == expected.cells.shape
    np.testing.assert_allclose(made.right, expected.right, atol=1e-6)
    np.testing.assert_allclose(made.requested, expected.requested, rtol=1e-4, atol=1e-4)
    # Two strengths whose losses are the same to the last digit may be taken for one another.
    same = np.abs(made.down - expected.down) < 1e-6
    assert same.mean() > 0.9
    np.testing.assert_allclose(made.cells[same], expected.cells[same], atol=1e-4)
    np.testing.assert_allclose(made.measured, expected.measured, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(made.measured[same], expected.measured[same], rtol=1e-4, atol=1e-4)
    chances = bundle.predict(made.cells.reshape(-1, 1, 8, 8)).reshape(made.probabilities.shape)
    np.testing.assert_allclose(made.probabilities, chances, atol=1e-5)
    np.testing.assert_array_equal(made.cells[0, 0], x[row])


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.lists(st.floats(0, 20), min_size=len(STRENGTHS), max_size=len(STRENGTHS)), st.integers(2, 9))
def test_strengths_are_chosen_as_in_python(loss, rows):
    """Any course of the loss over the strengths, also one that falls again."""
    known = np.array(loss)
    requested = np.linspace(known[0], known[16], rows)
    choose = tr.model(
        "choice",
        [("loss", np.float64, [len(STRENGTHS)]), ("requested", np.float64, ["m"]), ("rows", np.int64, [])],
        rising_choice,
        [("places", np.int64, ["m"])],
    )
    session = Session(choose.SerializeToString(), device="cpu")
    found = session.run(loss=known, requested=requested, rows=np.array(rows))["places"]
    cost = [
        ((np.log(known[p] + 0.05) - np.log(requested + 0.05)) ** 2).sum() for p in (found, in_python(known, requested))
    ]
    assert cost[0] == pytest.approx(cost[1], abs=1e-9)
    assert found[0] == 0
    assert (np.diff(found) >= 0).all()


def test_the_manifest_says_what_goes_where(bundles):
    manifest = json.loads((bundles["both"].folder / "manifest.json").read_text())
    assert manifest["intervention"] == {"right": ["brightness"], "down": ["contrast"]}
    model = manifest["models"]["intervention.onnx"]
    assert {t["name"]: t["shape"] for t in model["inputs"]} == {
        "source": [1, 1, 8, 8], "label": [1], "n_right": [1], "n_down": [1]
    }  # fmt: skip
    assert {t["name"]: t["range"] for t in model["inputs"]}["n_right"] == [2, 64]
    only = json.loads((bundles["right only"].folder / "manifest.json").read_text())["models"]["intervention.onnx"]
    assert {t["name"]: t["range"] for t in only["inputs"]}["n_down"] == [1, 1]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"n_down": 1}, "n_down must be 2 to 64"),
        ({"n_right": 65}, "n_right must be 2 to 64"),
        ({"n_right": -3}, "n_right must be 2 to 64"),
        ({"label": 10}, "label must be 0 to 9"),
        ({"source": np.nan}, "source has values that are not finite"),
    ],
)
def test_what_would_take_a_server_down_is_refused_by_the_graph_itself(bundles, values, told):
    feed = {
        "source": np.full((1, 1, 8, 8), values.get("source", 0.5), np.float32),
        **{name: np.array([values.get(name, 3)]) for name in ("label", "n_right", "n_down")},
    }
    session = Session(bundles["both"].folder / "intervention.onnx", device="cpu")
    with pytest.raises(InputError, match=told):
        session.run(**feed)
    assert session.run(**{**feed, "source": np.zeros((1, 1, 8, 8)), "label": [3], "n_right": [3], "n_down": [3]})


def test_steps_are_asked_for_only_where_something_goes_that_way(bundles):
    x = digits()[0][9]
    assert bundles["right only"].intervention(x, right=4, down=6).cells.shape[:2] == (1, 4)
    assert bundles["down only"].intervention(x, right=4, down=6).cells.shape[:2] == (6, 1)
    with pytest.raises(InputError, match="2 to 64 columns and rows"):
        bundles["both"].intervention(x, right=1)
    with pytest.raises(InputError, match=r"the bundle is made for \(1, 8, 8\)"):
        bundles["both"].intervention(np.zeros((1, 9, 9)))


def test_a_plan_that_cannot_be_exported_is_told(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "b")
    bundle, (x, y) = Bundle.open(tmp_path / "b"), digits()
    plan = (change("jpeg", 0.2),)
    with pytest.raises(ExportError, match="jpeg has no ONNX form: no ONNX operator writes JPEG"):
        add_intervention(bundle, plan, sides(plan, ()), x[:1], [int(y[0])], SEED)
    assert not (tmp_path / "b" / "intervention.onnx").exists()
    with pytest.raises(BundleError, match=r"holds no intervention\.onnx"):
        bundle.intervention(x[0])


def test_a_graph_that_disagrees_is_not_put_into_the_manifest(exported, tmp_path):
    from dataclasses import replace

    def lying(settings, shape, rng):
        form = Host().find(Factor, "brightness").onnx(settings, shape, rng)
        other = Host().find(Factor, "contrast").onnx(settings, shape, rng)
        return replace(form, shift=other.shift)

    shutil.copytree(exported, tmp_path / "b")
    bundle, (x, y) = Bundle.open(tmp_path / "b"), digits()
    honest = change("brightness", -0.1)
    plan = (replace(honest, factor=replace(honest.factor, description=replace(honest.factor.description, onnx=lying))),)
    with pytest.raises(ExportError, match="differs from the original"):
        add_intervention(bundle, plan, sides(plan, ()), x[:1], [int(y[0])], SEED)
    assert "intervention.onnx" not in Bundle.open(tmp_path / "b").manifest.files
