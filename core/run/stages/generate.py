"""Stage ``generator``: train encoder and decoder on source ∪ target ∪ trial, conditioned on the loss (¶48–51)."""

from __future__ import annotations

from typing import Any

from shiftlens.core.errors import TrainingError
from shiftlens.core.host.kinds import Generator
from shiftlens.core.run.context import Context, Outcome, Stage


def work(context: Context) -> Outcome:
    component = context.settings.generator.component
    assert isinstance(component, Generator)
    kind = context.domain("source").kind
    if kind not in component.kinds:
        raise TrainingError(
            f'the generator "{component.name}" cannot learn samples of kind {kind} (it learns '
            f"{', '.join(component.kinds)}); choose another with generator: {{name: ...}}"
        )
    trained = context.train_generator()
    facts: dict[str, Any] = {
        "name": component.name,
        "latent": trained.latent,
        "history": list(trained.history),
        "facts": dict(trained.facts),
    }
    return Outcome(facts=facts)


STAGE = Stage(
    "generator",
    settings=("generator", "seed", "device"),
    after=("data", "classifier", "score", "trial"),
    work=work,
)
