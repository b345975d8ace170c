"""Stage ``converter``: train the style converter from the target to the source domain, if one is asked for (¶80)."""

from __future__ import annotations

from typing import Any

from shiftlens.core.errors import TrainingError
from shiftlens.core.host.kinds import Converter
from shiftlens.core.run.context import Context, Outcome, Stage


def work(context: Context) -> Outcome:
    if context.settings.converter is None:
        return Outcome()
    component = context.settings.converter.component
    assert isinstance(component, Converter)
    kind = context.domain("source").kind
    if kind not in component.kinds:
        raise TrainingError(
            f'the style converter "{component.name}" cannot learn samples of kind {kind} (it learns '
            f"{', '.join(component.kinds)}); choose another with converter: {{name: ...}}, or set converter to null"
        )
    trained = context.train_converter()
    facts: dict[str, Any] = {
        "name": component.name,
        "held_out": [int(place) for place in trained.held_out],
        "history": list(trained.history),
        "facts": dict(trained.facts),
    }
    return Outcome(facts=facts)


def also_after(context: Context) -> tuple[str, ...]:
    """Converters that are built on the generator come after it; the others do without."""
    choice = context.settings.converter
    uses = choice is not None and isinstance(choice.component, Converter) and choice.component.uses_generator
    return ("generator",) if uses else ()


STAGE = Stage(
    "converter",
    settings=("converter", "seed", "device"),
    after=("data", "classifier", "score"),
    work=work,
    also_after=also_after,
)
