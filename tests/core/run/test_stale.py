"""What makes a stage be done again: its settings, its plugins, its files; and that nothing else does."""

from __future__ import annotations

import importlib
import os
import shutil
import sys

import pytest
from smallanalysis import stages_done, write_analysis, write_domain, write_onnx

from shiftlens import Factor, hookimpl
from shiftlens.core.host.kinds import ComponentSettings

TO_THE_TRIAL = ["data", "classifier", "score", "groups", "trial"]


class Total:
    """The sum of a vector's values, spread evenly."""

    def refuses(self, x):
        return ""

    def measure(self, x):
        return x.sum(1, dtype="f8")

    def shift(self, x, delta, rng):
        return (x + delta[:, None] / x.shape[1]).astype("f4")


class Offering:
    """A plugin that offers one more factor, called `total` or otherwise."""

    def __init__(self, name="total", build=lambda settings: Total()):
        self.name, self.build = name, build

    @hookimpl
    def shiftlens_factors(self):
        yield Factor(
            name=self.name, summary="all values", settings=ComponentSettings, build=self.build, kinds=("tabular",)
        )


def test_a_newly_installed_factor_is_tried_where_all_factors_are_asked_for(tmp_path):
    config, out = write_analysis(tmp_path), tmp_path / "run"
    assert stages_done(config, out, until="trial") == TO_THE_TRIAL
    assert stages_done(config, out, until="trial", plugins=(Offering(),)) == ["trial"]
    assert stages_done(config, out, until="trial", plugins=(Offering(),)) == []
    assert stages_done(config, out, until="trial", plugins=(Offering("weight"),)) == ["trial"]
    assert stages_done(config, out, until="trial") == ["trial"]  # uninstalled again


def test_a_new_factor_changes_nothing_where_factors_are_named(tmp_path):
    config = write_analysis(tmp_path, factors=[{"name": "column", "column": 13}])
    assert stages_done(config, tmp_path / "run", until="trial") == TO_THE_TRIAL
    assert stages_done(config, tmp_path / "run", until="trial", plugins=(Offering(),)) == []


