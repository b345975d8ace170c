"""Writes a first analysis.yaml: looks at the data, says what it saw, and leaves nothing to fill in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from shiftlens.core.config.settings import GridSettings, Settings, defaults
from shiftlens.core.data.domain import Domain, check_pair
from shiftlens.core.data.labels import class_names
from shiftlens.core.errors import InputError, ShiftlensError
from shiftlens.core.files import write_text
from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import Classifier, Loss, Reader

CLASSES_NAMED = 12


@dataclass(frozen=True)
class Seen:
    """One domain as it was looked at: how it is read, and what it holds."""

    reader: Reader
    raw: dict[str, Any]
    domain: Domain


def write_settings(folder: Path, source: Path, target: Path, classifier: str | None, host: Host) -> Path:
    """Write ``folder/analysis.yaml`` for two domains; it runs as it is.

    Args:
        folder: where to write; made if needed, at the very end.
        source, target: what a reader of the host claims: a file or a folder.
        classifier: a file, or ``package.module:callable``; None: one is trained on the source.
        host: whose plugins are used.

    Raises:
        InputError: there is an analysis.yaml already; the data or the classifier cannot be used.
    """
    written = folder / "analysis.yaml"
    if written.exists():
        raise InputError(f"{written} is there already; remove it, or choose another folder")
    base = folder.resolve()
    with tempfile.TemporaryDirectory(prefix="shiftlens-init-", ignore_cleanup_errors=True) as scratch:
        seen = _look_at_both({"source": source, "target": target}, base, Path(scratch), host)
        domains = {role: one.domain for role, one in seen.items()}
        notes = check_pair(domains["source"], domains["target"])
        raw: dict[str, Any] = {"name": base.name or "analysis", "seed": 0}
        raw |= {role: {"reader": one.reader.name, **one.raw} for role, one in seen.items()}
        raw["classifier"] = _classifier(classifier, domains, base, host)
        if domains["target"].labels is None or domains["source"].labels is None:
            raw["loss"] = _label_free_loss(host)
        text = _text(raw, {role: _described(domain) for role, domain in domains.items()}, notes)
    Settings.parse(yaml.safe_load(text), base, host)
    write_text(written, text)
    return written


def _look_at_both(paths: Mapping[str, Path], base: Path, scratch: Path, host: Host) -> dict[str, Seen]:
    """Both domains, brought to one shape where their readers can do so."""
    seen = {role: _look(role, path, {}, base, scratch, host) for role, path in paths.items()}
    source, target = (one.domain.sample_shape for one in seen.values())
    known = set.intersection(*(set(one.reader.settings.model_fields) for one in seen.values()))
    same = {key: value for key, value in _form(source, target).items() if key in known}
    if source != target and same:
        return {role: _look(role, path, same, base, scratch, host) for role, path in paths.items()}
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


def _look(role: str, path: Path, settings: dict[str, Any], base: Path, scratch: Path, host: Host) -> Seen:
    """Read one domain as a run would."""
    if not path.expanduser().exists():
        raise InputError(f"--{role} {path} does not exist")
    raw = {"path": _relative(path, base), **settings}
    found = path.expanduser().resolve()  # base need not exist yet, so that a way through it would lead nowhere
    reader = host.claiming(Reader, {**raw, "path": str(found)}, base)
    if reader is None:
        raise InputError(
            f"--{role} {path}: no reader knows what to do with it; there are: {', '.join(host.names(Reader))} "
            "(`shiftlens plugins show NAME` says what each reads)"
        )
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


def _classifier(given: str | None, domains: Mapping[str, Domain], base: Path, host: Host) -> dict[str, Any]:
    """What stands under ``classifier``."""
    if given is None:
        _check_trainable(domains["source"], domains["target"])
        return {"train": {"architecture": "auto"}}
    path = Path(given).expanduser()
    raw = {"path": _relative(path, base) if path.exists() else given}
    if not path.exists() and ":" not in given:
        raise InputError(f"--classifier {given} does not exist")
    if host.claiming(Classifier, raw, base) is None:
        raise InputError(
            f"--classifier {given}: give a .onnx, .pt2 or .pt file, or package.module:callable; leave it out to have "
            "one trained on the source"
        )
    return raw


def _check_trainable(source: Domain, target: Domain) -> None:
    """A classifier can be trained on the source, and will know the target's labels."""
    if source.labels is None:
        raise InputError("--source has no labels to train a classifier on; bring one with --classifier")
    strangers = sorted(set(class_names(target.labels if target.labels is not None else ())) - set(source.labels))
    if strangers:
        raise InputError(
            f"--target has labels that the source never shows: {_classes(tuple(strangers))}; leave those samples out, "
            "or bring a classifier that knows them with --classifier"
        )


def _label_free_loss(host: Host) -> str:
    free = [offer.component.name for offer in host.offers(Loss) if not getattr(offer.component, "needs_labels", True)]
    if not free:
        raise InputError("a domain has no labels, and no installed loss does without them; give labels")
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


def _text(raw: Mapping[str, Any], seen: Mapping[str, str], notes: list[str]) -> str:
    """The settings file: each key on its line, under what was seen or can be said there."""
    comments = {
        "seed": ["every random number follows from it"],
        "source": ["Before the shift: " + seen["source"]],
        "target": ["After the shift: " + seen["target"], *("Note: " + note for note in notes)],
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
        lines += [f"# {comment}" for comment in comments.get(key, [])]
        lines.append(_line(key, value))
    lines += ["", "# What follows may be left out: these are the defaults."]
    lines += [_line(key, value) for key, value in defaults().items() if key not in raw]
    lines.append(_line("grid", GridSettings().model_dump(include={"features", "losses"})))
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    """``key: value`` as one line of YAML."""
    shown = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return f"{key}: " + shown.strip().removesuffix("...").strip()


def _relative(path: Path, base: Path) -> str:
    """The path as seen from the settings file; absolute where there is no way, as between drives."""
    try:
        return Path(os.path.relpath(path.expanduser().resolve(), base)).as_posix()
    except ValueError:
        return path.resolve().as_posix()
