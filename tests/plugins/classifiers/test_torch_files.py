"""Files of torch: what people have is taken or told what to do with, and nothing that stands in one is run."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from realdata import digits

from shiftlens import Host
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import ClassifierError
from shiftlens.core.host.kinds import Classifier
from shiftlens.core.job import Job
from shiftlens.export.session import Session
from shiftlens.plugins.classifiers.pt2_archive import Harmful, harmless
from shiftlens.plugins.classifiers.torch_outputs import plain

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")

HOST = Host()
BATCH = ({0: torch.export.Dim("batch")},)


class Net(torch.nn.Module):
    """Weights, buffers, a tensor constant, a mode given as a string, an equation."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.BatchNorm2d(4)
        self.head, self.shift = torch.nn.Linear(4, 10), torch.linspace(0, 1, 10)

    def forward(self, x):
        h = torch.nn.functional.gelu(self.norm(self.conv(x)), approximate="tanh")
        h = torch.nn.functional.interpolate(h, scale_factor=0.5, mode="nearest")
        return self.head(torch.einsum("nchw->nc", h)) + self.shift


@dataclass
class Answer:
    logits: torch.Tensor


class Giving(Net):
    """The same network, its answer wrapped."""

    def __init__(self, wrapped: Callable[[torch.Tensor], object]) -> None:
        super().__init__()
        self.wrapped = wrapped

    def forward(self, x):
        return self.wrapped(super().forward(x))


@pytest.fixture(scope="module")
def source():
    x, y = digits()
    return Domain(x[:60], x.shape[1:], "image", y[:60].astype(str))


@pytest.fixture(scope="module")
def good(source, tmp_path_factory):
    """A file of torch.export as people have it."""
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    x = torch.from_numpy(source.batch(slice(0, 3)))
    torch.export.save(torch.export.export(Net().eval(), (x,), dynamic_shapes=BATCH), path)
    return path


def provide(path, source, folder, **settings):
    raw = {"path": str(path), **settings}
    component = HOST.claiming(Classifier, raw, Path())
    assert component is not None
    return component.build(component.settings.model_validate(raw))(source, Job(folder))


def outputs(provided, x):
    if provided.onnx is None:
        return provided.function(x)
    session = Session(provided.onnx, device="cpu")
    return session.run(**{session.inputs[0].name: x})[session.outputs[0].name]


def test_a_program_is_the_same_after_it_was_checked(good, source, tmp_path):
    x = source.batch(slice(0, 5))
    with torch.no_grad():
        expected = Net().eval()(torch.from_numpy(x)).numpy()
        assert np.array_equal(torch.export.load(harmless(good)).module()(torch.from_numpy(x)).numpy(), expected)
    np.testing.assert_allclose(outputs(provide(good, source, tmp_path), x), expected, atol=1e-5)


# Each way in which a file could run code: what is put into a copy of a good one, by the name of the member.


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def saved(value: object) -> bytes:
    made = io.BytesIO()
    torch.save(value, made)
    return made.getvalue()


def called(trace: Path) -> str:
    """Python that creates the file."""
    return f"__import__('pathlib').Path('{trace}').touch()"


def edited(name: str, change: Callable[[dict, Path], None]):
    def edit(members: dict[str, bytes], trace: Path) -> None:
        content = json.loads(members[name])
        change(content, trace)
        members[name] = json.dumps(content).encode()

    return edit


def member(name: str, content: Callable[[Path], bytes]):
    def edit(members: dict[str, bytes], trace: Path) -> None:
        members[name] = content(trace)

    return edit


def pickled(folder: str, listing: str, prefix: str):
    """The first payload of a folder as a pickle or an object."""

    def edit(members: dict[str, bytes], trace: Path) -> None:
        config = json.loads(members[folder + listing])
        entry = next(iter(config["config"].values()))
        entry |= {"path_name": f"{prefix}0", "use_pickle": True}
        members[folder + listing] = json.dumps(config).encode()
        members[f"{folder}{prefix}0"] = pickle.dumps(Payload(trace)) if "opaque" in prefix else saved(Payload(trace))

    return edit


def legacy(members: dict[str, bytes], trace: Path) -> None:
    program = members["models/model.json"]
    members.clear()
    members |= {
        "version": b"8.20", "serialized_exported_program.json": program,
        **{f"serialized_{part}.pt": saved(Payload(trace)) for part in ("state_dict", "constants", "example_inputs")},
    }  # fmt: skip


def first_node(program: dict) -> dict:
    return program["graph_module"]["graph"]["nodes"][0]


def calls(target: str):
    """The first node calls a function below torch with a string."""

    def change(program: dict, trace: Path) -> None:
        text = {"name": "input", "arg": {"as_string": f"touch {trace}"}, "kind": 1}
        first_node(program).update(target=target, inputs=[text])

    return change


