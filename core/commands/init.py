"""Writes a first analysis.yaml: looks at the data and the classifier, says what it saw, and leaves nothing to fill in.

What cannot be told from the files stands in it as a marked question, beside the likeliest answer.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from shiftlens.core.commands.init_classifier import raw_classifier, try_classifier, wanted_shape
from shiftlens.core.commands.init_paths import relative as _relative
from shiftlens.core.config.settings import GridSettings, Settings, defaults
from shiftlens.core.data.domain import Domain, aligned, check_pair
from shiftlens.core.data.labels import class_names
from shiftlens.core.errors import InputError, ShiftlensError
from shiftlens.core.files import check_regular, write_text
from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import Loss, Reader

logger = logging.getLogger("shiftlens")

CLASSES_NAMED = 12
OTHERS = (
    ((".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".zst", ".7z", ".rar"), "unpack it, and give what comes out"),
    ((".pkl", ".pickle", ".joblib"), "pickles can run code, so they are not read: save it as .parquet, .csv or .npz"),
    ((".xlsx", ".xls", ".ods"), "save its sheet as .csv"),
    (
        (".json", ".jsonl", ".arrow", ".feather", ".orc", ".sas7bdat", ".dta", ".sav", ".rds"),
        "save it as .parquet or .csv",
    ),
    ((".h5", ".hdf5", ".mat", ".pt", ".pth", ".safetensors", ".tfrecord"), "save its arrays as .npz with x and y"),
    ((".png", ".jpg", ".jpeg", ".wav", ".flac", ".mp3", ".tif"), "that is one sample: give the folder of all"),
)
"""Files that people have and no reader takes, by their suffixes, and what to do with them."""


@dataclass(frozen=True)
class Seen:
    """One domain as it was looked at: how it is read, and what it holds."""

    reader: Reader
    raw: dict[str, Any]
    domain: Domain


@dataclass
class Remarks:
    """What is written above a key of the file: notes, and questions that only a person can answer."""

    notes: dict[str, list[str]] = field(default_factory=dict)
    questions: dict[str, list[str]] = field(default_factory=dict)

    def note(self, key: str, *texts: str) -> None:
        self.notes.setdefault(key, []).extend(texts)

    def ask(self, key: str, *texts: str) -> None:
        self.questions.setdefault(key, []).extend(texts)


def write_settings(folder: Path, source: Path, target: Path, classifier: str | None, host: Host) -> Path:
    """Write ``folder/analysis.yaml`` for two domains; it runs as it is, or holds a question that says what is missing.

    Args:
        folder: where to write; made if needed, at the very end.
        source, target: what a reader of the host claims: a file or a folder.
        classifier: a file, or ``package.module:callable``; None: one is trained on the source.
        host: whose plugins are used.

    Raises:
        InputError: there is an analysis.yaml already; a path does not exist, or no reader knows what it holds.
    """
    written = folder / "analysis.yaml"
    if written.exists():
        raise InputError(f"{written} is there already; remove it, or choose another folder")
    base = folder.resolve()
    remarks = Remarks()
    with tempfile.TemporaryDirectory(prefix="shiftlens-init-", ignore_cleanup_errors=True) as scratch:
        given = None if classifier is None else raw_classifier(classifier, base, host)
        wanted = {} if given is None else wanted_shape(given, base, host, remarks)
        seen = _look_at_both({"source": source, "target": target}, wanted, base, Path(scratch), host, remarks)
        domains = {role: one.domain for role, one in seen.items()}
        domains["target"] = aligned(domains["source"], domains["target"])
        try:
            remarks.note("target", *check_pair(domains["source"], domains["target"]))
        except InputError as error:
            remarks.ask("target", f"the two domains cannot be compared as they are: {error}")
        name = os.fsencode(base.name).decode("utf-8", "replace")
        raw: dict[str, Any] = {"name": name or "analysis", "seed": 0}
        raw |= {role: {"reader": one.reader.name, **one.raw} for role, one in seen.items()}
        raw["classifier"] = given or _trained(domains["source"], domains["target"], remarks)
        if given is not None:
            try_classifier(raw["classifier"], domains, base, host, Path(scratch), remarks)
        if domains["source"].labels is None:
            raw["loss"] = _label_free_loss(host)
        text = _text(raw, {role: _described(domain) for role, domain in domains.items()}, remarks)
    Settings.parse(yaml.safe_load(text), base, host)
    write_text(written, text)
    for question in [question for asked in remarks.questions.values() for question in asked]:
        logger.warning("question: %s (marked in %s)", question, written)
    return written


def _look_at_both(
    paths: Mapping[str, Path], wanted: Mapping[str, Any], base: Path, scratch: Path, host: Host, remarks: Remarks
) -> dict[str, Seen]:
    """Both domains, brought to one shape where their readers can do so, and to the classifier's where it has one."""
    readers = {role: _reader(role, path, base, host) for role, path in paths.items()}
    proposed: dict[str, Mapping[str, Any]] = {"source": {}, "target": {}}
    if readers["source"].name == readers["target"].name:
        found = [path.expanduser().resolve() for path in paths.values()]
        try:
            proposal = readers["source"].proposes(*found)
        except ShiftlensError as error:
            raise InputError(f"--source, --target: {error}") from error
        proposed = {"source": proposal.source, "target": proposal.target}
        remarks.note("source", *proposal.notes)
        remarks.ask("source", *proposal.questions)

    def look(role: str, more: Mapping[str, Any]) -> Seen:
        known = set(readers[role].settings.model_fields)
        fitting = {key: value for key, value in {**wanted, **more}.items() if key in known}
        return _look(role, paths[role], readers[role], {**proposed[role], **fitting}, base, scratch)

    seen = {role: look(role, {}) for role in paths}
    source, target = (one.domain.sample_shape for one in seen.values())
    known = set.intersection(*(set(reader.settings.model_fields) for reader in readers.values()))
    same = {key: value for key, value in _form(source, target).items() if key in known and key not in wanted}
    agreed = {**seen["source"].domain.agrees, **seen["target"].domain.agrees}
    for setting in agreed:
        ways = {one.domain.agrees.get(setting) for one in seen.values()}
        if len(ways) > 1 and setting in known:
            both = [way for way in ways if way is not None]
            same[setting] = min(both) if setting == "rate" else max(both)
            remarks.note("source", f"{setting}: {' and '.join(map(str, sorted(both)))} in the two domains, made one.")
    if (source != target and same) or any(setting in same for setting in agreed):
        return {role: look(role, same) for role in paths}
    return {role: Seen(one.reader, {**one.raw, **same}, one.domain) for role, one in seen.items()}


