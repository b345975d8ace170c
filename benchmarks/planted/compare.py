"""All that is found in a few planted cases, as JSON, held against what another state of the code found.

For changes that should change nothing:
git stash; python -m benchmarks.planted.compare --out before.json; git stash pop
python -m benchmarks.planted.compare --against before.json
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from pydantic import BaseModel

from benchmarks.planted.cases import Case, all_cases, by_classifier
from benchmarks.planted.causes_benchmark import quick_settings, run_group
from shiftlens.core.causes.changes import ActiveFactor
from shiftlens.core.causes.find_causes import CausesFound
from shiftlens.core.files import write_text

USUAL = (0, 2, 3)
"""Of the quick cases: two changes at once, nothing harmful, a cause that no factor measures."""


def plain(value: object) -> Any:
    """Anything that an analysis finds, in lists, maps and numbers; of an array its shape and its mean size."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "size": float(np.abs(value).mean()) if value.size else 0.0}
    if isinstance(value, ActiveFactor):
        return value.name
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def differences(before: Any, after: Any, place: str = "") -> list[str]:
    """Where two such values differ, a line for each place."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = sorted(before.keys() | after.keys())
        return [line for name in names for line in differences(before.get(name), after.get(name), f"{place}/{name}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [line for i, (a, b) in pairs for line in differences(a, b, f"{place}/{i}")]
    return [] if before == after else [f"{place}: {before!r} became {after!r}"]


@click.command()
@click.option("--case", "names", multiple=True, help="A case by the name in causes.md; three quick ones when left out.")
@click.option("--out", type=click.Path(path_type=Path), help="Write what was found.")
@click.option("--against", type=click.Path(path_type=Path, exists=True), help="Compare with what was written before.")
def main(names: tuple[str, ...], out: Path | None, against: Path | None) -> None:
    """Run some planted cases and compare all that was found; ends with 1 where anything differs."""
    quick = all_cases(True, 0)
    chosen = [case for case in all_cases(False, 0) if case.name in names] if names else [quick[i] for i in USUAL]
    if len(chosen) < len(set(names)):
        raise click.UsageError(f"no such case: {', '.join(set(names) - {case.name for case in chosen})}")
    found: dict[str, Any] = {}

    def keep(case: Case, causes: CausesFound) -> None:
        found[case.name] = json.loads(json.dumps({"case": asdict(case), "found": plain(causes)}))

    for group in by_classifier(chosen).values():
        run_group(group, not names, quick_settings(), keep=keep)
    if out is not None:
        write_text(out, json.dumps(found, indent=1) + "\n")
    if against is not None:
        lines = differences(json.loads(against.read_text()), found)
        click.echo("\n".join(lines) or f"{len(found)} cases: the same")
        raise SystemExit(bool(lines))


if __name__ == "__main__":
    main()
