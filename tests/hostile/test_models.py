"""Classifier files that are damaged, endless, enormous, or lead elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest
from hostilecases import Case, cases, check
from onnx import TensorProto, helper, numpy_helper
from tinyanalysis import write_tiny

from shiftlens.export import session


def classifier(alter=lambda path: None, name="classifier.onnx", until="score", inspected=False, **settings):
    """The smallest analysis with its classifier altered, or another file in its place; or that file inspected."""

    def make(folder):
        config = write_tiny(folder, classifier={"path": name, **settings})
        alter(folder / name)
        if inspected:
            return "inspect", folder / name
        return "run", config, "--out", folder / "out", "--until", until, "--quiet"

    return make


def content(data):
    return lambda path: path.write_bytes(data)


def cut(share):
    def alter(path):
        raw = path.read_bytes()
        path.write_bytes(raw[: int(len(raw) * share)])

    return alter


def model(change):
    """The classifier's graph changed."""

    def alter(path):
        loaded = onnx.load(path)
        change(loaded)
        path.write_bytes(loaded.SerializeToString())

    return alter


def node(kind, inputs, outputs, **attributes):
    """One node at the end, whose output is the answer."""

    def change(loaded):
        loaded.graph.node.append(helper.make_node(kind, inputs, outputs, **attributes))
        loaded.graph.output[0].name = outputs[0]

    return model(change)


def endless(loaded):
    """A loop whose condition is always true, around the answer."""
    graph = loaded.graph
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["still"]),
            helper.make_node("Identity", ["state"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    graph.node.append(helper.make_node("Loop", ["", "yes", "logits"], ["looped"], body=body))
    graph.output[0].name = "looped"


def weight(**values):
    """The first weight claims something else."""

    def change(loaded):
        tensor = loaded.graph.initializer[0]
        for name, value in values.items():
            if name == "dims":
                del tensor.dims[:]
                tensor.dims.extend(value)
            else:
                setattr(tensor, name, value)

    return model(change)


def kept_in(location, **more):
    """The first weight stands in another file."""

    def change(loaded):
        tensor = loaded.graph.initializer[0]
        raw = tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, "length": str(len(raw)), **more}.items():
            tensor.external_data.add(key=key, value=value)

    return model(change)


def beside(name, data, alter=lambda path: None):
    """Another file beside the classifier."""

    def both(path):
        alter(path)
        place = path.with_name(name)
        if data is None:
            os.mkfifo(place)
        elif isinstance(data, str):
            place.symlink_to(data)
        else:
            place.write_bytes(data)

    return both


def nested(depth):
    """Conditions in each other."""

    def change(loaded):
        def branch(name, node):
            result = helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, None)
            return helper.make_graph([node], name, [], [result])

        inner = helper.make_node("Identity", ["logits"], ["deep0"])
        for level in range(1, depth + 1):
            other = branch(f"e{level}", helper.make_node("Identity", ["logits"], [f"else{level}"]))
            then = branch(f"t{level}", inner)
            inner = helper.make_node("If", ["yes"], [f"deep{level}"], then_branch=then, else_branch=other)
        loaded.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
        loaded.graph.node.append(inner)
        loaded.graph.output[0].name = f"deep{depth}"

    return model(change)


def metadata(key, value):
    return model(lambda loaded: loaded.metadata_props.add(key=key, value=value))


def shape(*dims):
    def change(loaded):
        value = loaded.graph.input[0].type.tensor_type.shape
        del value.dim[:]
        for dim in dims:
            added = value.dim.add()
            if isinstance(dim, int):
                added.dim_value = dim

    return model(change)


def without(what):
    return model(lambda loaded: loaded.graph.ClearField(what))


def laughs():
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "\n".join(lines).encode()


