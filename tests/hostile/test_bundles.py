"""Bundles whose manifest says what is not so: nothing in it is believed, and every lie is told by its key or file."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
from hostilecases import Case, cases, check

from shiftlens.core.files import sha256_of
from shiftlens.core.testing.minibundle import bundle
from shiftlens.core.testing.realdata import samples


def grid(folder, out="grid.json"):
    x = samples("image")[0]
    for name, sample in zip(("one", "other"), x[:2], strict=True):
        np.save(folder / f"{name}.npy", sample)
    pair = ("--source", folder / "one.npy", "--target", folder / "other.npy")
    return "grid", folder / "bundle", *pair, "--out", folder / out


def saying(**changes):
    """A bundle with other values in its manifest; `None` under ``without`` leaves keys out."""

    def make(folder):
        path = bundle(folder / "bundle") / "manifest.json"
        raw = json.loads(path.read_text())
        for key in changes.get("without", ()):
            del raw[key]
        raw |= {key: value for key, value in changes.items() if key != "without"}
        path.write_text(json.dumps(raw))
        return grid(folder)

    return make


def text(content):
    def make(folder):
        (bundle(folder / "bundle") / "manifest.json").write_text(content)
        return grid(folder)

    return make


def swapped(first, second):
    """Two files in each other's place, with their right hashes."""

    def make(folder):
        home = bundle(folder / "bundle")
        os.rename(home / first, home / "x")
        if second is not None:
            os.rename(home / second, home / first)
        os.rename(home / "x", home / (second or first))
        raw = json.loads((home / "manifest.json").read_text())
        raw["files"] = {name: sha256_of(home / name) for name in raw["files"]}
        (home / "manifest.json").write_text(json.dumps(raw))
        return grid(folder)

    return make


def with_file(name, content=b"x"):
    def make(folder):
        (bundle(folder / "bundle") / name).write_bytes(content)
        return grid(folder)

    return make


def as_pipe(name):
    def make(folder):
        path = bundle(folder / "bundle") / name
        path.unlink()
        os.mkfifo(path)
        return grid(folder)

    return make


def out_is_input(folder):
    from PIL import Image

    bundle(folder / "bundle")
    for name in ("one", "other"):
        Image.fromarray(np.zeros((16, 16), np.uint8)).save(folder / f"{name}.png")
    pair = ("--source", folder / "one.png", "--target", folder / "other.png")
    return "grid", folder / "bundle", *pair, "--out", folder / "one.png"


def empty_folder(folder):
    (folder / "bundle").mkdir()
    return grid(folder)


def no_folder(folder):
    return grid(folder)


