"""Stage ``data``: open both domains, check that they can be compared, and note what they are."""

from __future__ import annotations

from typing import Any

from shiftlens.core.data.domain import check_pair
from shiftlens.core.data.fingerprint import fingerprint, sha256_of_files
from shiftlens.core.errors import InputError, ShiftlensError
from shiftlens.core.run.context import DOMAINS, Context, Outcome, Stage
from shiftlens.core.run.memory import check_memory


def work(context: Context) -> Outcome:
    source, target = context.domain("source"), context.domain("target")
    check_memory(source.sample_shape, source.kind)
    warnings = check_pair(source, target, context.batch_size)
    facts: dict[str, Any] = {
        "kind": source.kind,
        "sample_shape": list(source.sample_shape),
        "samples": {role: len(context.domain(role)) for role in DOMAINS},
        "labelled": {role: context.domain(role).labels is not None for role in DOMAINS},
        "columns": list(source.columns),
        "data_sha256": {role: sha256_of_files(context.reader(role).files()) for role in DOMAINS},
        "warnings": warnings,
    }
    return Outcome(facts=facts)


def outside(context: Context) -> Any:
    found = {}
    for role in DOMAINS:
        try:
            found[role] = fingerprint(context.reader(role).files())
        except ShiftlensError as error:
            raise type(error)(f"{role}: {error}") from error
        except (OSError, ValueError) as error:  # a path that no system takes
            raise InputError(f"{role}: {error}; correct the path") from None
    return found


STAGE = Stage("data", settings=("source", "target", "batch_size"), after=(), work=work, outside=outside)
