"""The exported folders served for real: Triton (Python backend) and MLServer on loopback, asked in the v2 protocol."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
from inferenceservers import ASK, exported, memory, needed

pytestmark = [pytest.mark.server]

each_protocol = pytest.mark.parametrize("protocol", ["http", "grpc"])


@pytest.fixture(scope="session")
def pairs(demo_run):
    """Three real pairs of the run: source and target ``(3, 3, 32, 32)``, and the class of each."""
    with (
        np.load(demo_run.config.parent / "source.npz") as source,
        np.load(demo_run.config.parent / "target.npz") as target,
    ):
        index = demo_run.run.arrays["pairs"][:3]
        samples = [d["x"][index[:, i]].transpose(0, 3, 1, 2) / 255 for i, d in enumerate((source, target))]
        label = source["y"][index[:, 0]].astype(np.int64)
    return samples[0].astype(np.float32), samples[1].astype(np.float32), label


def request(pairs, rows=slice(None), **changes):
    """The inputs of one request of the grid."""
    source, target, label = (values[rows] for values in pairs)
    inputs = {
        "source": source,
        "target": target,
        "label": label,
        "loss": np.full((len(source), 2), -1, np.float32),
        "n_features": np.array([4]),
        "n_losses": np.array([3]),
    }
    inputs.update(changes)
    return {name: values for name, values in inputs.items() if values is not None}


@each_protocol
def test_the_grid_equals_ours(server, ask, bundle, pairs, protocol):
    given = np.array([[0.1, 2.0], [-1.0, 3.0], [0.2, -1.0]], np.float32)
    requests = {
        "three": request(pairs),
        "one": request(pairs, slice(1)),
        "given": request(pairs, loss=given),
        "left-out": request(pairs, loss=None),
    }
    answers = ask(server, protocol, "grid", requests)
    for name, answer in answers.items():
        inputs = requests[name]
        expected = bundle.grid(inputs["source"], inputs["target"], inputs["label"], inputs.get("loss"), 4, 3)
        for output, values in expected._asdict().items():
            assert answer[output].dtype == np.float32
            np.testing.assert_allclose(answer[output], values, atol=1e-5, err_msg=f"{name}: {output}")
        assert answer["cells"].shape == (len(inputs["source"]), 3, 4, 3, 32, 32)


@each_protocol
def test_the_intervention_grid_equals_ours(server, ask, bundle, pairs, protocol):
    source, _, label = pairs
    sides = bundle.manifest.intervention
    steps = {"n_right": np.array([4 if sides["right"] else 1]), "n_down": np.array([3 if sides["down"] else 1])}
    requests = {f"s{i}": {"source": source[i : i + 1], "label": label[i : i + 1], **steps} for i in range(3)}
    for i, answer in enumerate(ask(server, protocol, "intervention", requests).values()):
        expected = bundle.intervention(source[i], int(label[i]), 4, 3)
        for output, values in expected._asdict().items():
            np.testing.assert_allclose(answer[output], values, atol=1e-5, err_msg=output)
        assert (answer["measured"][-1] > answer["measured"][0]).all(), "down costs accuracy"
    broken = {"nan": {**requests["s0"], "source": np.full_like(source[:1], np.nan)}}
    broken["many"] = {**requests["s0"], "n_down": np.array([100])}
    answers = ask(server, protocol, "intervention", broken)
    assert isinstance(answers["nan"], str)  # MLServer does not even take it in JSON
    assert "n_down must be 2 to 64" in answers["many"]


@each_protocol
def test_the_parts_equal_ours(server, ask, bundle, pairs, protocol):
    source, _, label = pairs
    loss = np.array([0.1, 1.0, 3.0], np.float32)
    z = bundle.encode(source, loss, label)
    column = (lambda values: values[:, None]) if server[0] == "triton" else (lambda values: values)
    (entry,), (result,) = bundle.classifier.inputs, bundle.classifier.outputs
    asked = {
        "classifier": ({entry.name: source}, result.name, bundle.classifier.run(**{entry.name: source})[result.name]),
        "encoder": ({"x": source, "loss": column(loss), "label": column(label)}, "z", z),
        "decoder": ({"z": z, "loss": column(loss), "label": column(label)}, "x", bundle.decode(z, loss, label)),
    }
    for model, (inputs, output, expected) in asked.items():
        answer = ask(server, protocol, model, {"one": inputs})["one"]
        np.testing.assert_allclose(answer[output], expected, atol=1e-5, err_msg=model)


@each_protocol
def test_malformed_requests_get_an_error_and_the_server_lives_on(server, ask, pairs, protocol):
    before = memory(server[1].process)
    broken = pairs[0].copy()
    broken[0, 0, 0, 0] = np.nan
    requests = {
        "nan": request(pairs, source=broken),
        "shape": request(pairs, source=pairs[0][:, :, :31]),
        "rank": request(pairs, source=pairs[0][0]),
        "type": request(pairs, label=pairs[2].astype(np.float32)),
        "rows": request(pairs, label=pairs[2][:2]),
        "label": request(pairs, label=np.array([0, 1, 99])),
        "no-losses": request(pairs, n_losses=np.array([0])),
        "many-losses": request(pairs, n_losses=np.array([10_000])),
        "negative": request(pairs, n_features=np.array([-3])),
        "huge": request(pairs, n_features=np.array([64]), n_losses=np.array([64])),
        "missing": request(pairs, target=None),
    }
    answers = ask(server, protocol, "grid", requests)
    assert {name: type(answer) for name, answer in answers.items()} == dict.fromkeys(requests, str)
    assert "n_features and n_losses must be 2 to 64" in answers["no-losses"]
    assert "n_features and n_losses must be 2 to 64" in answers["many-losses"]
    assert "label must be 0 to 9" in answers["label"]
    assert "must be 1 to 2730" in answers["huge"]
    wrong = {
        "shape": {"x": pairs[0][:, :2]},
        "nan": {"x": broken},
        "batch": {"x": np.zeros((65, 3, 32, 32), np.float32)},
    }
    answers = ask(server, protocol, "classifier", wrong)
    assert {name: type(answer) for name, answer in answers.items()} == dict.fromkeys(wrong, str)
    good = ask(server, protocol, "grid", {"good": request(pairs)})["good"]
    assert good["measured"].shape == (3, 3, 4)
    assert memory(server[1].process) < before + 500e6, "an error must not cost memory"


def test_requests_that_come_together_are_run_together_and_only_the_broken_ones_fail(triton, ask, bundle, pairs, capfd):
    """Dynamic batching: 60 requests at once, in fewer runs of the model, each with its own answer."""
    samples = np.resize(np.concatenate(pairs[:2]), (60, 3, 32, 32))
    requests = {f"r{i:02}": {"x": samples[i : i + 1]} for i in range(60)}
    for name in ("r03", "r31"):
        requests[name] = {"x": np.full((1, 3, 32, 32), np.nan, np.float32)}
    answers = ask(("triton", triton), "grpc", "classifier", requests, "--together")
    runs = int(capfd.readouterr().out)
    assert 1 <= runs < len(requests)
    expected = bundle.classifier.run(x=samples)
    (output,) = expected
    for i, (name, answer) in enumerate(answers.items()):
        if name in ("r03", "r31"):
            assert "not finite" in answer
        else:
            np.testing.assert_allclose(answer[output], expected[output][i : i + 1], atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--backend", "python"),
        ("--set", "device=gpu", "--set", "gpus=[0, 1]", "--set", "instances=2", "--set", "preferred_batch=[8, 16]"),
        ("--set", "dynamic_batching=false", "--set", "max_batch=7"),
    ],
    ids=["onnxruntime", "python", "gpu", "no-batching"],
)
def test_every_configuration_is_one_by_tritons_own_schema(demo_run, tmp_path, options):
    python = needed("triton") / "bin" / "python"
    out = exported(demo_run.run.path, tmp_path / "out", "--target", "triton", *options)
    files = sorted((out / "models").glob("*/config.pbtxt"))
    done = subprocess.run([python, ASK, "config", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    read = {model["name"]: model for model in map(json.loads, done.stdout.splitlines())}
    assert sorted(read) == ["classifier", "decoder", "encoder", "grid", "intervention"]
    classifier, group = read["classifier"], read["classifier"]["instance_group"][0]
    if "device=gpu" in options:
        assert (group["kind"], group["count"], group["gpus"]) == ("KIND_GPU", 2, [0, 1])
        assert classifier["dynamic_batching"]["preferred_batch_size"] == [8, 16]
    else:
        assert group["kind"] == "KIND_CPU"
    assert ("dynamic_batching" in classifier) == ("dynamic_batching=false" not in options)
    assert classifier["max_batch_size"] == (7 if "max_batch=7" in options else 64)
    assert classifier["backend"] == ("python" if "python" in options else "onnxruntime")
    assert read["encoder"]["input"][1]["reshape"] == {}
    assert read["grid"].get("max_batch_size", 0) == 0
    assert read["intervention"].get("max_batch_size", 0) == 0
