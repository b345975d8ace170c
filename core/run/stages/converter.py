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


def _generator(context: Context) -> Any:
    """What the generator was trained on and with, for converters that are built on it; the others do without."""
    choice = context.settings.converter
    if choice is None or not isinstance(choice.component, Converter) or not choice.component.uses_generator:
        return None
    record = context.run.record("generator")
    return None if record is None else [record.key, record.content]


STAGE = Stage(
    "converter",
    settings=("converter", "seed", "device"),
    after=("data", "classifier", "score"),
    work=work,
    outside=_generator,
)
