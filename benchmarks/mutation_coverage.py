"""A plugin of pytest that notes which test runs which lines of a room's modules, and how long each test takes.

    python -m pytest -n 0 -p benchmarks.mutation_coverage TESTS     # ROOM_MODULES and ROOM_RUNS in the environment

What a fixture of a wider scope runs counts for every test that asks for it. What a test's helper keeps in a cache is
forgotten after each file, so that it counts for each file that needs it.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

FIXTURE = "fixture "  # begins the context of a fixture's own lines


class _Recorder:
    """One for a session of pytest."""

    def __init__(self, modules: list[str], out: Path) -> None:
        self.out, self.root, self.running = out, Path.cwd(), ""
        self.seconds: dict[str, float] = {}
        self.fixtures: dict[str, list[str]] = {}
        self.coverage = coverage.Coverage(data_file=None, include=modules)
        self.coverage.start()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> Iterator[None]:
        self.running, self.fixtures[item.nodeid] = item.nodeid, list(item.fixturenames)
        self.coverage.switch_context(item.nodeid)
        begun = time.process_time()  # others may be busy on the machine
        yield
        self.seconds[item.nodeid] = time.process_time() - begun
        self.coverage.switch_context("")
        if nextitem is None or nextitem.path != item.path:
            _forget(self.root / "tests")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        if fixturedef.scope == "function":
            yield
            return
        self.coverage.switch_context(FIXTURE + fixturedef.argname)
        yield
        self.coverage.switch_context(self.running)

    def pytest_sessionfinish(self) -> None:
        self.coverage.stop()
        data, runs = self.coverage.get_data(), {}
        for file in data.measured_files():
            lines = {}
            for line, contexts in data.contexts_by_lineno(file).items():
                lines[line] = sorted(self._tests(contexts))
            runs[str(Path(file).relative_to(self.root))] = lines
        self.out.write_text(json.dumps({"seconds": self.seconds, "runs": runs}), encoding="utf-8")

    def _tests(self, contexts: list[str]) -> set[str]:
        """The tests of some contexts; the empty one, of what runs at import, is left as it is."""
        made = {context.removeprefix(FIXTURE) for context in contexts if context.startswith(FIXTURE)}
        asking = {test for test, names in self.fixtures.items() if made.intersection(names)}
        return asking | {context for context in contexts if not context.startswith(FIXTURE)}


def _forget(tests: Path) -> None:
    """Empty the caches of functions that stand in the tests' own helpers."""
    helpers = defaultdict(list)
    for each in gc.get_objects():
        if isinstance(each, functools._lru_cache_wrapper):
            helpers[getattr(each, "__module__", "")].append(each)
    for name, caches in helpers.items():
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and Path(file).is_relative_to(tests) and Path(file).name != "realdata.py":
            for cache in caches:
                cache.cache_clear()


def pytest_configure(config: Any) -> None:
    modules, out = os.environ.get("ROOM_MODULES"), os.environ.get("ROOM_RUNS")
    if modules and out:
        config.pluginmanager.register(_Recorder(modules.split(os.pathsep), Path(out)))


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """The demo's run is left out, it takes longer than all the rest."""
    items[:] = [item for item in items if "demo_run" not in item.fixturenames and "[demo]" not in item.name]
