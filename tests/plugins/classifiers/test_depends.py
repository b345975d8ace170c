"""A callable whose weights have changed is asked anew, however it came by them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from smallanalysis import stages_done, weights, write_analysis, write_onnx

from shiftlens import load_run
from shiftlens.core.errors import ClassifierError, InputError

HERE = "import numpy as np, pathlib\nhere = pathlib.Path(__file__).parent\n"
PREDICT = "def predict(x): return x @ w + b\n"
ORT = """
import onnxruntime
session = onnxruntime.InferenceSession(str(here / "inner.onnx"), providers=["CPUExecutionProvider"])
def predict(x): return session.run(None, {"x": x})[0]
"""
WAYS = {
    "npz": ("weights.npz", "loaded = np.load(here / 'weights.npz')\nw, b = loaded['w'], loaded['b']\n" + PREDICT),
    "a relative path": ("weights.npz", "loaded = np.load('weights.npz')\nw, b = loaded['w'], loaded['b']\n" + PREDICT),
    "subfolder": ("models/v1/w.npy", "w = np.load(here / 'models' / 'v1' / 'w.npy')\nb = 0\n" + PREDICT),
    "memory-mapped": ("w.npy", "w = np.load(here / 'w.npy', mmap_mode='r')\nb = 0\n" + PREDICT),
    "pickle": ("w.pkl", "import pickle\nw = pickle.loads((here / 'w.pkl').read_bytes())\nb = 0\n" + PREDICT),
    "os.open": (
        "w.raw",
        "import os\nf = os.open(here / 'w.raw', os.O_RDONLY)\n"
        "w, b = np.frombuffer(os.read(f, 9999), 'f4').reshape(16, 10), 0\n" + PREDICT,
    ),
    "a module of its own": ("helper.py", "from helper import w\nb = 0\n" + PREDICT),
    "when it is made": (
        "w.npy",
        "class Made:\n    def __init__(self): self.w = np.load(here / 'w.npy')\n"
        "    def __call__(self, x): return x @ self.w\ndef predict(): return Made()\n",
    ),
    "at the first call": (
        "w.npy",
        "w = None\ndef predict(x):\n    global w\n    if w is None: w = np.load(here / 'w.npy')\n    return x @ w\n",
    ),
    "torch": (
        "w.pt",
        "import torch\ndef predict():\n    net = torch.nn.Linear(16, 10)\n"
        "    net.load_state_dict(torch.load(here / 'w.pt', weights_only=True))\n    return net\n",
    ),
    "named by files()": ("inner.onnx", ORT + "predict.files = lambda: ['inner.onnx']\n"),
    "named by a method": (
        "inner.onnx",
        ORT + "class Served:\n    def files(self): return [here / 'inner.onnx']\n"
        "    def __call__(self, x): return session.run(None, {'x': x})[0]\npredict = Served()\n",
    ),
    "named in the settings": ("inner.onnx", ORT),
    "a folder named in the settings": ("inner.onnx", ORT),
}


def write_weights(path, good):
    """Weights in the form that the file's name asks for; bad ones turn the answers round."""
    w, b = weights()
    w, b = (w, b) if good else (-w, -b)
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffix:
        case ".npz":
            np.savez(path, w=w, b=b)
        case ".npy":
            np.save(path, w)
        case ".pkl":
            path.write_bytes(pickle.dumps(w))
        case ".raw":
            path.write_bytes(w.tobytes())
        case ".py":
            path.write_text(f"import numpy as np\nw = np.array({w.tolist()}, 'f4')  # {'good' if good else 'bad'}\n")
        case ".pt":
            import torch

            torch.save({"weight": torch.from_numpy(w.T.copy()), "bias": torch.from_numpy(b)}, path)
        case ".onnx":
            write_onnx(path, good=good)


