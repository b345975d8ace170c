"""sdist -> wheel -> a fresh environment -> the demo: what a stranger installs is whole and works."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from realdata import ROOT

import shiftlens

pytestmark = pytest.mark.wheel

ROOMS = ("core", "plugins", "export", "templates")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    """The sdist of the tree, and the wheel made from that sdist."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def tracked(*folders: str) -> set[str]:
    """Files of the tree that git knows, or would."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return {name for name in names if (ROOT / name).is_file()}


def test_the_wheel_holds_the_tree_and_nothing_else(built):
    expected = {f"shiftlens/{name}" for name in tracked(*ROOMS)}
    expected |= {f"shiftlens/{name}" for name in ("__init__.py", "__main__.py", "testing.py", "py.typed")}
    with zipfile.ZipFile(built[1]) as wheel:
        found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert found == expected


def test_the_sdist_holds_what_the_wheel_and_the_tests_need(built):
    with tarfile.open(built[0]) as sdist:
        found = {name.split("/", 1)[1] for name in sdist.getnames() if "/" in name}
    assert tracked(*ROOMS, "tests") <= found
    assert {"README.md", "LICENSE", "constraints.txt", "pyproject.toml"} <= found


def test_both_places_tell_one_version(built):
    assert f"-{shiftlens.__version__}-" in built[1].name


def test_a_fresh_environment_runs_the_demo(built, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    install = [scripts / "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", built[1]]
    subprocess.run([str(word) for word in install], check=True, cwd=tmp_path)
    tiny = [
        "classifier.train.epochs=2",
        "generator.steps=60",
        "selector.pairs=2",
        "trial.samples=200",
        "trial.rows=200",
    ]
    command = [scripts / "shiftlens", "demo", "--out", tmp_path / "demo", "--quiet"]
    command += [word for change in tiny for word in ("--set", change)]
    done = subprocess.run([str(word) for word in command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "demo" / "run" / "report.html").stat().st_size > 10_000
    assert not list((tmp_path / "env").rglob("site-packages/core"))
