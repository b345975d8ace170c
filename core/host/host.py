"""The plugin host: finds plugins, asks each one alone, and keeps what went wrong.

A ``Host`` is an instance, not a global. It loads entry points of the group ``shiftlens`` itself, because pluggy's own
loader dies of the first ImportError and silently skips a second distribution that uses the same entry-point name.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from shiftlens.core.errors import PluginError, near_miss
from shiftlens.core.host import hookspecs
from shiftlens.core.host.code import code_of
from shiftlens.core.host.descriptions import fault_of, plural
from shiftlens.core.host.kinds import API_VERSION, KINDS, OLDEST_API, Component
from shiftlens.core.host.watchdog import told_when_slow

logger = logging.getLogger("shiftlens")

GROUP = "shiftlens"
HEAVY = ("torch", "onnxruntime", "sklearn")
"""Libraries that take a second or more to import, and that a listing must not pay for."""
PATIENCE = 30.0  # seconds that a plugin may take to load or to list before it is told
OBSERVERS = ("run_started", "stage_started", "step", "stage_finished", "run_finished")
C = TypeVar("C", bound=Component)


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

    @property
    def identity(self) -> str:
        """Changes when the component is another one, or its code is: what a run holds against what it has done."""
        own = "" if self.distribution == "shiftlens" else code_of(self.component.build)
        return f"{self.component.name} {self.origin} {own}".strip()


@dataclass(frozen=True)
class Problem:
    """Something that a plugin did wrong; the plugin's other parts and all other plugins go on."""

    plugin: str
    distribution: str
    reason: str


@dataclass
class Plugin:
    """One plugin as the host knows it: what ``shiftlens plugins`` lists.

    Attributes:
        status: ``ok``, ``blocked`` (by the block list), ``refused`` (made for another API), or ``broken``.
        reason: why it is not ``ok``, and what to do.
        api: the number of the API it was written for.
        seconds: time it took to load and to list.
        heavy: slow libraries that were imported with it, and should be imported where they are used.
    """

    name: str
    distribution: str = ""
    version: str = ""
    status: str = "ok"
    reason: str = ""
    api: int = API_VERSION
    seconds: float = 0.0
    heavy: tuple[str, ...] = ()
    offers: list[Offer] = field(default_factory=list)


