"""Runs the rules of a kind over one component: for a test, and for ``shiftlens plugins check``."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shiftlens.core.errors import InputError, PluginError, near_miss
from shiftlens.core.host.descriptions import plural
from shiftlens.core.host.host import Host, Offer
from shiftlens.core.host.kinds import KINDS, Component
from shiftlens.core.testing.classifier import ClassifierSubject
from shiftlens.core.testing.converter import ConverterSubject
from shiftlens.core.testing.discrete import discrete as discrete
from shiftlens.core.testing.factor import FactorSubject
from shiftlens.core.testing.generator import GeneratorSubject
from shiftlens.core.testing.observer import ObserverSubject
from shiftlens.core.testing.reader import ReaderSubject
from shiftlens.core.testing.remedy import RemedySubject
from shiftlens.core.testing.renderer import RendererSubject
from shiftlens.core.testing.rules import Finding, Rule, Subject, look_at, raise_broken, rules, settings_of
from shiftlens.core.testing.sandbox import Sandbox
from shiftlens.core.testing.selector import SelectorSubject
from shiftlens.core.testing.target import TargetSubject

SUBJECTS: dict[str, type[Subject]] = {
    "reader": ReaderSubject, "classifier": ClassifierSubject, "generator": GeneratorSubject,
    "selector": SelectorSubject, "factor": FactorSubject, "renderer": RendererSubject, "target": TargetSubject,
    "converter": ConverterSubject, "observer": ObserverSubject, "remedy": RemedySubject,
}  # fmt: skip
"""What the rules of each kind look at; `Subject` itself where nothing more is needed."""


def findings(
    component: Component, settings: Mapping[str, Any], own: Any = None, only: Sequence[str] = ()
) -> Iterator[Finding]:
    """Look at the rules for one component, in a folder that is removed afterwards.

    Args:
        own: the author's own samples in place of the kit's.
        only: names of the rules to look at; all where none is given.

    Raises:
        InputError: no rule of such a name; the settings do not fit, or some are required and missing.
    """
    wanted = wanted_rules(component.kind, only)
    try:
        read = settings_of(component, settings)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'settings'}: {f['msg'].lower()}" for f in error.errors())
        raise InputError(
            f'{component.kind} "{component.name}" needs other settings to be checked: {faults}. '
            'Give them with settings={"key": value}, or on the command line with --set key=value'
        ) from None
    with tempfile.TemporaryDirectory(prefix="shiftlens-check-", ignore_cleanup_errors=True) as root:
        subject = SUBJECTS.get(component.kind, Subject)(component, read, Sandbox(Path(root)), own)
        yield from look_at(subject, wanted)


def wanted_rules(kind: str, only: Sequence[str]) -> list[Rule]:
    """The rules of a kind, or those of them that are named."""
    of_kind = rules(kind)
    known = [one.name for one in of_kind]
    for name in only:
        if name not in known:
            raise InputError(
                f'no rule for a {kind} is called "{name}"; {near_miss(name, known)}there are: {", ".join(known)}'
            )
    return [one for one in of_kind if not only or one.name in only]


def checker(kind: type[Component]) -> Callable[..., None]:
    """The function ``check_KIND`` of one kind."""

    def check(component: Component | str, *, settings: Mapping[str, Any] | None = None, samples: Any = None) -> None:
        described = Host().find(kind, component) if isinstance(component, str) else component
        if not isinstance(described, kind):
            raise TypeError(f"check_{kind.kind} takes a {kind.__name__} or its name, not {type(described).__name__}")
        raise_broken(described, list(findings(described, settings or {}, samples)))

    check.__name__ = check.__qualname__ = f"check_{kind.kind}"
    check.__doc__ = (
        f"Hold a {kind.kind} to its rules (docs/reference/rules.md).\n\n"
        "Args:\n"
        "    component: its description, or the name of an installed one.\n"
        "    settings: its settings, as YAML keys; the defaults where left out.\n"
        "    samples: your own real data in place of the kit's.\n\n"
        "Raises:\n"
        "    ConformanceError: with every broken rule: what was expected, what was seen, where it stands.\n"
        "    InputError: settings are missing or do not fit."
    )
    return check


def offers_called(host: Host, name: str, kind: str | None = None) -> list[Offer]:
    """The offers of a component, a plugin or a distribution of that name.

    Raises:
        PluginError: there is none (with the near miss); or the plugin is there, and is broken, blocked or refused.
    """
    offers = [o for o in host.offers() if kind is None or o.component.kind == kind]
    found = [o for o in offers if o.component.name == name] or [o for o in offers if name in (o.plugin, o.distribution)]
    for plugin in host.plugins:
        if name in (plugin.name, plugin.distribution) and plugin.status != "ok":
            raise PluginError(f"the plugin {plugin.name} is {plugin.status}: {plugin.reason}")
    if not found:
        known = sorted({n for o in offers for n in (o.component.name, o.plugin, o.distribution) if n})
        where = f" among the {plural(kind)}" if kind else ""
        raise PluginError(f'nothing is called "{name}"{where}; {near_miss(name, known)}there are: {", ".join(known)}')
    return found


def check_offers(
    offers: Sequence[Offer], settings: Mapping[str, Any], only: Sequence[str], told: Callable[[Finding], None]
) -> list[dict[str, Any]]:
    """Check several offers; one whose settings are missing is told as such, and the others go on.

    Args:
        settings: used for every offer.
        only: names of the rules to look at; all where none is given.
        told: called after each rule.

    Returns:
        One entry per offer: ``{"kind", "name", "origin", "status", "reason", "rules"}``; status is ``ok``, ``broken``
        or ``not checked``.
    """
    for offer in offers:
        wanted_rules(offer.component.kind, only)  # a misspelt one is told before anything is looked at
    table = []
    for offer in offers:
        component = offer.component
        entry: dict[str, Any] = {
            "kind": component.kind, "name": component.name, "origin": offer.origin, "status": "ok", "reason": "",
            "rules": [],
        }  # fmt: skip
        try:
            for finding in findings(component, settings, only=only):
                told(finding)
                entry["rules"].append(finding.plain())
                if finding.status == "broken":
                    entry["status"] = "broken"
        except InputError as error:
            entry["status"], entry["reason"] = "not checked", str(error)
        table.append(entry)
    return table


def findings_text(table: Sequence[Mapping[str, Any]]) -> str:
    """The table of `check_offers` for people: one line per component, and under it what is not in order."""
    lines = []
    for entry in table:
        counts = Counter(found["status"] for found in entry["rules"])
        told = ", ".join(f"{counts[status]} {status}" for status in ("kept", "broken", "left out") if counts[status])
        reason = entry["reason"] or told
        lines.append(f"{entry['kind']} {entry['name']} ({entry['origin']}): {entry['status']}: {reason}")
        for found in entry["rules"]:
            if found["status"] == "broken":
                lines += [
                    f"  {found['rule']}",
                    f"    expected: {found['expected']}",
                    f"    seen:     {found['seen']}",
                    f"    rule:     {found['stands']}",
                ]
            elif found["status"] == "left out":
                lines.append(f"  {found['rule']}: left out: {found['seen']}")
    return "\n".join(lines)


CHECKERS: dict[str, Callable[..., None]] = {f"check_{kind.kind}": checker(kind) for kind in KINDS}
