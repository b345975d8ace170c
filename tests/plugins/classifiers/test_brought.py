"""Classifiers brought along: files and callables that work, and each way in which they do not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from realdata import digits

from shiftlens import Host
from shiftlens.core.config.settings import Settings
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import ClassifierError, SettingsError
from shiftlens.core.host.kinds import Classifier
from shiftlens.core.job import Job
from shiftlens.export.session import Session
from shiftlens.plugins.classifiers.python_callable import imported, made

MODULE = """
import numpy as np
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.drop, self.linear = torch.nn.Dropout(0.5), torch.nn.Linear(64, 10)
    def forward(self, x):
        return self.linear(self.drop(x.flatten(1)))

class Branching(Net):
    def forward(self, x):
        return super().forward(x) * (2 if float(x.abs().max()) < 1e9 else 1)

def make():
    return Net()

ready = Net()
weights = np.random.default_rng(0).normal(size=(64, 10)).astype(np.float32)

def on_arrays(x):
    return x.reshape(len(x), -1) @ weights

def as_samples(x):
    return x

def failing(x):
    raise KeyError("lost")

def noisy(x):
    return np.random.default_rng().normal(size=(len(x), 10))

class NeedsArguments(torch.nn.Module):
    def __init__(self, width):
        super().__init__()

number = 3
"""


@pytest.fixture
def source():
    x, y = digits()
    return Domain(x[:50], (1, 8, 8), "image", y[:50].astype(str))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The module above, importable as ``brought_models``."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "brought_models.py").write_text(MODULE)
    sys.path.insert(0, str(folder))
    import brought_models

    yield brought_models
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def exported(models, tmp_path_factory):
    """A folder with net.onnx and net.pt2 of the same network."""
    import torch

    from shiftlens.export.to_onnx import to_onnx

    folder = tmp_path_factory.mktemp("exported")
    module, x = models.Net().eval(), torch.zeros(3, 1, 8, 8)
    to_onnx(module, (x,), ["x"], ["y"], folder / "net.onnx", {})
    batch = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(module, (x,), dynamic_shapes=batch), folder / "net.pt2")
    torch.export.save(torch.export.export(module, (x,)), folder / "fixed.pt2")
    torch.export.save(torch.export.export(module.train(), (x,), dynamic_shapes=batch), folder / "train.pt2")
    return folder


HOST = Host()


def provide(raw, source, folder):
    component = HOST.claiming(Classifier, raw, Path())
    assert component is not None
    return component.build(component.settings.model_validate(raw))(source, Job(folder))


def run(provided, x):
    if provided.onnx is None:
        return provided.function(x)
    session = Session(provided.onnx, device="cpu")
    return session.run(**{session.inputs[0].name: x})[session.outputs[0].name]


def linear(path, inputs, outputs):
    """A classifier file with the given shapes that ignores its weights' meaning: flatten, multiply."""
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["y"])]
    count = int(np.prod([d for d in inputs[1:]]))
    weights = helper.make_tensor("w", TensorProto.FLOAT, [count, outputs[1]], np.zeros(count * outputs[1], np.float32))
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", inputs), ("y", outputs)))
    graph = helper.make_graph(nodes, "linear", [x], [y], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ({"path": "model.onnx"}, "onnx"),
        ({"path": "deep/Model.ONNX"}, "onnx"),
        ({"path": "model.pt2"}, "torch-export"),
        ({"path": "package.module:make"}, "callable"),
        ({"train": {"epochs": 5}}, "trained"),
        ({"train": {"architecture": "small-cnn", "epochs": 5}}, "trained"),
    ],
)
def test_settings_without_a_name_find_their_classifier(raw, name):
    assert HOST.claiming(Classifier, raw, Path()).name == name


def test_a_bare_path_or_callable_is_enough(tmp_path):
    linear(tmp_path / "model.onnx", ["n", 1, 8, 8], ["n", 10])
    np.savez(tmp_path / "data.npz", x=digits()[0][:20], y=digits()[1][:20])
    domains = {"source": "data.npz", "target": "data.npz"}
    settings = Settings.parse({**domains, "classifier": "model.onnx"}, tmp_path)
    assert settings.classifier.name == "onnx"
    assert settings.classifier.settings.path == tmp_path / "model.onnx"
    settings = Settings.parse({**domains, "classifier": "package.module:make"}, tmp_path)
    assert settings.classifier.settings.path == "package.module:make"
    assert Settings.parse({**domains, "classifier": "trained"}, tmp_path).classifier.name == "trained"
    with pytest.raises(SettingsError, match='did you mean "trained"'):
        Settings.parse({**domains, "classifier": "traind"}, tmp_path)