class Host:
    """All plugins of one analysis.

    Args:
        plugins: further plugins, as objects or modules, registered under their ``__name__`` or class name.
        entry_points: load the installed distributions' plugins, the built-ins among them.
        block: names of plugins or distributions that must not be loaded; also ``SHIFTLENS_BLOCK``, comma-separated.
        strict: raise at a plugin's first fault instead of noting it; also ``SHIFTLENS_STRICT=1``.
        patience: seconds after which a plugin that still loads or lists is told on stderr, by name.
    """

    def __init__(
        self,
        plugins: Sequence[object] = (),
        *,
        entry_points: bool = True,
        block: Iterable[str] = (),
        strict: bool | None = None,
        patience: float = PATIENCE,
    ) -> None:
        blocked = {name.strip() for name in os.environ.get("SHIFTLENS_BLOCK", "").split(",") if name.strip()}
        self.block = blocked | set(block)
        self.strict = os.environ.get("SHIFTLENS_STRICT", "") == "1" if strict is None else strict
        self.patience = patience
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
            except (Exception, SystemExit) as error:
                self._problem(offer, f"claims() raised {error!r}", error)
        return None

    def notify(self, event: str, **values: Any) -> None:
        """Tell every observer; one that fails is logged and never stops a run."""
        for implementation in getattr(self._manager.hook, f"shiftlens_{event}").get_hookimpls():
            try:
                wanted = {name: values[name] for name in implementation.argnames}
                implementation.function(**wanted)
            except (Exception, SystemExit) as error:
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
            except (Exception, SystemExit) as error:
                self._unobserved(name, f"is left out: {error}")
        try:
            yield
        finally:
            for name, worker in watching:
                self._manager.unregister(worker)
                try:
                    worker.close()
                except (Exception, SystemExit) as error:
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
            begun, before = time.perf_counter(), _loaded()
            try:
                with told_when_slow(f"the plugin {name}", "loading", self.patience, _block(name)):
                    plugin = point.load()
            except (Exception, SystemExit) as error:
                self._broken(entry, f"could not be imported: {type(error).__name__}: {error}", error)
            else:
                self._admit(entry, plugin)
            entry.seconds, entry.heavy = time.perf_counter() - begun, tuple(sorted(_loaded() - before))

    def _blocked(self, entry: Plugin) -> bool:
        if entry.name in self.block or (entry.distribution and entry.distribution in self.block):
            entry.status, entry.reason = "blocked", "by the block list"
            return True
        return False

    def _admit(self, entry: Plugin, plugin: object) -> None:
        """Register with pluggy, then ask this plugin alone for what it offers."""
        refusal = ""
        try:
            entry.api = getattr(plugin, "shiftlens_api", OLDEST_API)
            refusal = _refusal(entry)
            if not refusal:
                self._check_hook_names(plugin)
                self._manager.register(plugin, name=entry.name)
        except (Exception, SystemExit) as error:
            self._broken(entry, str(error) or repr(error), error)
            return
        if refusal:
            entry.status, entry.reason = "refused", refusal
            self._problem(entry, refusal, PluginError(refusal))
            return
        for kind in KINDS:
            hook = getattr(self._manager.hook, f"shiftlens_{plural(kind.kind)}")
            for implementation in hook.get_hookimpls():
                if implementation.plugin_name == entry.name:
                    self._list(entry, kind, implementation.function)

    def _list(self, entry: Plugin, kind: type[Component], hook: Callable[[], Any]) -> None:
        """Take what one hook yields, up to the point where it fails."""
        components: list[Any] = []
        failure: tuple[str, BaseException] | None = None
        try:
            listing = f"listing, in {hook.__name__}()"
            with told_when_slow(f"the plugin {entry.name}", listing, self.patience, _block(entry.name)):
                yielded = hook()
                if isinstance(yielded, Iterable):
                    for component in yielded:  # one by one: what came before a fault is kept
                        components.append(component)
                else:
                    reason = f"{hook.__name__}() must yield descriptions; it returned {yielded!r:.80}"
                    failure = reason, PluginError(reason)
        except (Exception, SystemExit) as error:
            failure = f"{hook.__name__}() raised {error!r}", error
        for component in components:
            self._take(entry, kind, component)
        if failure:
            self._broken(entry, *failure)

    def _take(self, entry: Plugin, kind: type[Component], component: Any) -> None:
        """One description, if nothing is wrong with it."""
        fault = fault_of(component, kind)
        if not fault and any(
            o.component.kind == kind.kind and o.component.name == component.name for o in entry.offers
        ):
            fault = f'offers the {kind.kind} "{component.name}" twice; the second is left out: give it another name'
        if fault:
            self._broken(entry, fault, PluginError(fault))
        else:
            entry.offers.append(Offer(component, entry.name, entry.distribution, entry.version))

    def _check_hook_names(self, plugin: object) -> None:
        known = [name for name in vars(hookspecs) if name.startswith("shiftlens_")]
        for name, value in inspect.getmembers(plugin, callable):
            if name.startswith("shiftlens_") and name not in known:
                raise PluginError(f'no hook is called "{name}"; {near_miss(name, known)}there are: {", ".join(known)}')
            if name in known and not hasattr(value, f"{hookspecs.PROJECT}_impl"):
                raise PluginError(f"{name} is not marked; put @shiftlens.hookimpl above it")

    def _broken(self, entry: Plugin, reason: str, error: BaseException) -> None:
        """Note that a plugin, or a part of it, cannot be used."""
        entry.status = "broken"
        entry.reason = f"{entry.reason}; {reason}" if entry.reason else reason
        self._problem(entry, reason, error)

    def _problem(self, entry: Plugin | Offer, reason: str, error: BaseException) -> None:
        name = entry.name if isinstance(entry, Plugin) else entry.plugin
        if self.strict:
            raise PluginError(f"plugin {name}: {reason}") from error
        self.problems.append(Problem(name, entry.distribution, reason))


def _refusal(entry: Plugin) -> str:
    """Why a plugin of this API number cannot be used, or an empty string."""
    api, of = entry.api, f" of {entry.distribution}" if entry.distribution else ""
    if isinstance(api, bool) or not isinstance(api, int):
        return f"shiftlens_api must be the number of the plugin API, such as {API_VERSION}; it is {api!r}"
    if api > API_VERSION:
        return f"made for plugin API {api}, and this shiftlens knows {API_VERSION} at most: pip install -U shiftlens"
    if api < OLDEST_API:
        return (
            f"made for plugin API {api}, and this shiftlens knows {OLDEST_API} to {API_VERSION}: install a newer "
            f"version{of}, or an older shiftlens"
        )
    return ""


def _block(name: str) -> str:
    return f"; SHIFTLENS_BLOCK={name} leaves it out"


def _loaded() -> set[str]:
    return {library for library in HEAVY if library in sys.modules}
