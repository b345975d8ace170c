"""The example for Node, run by Node: its grid is ours."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest
from inferenceservers import exported, needed


@pytest.mark.server
def test_the_node_example_makes_our_grid(demo_run, bundle, tmp_path):
    modules = needed("node") / "node_modules"
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node on the path")
    out = exported(demo_run.run.path, tmp_path / "out", "--target", "directory")
    (out / "examples" / "node" / "node_modules").symlink_to(modules)
    cells = demo_run.run.arrays["cells"][0]
    pair = [np.ascontiguousarray(cells[0, 0], "<f4"), np.ascontiguousarray(cells[-1, -1], "<f4")]
    for name, x in zip(("source", "target"), pair, strict=True):
        x.tofile(tmp_path / name)
    command = [node, "grid.mjs", tmp_path / "source", tmp_path / "target", "3"]
    done = subprocess.run(command, cwd=out / "examples" / "node", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    got, expected = json.loads(done.stdout), bundle.grid(*pair, label="3")
    assert got["shape"] == [1, 5, 5, 3, 32, 32]
    for name in ("cells", "measured", "probabilities"):
        np.testing.assert_allclose(
            np.reshape(got[name], getattr(expected, name).shape), getattr(expected, name), atol=1e-5
        )
