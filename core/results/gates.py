"""``--fail-on``: conditions under which a finished run counts as failed, for automated jobs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shiftlens.core.errors import InputError
from shiftlens.core.results.results import Results

FORMS = "harmful, drop=0.05 or fidelity=0.8"


@dataclass(frozen=True)
class Gate:
    """One condition: ``harmful``, ``drop`` above a limit, or ``fidelity`` below one."""

    name: str
    limit: float = 0.0

    def trips(self, results: Results) -> str:
        """Why the gate trips, or an empty string."""
        if self.name == "harmful":
            harmful = [cause.factor for cause in results.causes if cause.verdict == "harmful"]
            return f"harmful: {', '.join(harmful)}" if harmful else ""
        if self.name == "drop":
            before, after = results.accuracy.source, results.accuracy.target
            estimate = results.accuracy_estimate
            if before is not None and estimate is not None:
                fell = before - estimate.value
                told = (
                    f"drop: the accuracy fell by about {fell:.3f} (estimated, no labels), the limit is {self.limit:g}"
                )
                return told if fell > self.limit else ""
            if before is None or after is None:
                return "drop: unknown, because the accuracy is not known without labels"
            fell = before - after
            return f"drop: the accuracy fell by {fell:.3f}, the limit is {self.limit:g}" if fell > self.limit else ""
        reached = results.fidelity.spearman
        if reached is None:
            return "fidelity: not defined for these cells"
        return f"fidelity: {reached:.2f}, at least {self.limit:g} is asked for" if reached < self.limit else ""


def parse_gates(texts: Iterable[str]) -> list[Gate]:
    """Gates from the texts of ``--fail-on``.

    Raises:
        InputError: a text that means no gate.
    """
    return [_parse(text) for text in texts]


def _parse(text: str) -> Gate:
    name, equals, value = text.partition("=")
    if name == "harmful" and not equals:
        return Gate(name)
    if name in ("drop", "fidelity") and equals:
        try:
            limit = float(value)
        except ValueError:
            limit = float("nan")
        if -1.0 <= limit <= 1.0:
            return Gate(name, limit)
    raise InputError(f'--fail-on "{text}" is no condition; it takes {FORMS}')
