"""Sessions: what a file takes and gives, casts, and files that are no models."""

from __future__ import annotations

import logging
import subprocess
import sys

import numpy as np
import pytest
from realdata import digits

from shiftlens.core.errors import InputError
from shiftlens.export.session import CPU, Session, cuda_devices, providers_usable


def test_it_tells_what_the_file_takes_and_gives(exported):
    session = Session(exported / "encoder.onnx", device="cpu")
    assert [(t.name, t.shape[1:], t.dtype) for t in session.inputs] == [
        ("x", (1, 8, 8), np.float32),
        ("loss", (), np.float32),
        ("label", (), np.int64),
    ]
    assert [(t.name, t.shape[1:]) for t in session.outputs] == [("z", (6,))]
    assert not isinstance(session.inputs[0].shape[0], int)
    assert session.metadata == {"shiftlens.part": "e"}
    assert session.provider == CPU


def test_inputs_are_cast_to_what_the_file_takes(exported, modules):
    import torch

    x = digits()[0][:3]
    loss, label = np.array([0.5, 1.0, 2.0]), np.array([1, 2, 3], dtype=np.int32)
    got = Session(exported / "encoder.onnx", device="cpu").run(
        x=x.astype(np.float64)[:, :, ::1], loss=loss, label=label
    )
    with torch.no_grad():
        expected = modules[0](torch.from_numpy(x), torch.tensor(loss, dtype=torch.float32), torch.tensor(label))
    assert got["z"].dtype == np.float32
    np.testing.assert_allclose(got["z"], expected.numpy(), atol=1e-5)


def test_a_model_in_memory_opens_too(exported):
    session = Session((exported / "classifier.onnx").read_bytes(), device="cpu", threads=1)
    assert session.run(x=digits()[0][:2])["logits"].shape == (2, 10)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: f.pop("loss"), "takes x, loss, label; it was given x, label"),
        (lambda f: f.update(extra=f["loss"]), "takes x, loss, label; it was given"),
        (lambda f: f.update(label=f["label"].astype(np.float64)), "input label takes int64, not float64"),
        (lambda f: f.update(x=f["x"][:, :, :7]), r"cannot be run on x \(2, 1, 7, 8\)"),
    ],
)
def test_inputs_that_do_not_fit_are_told(exported, change, told):
    feed = {"x": digits()[0][:2], "loss": np.zeros(2), "label": np.zeros(2, dtype=np.int64)}
    change(feed)
    with pytest.raises(InputError, match=told):
        Session(exported / "encoder.onnx", device="cpu").run(**feed)


@pytest.mark.parametrize("content", [b"", b"this is no model" * 30, None])
def test_a_file_that_is_no_model_is_named_without_noise(exported, tmp_path, capfd, content):
    path = tmp_path / "model.onnx"
    whole = (exported / "classifier.onnx").read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(InputError, match=r"model\.onnx cannot be opened as an ONNX model: .*check that the file"):
        Session(path)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*absent\.onnx"):
        Session(tmp_path / "absent.onnx")


@pytest.mark.skipif(cuda_devices() > 0, reason="this machine has a CUDA device")
def test_cuda_that_is_not_there_becomes_the_cpu_and_says_so(exported, capfd, caplog):
    with caplog.at_level(logging.WARNING, logger="shiftlens"):
        assert Session(exported / "classifier.onnx", device="cuda").provider == CPU
    assert "CUDA cannot be used here" in caplog.text
    assert providers_usable() == [CPU]
    assert capfd.readouterr() == ("", "")


def test_a_provider_that_cannot_be_loaded_makes_no_noise(exported, capfd, monkeypatch):
    """A driver that answers and CUDA libraries that are missing: ONNX Runtime's own error goes nowhere."""
    from shiftlens.export import session

    monkeypatch.setattr(session, "cuda_devices", lambda: 1)
    opened = session.Session(exported / "classifier.onnx", device="auto")
    assert opened.run(x=digits()[0][:1])["logits"].shape == (1, 10)
    assert capfd.readouterr() == ("", "")


def test_serving_needs_no_torch(exported):
    code = f"""
import sys
sys.modules["torch"] = None
import numpy as np
from pathlib import Path
from shiftlens.export import bundle, compose, grid_command, parity, session, sheet
opened = bundle.Bundle.open(Path({str(exported)!r}))
grid = bundle.grid_for_pair(opened, np.zeros((1, 8, 8), np.float32), np.ones((1, 8, 8), np.float32), "3")
print(grid.cells.shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(5, 5, 1, 8, 8)"
