"""The host: each plugin alone, clashes, near misses, block list, strict mode, observers."""

from __future__ import annotations

import contextlib
import threading

import pytest
from pydantic import Field

from shiftlens import Host, hookimpl
from shiftlens.core.errors import PluginError
from shiftlens.core.host.kinds import API_VERSION, OLDEST_API, ComponentSettings, Loss, Selector


def offering(*components, name="anonymous"):
    class Plugin:
        @hookimpl
        def shiftlens_losses(self):
            yield from components

    Plugin.__name__ = name
    return Plugin()


def loss(name, **more):
    return Loss(name=name, summary="a loss", build=lambda settings: lambda p, y: p[:, 0], **more)


class Breaking:
    @hookimpl
    def shiftlens_losses(self):
        raise RuntimeError("no licence")


def alone(*plugins, **more):
    return Host(plugins, entry_points=False, **more)


def test_a_plugin_that_breaks_costs_only_itself():
    host = alone(Breaking(), offering(loss("mine")))
    assert host.names(Loss) == ["mine"]
    (problem,) = host.problems
    assert problem.plugin == "Breaking"
    assert "no licence" in problem.reason
    assert next(p for p in host.plugins if p.name == "Breaking").status == "broken"


def test_strict_mode_raises_with_the_cause():
    with pytest.raises(PluginError, match="no licence") as caught:
        alone(Breaking(), strict=True)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_clash_is_an_error_only_when_the_name_is_asked_for():
    host = alone(offering(loss("mine"), name="First"), offering(loss("mine"), loss("other"), name="Second"))
    assert host.find(Loss, "other").name == "other"
    with pytest.raises(PluginError, match="First and plugin Second"):
        host.find(Loss, "mine")


def test_an_unknown_name_is_told_with_the_near_miss_and_the_list():
    host = alone(offering(loss("cross-entropy"), loss("brier")))
    with pytest.raises(PluginError, match='did you mean "cross-entropy"\\? there are: brier, cross-entropy'):
        host.find(Loss, "cros-entropy")


def test_a_broken_plugin_is_mentioned_where_its_component_is_missed():
    with pytest.raises(PluginError, match=r"could not be loaded \(Breaking\)"):
        alone(Breaking()).find(Loss, "mine")


def test_a_misspelt_hook_is_told():
    class Misspelt:
        @hookimpl
        def shiftlens_loses(self):
            yield loss("mine")

    (problem,) = alone(Misspelt()).problems
    assert 'did you mean "shiftlens_losses"?' in problem.reason


def test_an_unmarked_hook_is_told():
    class Unmarked:
        def shiftlens_losses(self):
            yield loss("mine")

    (problem,) = alone(Unmarked()).problems
    assert "@shiftlens.hookimpl" in problem.reason


@pytest.mark.parametrize(
    ("component", "reason"),
    [
        ("not a description", "must yield Loss"),
        (Selector(name="x", summary="s", build=print), "must yield Loss"),
        (loss("Not A Name"), "is no name"),
        (loss("untyped", settings=dict), "must be a subclass"),
        (
            loss("silent", settings=type("S", (ComponentSettings,), {"__annotations__": {"a": int}, "a": Field(1)})),
            "settings without help: a",
        ),
    ],
)
def test_a_wrong_description_is_refused_and_the_others_stay(component, reason):
    host = alone(offering(component, loss("fine")))
    assert host.names(Loss) == ["fine"]
    assert reason in host.problems[0].reason


def test_the_block_list_leaves_a_plugin_out(monkeypatch):
    assert alone(offering(loss("mine"), name="Mine"), block=["Mine"]).names(Loss) == []
    monkeypatch.setenv("SHIFTLENS_BLOCK", "Other, Mine")
    host = alone(offering(loss("mine"), name="Mine"))
    assert host.plugins[0].status == "blocked"


def test_a_failing_observer_never_stops_a_run_and_is_noted_once():
    class Watching:
        told = 0

        @hookimpl
        def shiftlens_step(self, stage, done):
            Watching.told += 1
            raise OSError("disk full")

    host = alone(Watching())
    for done in range(3):
        host.notify("step", stage="score", done=done, total=3, values={})
    assert Watching.told == 3
    assert ["disk full" in problem.reason for problem in host.problems] == [True]


class Diary:
    def __init__(self):
        self.told, self.closed = [], False

    @hookimpl
    def shiftlens_stage_started(self, stage):
        self.told.append(stage)

    def close(self):
        self.closed = True


def test_an_observer_watches_as_long_as_the_block_runs_and_is_closed_when_it_is_cut_off():
    host, diary = alone(), Diary()
    with contextlib.suppress(KeyboardInterrupt), host.watched_by({"diary": lambda: diary}):
        host.notify("stage_started", stage="score")
        raise KeyboardInterrupt
    host.notify("stage_started", stage="grid")
    assert (diary.told, diary.closed, host.problems) == (["score"], True, [])
    with host.watched_by({"diary": Diary}):  # and another one may follow
        pass


class Misspelt(Diary):
    @hookimpl
    def shiftlens_stage_startet(self, stage):
        pass


