"""``shiftlens export``: what is written, and what is refused with one message and nothing half-written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest

from shiftlens import Host, hookimpl, load_run
from shiftlens.core.cli import _run_command_line
from shiftlens.core.commands.export import Delivery, export_run
from shiftlens.core.errors import ExportError, InputError, PluginError, SettingsError
from shiftlens.core.host.kinds import ComponentSettings, Target
from shiftlens.export import Bundle


@pytest.fixture(scope="module")
def directory(demo_run, tmp_path_factory):
    """The run's bundle as the target directory writes it."""
    out = tmp_path_factory.mktemp("export") / "bundle"
    assert _run_command_line(["export", str(demo_run.run.path), "--target", "directory", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def pair(demo_run):
    """A real pair of the run ``(2, 3, 32, 32)``."""
    cells = demo_run.run.arrays["cells"][0]
    return np.stack([cells[0, 0], cells[-1, -1]])


def test_the_manifest_says_it_all(directory, demo_run):
    manifest = json.loads((directory / "manifest.json").read_text())
    results = demo_run.run.results
    assert manifest["accuracy"] == {"source": results.accuracy.source, "target": results.accuracy.target}
    assert manifest["fidelity"] == results.fidelity.model_dump()
    assert manifest["classes"] == results.classes
    assert manifest["normalisation"]["samples"] == "channels first, values in [0, 1]"
    assert {"torch", "onnx", "numpy"} <= set(manifest["versions"])
    assert (directory / manifest["licence"].split()[0]).is_file()
    grid = manifest["models"]["grid.onnx"]
    assert [t["name"] for t in grid["inputs"]] == ["source", "target", "label", "loss", "n_features", "n_losses"]
    assert grid["inputs"][0] == {
        "name": "source",
        "shape": ["pairs", 3, 32, 32],
        "type": "float32",
        "range": [0.0, 1.0],
        "meaning": "one source sample for each pair",
    }
    assert all(t["meaning"] for m in manifest["models"].values() for t in (*m["inputs"], *m["outputs"]))


def test_a_file_alone_is_understood(directory):
    manifest = json.loads((directory / "manifest.json").read_text())
    for name in manifest["files"]:
        told = {entry.key: entry.value for entry in onnx.load(directory / name).metadata_props}
        assert told["shiftlens.part"] == name.removesuffix(".onnx")
        assert json.loads(told["shiftlens.classes"]) == manifest["classes"]
        assert json.loads(told["shiftlens.outputs"]) == manifest["models"][name]["outputs"]
        assert json.loads(told["shiftlens.fidelity"]) == manifest["fidelity"]
        assert told["shiftlens.classifier_sha256"] == manifest["provenance"]["shiftlens.classifier_sha256"]


def test_the_classifier_is_wrapped_and_never_altered(directory, demo_run):
    before = onnx.load(demo_run.run.bundle / "classifier.onnx")
    after = onnx.load(directory / "classifier.onnx")
    assert after.graph.SerializeToString(deterministic=True) == before.graph.SerializeToString(deterministic=True)
    assert list(after.opset_import) == list(before.opset_import)


def test_the_export_serves_in_a_process_that_has_numpy_and_onnxruntime_only(directory, pair, tmp_path):
    np.save(tmp_path / "pair.npy", pair)
    code = f"""
import importlib.abc, sys
ALLOWED = {{"numpy", "onnxruntime", "shiftlens"}}
class Nothing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in ALLOWED and top not in sys.stdlib_module_names and not top.startswith("_"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Nothing())
import numpy as np
from concurrent.futures import ThreadPoolExecutor
from shiftlens.export import Bundle
source, target = np.load({str(tmp_path / "pair.npy")!r})
bundle = Bundle.open({str(directory)!r}, device="cpu")
with ThreadPoolExecutor(8) as pool:
    grids = list(pool.map(lambda n: bundle.grid(source, target, features=3 + n % 2, losses=4), range(16)))
for n, grid in enumerate(grids):
    assert grid.cells.shape == (4, 3 + n % 2, 3, 32, 32)
    for got, first in zip(grid, grids[n % 2]):
        np.testing.assert_allclose(got, first, atol=1e-6)
assert not {{"torch", "onnx", "pydantic", "pluggy"}} & set(sys.modules)
np.save({str(tmp_path / "measured.npy")!r}, grids[0].measured)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = Bundle.open(directory, device="cpu").grid(*pair, features=3, losses=4)
    np.testing.assert_allclose(np.load(tmp_path / "measured.npy"), expected.measured, atol=1e-5)


def test_the_python_example_runs(directory, pair, tmp_path):
    for name, x in zip(("source", "target"), pair, strict=True):
        np.save(tmp_path / f"{name}.npy", x)
    script = directory / "examples" / "python" / "grid.py"
    command = [sys.executable, script, tmp_path / "source.npy", tmp_path / "target.npy", "3"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = Bundle.open(directory, device="cpu").grid(*pair, label="3")
    np.testing.assert_allclose(json.loads(done.stdout)["measured"][0], expected.measured, atol=1e-5)


def unchanged(folder):
    return not list(folder.iterdir())


def test_a_run_that_is_not_finished_is_refused(demo_run, tmp_path):
    begun = shutil.copytree(demo_run.run.path, tmp_path / "run")
    for stage in ("explain", "render"):
        (begun / "stages" / f"{stage}.json").unlink()
    with pytest.raises(InputError, match=r"is not finished: explain, render is missing; finish it with"):
        export_run(load_run(begun), Delivery("directory"), tmp_path / "o" / "out", Host())
    assert not (tmp_path / "o").exists()


def test_a_folder_that_is_not_empty_is_refused(demo_run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"out is not empty; give a new or an empty folder"):
        export_run(demo_run.run, Delivery("directory"), tmp_path / "out", Host())
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "mine.txt"]


@pytest.mark.parametrize("target", ["triton", "mlserver"])
def test_an_opset_that_the_server_does_not_know_is_refused(demo_run, tmp_path, target):
    with pytest.raises(
        ExportError, match=r"\.onnx has ONNX opset 20, and a server for opset 17 knows up to 17: take a"
    ):
        export_run(demo_run.run, Delivery(target, ["opset=17"]), tmp_path / "out", Host())
    assert unchanged(tmp_path)


def test_a_bundle_of_a_newer_format_is_refused(demo_run, tmp_path):
    run = shutil.copytree(demo_run.run.path, tmp_path / "run")
    manifest = json.loads((run / "bundle" / "manifest.json").read_text())
    (run / "bundle" / "manifest.json").write_text(json.dumps({**manifest, "format": 99, "shiftlens": "7.0"}))
    with pytest.raises(InputError, match=r"written by shiftlens 7\.0 in format 99; .* reads format 2: export the run"):
        export_run(load_run(run), Delivery("directory"), tmp_path / "out", Host())
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_setting_that_is_none_is_told(demo_run, tmp_path):
    with pytest.raises(SettingsError, match=r'instances.*did you mean|did you mean "instances"'):
        export_run(demo_run.run, Delivery("triton", ["instance=2"]), tmp_path / "out", Host())
    with pytest.raises(SettingsError, match=r'there is no target "tritom"; did you mean "triton"'):
        export_run(demo_run.run, Delivery("tritom"), tmp_path / "out", Host())
    assert unchanged(tmp_path)


def test_a_plugins_target_that_fails_leaves_nothing(demo_run, tmp_path):
    def build(settings):
        def write(bundle, out):
            (out / "half.txt").write_text("half")
            raise RuntimeError("disk on fire")

        return write

    class Plugin:
        @hookimpl
        def shiftlens_targets(self):
            yield Target(name="burning", summary="fails", settings=ComponentSettings, build=build)

    with pytest.raises(PluginError, match='the target "burning" failed: RuntimeError: disk on fire'):
        export_run(demo_run.run, Delivery("burning"), tmp_path / "out", Host([Plugin()]))
    assert unchanged(tmp_path)


@pytest.mark.slow
def test_int8_is_smaller_and_tells_what_it_costs(demo_run, tmp_path, capsys):
    command = ["export", str(demo_run.run.path), "--target", "directory", "--out", str(tmp_path / "out"), "--quiet"]
    assert _run_command_line([*command, "--precision", "int8", "--accept-loss", "0.05"]) == 0
    assert " before, " in capsys.readouterr().err
    precision = json.loads((tmp_path / "out" / "manifest.json").read_text())["precision"]
    assert precision["classifier"] == "int8"
    assert precision["accuracy_float32"] - precision["accuracy_int8"] <= 0.05
    sizes = [(folder / "classifier.onnx").stat().st_size for folder in (tmp_path / "out", demo_run.run.bundle)]
    assert sizes[0] < 0.5 * sizes[1]
    opened = Bundle.open(tmp_path / "out", device="cpu")
    x = np.random.default_rng(0).random((2, 3, 32, 32), dtype=np.float32)
    cells = opened.grid(x[0], x[1], label=3)
    again = opened.predict(cells.cells.reshape(-1, 3, 32, 32)).reshape(5, 5, -1)
    assert np.abs(again - cells.probabilities).max() < 0.2, "the grid must be made with the int8 classifier"


@pytest.mark.slow
def test_int8_that_costs_more_than_is_accepted_is_refused(demo_run, tmp_path, monkeypatch):
    from shiftlens.export import quantise

    rounded = quantise.quantise

    def coarse(path, batches):
        """Weights so coarse that the accuracy goes."""
        rounded(path, (np.zeros_like(x) for x in batches))

    monkeypatch.setattr(quantise, "quantise", coarse)
    with pytest.raises(ExportError, match=r"int8 costs \d+\.\d points of accuracy .* more than the 1\.0 that are"):
        export_run(demo_run.run, Delivery("directory", precision="int8"), tmp_path / "out", Host())
    assert unchanged(tmp_path)