def named(program: dict, trace: Path) -> None:
    """A placeholder whose name is source text."""
    text = json.dumps(program).replace('"x"', json.dumps(f"x={called(trace)}"))
    program.clear()
    program.update(json.loads(text))


def sized(program: dict, trace: Path) -> None:
    values = program["graph_module"]["graph"]["tensor_values"]
    values["x"]["sizes"][0]["as_expr"]["expr_str"] = called(trace)


def enumerated(program: dict, trace: Path) -> None:
    """A container that imports a module of the attacker's choice when its description is read."""
    context = json.dumps({"default_factory_module": "this", "default_factory_name": "s", "dict_context": []})
    spec = {"type": "collections.defaultdict", "children_spec": [], "context": context}
    program["graph_module"]["module_call_graph"][0]["signature"]["out_spec"] = json.dumps([1, spec])


def guarded(program: dict, trace: Path) -> None:
    program["guards_code"] = [called(trace)]


PROGRAM, WEIGHTS, CONSTANTS = "models/model.json", "data/weights/", "data/constants/"
ATTACKS = {
    "weights as pickles": pickled(WEIGHTS, "model_weights_config.json", "weight_"),
    "constants as pickles": pickled(CONSTANTS, "model_constants_config.json", "tensor_"),
    "custom objects": pickled(CONSTANTS, "model_constants_config.json", "custom_obj_"),
    "opaque objects": pickled(CONSTANTS, "model_constants_config.json", "opaque_obj_"),
    "weights of torch 2.8": member(WEIGHTS + "model.pt", lambda trace: saved(Payload(trace))),
    "constants of torch 2.8": member(CONSTANTS + "model.pt", lambda trace: saved(Payload(trace))),
    "layout before torch 2.8": legacy,
    "machine code": member("data/aotinductor/model/model.so", lambda trace: b"\x7fELF"),
    "a size that is Python": edited(PROGRAM, sized),
    "an operator below torch": edited(PROGRAM, calls("torch.os.system")),
    "an operator that loads a library": edited(PROGRAM, calls("torch.ops.load_library")),
    "an operator that writes a file": edited(PROGRAM, calls("torch.ops.aten.save.default")),
    "an operator that maps a file": edited(PROGRAM, calls("torch.ops.aten.from_file.default")),
    "an attribute of an operator": edited(PROGRAM, calls("torch.ops.aten.__class__.__init__")),
    "a name that is source text": edited(PROGRAM, named),
    "a container that imports": edited(PROGRAM, enumerated),
    "nested too deeply": member(PROGRAM, lambda trace: b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
}  # fmt: skip


def altered(good: Path, folder: Path, edit) -> tuple[Path, Path]:
    """A copy of the good file with one thing changed, and the file that would be created if it ran."""
    with zipfile.ZipFile(good) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    trace = folder / "trace.txt"
    edit(members, trace)
    path = folder / "net.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"net/{name}", content)
    return path, trace


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_file_that_could_run_code_is_refused_and_runs_nothing(good, source, tmp_path, attack):
    path, trace = altered(good, tmp_path, ATTACKS[attack])
    with pytest.raises(ClassifierError, match=r"net\.pt2 is not opened: .*classifier\.trust: true"):
        provide(path, source, tmp_path)
    assert not trace.exists()


@pytest.mark.parametrize("edit", [
    member("data/sample_inputs/model.pt", lambda trace: saved(Payload(trace))), edited(PROGRAM, guarded),
    member("extra/notes.txt", lambda trace: b"anything"),
    member("DATA/WEIGHTS/MODEL.PT", lambda trace: saved(Payload(trace))),
])  # fmt: skip
def test_what_is_not_needed_is_left_out_and_the_rest_works(good, source, tmp_path, edit):
    path, trace = altered(good, tmp_path, edit)
    assert outputs(provide(path, source, tmp_path), source.batch(slice(0, 2))).shape == (2, 10)
    assert not trace.exists()


def test_the_attacks_are_real(good, source, tmp_path):
    """The same pickle does run where the file is trusted: `classifier.trust` is what it says."""
    path, trace = altered(good, tmp_path, ATTACKS["weights as pickles"])
    with pytest.raises(ClassifierError):
        provide(path, source, tmp_path, trust=True)
    assert trace.exists()


def test_a_size_that_takes_for_ever_is_refused(good, tmp_path):
    def change(program: dict, trace: Path) -> None:
        values = program["graph_module"]["graph"]["tensor_values"]
        values["x"]["sizes"][0]["as_expr"]["expr_str"] = "9**9**9**9"

    with pytest.raises(Harmful, match="more than arithmetic"):
        harmless(altered(good, tmp_path, edited(PROGRAM, change))[0])


def test_a_tensor_of_nothing_that_claims_much_is_refused(good, tmp_path):
    def change(config: dict, trace: Path) -> None:
        next(iter(config["config"].values()))["tensor_meta"]["sizes"] = [{"as_int": 1 << 40}]

    def edit(members: dict[str, bytes], trace: Path) -> None:
        edited(WEIGHTS + "model_weights_config.json", change)(members, trace)
        members[WEIGHTS + "weight_0"] = b""

    with pytest.raises(Harmful, match="is empty and claims"):
        harmless(altered(good, tmp_path, edit)[0])


@pytest.mark.parametrize("made", [torch.jit.script, lambda net: torch.jit.trace(net, torch.zeros(2, 1, 8, 8))])
def test_torchscript_is_taken_and_becomes_onnx(source, tmp_path, made):
    net = Net().eval()
    torch.jit.save(made(net), tmp_path / "net.pt")
    x = source.batch(slice(0, 5))
    provided = provide(tmp_path / "net.pt", source, tmp_path)
    assert provided.onnx is not None
    np.testing.assert_allclose(outputs(provided, x), net(torch.from_numpy(x)).detach().numpy(), atol=1e-5)


class Saving(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Net()

    def forward(self, x):
        torch.save(x, "trace.txt")
        return self.inner(x)


def test_torchscript_that_writes_files_is_refused(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.jit.save(torch.jit.script(Saving().eval()), tmp_path / "net.pt")
    with pytest.raises(ClassifierError, match=r"is not opened: code/.* calls save, .* classifier\.trust: true"):
        provide("net.pt", source, tmp_path)
    assert not (tmp_path / "trace.txt").exists()


@pytest.mark.parametrize(("content", "told"), [
    (lambda: Net().state_dict(), r"holds the weights of a network \(\d+ tensors, the first conv\.weight\), and not"),
    (lambda: {"state_dict": Net().state_dict(), "epoch": 3}, r"the weights of a network .* bring it as classifier: "),
    (lambda: torch.zeros(3), "holds no network"),
    (lambda: Net(), "a pickle of Python classes, which would run code"),
])  # fmt: skip
def test_a_pt_file_of_anything_else_is_told_what_to_do(source, tmp_path, content, told):
    torch.save(content(), tmp_path / "net.pt")
    with pytest.raises(ClassifierError, match=told):
        provide(tmp_path / "net.pt", source, tmp_path)


def test_a_saved_model_is_never_unpickled(source, tmp_path):
    torch.save(Payload(tmp_path / "trace.txt"), tmp_path / "net.pth")
    with pytest.raises(ClassifierError, match="would run code"):
        provide(tmp_path / "net.pth", source, tmp_path)
    assert not (tmp_path / "trace.txt").exists()


def test_a_program_of_torch_export_under_another_name_is_told(good, source, tmp_path):
    (tmp_path / "net.pt").write_bytes(good.read_bytes())
    with pytest.raises(ClassifierError, match=r"give it the suffix \.pt2"):
        provide(tmp_path / "net.pt", source, tmp_path)


@pytest.mark.parametrize("wrapped", [
    lambda y: (y.mean(1), y), lambda y: {"features": y[:, :4], "logits": y}, lambda y: Answer(y),
    lambda y: [y[:, :, None, None]],
])  # fmt: skip
def test_outputs_as_people_have_them(source, wrapped):
    x = torch.from_numpy(source.batch(slice(0, 5)))
    net = Giving(wrapped).eval()
    assert torch.equal(plain("the classifier", net, source)(x), Net().eval()(x))


def test_a_dict_of_outputs_goes_through_a_file(source, tmp_path):
    x = torch.from_numpy(source.batch(slice(0, 3)))
    net = Giving(lambda y: {"features": y[:, :4], "logits": y}).eval()
    torch.export.save(torch.export.export(net, (x,), dynamic_shapes=BATCH), tmp_path / "net.pt2")
    provided = provide(tmp_path / "net.pt2", source, tmp_path)
    assert provided.onnx is not None
    np.testing.assert_allclose(outputs(provided, x.numpy()), Net().eval()(x).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize("shape", [(-1, 1), (-1,)])
def test_one_value_a_sample_becomes_two_classes(source, squash, shape):
    labels = (np.asarray(source.labels).astype(int) % 2).astype(str)
    two = Domain(source.stored, source.sample_shape, "image", labels)
    x = torch.from_numpy(source.batch(slice(0, 5)))
    net = Giving(lambda y: (y[:, 0].sigmoid() if squash else 5 * y[:, 0]).reshape(shape)).eval()
    made = plain("the classifier", net, two)(x)
    value = net(x).reshape(-1)
    probability = made[:, 1] if squash else made.softmax(1)[:, 1]
    assert made.shape == (5, 2)
    assert torch.allclose(probability, value if squash else value.sigmoid())


def test_outputs_without_a_value_for_each_class_are_told(source):
    with pytest.raises(ClassifierError, match=r"gives 0 \(16, 10, 2, 2\) for 16 samples; it must give \(16, classes\)"):
        plain("the classifier", Giving(lambda y: (y[:, :, None, None].expand(-1, -1, 2, 2),)).eval(), source)
