"""Each remedy on real digits and a linear classifier that fails on faint ones; what it learns from is what differs."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from realdata import cifar, digits

from shiftlens import Factor, Host, Job, Remedy, RemedyData, ShiftlensError
from shiftlens.core.causes.augmentation import augmented
from shiftlens.core.causes.changes import ActiveFactor, Change
from shiftlens.core.host.kinds import SampleSet
from shiftlens.core.remedy.controls import unchanged
from shiftlens.core.testing.remedy import LINEAR_CONTRAST, LinearContrast, contrast_as_onnx, opened
from shiftlens.export.head import Head
from shiftlens.export.session import Session


@cache
def fitted() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    x, y = digits()
    model = LogisticRegression(max_iter=300).fit(x[:600].reshape(600, -1), y[:600])
    return model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32)


def write(path: Path, ending: str = "gemm") -> Path:
    """A classifier of the digits: linear, ending in one of several ways."""
    weight, bias = fitted()
    keep = {"w": weight, "b": bias, "wt": np.ascontiguousarray(weight.T)}
    nodes = [helper.make_node("Flatten", ["x"], ["f"])]
    nodes += {
        "gemm": [helper.make_node("Gemm", ["f", "w", "b"], ["out"])],
        "transposed": [helper.make_node("Gemm", ["f", "wt", "b"], ["out"], transB=1)],
        "matmul": [helper.make_node("MatMul", ["f", "w"], ["m"]), helper.make_node("Add", ["b", "m"], ["out"])],
        "softmax": [helper.make_node("Gemm", ["f", "w", "b"], ["l"]), helper.make_node("Softmax", ["l"], ["out"])],
        "tanh": [helper.make_node("Gemm", ["f", "w", "b"], ["l"]), helper.make_node("Tanh", ["l"], ["out"])],
    }[ending]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes, "digits",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(values, name) for name, values in keep.items() if name in used],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(path))
    return path


@pytest.fixture
def data(tmp_path) -> RemedyData:
    """Source 600 to 1,100; target the same sort of digits with a third of the contrast."""
    x, y = digits()
    change = Change(ActiveFactor("contrast", LINEAR_CONTRAST, LinearContrast()), -0.25, 0.0, 0.02)
    faint = augmented((change,), x[1100:1400], 5)
    predict = opened(write(tmp_path / "given.onnx"))
    return RemedyData(
        source=SampleSet(lambda rows: x[600:1100][rows], y[600:1100], 500),
        target=SampleSet(lambda rows: faint[rows], y[1100:1400], 300),
        plan=(change,), predict=predict, onnx=tmp_path / "given.onnx", train=None, kind="image",
        sample_shape=(1, 8, 8), classes=tuple("0123456789"), open=opened,
        accuracy=float((predict(x[600:1100]).argmax(1) == y[600:1100]).mean()),
    )  # fmt: skip


def linear(x, y) -> np.ndarray:
    """Weights ``(3072, 10)`` by ridge regression."""
    flat = x.reshape(len(x), -1).astype(np.float64)
    wanted = np.eye(10)[y] - 0.1
    return (flat.T @ np.linalg.solve(flat @ flat.T + 50 * np.eye(len(x)), wanted)).astype(np.float32)


def held_out(data: RemedyData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y = digits()
    return augmented(data.plan, x[1400:], 9), x[1400:], y[1400:]


def mend(name: str, data: RemedyData, job: Job, augment=None, **settings):
    component = Host().find(Remedy, name)
    own = augment or (lambda x, seed: augmented(data.plan, x, seed))
    return component.build(component.settings(**settings))(data, own, job)


def right(predict, x, y) -> float:
    return float((predict(x).argmax(1) == y).mean())


def test_undo_brings_back_what_was_not_destroyed_and_leaves_the_source_alone(data, tmp_path):
    faint, plain, y = held_out(data)
    mended = mend("undo", data, Job(tmp_path))
    begun = right(data.predict, faint, y)
    assert right(mended.predict, faint, y) > begun + 0.03
    assert right(mended.predict, plain, y) > right(data.predict, plain, y) - 0.01
    assert np.allclose(mended.predict(faint[:1]), mended.predict(faint[:9])[:1], atol=1e-6)


@pytest.mark.parametrize("ending", ["gemm", "softmax"])
def test_undoing_is_one_file_that_answers_as_the_classifier_does_to_restored_samples(data, tmp_path, ending):
    """The file is held against the way back in Python, with its tables, one sample at a time."""
    from shiftlens.plugins.remedies.undo import Settings, restored, ways_back

    given = write(tmp_path / "other.onnx", ending)
    data = replace(data, onnx=given, predict=opened(given))
    faint, plain, _ = held_out(data)
    mended = mend("undo", data, Job(tmp_path, seed=3))
    assert mended.onnx == tmp_path / "classifier-restored.onnx"
    steps = ways_back(data, Settings(), 3)
    asked = Session(mended.onnx, device="cpu")
    assert [(tensor.name, tensor.shape[1:]) for tensor in asked.inputs] == [("x", (1, 8, 8))]
    for x in (faint[:40], plain[:40], np.zeros((3, 1, 8, 8), np.float32)):
        expected = Session(given, device="cpu").run(x=restored(steps, x))["out"]
        np.testing.assert_allclose(asked.run(x=x)["out"], expected, atol=1e-4)
    assert not np.allclose(Session(given, device="cpu").run(x=faint[:40])["out"], asked.run(x=faint[:40])["out"])


@pytest.mark.parametrize(("name", "variant"), [("orientation", "turned-left"), ("channel-order", "gbr")])
def test_photographs_turned_or_of_another_order_of_channels_are_mended_by_the_file(name, variant, tmp_path):
    """The classifier with the turn in front of it answers to turned photographs as it did to upright ones."""
    x, names = cifar()
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], np.unique(names, return_inverse=True)[1][order]
    weight = linear(x[:250], y[:250])
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["out"])]
    shapes = (["N", 3, 32, 32], ["N", 10])
    entry, result = (
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in zip(("x", "out"), shapes, strict=True)
    )
    graph = helper.make_graph(nodes, "photographs", [entry], [result], [numpy_helper.from_array(weight, "w")])
    given = tmp_path / "given.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(given))
    component = Host().find(Factor, name)
    factor = ActiveFactor(name, component, component.build(component.settings())).as_variant(variant)
    change = Change(factor, 1.0)
    turned = factor.worker.make(x[250:], variant)
    data = RemedyData(
        source=SampleSet(lambda rows: x[:250][rows], y[:250], 250),
        target=SampleSet(lambda rows: turned[rows], None, len(turned)),
        plan=(change,), predict=opened(given), onnx=given, train=None, kind="image", sample_shape=(3, 32, 32),
        classes=tuple("0123456789"), open=opened, accuracy=1.0,
    )  # fmt: skip
    mended = mend("undo", data, Job(tmp_path))
    assert mended.onnx == tmp_path / "classifier-restored.onnx"
    np.testing.assert_allclose(opened(mended.onnx)(turned), data.predict(x[250:]), atol=1e-4)
    assert np.abs(data.predict(turned) - data.predict(x[250:])).max() > 0.05


def test_undoing_says_why_there_is_no_file_and_is_measured_all_the_same(data, tmp_path):
    silent = replace(LINEAR_CONTRAST, onnx=None, why_no_onnx="it asks an oracle")
    change = replace(data.plan[0], factor=replace(data.plan[0].factor, description=silent))
    mended = mend("undo", replace(data, plan=(change,)), Job(tmp_path))
    assert mended.onnx is None
    assert mended.why_no_onnx == "contrast has no ONNX form: it asks an oracle"
    faint, _, y = held_out(data)
    assert right(mended.predict, faint, y) > right(data.predict, faint, y) + 0.03


def test_a_form_that_does_something_else_is_found_out(data, tmp_path):
    def wrong(settings, sample_shape, rng):
        form = contrast_as_onnx(settings, sample_shape, rng)
        next(node for node in form.shift.graph.node if node.op_type == "Div").op_type = "Mul"
        return form

    lying = replace(LINEAR_CONTRAST, onnx=wrong)
    change = replace(data.plan[0], factor=replace(data.plan[0].factor, description=lying))
    mended = mend("undo", replace(data, plan=(change,)), Job(tmp_path))
    assert mended.onnx is None
    assert "differs from the original" in mended.why_no_onnx


def test_refitting_helps_with_samples_as_in_the_target_and_not_without(data, tmp_path):
    faint, plain, y = held_out(data)
    begun = right(data.predict, faint, y)
    mended = mend("refit-head", data, Job(tmp_path))
    sham = mend("refit-head", data, Job(tmp_path / "sham"), augment=unchanged)
    assert right(mended.predict, faint, y) > begun + 0.03
    assert right(mended.predict, faint, y) > right(sham.predict, faint, y) + 0.02
    assert right(mended.predict, plain, y) > right(data.predict, plain, y) - 0.02
    assert np.allclose(opened(mended.onnx)(faint), mended.predict(faint), atol=1e-5)


@pytest.mark.parametrize("ending", ["gemm", "transposed", "matmul", "softmax"])
def test_the_last_linear_layer_is_found_and_written_back(ending, tmp_path):
    path = write(tmp_path / "given.onnx", ending)
    head = Head.of(path)
    x = digits()[0][:7]
    features = Session(head.feature_model(), device="cpu").run(x=x)[head.features]
    assert np.allclose(features, x.reshape(7, -1))
    assert np.allclose(head.weight, fitted()[0])
    assert np.allclose(head.bias, fitted()[1])
    head.written(head.weight, head.bias, tmp_path / "same.onnx")
    outputs = [Session(p, device="cpu").run(x=x)["out"] for p in (path, tmp_path / "same.onnx")]
    assert np.allclose(*outputs, atol=1e-5)
    head.written(0 * head.weight, head.bias + 3, tmp_path / "other.onnx")
    other = Session(tmp_path / "other.onnx", device="cpu").run(x=x)["out"]
    assert np.allclose(other, other[:1])


def test_without_a_linear_last_layer_it_says_so(data, tmp_path):
    given = replace(data, onnx=write(tmp_path / "tanh.onnx", "tanh"))
    with pytest.raises(ShiftlensError, match=r"does not end in a linear layer .* but in Tanh"):
        mend("refit-head", given, Job(tmp_path))
    with pytest.raises(ShiftlensError, match="no ONNX file"):
        mend("refit-head", replace(data, onnx=None), Job(tmp_path))


def test_selective_use_accepts_what_the_classifier_gets_right(data, tmp_path):
    x, y = data.target.batch(np.arange(300)), data.target.label
    mended = mend("use-where", data, Job(tmp_path), points=2)
    taken = mended.accepts(x)
    assert 0.05 < taken.mean() < 0.95
    assert right(data.predict, x[taken], y[taken]) >= data.accuracy - 0.02
    assert right(data.predict, x, y) < data.accuracy - 0.02
    faint, _, y = held_out(data)
    taken = mended.accepts(faint)
    assert right(data.predict, faint[taken], y[taken]) > right(data.predict, faint[~taken], y[~taken]) + 0.1
    ((low, high),) = mended.facts["ranges"].values()
    assert high is None
    assert np.array_equal(LinearContrast().measure(faint) >= low, taken)


COMMAND = """
import sys, numpy as np
sys.path.insert(0, {folder!r})
from shiftlens.core.testing.remedy import linear_file
given, wanted = sys.argv[1:]
with np.load(given) as held:
    x, y = held["x"], held["y"].astype(int)