def _form(source: tuple[int, ...], target: tuple[int, ...]) -> dict[str, Any]:
    """Settings, by the names that readers of pictures and sounds have for them, that give samples of one shape.

    They are written out even where both domains agree, so that data which is added later is read alike.
    """
    same: dict[str, Any] = {}
    if len(source) == len(target) == 3:
        same["size"] = list(source[1:])
        if source[0] != target[0]:
            same["mode"] = "RGB"
    if len(source) == len(target) == 2:
        same["length"] = source[1]
        if source[0] != target[0]:
            same["channels"] = "mono"
    return same


def _reader(role: str, path: Path, base: Path, host: Host) -> Reader:
    """The reader that knows what a path holds."""
    try:
        if not path.expanduser().exists():
            raise InputError(f"--{role} {path} does not exist")
        if not path.expanduser().is_dir():
            check_regular(path.expanduser())
    except (OSError, ValueError, RuntimeError) as error:  # a path that no system takes; ~ of nobody
        raise InputError(f"--{role} {_plainly(str(path))}: {error}; correct the path") from None
    found = host.claiming(Reader, {"path": str(path.expanduser().resolve())}, base)
    if found is None:
        hint = next((f" {advice};" for ends, advice in OTHERS if path.name.lower().endswith(ends)), "")
        raise InputError(
            f"--{role} {path}: no reader knows what to do with it;{hint} there are: {', '.join(host.names(Reader))} "
            "(`shiftlens plugins show NAME` says what each reads)"
        )
    return found