@pytest.fixture
def analysis(tmp_path, monkeypatch):
    """Write an analysis with a callable that gets its weights in one of the ways."""
    monkeypatch.chdir(tmp_path)

    def write(way):
        file, code = WAYS[way]
        depends = {"named in the settings": ["inner.onnx"], "a folder named in the settings": ["."]}.get(way, [])
        config = write_analysis(tmp_path, classifier={"path": "served:predict", "depends": depends})
        if way == "a folder named in the settings":
            (tmp_path / "model").mkdir()
            (tmp_path / "served.py").write_text(HERE + code.replace('here / "inner', 'here / "model" / "inner'))
            config = write_analysis(tmp_path, classifier={"path": "served:predict", "depends": ["model"]})
            return config, tmp_path / "model" / file
        (tmp_path / "served.py").write_text(HERE + code)
        return config, tmp_path / file

    return write


def accuracy(out):
    return load_run(out).record("score").facts["source"]["accuracy"]


ALIKE = ("subfolder", "pickle", "when it is made", "torch", "named by a method", "named in the settings")
"""Ways that end where another one does: tried where slow tests run."""


@pytest.mark.parametrize("way", [pytest.param(w, marks=pytest.mark.slow if w in ALIKE else ()) for w in WAYS])
def test_changed_weights_are_noticed_and_used(analysis, tmp_path, way):
    config, file = analysis(way)
    out = tmp_path / "run"
    write_weights(file, good=False)
    assert stages_done(config, out, until="score") == ["data", "classifier", "score"]
    before = accuracy(out)
    (tmp_path / "notes.txt").write_text("nothing to do with it")
    assert stages_done(config, out, until="score") == []
    write_weights(file, good=True)
    assert stages_done(config, out, until="score") == ["classifier", "score"]
    assert accuracy(out) > 0.8
    assert accuracy(out) > before


def test_two_analyses_of_one_process_keep_their_modules_apart(tmp_path):
    for name, good in (("bad", False), ("good", True)):
        config = write_analysis(tmp_path / name, classifier={"path": "served:predict"})
        (tmp_path / name / "served.py").write_text(HERE + WAYS["a module of its own"][1])
        write_weights(tmp_path / name / "helper.py", good)
        stages_done(config, tmp_path / name / "run", until="score")
    assert accuracy(tmp_path / "good" / "run") > 0.8 > accuracy(tmp_path / "bad" / "run")


def test_another_process_notices_too(analysis, tmp_path):
    config, file = analysis("subfolder")
    command = [
        sys.executable,
        "-m",
        "shiftlens",
        "run",
        str(config),
        "--out",
        str(tmp_path / "run"),
        "--until",
        "score",
    ]
    for good in (False, True):
        write_weights(file, good)
        subprocess.run(
            [*command, "--quiet"], check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
    assert accuracy(tmp_path / "run") > 0.8


def test_weights_that_were_only_touched_are_the_same(analysis, tmp_path):
    config, file = analysis("npz")
    write_weights(file, good=True)
    stages_done(config, tmp_path / "run", until="score")
    assert stages_done(config, tmp_path / "run", until="score") == []
    os.utime(file, (1, 1))
    assert stages_done(config, tmp_path / "run", until="score") == []


def test_what_is_written_and_what_lies_elsewhere_is_no_input(analysis, tmp_path, tmp_path_factory):
    config, file = analysis("npz")
    write_weights(file, good=True)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "list.txt"
    elsewhere.write_text("a list")
    more = f"open(here / 'calls.log', 'a').write('loaded')\nopen({str(elsewhere)!r}).read()\n"
    (tmp_path / "served.py").write_text((tmp_path / "served.py").read_text() + more)
    stages_done(config, tmp_path / "run", until="score")
    record = load_run(tmp_path / "run").record("classifier")
    assert sorted(record.inputs) == ["../served.py", "../weights.npz"]


def test_named_files_that_are_not_there_are_told(analysis, tmp_path):
    config, file = analysis("named in the settings")
    with pytest.raises(InputError, match=r"inner\.onnx"):
        stages_done(config, tmp_path / "run", until="score")
    config, file = analysis("named by files()")
    write_weights(file, good=True)
    (tmp_path / "served.py").write_text((tmp_path / "served.py").read_text().replace("['inner.onnx']", "['gone.onnx']"))
    with pytest.raises(ClassifierError, match=r"depends on .*gone\.onnx, which is not there"):
        stages_done(config, tmp_path / "run", until="score")
