"""The fused grid: equal to the grid made step by step, for every loss it can measure."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from realdata import digits

from shiftlens import Host
from shiftlens.core.errors import ExportError, InputError
from shiftlens.core.host.kinds import Loss
from shiftlens.export import compose
from shiftlens.export.bundle import Bundle, grid_for_pair
from shiftlens.export.session import Session


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "bundle")


def with_manifest(folder, **values):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return Bundle.open(folder, device="cpu")


def run(folder, pairs, loss=-1.0, features=5, losses=5, label=7):
    """grid.onnx on pairs of samples; losses are measured where none are given."""
    source, target = (np.stack(x) for x in zip(*pairs, strict=True))
    return Session(folder / "grid.onnx", device="cpu").run(
        source=source,
        target=target,
        label=np.full(len(source), label),
        loss=np.broadcast_to(np.float32(loss), (len(source), 2)),
        n_features=np.array([features]),
        n_losses=np.array([losses]),
    )


@pytest.mark.parametrize("name", ["cross-entropy", "brier", "entropy", "margin"])
def test_it_equals_the_grid_made_step_by_step(copy, pair, name):
    settings = Host().find(Loss, name).settings().model_dump()
    bundle = with_manifest(copy, loss={"name": name, "settings": settings})
    facts = compose.add_grid(bundle, np.stack(pair), label=7)
    assert max(facts["largest_difference"].values()) < 1e-5
    reopened = Bundle.open(copy)
    assert "grid.onnx" in reopened.manifest.files
    expected = grid_for_pair(reopened, *pair, label="7", features=6, losses=4)
    got = {name: values[0] for name, values in run(copy, [pair], features=6, losses=4).items()}
    np.testing.assert_allclose(got["cells"], expected.cells, atol=1e-5)
    np.testing.assert_allclose(got["requested"], expected.requested, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got["measured"], expected.measured, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(got["probabilities"].argmax(-1).ravel(), expected.scores.prediction)
    np.testing.assert_array_equal(got["cells"][0, 0], pair[0])
    np.testing.assert_array_equal(got["cells"][-1, -1], pair[1])


@pytest.fixture(scope="module")
def fused(exported, pair, tmp_path_factory):
    """A bundle with grid.onnx."""
    folder = shutil.copytree(exported, tmp_path_factory.mktemp("fused") / "bundle")
    compose.add_grid(Bundle.open(folder, device="cpu"), np.stack(pair), label=7)
    return folder


def test_many_pairs_in_one_call_are_as_each_alone(fused, pair):
    x, y = digits()
    sevens = x[y == 7][:6]
    pairs = [pair, (sevens[2], sevens[3]), (sevens[4], sevens[5])]
    together = run(fused, pairs, features=3, losses=4)
    assert together["cells"].shape == (3, 4, 3, 1, 8, 8)
    for number, one in enumerate(pairs):
        for name, values in run(fused, [one], features=3, losses=4).items():
            np.testing.assert_allclose(together[name][number], values[0], atol=1e-5)


def test_losses_are_measured_where_they_are_negative_and_taken_where_they_are_given(fused, pair):
    bundle = Bundle.open(fused)
    measured = bundle.score(np.stack(pair), np.array([7, 7])).loss
    ends = ((0, 0, 0), (0, -1, -1))
    both = run(fused, [pair])["requested"]
    np.testing.assert_allclose([both[end] for end in ends], measured, rtol=1e-4)
    half = run(fused, [pair], loss=[-1.0, 3.5])["requested"]
    np.testing.assert_allclose([half[end] for end in ends], [measured[0], 3.5], rtol=1e-4)


def test_the_classifiers_weights_are_in_the_file_once(fused):
    import onnx

    weights = onnx.load(fused / "classifier.onnx").graph.initializer
    names = [tensor.name for tensor in onnx.load(fused / "grid.onnx").graph.initializer]
    assert [name for name in names if name.startswith("classifier/")] == [f"classifier/{w.name}" for w in weights]
    sizes = [(fused / f"{name}.onnx").stat().st_size for name in ("classifier", "encoder", "decoder", "grid")]
    assert sizes[3] < sum(sizes[:3]) + 20_000


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"n_losses": 0}, "n_features and n_losses must be 2 to 64"),
        ({"n_losses": 10_000}, "n_features and n_losses must be 2 to 64"),
        ({"n_features": -5}, "n_features and n_losses must be 2 to 64"),
        ({"n_features": 1}, "n_features and n_losses must be 2 to 64"),
        ({"n_features": 2**62, "n_losses": 2**62}, "n_features and n_losses must be 2 to 64"),
        ({"label": 10}, "label must be 0 to 9"),
        ({"label": -1}, "label must be 0 to 9"),
        ({"source": np.nan}, "source has values that are not finite"),
        ({"target": np.inf}, "target has values that are not finite"),
        ({"loss": np.nan}, "loss has values that are not finite"),
        ({"pairs": 2, "n_features": 64, "n_losses": 64}, "pairs x n_losses x n_features must be 1 to 4096"),
        ({"pairs": 0}, "cannot be run|must be 1 to"),
        ({"labels": 3}, "must have one row for each pair"),
    ],
)
def test_what_would_take_a_server_down_is_refused_by_the_graph_itself(fused, values, told):
    pairs = values.get("pairs", 2)
    feed = {
        "source": np.full((pairs, 1, 8, 8), values.get("source", 0.5), np.float32),
        "target": np.full((pairs, 1, 8, 8), values.get("target", 0.5), np.float32),
        "label": np.full(values.get("labels", pairs), values.get("label", 3)),
        "loss": np.full((pairs, 2), values.get("loss", -1.0), np.float32),
        "n_features": np.array([values.get("n_features", 3)]),
        "n_losses": np.array([values.get("n_losses", 3)]),
    }
    session = Session(fused / "grid.onnx", device="cpu")
    with pytest.raises(InputError, match=told):
        session.run(**feed)
    good = {**feed, "source": np.zeros((1, 1, 8, 8)), "target": np.ones((1, 1, 8, 8)), "label": np.array([3])}
    good |= {"loss": np.full((1, 2), -1.0), "n_features": np.array([2]), "n_losses": np.array([2])}
    assert session.run(**good)["cells"].shape == (1, 2, 2, 1, 8, 8)


def test_every_built_in_loss_becomes_part_of_the_graph():
    built_in = [offer.component for offer in Host().offers(Loss) if offer.distribution == "shiftlens"]
    assert len(built_in) == 4
    assert all(loss.onnx is not None for loss in built_in)


class FocalPlugin:
    """A stranger's loss with an ONNX form, in the text form of ONNX."""

    @staticmethod
    def focal(probabilities, labels):
        p = np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, 1.0)
        return -((1 - p) ** 2) * np.log(p)

    @staticmethod
    def onnx(settings):
        import onnx

        return onnx.parser.parse_model(
            """<ir_version: 8, opset_import: ["" : 18]>
            focal (float[N, K] chances, int64[N] truth) => (float[N] cost) {
                one = Constant <value_ints = [1]> ()
                unit = Constant <value_float = 1.0> ()
                least = Constant <value_float = 1e-7> ()
                truth_column = Unsqueeze (truth, one)
                chosen_column = GatherElements <axis = 1> (chances, truth_column)
                chosen = Squeeze (chosen_column, one)
                p = Max (chosen, least)
                rest = Sub (unit, p)
                weight = Mul (rest, rest)
                logarithm = Log (p)
                product = Mul (weight, logarithm)
                cost = Neg (product)
            }"""
        )


