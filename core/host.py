"""The plugin host: finds plugins, asks each one alone, and keeps what went wrong.

A ``Host`` is an instance, not a global. It loads entry points of the group ``shiftlens`` itself, because pluggy's own
loader dies of the first ImportError and silently skips a second distribution that uses the same entry-point name.
"""

from __future__ import annotations

import difflib
import inspect
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from shiftlens.core import hookspecs
from shiftlens.core.errors import PluginError
from shiftlens.core.kinds import KINDS, Component, ComponentSettings

logger = logging.getLogger("shiftlens")

GROUP = "shiftlens"
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
OBSERVERS = ("run_started", "stage_started", "step", "stage_finished", "run_finished")
C = TypeVar("C", bound=Component)


def near_miss(word: str, known: Iterable[str]) -> str:
    """``'did you mean "x"? '`` or nothing: the beginning of the sentence that lists what there is."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"? ' if close else ""


@dataclass(frozen=True)
class Offer:
    """One component and where it comes from."""

    component: Component
    plugin: str
    distribution: str
    version: str

    @property
    def origin(self) -> str:
        """``plugin (distribution version)``, as messages name it."""
        return f"{self.distribution} {self.version}" if self.distribution else f"plugin {self.plugin}"


@dataclass(frozen=True)
class Problem:
    """Something that a plugin did wrong; the plugin's other parts and all other plugins go on."""

    plugin: str
    distribution: str
    reason: str


@dataclass
class Plugin:
    """One plugin as the host knows it: what ``shiftlens plugins`` lists."""

    name: str
    distribution: str = ""
    version: str = ""
    status: str = "ok"
    reason: str = ""
    seconds: float = 0.0
    offers: list[Offer] = field(default_factory=list)


