"""Rules: what they are, how one is run, and how a broken one is told."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from shiftlens.core.errors import ShiftlensError
from shiftlens.core.host.kinds import Component, ComponentSettings
from shiftlens.core.testing.sandbox import Sandbox

PAGE = "docs/reference/rules.md"
"""Where every rule has its heading; `rules_markdown` writes it."""

EVERY = "component"
"""The kind of the rules that hold for all kinds."""

LONGEST_SEEN = 400  # characters of an error that are told


class ConformanceError(AssertionError):
    """A component breaks rules; the message tells each with what was expected, what was seen, and where it stands."""


class Broken(Exception):
    """Raised inside a rule that does not hold."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected: {expected}; seen: {seen}")
        self.expected, self.seen = expected, seen


class LeftOut(Exception):
    """Raised inside a rule that cannot be looked at here; the message says why."""


def expect(holds: object, expected: str, seen: object) -> None:
    """Raise `Broken` unless ``holds``."""
    if not holds:
        raise Broken(expected, str(seen))


@dataclass
class Subject:
    """What a rule looks at: one component with settings, and a folder to work in. Each kind has its own subclass.

    Attributes:
        component: the description.
        settings: an instance of its settings class.
        sandbox: watches what is written and connected to.
        own: the author's own samples, None for the kit's.
    """

    component: Component
    settings: ComponentSettings
    sandbox: Sandbox
    own: Any = None

    def prepare(self) -> None:
        """Make what the rules need, before anything is watched."""

    def worker(self) -> Any:
        """A new worker."""
        return self.component.build(self.settings)

    def folder(self) -> Path:
        """A new empty folder that the worker may write to."""
        return Path(tempfile.mkdtemp(dir=self.sandbox.work))


S = TypeVar("S", bound=Subject)


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        kind: the kind of component that it holds for; ``component`` where it holds for all.
        name: its short name, e.g. ``listens-to-the-loss``.
        text: what it asks, in a sentence or two.
        look: raises where the rule is broken.
        first: where it is broken, the later rules of the kind have nothing to look at.
        last: looked at after all others, whose doings it judges.
    """

    kind: str
    name: str
    text: str
    look: Callable[[Any], None] = field(repr=False, compare=False)
    first: bool = False
    last: bool = False

    @property
    def anchor(self) -> str:
        """Its heading in the page of rules."""
        return f"{self.kind}-{self.name}"

    @property
    def place(self) -> str:
        """Where the rule stands."""
        return f"{PAGE}#{self.anchor}"


REGISTRY: dict[str, list[Rule]] = {}
"""The rules of each kind, in the order they are looked at."""


def rule(
    kind: str, name: str, *, first: bool = False, last: bool = False
) -> Callable[[Callable[[S], None]], Callable[[S], None]]:
    """Make a function ``look(subject)`` a rule; its docstring is the text."""

    def add(look: Callable[[S], None]) -> Callable[[S], None]:
        text = " ".join((look.__doc__ or "").split())
        REGISTRY.setdefault(kind, []).append(Rule(kind, name, text, look, first, last))
        return look

    return add


def rules(kind: str | None = None) -> list[Rule]:
    """All rules by kind, the common ones first; or those that hold for one kind, in the order they are looked at."""
    common = REGISTRY[EVERY]
    if kind is None:
        return [*common, *(one for name, of in sorted(REGISTRY.items()) if name != EVERY for one in of)]
    return [*(r for r in common if not r.last), *REGISTRY.get(kind, []), *(r for r in common if r.last)]


@dataclass(frozen=True)
class Finding:
    """What looking at one rule found: ``kept``, ``broken``, or ``left out`` with the reason in ``seen``."""

    rule: Rule
    status: str
    expected: str = ""
    seen: str = ""
    seconds: float = 0.0

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "rule": self.rule.anchor,
            "text": self.rule.text,
            "status": self.status,
            "expected": self.expected,
            "seen": self.seen,
            "stands": self.rule.place,
            "seconds": round(self.seconds, 3),
        }

    def told(self) -> str:
        """A broken rule for people."""
        lines = (f"expected: {self.expected}", f"seen:     {self.seen}", f"rule:     {self.rule.place}")
        return "\n    ".join([f"  {self.rule.name}", *lines])


def look_at(subject: Subject, of: Sequence[Rule]) -> Iterator[Finding]:
    """Look at rules one after another, in the sandbox; a fault inside one costs only that one."""
    subject.prepare()
    stopped_by = ""
    for one in of:
        if stopped_by and one.kind != EVERY:
            yield Finding(one, "left out", seen=f'nothing to look at without "{stopped_by}"')
            continue
        begun = time.perf_counter()
        finding = _look(subject, one)
        if finding.status != "kept" and one.first:
            stopped_by = one.name
        yield Finding(finding.rule, finding.status, finding.expected, finding.seen, time.perf_counter() - begun)


def _look(subject: Subject, one: Rule) -> Finding:
    try:
        with subject.sandbox.watching():
            one.look(subject)
    except Broken as broken:
        return Finding(one, "broken", broken.expected, broken.seen)
    except LeftOut as reason:
        return Finding(one, "left out", seen=str(reason))
    except ShiftlensError as error:
        return Finding(one, "broken", one.text, f"{type(error).__name__}: {error}")
    except Exception as error:  # the plugin's own code, which may raise anything
        return Finding(one, "broken", one.text, _told(error))
    return Finding(one, "kept")


def _told(error: Exception) -> str:
    """The error with the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}, line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    return f"raised {type(error).__name__}: {str(error)[:LONGEST_SEEN]}{place}"


def raise_broken(component: Component, findings: Sequence[Finding]) -> None:
    """Raise `ConformanceError` with every broken rule, or nothing."""
    broken = [finding for finding in findings if finding.status == "broken"]
    if broken:
        count = f"{len(broken)} of {len(findings)} rules"
        told = "\n".join(finding.told() for finding in broken)
        raise ConformanceError(f'{component.kind} "{component.name}" breaks {count}\n{told}')


def rules_markdown() -> str:
    """The page of all rules, one heading each: what ``PAGE`` holds."""
    parts = [
        "# Rules of the conformance kit",
        "`shiftlens plugins check NAME` and `shiftlens.testing.check_KIND` look at these. A broken rule is told with "
        "what was expected, what was seen, and the address of its heading here.",
    ]
    kind = ""
    for one in rules():
        if one.kind != kind:
            kind = one.kind
            parts.append("## Every component" if kind == EVERY else f"## {kind.capitalize()}")
        parts.append(f"### {one.anchor}\n\n{one.text}")
    return "\n\n".join(parts) + "\n"


def settings_of(component: Component, values: Mapping[str, Any]) -> ComponentSettings:
    """The component's settings with these values, as YAML keys."""
    return component.settings.model_validate(dict(values))
