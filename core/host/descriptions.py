"""What the host demands of a description before it takes it; `shiftlens.testing` holds plugins to the same."""

from __future__ import annotations

import inspect
import re

from shiftlens.core.host.kinds import Component, ComponentSettings

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def fault_of(component: object, kind: type[Component]) -> str:
    """What is wrong with a description, or an empty string."""
    if not isinstance(component, kind):
        hook, given = f"shiftlens_{plural(kind.kind)}", type(component).__name__
        return f"{hook} must yield {kind.__name__}(...) descriptions, not {given}"
    if not (isinstance(component.name, str) and NAME.fullmatch(component.name)):
        return f"{component.name!r} is no name: lower-case words of letters and digits, joined by hyphens"
    where = f'{kind.kind} "{component.name}"'
    if not (isinstance(component.summary, str) and component.summary.strip() and component.summary.isprintable()):
        return f"{where}: the summary must be one line of text; it is {component.summary!r}"
    if not callable(component.build):
        return f"{where}: build must be callable: build(settings) -> worker; it is {component.build!r}"
    fault = fault_of_settings(component.settings)
    return f"{where}: {fault}" if fault else ""


def fault_of_settings(settings: object) -> str:
    """What is wrong with a settings class, or an empty string."""
    if not (inspect.isclass(settings) and issubclass(settings, ComponentSettings)):
        return "settings must be a subclass of shiftlens.core.host.kinds.ComponentSettings"
    config = settings.model_config
    if not config.get("frozen") or config.get("extra") != "forbid":
        return f"settings {settings.__name__} must stay frozen, and must forbid unknown keys: leave model_config alone"
    silent = [name for name, info in settings.model_fields.items() if not info.description]
    if silent:
        return f"settings without help: {', '.join(silent)}; give each Field(description=...)"
    return ""


def plural(kind: str) -> str:
    """The kind's name as hooks and listings spell it: ``losses``, ``factors``."""
    return {"loss": "losses", "remedy": "remedies"}.get(kind, f"{kind}s")
