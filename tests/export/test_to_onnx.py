"""Exports: dynamic batch, clean files, silence, and networks that cannot be exported."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from realdata import digits

from shiftlens.core.errors import ExportError
from shiftlens.export.graphs import OPSET
from shiftlens.export.parity import check_parity
from shiftlens.export.session import Session
from shiftlens.export.to_onnx import on_numpy, to_onnx


class Small(torch.nn.Module):
    """Convolution, batch norm, dropout: all that behaves otherwise in train mode."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 3, stride=2)
        self.norm = torch.nn.BatchNorm2d(4)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.norm(self.conv(x)).relu()).flatten(1)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    torch.manual_seed(0)
    module = Small().eval()
    path = tmp_path_factory.mktemp("export") / "small.onnx"
    to_onnx(module, (torch.from_numpy(digits()[0][:2]),), ["x"], ["h"], path, {"shiftlens.seed": "0"})
    return module, path


def test_the_file_agrees_with_the_module_at_any_batch(small):
    module, path = small
    x = digits()[0]
    facts = check_parity(path, on_numpy(module, ["h"]), lambda batch: {"x": x[:batch]}, batches=(1, 2, 7, 100))
    assert facts["largest_difference"]["h"] < 1e-5
    assert facts["batches"] == [1, 2, 7, 100]


def test_the_file_tells_nothing_of_this_machine(small):
    path = small[1]
    content = path.read_bytes()
    for trace in (__file__, "site-packages", "/torch/", Small.__qualname__ + "(", "def forward"):
        assert trace.encode() not in content
    model = onnx.load(path)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert [p.name for p in path.parent.iterdir()] == ["small.onnx"], "weights must not stand in a file of their own"


def test_provenance_comes_back(small):
    assert Session(small[1], device="cpu").metadata == {"shiftlens.seed": "0"}


def test_train_mode_is_refused(tmp_path):
    module = Small().eval()
    module.drop.train()
    with pytest.raises(ExportError, match=r"Small is in train mode \(drop\); call \.eval\(\)"):
        to_onnx(module, (torch.zeros(2, 1, 8, 8),), ["x"], ["h"], tmp_path / "m.onnx", {})


def test_a_batch_size_written_into_the_code_is_told(tmp_path):
    class Fixed(torch.nn.Module):
        def forward(self, x):
            return x.reshape(2, -1)

    with pytest.raises(ExportError, match="fixed batch"):
        to_onnx(Fixed().eval(), (torch.zeros(2, 3),), ["x"], ["y"], tmp_path / "m.onnx", {})
    assert not list(tmp_path.iterdir())


def test_code_that_branches_on_values_is_told_silently(tmp_path, capfd):
    class Branching(torch.nn.Module):
        def forward(self, x):
            return x * 2 if float(x.sum()) > 0 else x

    with pytest.raises(ExportError, match="Branching cannot be exported to ONNX with a dynamic batch: "):
        to_onnx(Branching().eval(), (torch.zeros(2, 3),), ["x"], ["y"], tmp_path / "m.onnx", {})
    assert capfd.readouterr() == ("", "")


def test_an_operator_that_onnx_lacks_is_named_with_its_layer(tmp_path):
    class Rotation(torch.nn.Module):
        def forward(self, x):
            return torch.linalg.qr(x.unflatten(1, (2, 4)))[1].flatten(1)

    class Deep(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.Sequential(torch.nn.Linear(8, 8), Rotation())

        def forward(self, x):
            return self.body(x)

    with pytest.raises(ExportError, match=r"Deep .* the layer body\.1 \(Rotation\) uses aten\.linalg_qr, .*write that"):
        to_onnx(Deep().eval(), (torch.zeros(2, 8),), ["x"], ["y"], tmp_path / "m.onnx", {})
    assert not list(tmp_path.iterdir())


def test_an_example_of_one_is_refused(tmp_path):
    with pytest.raises(ExportError, match="at least 2"):
        to_onnx(Small().eval(), (torch.zeros(1, 1, 8, 8),), ["x"], ["h"], tmp_path / "m.onnx", {})


def test_parity_names_what_differs(small):
    module, path = small
    x = digits()[0]

    def inputs(batch):
        return {"x": x[:batch]}

    right = on_numpy(module, ["h"])
    with pytest.raises(ExportError, match="the outputs are called h; expected y"):
        check_parity(path, lambda feed: {"y": right(feed)["h"]}, inputs)
    with pytest.raises(ExportError, match="the inputs are called x; expected samples"):
        check_parity(path, lambda feed: right({"x": feed["samples"]}), lambda batch: {"samples": x[:batch]})
    with pytest.raises(ExportError, match=r"at batch 1, output h has shape \(1, 36\); the original has \(1, 35\)"):
        check_parity(path, lambda feed: {"h": right(feed)["h"][:, :-1]}, inputs)

    def off(feed):
        h = right(feed)["h"].copy()
        if len(h) == 7:
            h[5, 3] += 0.25
        return {"h": h}

    with pytest.raises(ExportError, match=r"at batch 7, output h differs .* at \(5, 3\)"):
        check_parity(path, off, inputs)


def test_parity_does_not_take_nan_for_agreement(small):
    module, path = small
    right = on_numpy(module, ["h"])
    with pytest.raises(ExportError, match="differs"):
        check_parity(path, lambda feed: {"h": right(feed)["h"] * np.float32("nan")}, lambda b: {"x": digits()[0][:b]})