DIGITS = [str(k) for k in range(10)]
TABLE = [
    Case("as it is", saying(), quick=True),
    Case("no folder", no_folder, ("is no bundle",)),
    Case("an empty folder", empty_folder, ("is no bundle", "give the folder `bundle` of a run")),
    Case("100,000 lists in each other", text("[" * 100_000), ("manifest.json cannot be read",), quick=True),
    Case("another format", saying(format=99), ("in format 99", "export the run again")),
    Case("a format of another type", saying(format=[2]), ("in format [2]",)),
    Case("fewer classes", saying(classes=DIGITS[:5]), ("classifier.onnx", "5 classes"), quick=True),
    Case("more classes", saying(classes=[*DIGITS, "more"]), ("classifier.onnx", "11 classes")),
    Case("classes twice", saying(classes=["a"] * 10), ("classes", "different names")),
    Case("classes of another type", saying(classes=list(range(10))), ("classes", "different names")),
    Case("classes that are text", saying(classes="0123456789"), ("classes",)),
    Case("classes that are none", saying(classes=[]), ("classes",)),
    Case("classes in each other", saying(classes=[DIGITS]), ("classes",)),
    Case("an unknown kind", saying(kind="video"), ("kind: is 'video'", "image, series, tabular")),
    Case("another kind", saying(kind="series"), ()),
    Case("a shape of another size", saying(sample_shape=[1, 8, 8]), ("is made for (1, 8, 8)",)),
    Case("a shape with nothing in it", saying(sample_shape=[]), ("sample_shape",)),
    Case("a shape of words", saying(sample_shape=["1", "16", "16"]), ("sample_shape",)),
    Case("a shape below zero", saying(sample_shape=[1, -16, 16]), ("sample_shape",)),
    Case("a shape of nothing", saying(sample_shape=[0, 16, 16]), ("sample_shape",)),
    Case("a shape of everything", saying(sample_shape=[10**12, 16, 16]), ("sample_shape",)),
    Case("a latent of another size", saying(latent=3), ("does not fit manifest.json", "(3,)")),
    Case("a latent that is true", saying(latent=True), ("latent",)),
    Case("a latent of nothing", saying(latent=0), ("latent",)),
    Case("a loss that is text", saying(loss="cross-entropy"), ("loss",)),
    Case("a loss without a name", saying(loss={}), ("loss",)),
    Case("a loss that nobody offers", saying(loss={"name": "mine"}), ("needs the loss mine",)),
    Case("settings of a loss that are none", saying(loss={"name": "cross-entropy", "settings": {"x": 1}}), ("loss",)),
    Case("settings of a loss that are text", saying(loss={"name": "cross-entropy", "settings": "x"}), ("loss",)),
    Case("another interpolation", saying(grid={"interpolation": "cubic"}), ("grid",)),
    Case("a calibration that is text", saying(grid={"calibrate": "yes"}), ("grid",)),
    Case("another output", saying(classifier_output="words"), ("classifier_output",)),
    Case("an output that is a list", saying(classifier_output=["logits"]), ("classifier_output",)),
    Case("logits as probabilities", saying(classifier_output="probabilities"), ("probabilities",)),
    Case("no files", saying(files={}), ("bundle",)),
    Case("a hash that is none", saying(files={"encoder.onnx": "x", "decoder.onnx": "y"}), ("bundle",)),
    Case("a hash of another type", saying(files={"encoder.onnx": 1}), ("files",)),
    Case(
        "a path out of the folder", saying(files={"../../etc/passwd": "0" * 64}), ("do not belong there",), quick=True
    ),
    Case("models that are a list", saying(models=[]), ("models",)),
    Case("limits that are text", saying(limits="none"), ("limits",)),
    Case("precision that is text", saying(precision="int8"), ("precision",)),
    Case("accuracy that is text", saying(accuracy="high"), ("accuracy",)),
    Case("nothing under models", saying(without=["models"]), ("models: is missing",)),
    Case("keys of a newer version", saying(future={"a": 1}), ()),
    Case(
        "encoder and decoder swapped", swapped("encoder.onnx", "decoder.onnx"), ("encoder.onnx", "does not fit"), True
    ),
    Case("encoder and classifier swapped", swapped("encoder.onnx", "classifier.onnx"), ("does not fit",)),
    Case("decoder and classifier swapped", swapped("decoder.onnx", "classifier.onnx"), ("does not fit",)),
    Case("a file of another", with_file("more.onnx"), ("do not belong there: more.onnx",)),
    Case("a file that is cut", with_file("encoder.onnx"), ("encoder.onnx is not the file", "copy the bundle again")),
    Case("a pipe for a file", as_pipe("encoder.onnx"), ("lacks encoder.onnx",)),
    Case("a pipe for the manifest", as_pipe("manifest.json"), ("manifest.json is a pipe",), quick=True),
    Case("--out that is the source", out_is_input, ("--out", "one.png", "is the sample itself"), quick=True),
]


@cases(TABLE)
def test_a_bundle(case, tmp_path, capfd):
    check(case, tmp_path, capfd)


def test_a_bundle_that_was_copied_works(tmp_path, capfd):
    def make(folder):
        bundle(folder / "first")
        shutil.move(folder / "first", folder / "bundle")
        return grid(folder)

    check(Case("copied", make), tmp_path, capfd)