class NeverClosed(Diary):
    def close(self):
        raise OSError("disk full")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lambda: 1 / 0, "division by zero"),
        (Misspelt, 'did you mean "shiftlens_stage_started"?'),
        (NeverClosed, "disk full"),
    ],
)
def test_a_broken_observer_stops_neither_the_run_nor_the_others(broken, reason):
    host, diary = alone(), Diary()
    with host.watched_by({"broken": broken, "diary": lambda: diary}):
        host.notify("stage_started", stage="score")
    assert (diary.told, diary.closed) == (["score"], True)
    (problem,) = host.problems
    assert problem.plugin == "observer broken"
    assert reason in problem.reason


def test_hosts_share_nothing():
    alone(offering(loss("mine")))
    assert alone().names(Loss) == []


def test_the_built_ins_come_in_through_the_same_door():
    host = Host(strict=True)
    assert {"readers", "losses"} <= {plugin.name for plugin in host.plugins if plugin.distribution == "shiftlens"}
    assert not host.problems
    assert {"cross-entropy", "entropy"} <= set(host.names(Loss))


def test_a_hook_that_returns_nothing_is_told():
    class Forgetful:
        @hookimpl
        def shiftlens_losses(self):
            loss("mine")

    (problem,) = alone(Forgetful()).problems
    assert "shiftlens_losses() must yield descriptions; it returned None" in problem.reason


def test_what_was_yielded_before_a_fault_is_kept():
    class Stumbling:
        @hookimpl
        def shiftlens_losses(self):
            yield loss("first")
            raise RuntimeError("stumbled")

    host = alone(Stumbling())
    assert host.names(Loss) == ["first"]
    assert "stumbled" in host.problems[0].reason


def test_a_plugin_that_exits_does_not_end_the_program():
    class Quitting:
        @hookimpl
        def shiftlens_losses(self):
            raise SystemExit(1)

    assert "SystemExit" in alone(Quitting(), offering(loss("mine"))).problems[0].reason


def test_a_name_offered_twice_by_one_plugin_is_told_and_the_first_works():
    host = alone(offering(loss("mine"), loss("mine"), loss("other"), name="Double"))
    assert host.find(Loss, "mine").name == "mine"
    assert host.names(Loss) == ["mine", "other"]
    (problem,) = host.problems
    assert 'offers the loss "mine" twice' in problem.reason


@pytest.mark.parametrize(
    ("component", "reason"),
    [
        (loss("<b>bold</b>"), "is no name"),
        (loss(7), "is no name"),
        (Loss(name="mine", summary="two\nlines", build=print), "must be one line"),
        (Loss(name="mine", summary="\x1b[31mred", build=print), "must be one line"),
        (Loss(name="mine", summary="s", build=None), "must be callable"),
        (loss("thawed", settings=type("S", (ComponentSettings,), {}, frozen=False)), "must stay frozen"),
        (loss("lax", settings=type("S", (ComponentSettings,), {}, extra="allow")), "must forbid unknown keys"),
    ],
)
def test_a_description_that_would_do_harm_later_is_refused_now(component, reason):
    host = alone(offering(component, loss("fine")))
    assert host.names(Loss) == ["fine"]
    assert reason in host.problems[0].reason


@pytest.mark.parametrize(
    ("api", "reason"),
    [
        (API_VERSION + 1, "pip install -U shiftlens"),
        (OLDEST_API - 1, "install a newer version"),
        ("1", "must be the number of the plugin API"),
        (True, "must be the number of the plugin API"),
    ],
)
def test_a_plugin_made_for_another_api_is_refused_with_what_to_do(api, reason):
    plugin = offering(loss("mine"), name="Other")
    plugin.shiftlens_api = api
    host = alone(plugin, offering(loss("fine")))
    assert host.names(Loss) == ["fine"]
    assert host.plugins[0].status == "refused"
    assert reason in host.plugins[0].reason
    with pytest.raises(PluginError, match="plugin API"):
        alone(plugin, strict=True)


def test_a_plugin_that_says_its_api_is_taken():
    plugin = offering(loss("mine"))
    plugin.shiftlens_api = API_VERSION
    assert alone(plugin).names(Loss) == ["mine"]


def test_a_plugin_that_hangs_in_a_listing_is_told_by_name_while_it_hangs(capfd):
    release = threading.Event()

    class Hanging:
        @hookimpl
        def shiftlens_losses(self):
            release.wait()
            yield loss("late")

    made = []
    waiting = threading.Thread(target=lambda: made.append(alone(Hanging(), patience=0.05)))
    waiting.start()
    told = ""
    while "Hanging" not in told:  # it hangs until it has been told
        told += capfd.readouterr().err
    release.set()
    waiting.join()
    assert "has been listing, in shiftlens_losses() for 0.05 s" in told
    assert "SHIFTLENS_BLOCK=Hanging" in told
    assert made[0].names(Loss) == ["late"]


def test_a_quick_plugin_is_not_told(capfd):
    alone(offering(loss("mine")), patience=30)
    assert capfd.readouterr().err == ""