def test_an_onnx_file_is_taken_as_it_is(exported, models, source, tmp_path):
    provided = provide({"path": str(exported / "net.onnx"), "classes": list(range(10))}, source, tmp_path)
    assert provided.onnx == exported / "net.onnx"
    assert provided.classes == tuple("0123456789")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "path", ["net.onnx", "net.pt2", pytest.param("make", marks=pytest.mark.slow), "Branching", "on_arrays"]
)
def test_every_form_gives_the_same_answers_with_its_normalisation_in_front(exported, models, source, tmp_path, path):
    import torch

    raw = {"path": str(exported / path) if "." in path else f"brought_models:{path}"}
    normalise = {"mean": [0.3], "std": [0.5]}
    x = source.batch(slice(0, 9))
    plain = run(provide(raw, source, tmp_path), x)
    folded = run(provide({**raw, "normalise": normalise}, source, tmp_path), x)
    if path == "on_arrays":
        reference = models.on_arrays
    else:
        module = models.Branching().eval() if path == "Branching" else models.Net().eval()
        reference = lambda x: module(torch.from_numpy(x)).detach().numpy()  # noqa: E731
    np.testing.assert_allclose(plain, reference(x), atol=1e-5)
    np.testing.assert_allclose(folded, reference(((x - 0.3) / 0.5).astype(np.float32)), atol=1e-4)


@pytest.mark.parametrize("name", ["make", "Net", "ready"])
def test_a_module_may_be_made_by_a_function_or_a_class_or_stand_there(models, name):
    path = f"brought_models:{name}"
    assert isinstance(made(path, imported(path)), models.Net)


def test_what_cannot_be_exported_stays_a_function_and_says_so(models, source, tmp_path, caplog):
    provided = provide({"path": "brought_models:Branching"}, source, tmp_path)
    assert provided.onnx is None
    assert "stays a Python function" in caplog.text


def test_the_files_that_a_run_depends_on(exported, models):
    for path, expected in ((exported / "net.onnx", exported / "net.onnx"), ("brought_models:make", models.__file__)):
        component = HOST.claiming(Classifier, {"path": str(path)}, Path())
        assert component.build(component.settings(path=path)).files() == [Path(expected)]
    component = HOST.find(Classifier, "callable")
    assert component.build(component.settings(path="absent.module:make")).files() == []


def test_weights_beside_the_file_are_brought_in(exported, source, tmp_path):
    model = onnx.load(exported / "net.onnx")
    path = tmp_path / "split.onnx"
    onnx.save(model, path, save_as_external_data=True, location="split.onnx.data", size_threshold=1024)
    job = tmp_path / "job"
    job.mkdir()
    provided = provide({"path": str(path)}, source, job)
    assert provided.onnx == job / "classifier.onnx"
    (tmp_path / "split.onnx.data").unlink()
    x = source.batch(slice(0, 3))
    np.testing.assert_allclose(run(provided, x), Session(exported / "net.onnx").run(x=x)["y"], atol=1e-6)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("absent.onnx", r"there is no file .*absent\.onnx"),
        ("absent.pt2", r"there is no file .*absent\.pt2"),
        ("corrupt.onnx", r"corrupt\.onnx cannot be opened as an ONNX model"),
        ("corrupt.pt2", r"corrupt\.pt2 cannot be loaded by torch\.export"),
        ("fixed.pt2", "takes batches of exactly 3; export it again with dynamic_shapes"),
        ("train.pt2", r"another answer in a batch than alone .* call \.eval\(\)"),
        ("brought_models:mak", 'has no mak; did you mean "make"'),
        ("brought_models:as_samples", r"gives \(3, 1, 8, 8\) for a batch of 3"),
        ("brought_models:failing", "fails on a batch .* KeyError: 'lost'"),
        ("brought_models:noisy", "another answer in a batch than alone"),
        ("brought_models:NeedsArguments", "NeedsArguments needs arguments; name a function without parameters"),
        ("brought_models:number", "gives a int; it must give a torch module or a function"),
        ("absent_models:make", "absent_models cannot be imported: ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_used_is_named_without_noise(exported, models, source, tmp_path, capfd, path, told):
    for name in ("corrupt.onnx", "corrupt.pt2"):
        (tmp_path / name).write_text("no model")
    if ":" not in path:
        path = str(next((f / path for f in (exported, tmp_path) if (f / path).exists()), tmp_path / path))
    with pytest.raises(ClassifierError, match=told):
        provide({"path": path}, source, tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_normalisation_that_does_not_fit_is_told(exported, source, tmp_path):
    raw = {"path": str(exported / "net.onnx"), "normalise": {"mean": [0.5, 0.5], "std": [1, 1]}}
    with pytest.raises(ClassifierError, match=r"mean has 2 values; samples of shape \(1, 8, 8\) need 1 or one"):
        provide(raw, source, tmp_path)
