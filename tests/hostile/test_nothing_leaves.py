"""An analysis and a served grid ask nobody on the network for anything, and leave nothing outside their own folders.

ONNX Runtime's builds for Linux queue telemetry on disk and look up where to send it, unless that is turned off before
they are loaded. It is looked for in two ways: by the files, everywhere; by the system calls, where there is strace.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from realdata import ROOT
from tinyanalysis import ink, write_tiny

# ONNX Runtime keeps still on machines of continuous integration, which it knows by these.
CI = (
    "CI", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "TRAVIS", "JENKINS_URL", "CODEBUILD_BUILD_ID",
    "BUILDKITE", "TEAMCITY_VERSION", "APPVEYOR", "BITBUCKET_BUILD_NUMBER",
)  # fmt: skip
OF_OTHERS = re.compile(r"^(\d+ +)?(connect|sendto|sendmsg|sendmmsg)\(.*AF_INET", re.MULTILINE)


def watched(tmp_path, *command):
    """Run a command with a home, caches and a folder for temporary files of its own.

    Returns the files that it left there, and the system calls that went to another machine (None without strace).
    """
    home = tmp_path / "home"
    for folder in (home, home / "cache", home / "tmp"):
        folder.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name not in (*CI, "ORT_DISABLE_TELEMETRY")}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "TMPDIR": str(home / "tmp")}
    trace = tmp_path / "trace.txt"
    strace = shutil.which("strace")
    follow = [strace, "-f", "-o", str(trace), "-e", "trace=network"] if strace and can_trace(strace) else []
    done = subprocess.run(
        [*follow, sys.executable, *map(str, command)], env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    left = sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
    return left, [match.group() for match in OF_OTHERS.finditer(trace.read_text())] if follow else None


def can_trace(strace):
    return subprocess.run([strace, "-o", os.devnull, "true"], capture_output=True).returncode == 0


def test_the_watch_sees_what_onnx_runtime_does_by_itself(tmp_path):
    """Else the tests below could not fail; skipped with a build of ONNX Runtime that keeps no telemetry."""
    left, _ = watched(
        tmp_path,
        "-c",
        "import onnxruntime, sys\n"
        "from onnx import parser\n"
        'model = parser.parse_model(\'<ir_version: 10, opset_import: ["": 20]> g (float[1] x) => (float[1] y)'
        " {y = Identity (x)}')\n"
        "onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])\n",
    )
    if not any("onnxruntime" in name for name in left):
        pytest.skip("this build of ONNX Runtime keeps no telemetry")


@pytest.mark.slow
def test_an_analysis_and_a_served_grid_leave_nothing_and_ask_nobody(tmp_path):
    config = write_tiny(tmp_path)
    run, out = tmp_path / "run", tmp_path / "out"
    pair = ink()[0][[0, -1]]
    for name, sample in zip(("source", "target"), pair, strict=True):
        np.save(tmp_path / f"one-{name}.npy", sample)
    samples = ("--source", tmp_path / "one-source.npy", "--target", tmp_path / "one-target.npy")
    for command in (
        ("-m", "shiftlens", "run", config, "--out", run, "--quiet"),
        ("-m", "shiftlens", "grid", run, *samples, "--out", tmp_path / "grid.json"),
        ("-m", "shiftlens", "export", run, "--target", "directory", "--out", out, "--precision", "int8", "--quiet"),
        (out / "examples" / "python" / "grid.py", tmp_path / "one-source.npy", tmp_path / "one-target.npy", "0"),
    ):
        left, calls = watched(tmp_path, *command)
        assert left == []
        assert not calls, calls
    if calls is None:
        pytest.skip("nothing was left; there is no strace here to see the calls to the network")


def test_one_place_imports_onnx_runtime():
    """Everything else of ours asks it; what is copied out to servers turns telemetry off by itself."""
    for folder in ("core", "plugins", "export", "src/shiftlens"):
        for path in (ROOT / folder).rglob("*.py"):
            imported = {
                alias.name
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Import)
                for alias in node.names
            }
            assert "onnxruntime" not in imported or path == ROOT / "export" / "runtime.py", path


@pytest.mark.parametrize("name", ["directory/python/grid.py", "mlserver/shiftlens_model.py", "triton/model.py"])
def test_what_serves_elsewhere_turns_telemetry_off_before_it_imports(name):
    text = (ROOT / "templates" / "serving" / name).read_text()
    assert text.index('os.environ["ORT_DISABLE_TELEMETRY"] = "1"') < text.index("import onnxruntime")


def test_the_example_for_node_turns_telemetry_off_before_it_imports():
    text = (ROOT / "templates" / "serving" / "directory" / "node" / "grid.mjs").read_text()
    assert text.index('process.env.ORT_DISABLE_TELEMETRY = "1"') < text.index('await import("onnxruntime-node")')
    assert 'from "onnxruntime-node"' not in text  # such an import would be done first, wherever it stands
