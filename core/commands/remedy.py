"""``shiftlens remedy``: the remedies of a finished run, tried again."""

from __future__ import annotations

from collections.abc import Iterable

from shiftlens.core.config.settings import Settings, apply_override
from shiftlens.core.errors import InputError
from shiftlens.core.host.host import Host
from shiftlens.core.run.directory import Run
from shiftlens.core.run.pipeline import run as do


def measure_remedies(run: Run, overrides: Iterable[str], host: Host) -> list[str]:
    """Do the stage ``remedy`` again, and what follows from it; returns the sentences, the best remedy's first.

    Raises:
        InputError: nothing can be measured, with the reason.
    """
    raw = dict(run.settings)
    if run.record("trial") is None:
        raise InputError(f"{run.path} has no verdicts yet; finish it with `shiftlens run`, then try the remedies")
    for override in overrides:
        apply_override(raw, override)
    settings = Settings.parse(raw, run.base, host)
    do(settings, run.path, from_="remedy", until="remedy", host=host)
    found = do(settings, run.path, host=host).results.remedy  # what follows from it
    if found is None or not found.measured:
        raise InputError(f"no remedy can be measured: {found.why_not if found else 'the run gives no advice'}")
    return [
        found.measured_sentence,
        *(row.sentence for row in found.measured if row.sentence != found.measured_sentence),
    ]