class Host:
    """All plugins of one analysis.

    Args:
        plugins: further plugins, as objects or modules, registered under their ``__name__`` or class name.
        entry_points: load the installed distributions' plugins, the built-ins among them.
        block: names of plugins or distributions that must not be loaded; also ``SHIFTLENS_BLOCK``, comma-separated.
        strict: raise at a plugin's first fault instead of noting it; also ``SHIFTLENS_STRICT=1``.
    """

    def __init__(
        self,
        plugins: Sequence[object] = (),
        *,
        entry_points: bool = True,
        block: Iterable[str] = (),
        strict: bool | None = None,
    ) -> None:
        blocked = {name.strip() for name in os.environ.get("SHIFTLENS_BLOCK", "").split(",") if name.strip()}
        self.block = blocked | set(block)
        self.strict = os.environ.get("SHIFTLENS_STRICT", "") == "1" if strict is None else strict
        self.plugins: list[Plugin] = []
        self.problems: list[Problem] = []
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        if entry_points:
            self._load_entry_points()
        for plugin in plugins:
            self.register(plugin)

    def register(self, plugin: object, name: str | None = None) -> None:
        """Add one plugin: a module or an object with hook implementations."""
        name = name or getattr(plugin, "__name__", None) or type(plugin).__name__
        entry = Plugin(name)
        self.plugins.append(entry)
        if self._blocked(entry):
            return
        self._admit(entry, plugin)

    def offers(self, kind: type[Component] | str | None = None) -> list[Offer]:
        """Everything offered, or all of one kind, in the order of registration; clashing names are included."""
        wanted = kind if isinstance(kind, str) or kind is None else kind.kind
        return [
            offer
            for plugin in self.plugins
            for offer in plugin.offers
            if wanted is None or offer.component.kind == wanted
        ]

    def names(self, kind: type[Component] | str) -> list[str]:
        """The names offered under one kind, sorted."""
        return sorted({offer.component.name for offer in self.offers(kind)})

    def find(self, kind: type[C], name: str) -> C:
        """The component of that name.

        Raises:
            PluginError: unknown (with the near miss and the full list), or offered by two plugins.
        """
        found = [offer for offer in self.offers(kind) if offer.component.name == name]
        if len(found) > 1:
            origins = " and ".join(offer.origin for offer in found)
            raise PluginError(
                f'the {kind.kind} "{name}" is offered by {origins}; uninstall one of them, or block one: '
                f"SHIFTLENS_BLOCK={found[-1].plugin}"
            )
        if not found:
            names = self.names(kind)
            known = ", ".join(names) or "none"
            message = f'there is no {kind.kind} "{name}"; {near_miss(name, names)}there are: {known}'
            broken = [p.distribution or p.plugin for p in self.problems]
            if broken:
                message += f". Some plugins could not be loaded ({', '.join(broken)}): see `shiftlens plugins`"
            raise PluginError(message)
        component = found[0].component
        assert isinstance(component, kind)
        return component

    def origin(self, kind: type[Component], name: str) -> Offer:
        """The offer behind a name that `find` has found."""
        return next(offer for offer in self.offers(kind) if offer.component.name == name)

    def claiming(self, kind: type[C], raw: Mapping[str, Any], base: Path) -> C | None:
        """The first component of a kind that says that settings without a name are meant for it, or None."""
        for offer in self.offers(kind):
            try:
                if offer.component.claims(raw, base):  # type: ignore[attr-defined]
                    return self.find(kind, offer.component.name)
            except PluginError:
                raise
            except Exception as error:
                self._problem(offer.plugin, offer.distribution, f"claims() raised {error!r}", error)
        return None

    def notify(self, event: str, **values: Any) -> None:
        """Tell every observer; one that fails is logged and never stops a run."""
        for implementation in getattr(self._manager.hook, f"shiftlens_{event}").get_hookimpls():
            try:
                wanted = {name: values[name] for name in implementation.argnames}
                implementation.function(**wanted)
            except Exception as error:
                name = implementation.plugin_name
                if not any(p.plugin == name and event in p.reason for p in self.problems):
                    logger.warning("observer %s failed at %s: %r; the run goes on", name, event, error)
                    self.problems.append(Problem(name, "", f"observer failed at {event}: {error!r}"))

    @contextmanager
    def watched_by(self, observers: Mapping[str, Callable[[], Any]]) -> Iterator[None]:
        """Build these observers, tell them too while the block runs, and close them; none of them can stop it.

        Args:
            observers: by name, what builds an `ObserverWorker`.
        """
        watching: list[tuple[str, Any]] = []
        for name, build in observers.items():
            try:
                worker = build()
                self._check_hook_names(worker)
                self._manager.register(worker, name=f"observer {name}")
                watching.append((name, worker))
            except Exception as error:
                self._unobserved(name, f"is left out: {error}")
        try:
            yield
        finally:
            for name, worker in watching:
                self._manager.unregister(worker)
                try:
                    worker.close()
                except Exception as error:
                    self._unobserved(name, f"could not be closed: {error!r}")

    def _unobserved(self, name: str, reason: str) -> None:
        logger.warning("the observer %s %s; the run goes on", name, reason)
        self.problems.append(Problem(f"observer {name}", "", reason))

    def _load_entry_points(self) -> None:
        found = [(d, e) for d in metadata.distributions() for e in d.entry_points if e.group == GROUP]
        seen: set[tuple[str, str, str]] = set()
        for distribution, point in sorted(found, key=lambda pair: (pair[0].name, pair[1].name)):
            identity = (distribution.name, point.name, point.value)
            if identity in seen:  # one distribution can be listed twice, by an editable install and its build folder
                continue
            seen.add(identity)
            name = point.name if distribution.name == "shiftlens" else f"{distribution.name}:{point.name}"
            entry = Plugin(name, distribution.name, distribution.version)
            self.plugins.append(entry)
            if self._blocked(entry):
                continue
            begun = time.perf_counter()
            try:
                plugin = point.load()
            except Exception as error:
                entry.status, entry.reason = (
                    "broken",
                    f"could not be imported: {type(error).__name__}: {error}",
                )
                self._problem(name, distribution.name, entry.reason, error)
                continue
            self._admit(entry, plugin)
            entry.seconds = time.perf_counter() - begun

    def _blocked(self, entry: Plugin) -> bool:
        if entry.name in self.block or (entry.distribution and entry.distribution in self.block):
            entry.status, entry.reason = "blocked", "by the block list"
            return True
        return False

    def _admit(self, entry: Plugin, plugin: object) -> None:
        """Register with pluggy, then ask this plugin alone for what it offers."""
        try:
            self._check_hook_names(plugin)
            self._manager.register(plugin, name=entry.name)
        except Exception as error:
            entry.status, entry.reason = "broken", str(error)
            self._problem(entry.name, entry.distribution, entry.reason, error)
            return
        for kind in KINDS:
            hook = getattr(self._manager.hook, f"shiftlens_{_plural(kind.kind)}")
            for implementation in hook.get_hookimpls():
                if implementation.plugin_name != entry.name:
                    continue
                try:
                    components = list(implementation.function())
                except Exception as error:
                    entry.status, entry.reason = (
                        "broken",
                        f"{implementation.function.__name__}() raised {error!r}",
                    )
                    self._problem(entry.name, entry.distribution, entry.reason, error)
                    continue
                for component in components:
                    fault = fault_of(component, kind)
                    if fault:
                        entry.status, entry.reason = "broken", fault
                        self._problem(entry.name, entry.distribution, fault, PluginError(fault))
                    else:
                        entry.offers.append(Offer(component, entry.name, entry.distribution, entry.version))

    def _check_hook_names(self, plugin: object) -> None:
        known = [name for name in vars(hookspecs) if name.startswith("shiftlens_")]
        for name, value in inspect.getmembers(plugin, callable):
            if name.startswith("shiftlens_") and name not in known:
                raise PluginError(f'no hook is called "{name}"; {near_miss(name, known)}there are: {", ".join(known)}')
            if name in known and not hasattr(value, f"{hookspecs.PROJECT}_impl"):
                raise PluginError(f"{name} is not marked; put @shiftlens.hookimpl above it")

    def _problem(self, plugin: str, distribution: str, reason: str, error: Exception) -> None:
        if self.strict:
            raise PluginError(f"plugin {plugin}: {reason}") from error
        self.problems.append(Problem(plugin, distribution, reason))


def fault_of(component: object, kind: type[Component]) -> str:
    """What is wrong with a description, or an empty string."""
    if not isinstance(component, kind):
        return (
            f"shiftlens_{_plural(kind.kind)} must yield {kind.__name__}(...) descriptions, "
            f"not {type(component).__name__}"
        )
    if not NAME.fullmatch(component.name):
        return f'"{component.name}" is no name: lower-case words of letters and digits, joined by hyphens'
    if not (inspect.isclass(component.settings) and issubclass(component.settings, ComponentSettings)):
        return f'{kind.kind} "{component.name}": settings must be a subclass of shiftlens.core.kinds.ComponentSettings'
    silent = [name for name, info in component.settings.model_fields.items() if not info.description]
    if silent:
        return (
            f'{kind.kind} "{component.name}": settings without help: {", ".join(silent)}; '
            "give each Field(description=...)"
        )
    return ""


def _plural(kind: str) -> str:
    return {"loss": "losses"}.get(kind, f"{kind}s")
