"""What `shiftlens init` proposes for two tables: the column of labels, what the others are, which rows are whose."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shiftlens.core.host.kinds import Proposal
from shiftlens.plugins.readers.columns import INDEX, Column, as_number, guess, is_missing
from shiftlens.plugins.readers.table import LABELS

MOST_CLASSES = 200
DOMAINS = re.compile(r"split|set|subset|fold|domain|part|period|phase|source|site|batch|env|environment|group", re.I)
LIKELY_LABEL = re.compile(
    r"label|class|target|outcome|diagnos|species|variety|categor|survived|churn|default|fraud|quality|result", re.I
)
SOURCES = re.compile(r"train|source|before|old|ref|reference|a|0|1", re.I)


@dataclass(frozen=True)
class Cells:
    """The first rows of a table: the cells of each column as text, and whether its first line was data.

    ``left_out`` are the columns that hold no cells but lists or structures.
    """

    columns: Mapping[str, Sequence[str]]
    rows: int
    headerless: bool = False
    left_out: tuple[str, ...] = ()


def propose(source: Path, target: Path, cells_of: Callable[[Path], Cells]) -> Proposal:
    """Settings for both tables, with the reasons."""
    ours, theirs = cells_of(source), cells_of(target)
    notes: list[str] = []
    questions: list[str] = []
    here: dict[str, Any] = {}
    there: dict[str, Any] = {}
    if ours.headerless:
        here["header"] = there["header"] = False
        notes.append("The first line holds numbers, so it is data and names no columns.")
    if source.resolve() == target.resolve():
        _part(ours, here, there, notes, questions)
    label = _label(ours, here, there, notes, questions)
    label_there = _label_there(theirs, label, ours, there, notes)
    taken = {label, *here.get("where", {})}
    values = [name for name in ours.columns if name not in taken and not INDEX.fullmatch(name)]
    shared = [name for name in values if name in theirs.columns and name != label_there]
    lost = [name for name in values if name not in theirs.columns]
    strange = [
        name
        for name in theirs.columns
        if name not in ours.columns and name != label_there and not INDEX.fullmatch(name) and name not in there
    ]
    for names, whose in ((lost, "source"), (strange, "target")):
        if names:
            notes.append(f"Only the {whose} has {', '.join(names[:8])}; what one of them lacks cannot be compared.")
    for name in dict.fromkeys((*ours.left_out, *theirs.left_out)):
        notes.append(f"{name} holds lists or structures, which are no values, and is left out.")
    if _is_series(shared, ours):
        here["kind"] = there["kind"] = "series"
        notes.append("Rows of many numbers without names are taken for series; kind: tabular makes them vectors.")
        return Proposal(here, there, tuple(notes), tuple(questions))
    plan: dict[str, Any] = {}
    plan_there: dict[str, Any] = {}
    odd = bool(lost or strange or ours.left_out or theirs.left_out)
    for name in shared:
        column, column_there, why = guess(name, ours.columns[name], theirs.columns[name])
        odd = odd or bool(why) or column.as_ != "number"
        plan[name], plan_there[name] = _plain(column), _plain(column_there)
        if why:
            notes.append(f"{name}: {why}.")
    if odd:  # plain numbers throughout need no plan
        here["columns"], there["columns"] = plan, plan_there
    return Proposal(here, there, tuple(notes), tuple(questions))


def _plain(column: Column) -> Any:
    """As it stands in a settings file: one word where that says all."""
    values = column.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return column.as_ if set(values) <= {"as"} else {"as": column.as_, **values}


def _label(
    cells: Cells, here: dict[str, Any], there: dict[str, Any], notes: list[str], questions: list[str]
) -> str | None:
    """The column of labels in the source: by its usual name, else a likely one, which is asked about."""
    for usual in LABELS:
        for name in cells.columns:
            if name.lower() == usual:
                return name
    names = [name for name in cells.columns if not INDEX.fullmatch(name)]
    ends = ([names[0]] if cells.headerless else []) + [names[-1], names[0]] if names else []
    telling = sorted(names, key=lambda name: LIKELY_LABEL.search(name) is None)
    telling = telling[: sum(LIKELY_LABEL.search(name) is not None for name in names)]
    for name in dict.fromkeys([*telling, *ends, *names]):
        if _like_classes(cells.columns[name], cells.rows):
            here["label"] = there["label"] = name
            question = f"is {name} the column of labels? It holds {len(set(cells.columns[name]))} different values"
            if cells.headerless:
                which = {names[0]: "first", names[-1]: "last"}.get(name, "likeliest")
                archive = ", as in the UCR archive" if which == "first" else ""
                notes.append(f"The {which} column, {name}, is taken for the label{archive}.")
            else:
                questions.append(f"{question}. No column is called {', '.join(LABELS)}.")
            return name
    return None


def _like_classes(cells: Sequence[str], rows: int) -> bool:
    """Whether cells are few whole numbers or words, each of them often."""
    present = {cell for cell in cells if not is_missing(cell)}
    if not 2 <= len(present) <= min(MOST_CLASSES, max(2, rows // 4)) or any(is_missing(cell) for cell in cells):
        return False
    numbers = [as_number(cell) for cell in present]
    return all(math.isnan(n) or n == int(n) for n in numbers if not math.isinf(n))


def _label_there(theirs: Cells, label: str | None, ours: Cells, there: dict[str, Any], notes: list[str]) -> str | None:
    """The target's column of labels: of the same name, or the one that only it has and that holds the same classes."""
    if label is None or label in theirs.columns:
        return label
    classes = set(ours.columns[label])
    for name, cells in theirs.columns.items():
        if name not in ours.columns and set(cells) <= classes and len(set(cells)) > 1:
            there["label"] = name
            notes.append(f"The target has no column {label}; its column {name} holds the same classes.")
            return name
    there.pop("label", None)
    return None


def _part(cells: Cells, here: dict[str, Any], there: dict[str, Any], notes: list[str], questions: list[str]) -> None:
    """Both domains stand in one file: the column that tells their rows apart."""
    for name, column in cells.columns.items():
        values = sorted(set(column))
        if len(values) == 2 and DOMAINS.fullmatch(name.strip()):
            first = next((value for value in values if SOURCES.match(value)), values[0])
            second = next(value for value in values if value != first)
            here["where"], there["where"] = {name: first}, {name: second}
            questions.append(f"source and target are one file: are the rows with {name}: {first} the source's?")
            return
    questions.append(
        "source and target are one file, and no column says which rows belong to which; name one with where: "
        "{COLUMN: VALUE} in both, or nothing has shifted"
    )


def _is_series(names: Sequence[str], cells: Cells) -> bool:
    """Whether the columns are the steps of a series: many numbers without names of their own."""
    counted = all(re.fullmatch(r"(column-|t|t_|step|v)?\d+", name) for name in names)
    return len(names) >= 16 and counted and cells.headerless
