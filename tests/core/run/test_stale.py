"""What makes a stage be done again: its settings, its plugins, its files; and that nothing else does."""

from __future__ import annotations

import importlib
import sys

import pytest
from smallanalysis import stages_done, write_analysis

from shiftlens import Factor, hookimpl
from shiftlens.core.host.kinds import ComponentSettings

TO_THE_TRIAL = ["data", "classifier", "score", "trial"]


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