def pipe(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def folder(path):
    path.unlink(missing_ok=True)
    path.mkdir()


def device(path):
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


OWN = ("classifier.onnx",)
ONNX = [
    Case("a classifier", classifier(), quick=True),
    Case("nothing in the file", classifier(content(b"")), OWN, quick=True),
    Case("text", classifier(content(b"hello\n" * 99)), OWN),
    Case("a page of an error", classifier(content(b"<html>404 Not Found</html>")), OWN),
    Case("a pointer of Git LFS", classifier(content(b"version https://git-lfs.github.com/spec/v1\noid 0\n")), OWN),
    Case("zeros", classifier(content(bytes(9999))), OWN),
    Case("a pickle", classifier(content(b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00N.")), OWN),
    *[Case(f"cut at {share:.0%}", classifier(cut(share)), OWN) for share in (0.1, 0.5, 0.9, 0.99)],
    Case("a pipe", classifier(pipe), OWN, quick=True),
    Case("a pipe, inspected", classifier(pipe, inspected=True), OWN),
    Case("a folder", classifier(folder), OWN),
    Case("a folder, inspected", classifier(folder, inspected=True), OWN),
    Case("a device", classifier(device), OWN),
    Case("no nodes", classifier(without("node")), OWN),
    Case("no inputs", classifier(without("input")), OWN),
    Case("no outputs", classifier(without("output")), OWN),
    Case("no weights", classifier(without("initializer")), OWN),
    Case("no graph", classifier(model(lambda m: m.ClearField("graph"))), OWN),
    Case("no opset", classifier(model(lambda m: m.ClearField("opset_import"))), OWN),
    Case("an opset of the future", classifier(model(lambda m: setattr(m.opset_import[0], "version", 999))), OWN),
    Case("a version of the future", classifier(model(lambda m: setattr(m, "ir_version", 999))), OWN),
    Case("an operator that is not there", classifier(node("Classify", ["logits"], ["y"])), OWN, quick=True),
    Case("an operator of another domain", classifier(node("Run", ["logits"], ["y"], domain="evil")), OWN),
    Case("a node that needs what comes later", classifier(node("Identity", ["y2"], ["y"])), OWN),
    Case("a circle", classifier(model(lambda m: m.graph.node[0].input.__setitem__(0, "logits"))), OWN),
    Case("a weight that claims a terabyte", classifier(weight(dims=[2**20, 2**20])), OWN, alone=True),
    Case("a weight that claims more than numbers count", classifier(weight(dims=[2**62, 2**62])), OWN, alone=True),
    Case("a weight of negative size", classifier(weight(dims=[-6, -2])), OWN, alone=True),
    Case("a weight of another type", classifier(weight(data_type=TensorProto.STRING)), OWN, alone=True),
    Case("a weight of no type", classifier(weight(data_type=0)), OWN, alone=True),
    Case("a weight of a type that is not there", classifier(weight(data_type=99)), OWN, alone=True),
    Case("a constant of a terabyte made in the graph", classifier(node("Expand", ["logits", "big"], ["y"])), OWN),
    Case("weights in a file that is not there", classifier(kept_in("w.bin")), ("w.bin", "copy that file")),
    Case("weights in a file above", classifier(kept_in("../w.bin")), ("outside its own folder",)),
    Case("weights in /etc/passwd", classifier(kept_in("/etc/passwd")), ("outside its own folder",), quick=True),
    Case("weights in a pipe", classifier(beside("w.bin", None, kept_in("w.bin"))), ("w.bin",)),
    Case(
        "weights in a link that leads away",
        classifier(beside("w.bin", "/etc/passwd", kept_in("w.bin"))),
        ("outside its own folder",),
    ),
    Case("weights in a device", classifier(beside("w.bin", "/dev/zero", kept_in("w.bin"))), ("w.bin",)),
    Case(
        "weights in a file that is short", classifier(beside("w.bin", b"123", kept_in("w.bin"))), ("classifier.onnx",)
    ),
    Case(
        "weights at a negative place",
        classifier(beside("w.bin", bytes(99), kept_in("w.bin", offset="-5"))),
        ("classifier.onnx",),
    ),
    Case(
        "weights at a place that is a word",
        classifier(beside("w.bin", bytes(99), kept_in("w.bin", offset="x"))),
        ("classifier.onnx",),
    ),
    Case("8 conditions in each other", classifier(nested(8))),
    Case("20 conditions in each other", classifier(nested(20))),
    Case("names of another count in the metadata", classifier(metadata("names", '["a", "b", "c"]'))),
    Case("100,000 lists in the metadata", classifier(metadata("names", "[" * 100_000))),
    Case("laughs in the metadata", classifier(metadata("names", laughs().decode()))),
    Case("laughs beside the model", classifier(beside("labels.yaml", laughs())), quick=True),
    Case("an odd date beside the model", classifier(beside("labels.yaml", b"a: 2024-13-77\n"))),
    Case("binary beside the model", classifier(beside("labels.txt", bytes(range(256)) * 99))),
    Case("40 MB beside the model", classifier(beside("labels.txt", b"x\n" * (20 << 20)))),
    Case("a pipe beside the model", classifier(beside("labels.txt", None))),
    Case("a device beside the model", classifier(beside("labels.json", "/dev/zero"))),
    Case("an input of no sizes", classifier(shape()), OWN),
    Case("an input of 2⁶² values", classifier(shape(None, 2**62)), OWN),
    Case("an input of 2⁶² values, inspected", classifier(shape(None, 2**62), inspected=True)),
    Case("an input of 10⁹ rows", classifier(shape(10**9, 6)), OWN, alone=True),
    Case("an input of 10⁹ rows, inspected", classifier(shape(10**9, 6), inspected=True), alone=True),
    Case("answers that are not numbers", classifier(node("Cast", ["logits"], ["y"], to=TensorProto.STRING)), OWN),
    Case("answers that are nan", classifier(node("Log", ["negative"], ["y"])), OWN),
    Case("no answers", classifier(node("Shape", ["logits"], ["y"])), OWN),
    Case("text as a torch file", classifier(content(b"hello"), "classifier.pt"), ("classifier.pt",)),
    Case("text as a file of torch.export", classifier(content(b"hello"), "classifier.pt2"), ("classifier.pt2",)),
    Case("a pipe as a torch file", classifier(pipe, "classifier.pt"), ("classifier.pt",)),
    Case("a pipe as a file of torch.export", classifier(pipe, "classifier.pt2"), ("classifier.pt2",)),
    Case("a folder as a torch file", classifier(folder, "classifier.pt"), ("classifier.pt",)),
    Case("a device as a torch file", classifier(device, "classifier.pt"), ("classifier.pt",)),
    Case(
        "an empty archive as a torch file",
        classifier(content(b"PK\x05\x06" + bytes(18)), "classifier.pt"),
        ("classifier.pt",),
    ),
    Case(
        "an empty archive of torch.export",
        classifier(content(b"PK\x05\x06" + bytes(18)), "classifier.pt2"),
        ("classifier.pt2",),
    ),
    Case("a model of Keras", classifier(content(b"\x89HDF\r\n\x1a\n"), "classifier.h5"), ("classifier.h5",)),
    Case("a pickled model", classifier(content(b"\x80\x04N."), "classifier.pkl"), ("classifier.pkl",)),
]


@cases(ONNX)
def test_models(case, tmp_path, capfd):
    check(case, tmp_path, capfd)


def heard():
    """Hear Ctrl-C, which what a shell starts in the background does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_a_loop_without_an_end_is_told_and_ended_by_ctrl_c(tmp_path):
    command = [str(word) for word in classifier(model(endless))(tmp_path)]
    code = "from shiftlens.export import session; session.PATIENCE = 0.5\nfrom shiftlens.core import cli; cli.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=heard,
    )
    told = process.stderr.readline()  # comes only because the watchdog tells
    assert "classifier.onnx" in told or "the ONNX model" in told
    assert "Ctrl-C stops" in told
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "goes on where it stopped" in err


def test_a_model_that_takes_long_is_told_by_name(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(session, "PATIENCE", 0.0)
    write_tiny(tmp_path)
    opened = session.Session(tmp_path / "classifier.onnx", device="cpu")
    told = ""
    x = np.zeros((3, 6), np.float32)
    while "has been" not in told:  # a call of no time is seen by the watchdog only now and then
        opened.run(x=x)
        told += capfd.readouterr().err
    assert str(tmp_path / "classifier.onnx") in told