@pytest.fixture
def strangers_loss(copy, monkeypatch):
    """A bundle of a stranger's loss, and what that plugin offers."""
    found = Host.find

    def offering(onnx):
        component = Loss(name="doubt", summary="a loss", build=lambda settings: FocalPlugin.focal, onnx=onnx)

        def find(self, kind, name):
            return component if name == "doubt" else found(self, kind, name)

        monkeypatch.setattr(Host, "find", find)
        return with_manifest(copy, loss={"name": "doubt", "settings": {}})

    return offering


def test_a_strangers_loss_fuses_through_the_same_door(strangers_loss, pair):
    bundle = strangers_loss(FocalPlugin.onnx)
    assert max(compose.add_grid(bundle, np.stack(pair), label=7)["largest_difference"].values()) < 1e-5
    assert "grid.onnx" in Bundle.open(bundle.folder).manifest.files


@pytest.mark.parametrize(("onnx", "told"), [
    (None, "because of the loss doubt: it has no ONNX form"),
    (lambda settings: settings.absent, "ONNX form of the loss doubt cannot be made: AttributeError"),
    (lambda settings: "text", r"must be an onnx\.ModelProto: probabilities"),
])  # fmt: skip
def test_a_loss_that_cannot_be_composed_is_told(strangers_loss, onnx, told):
    with pytest.raises(ExportError, match=told):
        compose.compose(strangers_loss(onnx))


def test_a_loss_whose_onnx_form_disagrees_is_not_put_into_the_manifest(strangers_loss, pair):
    def wrong(settings):
        model = FocalPlugin.onnx(settings)
        model.graph.node[-1].op_type = "Exp"
        return model

    bundle = strangers_loss(wrong)
    with pytest.raises(ExportError, match="differs from the original"):
        compose.add_grid(bundle, np.stack(pair), label=7)
    assert "grid.onnx" not in Bundle.open(bundle.folder).manifest.files
    assert not (bundle.folder / "grid.onnx").exists()


def test_a_classifier_of_probabilities_is_composed_too(copy, pair):
    import onnx

    model = onnx.load(copy / "classifier.onnx")
    result = model.graph.output[0].name
    model.graph.node.append(onnx.helper.make_node("Softmax", [result], ["p"], axis=-1))
    model.graph.output[0].name = "p"
    onnx.save(model, copy / "classifier.onnx")
    from shiftlens.core.files import sha256_of

    files = json.loads((copy / "manifest.json").read_text())["files"]
    files["classifier.onnx"] = sha256_of(copy / "classifier.onnx")
    bundle = with_manifest(copy, classifier_output="probabilities", files=files)
    assert compose.add_grid(bundle, np.stack(pair), label=7)["largest_difference"]["measured"] < 1e-5


def test_an_older_opset_is_converted(copy, pair):
    import onnx

    from shiftlens.core.files import sha256_of

    model = onnx.load(copy / "classifier.onnx")
    model.opset_import[0].version = 17  # the operators of this classifier are the same in both
    onnx.save(model, copy / "classifier.onnx")
    files = json.loads((copy / "manifest.json").read_text())["files"]
    files["classifier.onnx"] = sha256_of(copy / "classifier.onnx")
    compose.add_grid(with_manifest(copy, files=files), np.stack(pair), label=7)