print("training on", len(x))
{then}
"""


def command(tmp_path: Path, then: str) -> str:
    script = tmp_path / "train.py"
    script.write_text(COMMAND.format(folder=str(tmp_path), then=then))
    return f"{sys.executable} {script} {{augmented}} {{classifier}}"


def test_the_users_own_command_trains_on_source_and_changed_samples(data, tmp_path):
    job = Job(tmp_path)
    ours = replace(data, command=command(tmp_path, "from pathlib import Path; linear_file(x, y, Path(wanted))"))
    mended = mend("retrain", ours, job)
    with np.load(job.folder / "augmented.npz") as given:
        assert len(given["x"]) == 2 * len(data.source)
        assert np.array_equal(given["y"][:500].astype(int), data.source.label)
    faint, _, y = held_out(data)
    assert right(mended.predict, faint, y) > 0.7


@pytest.mark.parametrize(
    ("then", "says"),
    [
        ("raise SystemExit('no GPU')", "ended with 1: .*no GPU"),
        ("pass", r"wrote no \{classifier\}"),
        ("open(wanted, 'w').write('not a model')", "cannot be opened as an ONNX model"),
        ("from pathlib import Path; linear_file(x, y % 3, Path(wanted))", "instead of 10"),
        ("import time; time.sleep(60)", "was stopped after 1 s"),
    ],
)
def test_a_command_that_goes_wrong_is_told(data, tmp_path, then, says):
    ours = replace(data, command=command(tmp_path, then), timeout=1.0 if "sleep" in then else 60.0)
    with pytest.raises(ShiftlensError, match=f"(?s){says}"):
        mend("retrain", ours, Job(tmp_path))


def test_a_classifier_brought_along_needs_a_command(data, tmp_path):
    with pytest.raises(ShiftlensError, match=r"set remedy\.command"):
        mend("retrain", data, Job(tmp_path))
    with pytest.raises(ShiftlensError, match="cannot be started"):
        mend("retrain", replace(data, command="no-such-program-here {augmented}"), Job(tmp_path))


def normalising(path: Path, x: np.ndarray, y: np.ndarray) -> Path:
    """A classifier of digits whose pixels, then whose 16 projections, are batch-normalised by source statistics."""
    from sklearn.linear_model import LogisticRegression

    flat = x.reshape(len(x), -1)
    project = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32) / 8
    first = (flat.mean(0), flat.var(0))
    scaled = (flat - first[0]) / np.sqrt(first[1] + 1e-2)
    hidden = np.maximum(scaled @ project, 0)
    second = (hidden.mean(0), hidden.var(0))
    fitted = LogisticRegression(max_iter=500).fit((hidden - second[0]) / np.sqrt(second[1] + 1e-2), y)
    keep = {"p": project, "w": fitted.coef_.T, "b": fitted.intercept_, "m1": first[0], "v1": first[1], "m2": second[0],
            "v2": second[1], "s1": np.ones(64), "z1": np.zeros(64), "s2": np.ones(32), "z2": np.zeros(32)}  # fmt: skip
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("BatchNormalization", ["f", "s1", "z1", "m1", "v1"], ["n1"], epsilon=1e-2),
        helper.make_node("MatMul", ["n1", "p"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("BatchNormalization", ["r", "s2", "z2", "m2", "v2"], ["n2"], epsilon=1e-2),
        helper.make_node("Gemm", ["n2", "w", "b"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes, "digits",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(np.asarray(values, np.float32), name) for name, values in keep.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(path))
    return path


def test_statistics_of_the_target_mend_a_classifier_that_normalises(data, tmp_path):
    x, y = digits()
    given = normalising(tmp_path / "bn.onnx", x[:600], y[:600])
    data = replace(data, onnx=given, predict=opened(given))
    faint, plain, label = held_out(data)
    begun = right(data.predict, faint, label)
    mended = mend("normalise", data, Job(tmp_path))
    assert mended.facts == {"layers": 2, "samples": 300}
    assert right(mended.predict, faint, label) > begun + 0.1
    # On source samples it comes to what it was, and a weight between both lies between both.
    at_home = mend("normalise", replace(data, target=data.source), Job(tmp_path / "home"))
    assert right(at_home.predict, plain, label) > right(data.predict, plain, label) - 0.02
    half = mend("normalise", data, Job(tmp_path / "half"), weight=0.5)
    assert begun < right(half.predict, faint, label)


def test_a_classifier_without_statistics_cannot_be_normalised_anew(data, tmp_path):
    with pytest.raises(ShiftlensError, match="no BatchNormalization nodes"):
        mend("normalise", data, Job(tmp_path))
