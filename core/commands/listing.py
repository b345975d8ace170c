"""What is installed, for people and for scripts: ``shiftlens plugins`` and ``shiftlens plugins show``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import yaml
from pydantic_core import PydanticUndefined

from shiftlens.core.config.settings import name_key
from shiftlens.core.errors import PluginError, near_miss
from shiftlens.core.host.descriptions import plural
from shiftlens.core.host.host import Host, Offer, Plugin
from shiftlens.core.host.kinds import KINDS, Factor, Reader


def listing_plain(host: Host) -> list[dict[str, Any]]:
    """One entry per plugin: where it comes from, its status with the reason, and what it offers."""
    return [
        {
            "plugin": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "api": plugin.api,
            "status": status_of(host, plugin)[0],
            "reason": status_of(host, plugin)[1],
            "offers": [
                {
                    "kind": offer.component.kind,
                    "name": offer.component.name,
                    "summary": offer.component.summary,
                    "clash": _clash(host, offer),
                }
                for offer in plugin.offers
            ],
        }
        for plugin in host.plugins
    ]


def listing_text(host: Host) -> str:
    """The same for people: the plugins, what they offer by kind, then those that are not in order, with the reason."""
    rows = [("plugin", "distribution", "version", "API", "status", "offers")]
    rows += [
        (plugin.name, plugin.distribution, plugin.version, str(plugin.api), status_of(host, plugin)[0], _counts(plugin))
        for plugin in host.plugins
    ]
    lines = _columns(rows)
    for kind in KINDS:
        offers = host.offers(kind)
        if not offers:
            continue
        lines += ["", plural(kind.kind)]
        lines += [
            f"  {row}" for row in _columns([(o.component.name, _origin(host, o), o.component.summary) for o in offers])
        ]
    faults = [(plugin, *status_of(host, plugin)) for plugin in host.plugins if status_of(host, plugin)[0] != "ok"]
    if faults:
        lines += ["", "not in order"]
        lines += [f"  {_named(plugin)}: {status}: {reason}" for plugin, status, reason in faults]
    return "\n".join(lines)


def status_of(host: Host, plugin: Plugin) -> tuple[str, str]:
    """Status and reason; ``clash`` where a plugin in order offers a name that another one offers, too."""
    if plugin.status != "ok":
        return plugin.status, plugin.reason
    clashes = [
        f'the {offer.component.kind} "{offer.component.name}" is also offered by {others}'
        for offer in plugin.offers
        if (others := _clash(host, offer))
    ]
    if clashes:
        return (
            "clash",
            f"{'; '.join(clashes)}: neither can be used until one is blocked (SHIFTLENS_BLOCK={plugin.name})",
        )
    return "ok", ""


def _counts(plugin: Plugin) -> str:
    """What a plugin offers, counted: ``2 factors, 1 renderer``."""
    counts = Counter(offer.component.kind for offer in plugin.offers)
    return ", ".join(f"{count} {plural(kind) if count > 1 else kind}" for kind, count in counts.items())


def component_plain(host: Host, name: str) -> list[dict[str, Any]]:
    """Everything called ``name`` (one name may stand for components of several kinds)."""
    return [
        {
            "kind": offer.component.kind,
            "name": offer.component.name,
            "summary": offer.component.summary,
            "reference": offer.component.reference,
            "origin": offer.origin,
            "clash": _clash(host, offer),
            "settings": offer.component.settings.model_json_schema().get("properties", {}),
        }
        for offer in _called(host, name)
    ]


def component_text(host: Host, name: str) -> str:
    """The same for people: summary, settings table, and YAML to start from."""
    parts = []
    for offer in _called(host, name):
        component = offer.component
        lines = [f"{component.name} - {component.kind}, from {offer.origin}", f"  {component.summary}"]
        if component.reference:
            lines.append(f"  source: {component.reference}")
        if isinstance(component, Factor):
            form = f"none: {component.why_no_onnx}" if component.why_no_onnx else "none"
            lines.append(f"  ONNX form: {'yes' if component.onnx else form}")
        if clash := _clash(host, offer):
            lines.append(f"  CLASH: also offered by {clash}; neither can be used until one is blocked")
        fields = component.settings.model_fields
        if fields:
            lines += ["", "settings"]
            rows = [
                (key, _type(info.annotation), _default(info), info.description or "") for key, info in fields.items()
            ]
            lines += [f"  {row}" for row in _columns(rows)]
        lines += ["", "to use it", *(f"  {line}" for line in _example(offer).splitlines())]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _called(host: Host, name: str) -> list[Offer]:
    found = [offer for offer in host.offers() if offer.component.name == name]
    if not found:
        known = sorted({offer.component.name for offer in host.offers()})
        raise PluginError(f'nothing is called "{name}"; {near_miss(name, known)}there are: {", ".join(known)}')
    return found


def _clash(host: Host, offer: Offer) -> str:
    """Who else offers this name under the same kind."""
    others = [o for o in host.offers(offer.component.kind) if o is not offer]
    return " and ".join(o.origin for o in others if o.component.name == offer.component.name)


def _origin(host: Host, offer: Offer) -> str:
    clash = _clash(host, offer)
    return f"{offer.origin} CLASHES with {clash}" if clash else offer.origin


def _named(plugin: Plugin) -> str:
    return f"{plugin.name} ({plugin.distribution} {plugin.version})" if plugin.distribution else plugin.name


def _type(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return text.replace("typing.", "").replace("pathlib.", "").replace("pathlib._local.", "")


def _default(info: Any) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return ""
    return yaml.safe_dump(_plain(value), default_flow_style=True, width=10_000).split("\n")[0]


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str | dict) else str(value)


ONE_SLOT = ("selector", "generator", "converter", "loss", "classifier")  # kinds whose slot of that name takes one
SLOTS_OF_MANY = {"factor": "factors", "renderer": "reports", "observer": "observers"}


def _example(offer: Offer) -> str:
    """YAML that names the component with its defaults; what is required stands as ``...``."""
    component = offer.component
    values: dict[str, Any] = {name_key(type(component)): component.name}
    for key, info in component.settings.model_fields.items():
        values[key] = "..." if info.is_required() else _plain(info.get_default(call_default_factory=True))
    if isinstance(component, Reader):
        return yaml.safe_dump({"source": values}, sort_keys=False).rstrip()
    if component.kind in ONE_SLOT:
        return yaml.safe_dump({component.kind: values}, sort_keys=False).rstrip()
    if component.kind == "target":
        return f"shiftlens export RUN --target {component.name} --out DIR"
    if component.kind == "remedy":
        return yaml.safe_dump({"remedy": {"measure": [values]}}, sort_keys=False).rstrip()
    return yaml.safe_dump({SLOTS_OF_MANY[component.kind]: [values]}, sort_keys=False).rstrip()


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of text in aligned columns; the last one runs on."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