@pytest.fixture
def module_of(tmp_path, monkeypatch):
    """Write a package that offers a factor, and load it anew, as another process would."""
    monkeypatch.syspath_prepend(tmp_path / "site")

    def load(measure):
        package = tmp_path / "site" / "ownfactor"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text("from ownfactor.worker import build\n")
        (package / "worker.py").write_text(
            f"import numpy as np\nclass Total:\n    def refuses(self, x): return ''\n"
            f"    def measure(self, x): return {measure}\n"
            "    def shift(self, x, delta, rng): return (x + delta[:, None] / x.shape[1]).astype('f4')\n"
            "def build(settings): return Total()\n"
        )
        for name in [name for name in sys.modules if name.partition(".")[0] == "ownfactor"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        return Offering(build=importlib.import_module("ownfactor").build)

    return load


def test_a_plugin_that_is_being_written_is_run_again_when_its_code_changes(tmp_path, module_of):
    config, out = write_analysis(tmp_path), tmp_path / "run"
    stages_done(config, out, until="trial", plugins=(module_of("x.sum(1, dtype='f8')"),))
    assert stages_done(config, out, until="trial", plugins=(module_of("x.sum(1, dtype='f8')"),)) == []
    assert stages_done(config, out, until="trial", plugins=(module_of("x.sum(1, dtype='f8') * 2.0"),)) == ["trial"]


PLUGIN = """
from shiftlens import Selector, hookimpl
from shiftlens.core.host.kinds import Pair

def build(settings):
    def select(candidates, rng):
        wrong = (candidates.target.prediction != candidates.target.label).nonzero()[0]
        right = (candidates.source.prediction == candidates.source.label).nonzero()[0]
        same = [(s, t) for t in wrong for s in right if candidates.source.label[s] == candidates.target.label[t]]
        return [Pair(int(s), int(t)) for s, t in same[:2]]
    return select

@hookimpl
def shiftlens_selectors():
    yield Selector(name="first-ones", summary="the first pairs that fit", build=build)
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A distribution with an entry point, in some version, as pip would leave it."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "firstones.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(site)

    def install(version):
        for old in site.glob("*.dist-info"):
            shutil.rmtree(old)
        folder = site / f"firstones-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: firstones\nVersion: {version}\n")
        (folder / "entry_points.txt").write_text("[shiftlens]\nfirstones = firstones\n")
        importlib.invalidate_caches()

    return install


FROM_CLASSIFIER = [
    "classifier", "score", "groups", "trial", "estimate", "intervention", "remedy", "generator", "converter", "export",
    "conversion", "second-opinion", "grid", "explain", "render",
]  # fmt: skip
FROM_GENERATOR = ["generator", "converter", "export", "conversion", "grid", "explain", "render"]
FROM_GRID = ["grid", "explain", "render"]
CHANGES = {
    "name": ["export", "conversion", "grid", "explain", "render"],
    "reports": ["explain", "render"],
    "observers": ["explain", "render"],
    "selector": FROM_GRID,
    "grid.features": ["intervention", *FROM_GRID],
    "grid.interpolation": ["export", "conversion", "grid", "explain", "render"],
    "grid.second_opinion": ["second-opinion", "grid", "explain", "render"],
    "converter": ["converter", "export", "conversion", "grid", "explain", "render"],
    "generator": FROM_GENERATOR,
    "trial": ["trial", "estimate", "intervention", "remedy", *FROM_GENERATOR],
    "factors": ["trial", "estimate", "intervention", "remedy", *FROM_GENERATOR],
    "loss": [name for name in FROM_CLASSIFIER if name not in ("classifier", "second-opinion")],
    "the classifier's file": FROM_CLASSIFIER,
    "the source's file": ["data", *FROM_CLASSIFIER],
    "the target's file": ["data", *FROM_CLASSIFIER],
    "the source's file, touched": ["data"],
}


def change(what, folder):
    """Change one thing; returns the override where it is a setting."""
    if what == "the classifier's file":
        write_onnx(folder / "classifier.onnx", seed=1)
    elif what == "the source's file":
        write_domain(folder / "source.npz", 0.05, 0, 800)
    elif what == "the target's file":
        write_domain(folder / "target.npz", 0.7, 800, 1400)
    elif what == "the source's file, touched":
        os.utime(folder / "source.npz")
    else:
        return {
            "name": "name=other", "reports": "reports=[json]", "observers": "observers=[tensorboard]",
            "selector": "selector.pairs=1", "grid.features": "grid.features=4",
            "grid.interpolation": "grid.interpolation=spherical", "grid.second_opinion": "grid.second_opinion=false",
            "converter": "converter=null", "generator": "generator.steps=25", "trial": "trial.rows=120",
            "factors": "factors=[{name: column, column: 13}, {name: column, column: 14}]", "loss": "loss=brier",
        }[what]  # fmt: skip
    return None


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """An analysis with everything in it, done; tests work on copies."""
    folder = tmp_path_factory.mktemp("finished")
    columns = [{"name": "column", "column": index} for index in (5, 12, 13, 14)]
    config = write_analysis(folder, factors=columns, converter={"name": "latent-transport"})
    stages_done(config, folder / "run")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("what", CHANGES)
def test_a_change_does_the_stages_again_that_depend_on_it_and_no_others(finished, tmp_path, what):
    folder = shutil.copytree(finished, tmp_path / "analysis")
    override = change(what, folder)
    overrides = [override] if override else []
    assert stages_done(folder / "analysis.yaml", folder / "run", *overrides) == CHANGES[what]
    assert stages_done(folder / "analysis.yaml", folder / "run", *overrides) == []


@pytest.mark.slow
def test_an_upgraded_plugin_does_the_stages_again_that_use_it(finished, tmp_path, installed):
    folder = shutil.copytree(finished, tmp_path / "analysis")
    config, out = folder / "analysis.yaml", folder / "run"
    overrides = ("selector=first-ones", "converter=null")
    installed("1.0")
    assert stages_done(config, out, *overrides)[0] == "converter"
    assert stages_done(config, out, *overrides) == []
    installed("1.1")  # the same code under another version
    assert stages_done(config, out, *overrides)[0] == "grid"
    assert stages_done(config, out, *overrides) == []
