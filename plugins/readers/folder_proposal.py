"""What `shiftlens init` proposes for two folders of pictures or sounds."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from shiftlens.core.host.kinds import Proposal
from shiftlens.plugins.readers.class_tree import ALL, files_of, splits_of

SOURCES = re.compile(
    r"source|src|before|old|ref|reference|clean|train|training|day|sim|synthetic|a|domain[_ -]?[a1]", re.I
)


def propose(source: Path, target: Path, suffixes: tuple[str, ...]) -> Proposal:
    """Parts of a data set, and both domains in one folder, are asked about."""
    settings: dict[str, dict[str, Any]] = {"source": {}, "target": {}}
    questions: list[str] = []
    roots = {"source": source, "target": target}
    if source.resolve() == target.resolve() and (both := _domains_in(source, suffixes)):
        for role, name in zip(("source", "target"), both, strict=True):
            roots[role] = source / name
            settings[role]["path"] = str(source / name)
        questions.append(
            f"source and target are one folder, which holds {' and '.join(both)} with the same classes: is {both[0]} "
            "the source?"
        )
    for role, root in roots.items():
        splits = splits_of([path.relative_to(root).parts for path in files_of(root, suffixes)])
        if splits:
            settings[role]["split"] = ALL
            questions.append(
                f"{root.name} holds {', '.join(splits)}, parts of a data set and not classes: all of them are read as "
                f"the {role}; which are meant? (split: {' | '.join([*splits, ALL])}, or none if they are classes)"
            )
    return Proposal(settings["source"], settings["target"], (), tuple(questions))


def _domains_in(root: Path, suffixes: tuple[str, ...]) -> list[str]:
    """The two folders at the top that hold the same class folders, the likelier source first."""
    classes: dict[str, set[str]] = {}
    for path in files_of(root, suffixes):
        parts = path.relative_to(root).parts
        if len(parts) < 3:
            return []
        classes.setdefault(parts[0], set()).add(parts[1])
    names = sorted(classes, key=os.fsencode)
    if len(names) != 2 or not classes[names[0]] & classes[names[1]]:
        return []
    return sorted(names, key=lambda name: SOURCES.fullmatch(name) is None)
