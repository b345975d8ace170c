"""What init does with a classifier that is brought along: it opens it, tries it, and names better ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from foundonnx import FLATTEN, KINDS, fitted, graph, node
from onnx import TensorProto
from PIL import Image
from realdata import digits

from shiftlens import Host, load_settings
from shiftlens.core.commands.init import write_settings

HOST = Host()
NAMES = ("0", "90", "180", "270")


def folder(path: Path, names: tuple[str, ...], side: int = 8, exif: int | None = None) -> Path:
    """Digits below as many, each in the folder of its name; perhaps with an EXIF turn."""
    tag = Image.Exif()
    if exif is not None:
        tag[0x0112] = exif
    x, y = digits()
    for index in np.flatnonzero(y < len(names))[:80]:
        place = path / names[y[index]]
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((x[index, 0] * 255).astype(np.uint8)).resize((side, side), Image.Resampling.NEAREST)
        picture.save(place / f"{index}.png", exif=tag)
    return path


def first_four(path: Path, order: tuple[str, ...], last: str | None = None) -> Path:
    """The linear classifier of digits, its outputs 0 to 3 in another order."""
    graph(
        path, ["N", 1, 8, 8], FLATTEN, after=[node("Identity", "y", "p")], outputs=[("p", TensorProto.FLOAT, ["N", 4])]
    )
    model = onnx.load(path)
    chosen = [NAMES.index(name) for name in order]
    for tensor, values in zip(model.graph.initializer, (fitted().coef_.T, fitted().intercept_), strict=True):
        tensor.CopyFrom(onnx.numpy_helper.from_array(values[..., chosen].astype(np.float32), tensor.name))
    if last is not None:
        model.graph.node[-1].op_type = last
    onnx.save(model, path)
    return path


def written(tmp_path: Path, source: Path, target: Path, classifier: Path) -> tuple[dict, str]:
    path = write_settings(tmp_path / "an", source, target, str(classifier), HOST)
    load_settings(path, HOST)
    text = path.read_text()
    return yaml.safe_load(text), text


def test_the_class_order_of_the_training_is_written(tmp_path: Path) -> None:
    data = folder(tmp_path / "before", NAMES)
    raw, text = written(tmp_path, data, data, first_four(tmp_path / "net.onnx", tuple(sorted(NAMES))))
    assert raw["classifier"]["classes"] == ["0", "180", "270", "90"]
    assert "# QUESTION: With its classes in another order (as text" in text


def test_a_class_order_that_is_right_is_left_alone(tmp_path: Path) -> None:
    data = folder(tmp_path / "before", NAMES)
    raw, text = written(tmp_path, data, data, first_four(tmp_path / "net.onnx", NAMES))
    assert set(raw["classifier"]) == {"path"}
    assert "QUESTION" not in text


def test_both_accuracies_of_an_exif_turn_are_told(tmp_path: Path) -> None:
    before, after = folder(tmp_path / "before", NAMES), folder(tmp_path / "after", NAMES, exif=6)
    _, text = written(tmp_path, before, after, first_four(tmp_path / "net.onnx", NAMES))
    (question,) = [line for line in text.splitlines() if line.startswith("# QUESTION")]
    assert "80 pictures with an EXIF turn, read with exif: turn" in question
    assert "With exif: ignore it would be right on" in question


def test_a_sigmoid_for_each_class_is_asked_about(tmp_path: Path) -> None:
    data = folder(tmp_path / "before", NAMES)
    _, text = written(tmp_path, data, data, first_four(tmp_path / "net.onnx", NAMES, last="Sigmoid"))
    assert "# QUESTION: The classifier's outputs lie between 0 and 1" in text
    assert "multi-label" in text


@pytest.mark.parametrize("kind", ["plain", "channels last, batch of 1", "colour"])
def test_the_classifier_says_the_size_and_the_colours(tmp_path: Path, kind: str) -> None:
    data = folder(tmp_path / "before", tuple("0123456789"), side=20)
    raw, text = written(tmp_path, data, data, KINDS[kind](tmp_path / "net.onnx"))
    assert raw["source"]["size"] == raw["target"]["size"] == [8, 8]
    assert raw["source"]["mode"] == ("RGB" if kind == "colour" else "L")
    assert "QUESTION" not in text


def test_a_file_that_is_no_model_is_one_question(tmp_path: Path) -> None:
    data = folder(tmp_path / "before", NAMES)
    (tmp_path / "net.onnx").write_bytes(b"no model")
    raw, text = written(tmp_path, data, data, tmp_path / "net.onnx")
    assert raw["classifier"] == {"path": "../net.onnx"}
    assert "cannot be opened as an ONNX model" in text