def _look(role: str, path: Path, reader: Reader, settings: dict[str, Any], base: Path, scratch: Path) -> Seen:
    """Read one domain as a run would."""
    found = Path(settings.pop("path", path.expanduser().resolve()))  # base need not exist yet, so a full path is read
    raw = {"path": _relative(found, base), **settings}
    place = scratch / role
    place.mkdir(exist_ok=True)
    try:
        worker = reader.build(reader.settings.model_validate({**raw, "path": found}))
        return Seen(reader, raw, worker(place))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InputError(f'--{role} {path}: the reader "{reader.name}" needs more than a path ({wrong})') from None
    except ShiftlensError as error:
        raise InputError(f"--{role}: {error}") from error


def _trained(source: Domain, target: Domain, remarks: Remarks) -> dict[str, Any]:
    """A classifier that is trained on the source and knows the target's labels; what stands against it is asked."""
    if source.labels is None:
        remarks.ask("classifier", "the source has no labels to train a classifier on: where are they, or which is it?")
        return {"train": {"architecture": "auto"}}
    strangers = sorted(set(class_names(target.labels if target.labels is not None else ())) - set(source.labels))
    if strangers:
        remarks.ask(
            "classifier",
            f"the target has labels that the source never shows: {_classes(tuple(strangers))}. Leave those samples "
            "out, or bring a classifier that knows them",
        )
    return {"train": {"architecture": "auto"}}


def _label_free_loss(host: Host) -> str:
    free = [offer.component.name for offer in host.offers(Loss) if not getattr(offer.component, "needs_labels", True)]
    if not free:
        raise InputError("the source has no labels, and no installed loss does without them; give labels")
    return free[0]


def _described(domain: Domain) -> str:
    """One line on what a domain holds."""
    text = f"{len(domain):,} samples of kind {domain.kind}, shape {domain.sample_shape}; "
    if domain.labels is None:
        return text + "no labels"
    names = class_names(domain.labels)
    return text + f"{len(names)} classes: {_classes(names)}"


def _classes(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - CLASSES_NAMED} more" if len(names) > CLASSES_NAMED else ""
    return ", ".join(names[:CLASSES_NAMED]) + more


def _text(raw: Mapping[str, Any], seen: Mapping[str, str], remarks: Remarks) -> str:
    """The settings file: each key on its line, under what was seen or can be said there."""
    comments = {
        "seed": ["every random number follows from it"],
        "source": ["Before the shift: " + seen["source"]],
        "target": ["After the shift: " + seen["target"]],
        "classifier": [
            "The model under analysis: a .onnx, .pt2 or .pt file, a package.module:callable, or trained here"
        ],
        "loss": ["How wrong the classifier is on one sample; this one needs no labels"],
    }
    lines = [
        "# Written by `shiftlens init`; it runs as it is: shiftlens run analysis.yaml",
        "# Paths are relative to this file. `shiftlens plugins` lists what can be named here, and",
        "# `shiftlens plugins show NAME` the settings of each.",
        "",
    ]
    for key, value in raw.items():
        lines += [f"# {_plainly(comment)}" for comment in comments.get(key, [])]
        lines += [f"# Note: {_plainly(note)}" for note in remarks.notes.get(key, [])]
        lines += [f"# QUESTION: {_plainly(question)}" for question in remarks.questions.get(key, [])]
        lines.append(_line(key, value))
    lines += ["", "# What follows may be left out: these are the defaults."]
    lines += [_line(key, value) for key, value in defaults().items() if key not in raw]
    lines.append(_line("grid", GridSettings().model_dump(include={"features", "losses"})))
    return "\n".join(lines) + "\n"


def _plainly(text: str) -> str:
    """On one line, as a comment must be, and without what YAML or a terminal would not take."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in " ".join(text.split()))


def _line(key: str, value: Any) -> str:
    """``key: value`` as one line of YAML."""
    shown = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return f"{key}: " + shown.strip().removesuffix("...").strip()
