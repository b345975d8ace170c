"""What `shiftlens init` does with a classifier that is brought along: opens it, and tries it on some real samples."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlens.core.commands.init_paths import relative
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.labels import better_order, match_classes
from shiftlens.core.data.scoring import probabilities_of, read_outputs
from shiftlens.core.errors import InputError, ShiftlensError
from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import Classifier
from shiftlens.core.job import Job

if TYPE_CHECKING:
    from shiftlens.core.commands.init import Remarks

TRIED = 512  # samples of each domain


def raw_classifier(given: str, base: Path, host: Host) -> dict[str, Any]:
    """What stands under ``classifier`` for a file or a callable.

    Raises:
        InputError: there is no such file, or no plugin knows what to do with it.
    """
    path = Path(given).expanduser()
    raw = {"path": relative(path, base) if path.exists() else given}
    if not path.exists() and ":" not in given:
        raise InputError(f"--classifier {given} does not exist")
    if host.claiming(Classifier, raw, base) is None:
        raise InputError(
            f"--classifier {given}: give a .onnx, .pt2 or .pt file, or package.module:callable; leave it out to have "
            "one trained on the source"
        )
    return raw


def _worker(raw: Mapping[str, Any], base: Path, host: Host) -> Any:
    """The worker of a classifier's file that can be looked at; None for the others, whose code is not run here."""
    component = host.claiming(Classifier, raw, base)
    assert component is not None
    path = Path(os.path.abspath(base / str(raw["path"])))  # base need not exist yet
    if not path.is_file():
        return None
    worker = component.build(component.settings.model_validate({**raw, "path": path}))
    return worker if hasattr(worker, "understood") else None


def wanted_shape(raw: Mapping[str, Any], base: Path, host: Host, remarks: Remarks) -> dict[str, Any]:
    """Settings, by the names that readers have for them, which give samples of the shape that the classifier takes."""
    worker = _worker(raw, base, host)
    if worker is None:
        return {}
    try:
        shape = worker.understood().sample_shape
    except ShiftlensError as error:
        remarks.ask("classifier", str(error))
        return {}
    wanted: dict[str, Any] = {}
    if len(shape) == 3:
        if None not in shape[1:]:
            wanted["size"] = list(shape[1:])
        if shape[0] in (1, 3):
            wanted["mode"] = "RGB" if shape[0] == 3 else "L"
    if len(shape) == 2 and shape[1] is not None:
        wanted["length"] = shape[1]
        if shape[0] in (1, 2):
            wanted["channels"] = "mono" if shape[0] == 1 else "stereo"
    return wanted


def try_classifier(
    raw: dict[str, Any], domains: Mapping[str, Domain], base: Path, host: Host, scratch: Path, remarks: Remarks
) -> None:
    """Run it on some samples: what it gives is read as a run would, and better ways are named.

    The class order under which it is right most often is written into ``raw`` where it is clearly another one.
    """
    worker = _worker(raw, base, host)
    if worker is None:
        return
    source = domains["source"]
    folder = scratch / "classifier"
    folder.mkdir(exist_ok=True)
    try:
        provided = worker(source, Job(folder))
        outputs_of = _opened(provided.onnx)
        some = {role: _evenly(len(domain)) for role, domain in domains.items()}
        raws = {role: np.concatenate(_in_batches(outputs_of, domains[role], rows)) for role, rows in some.items()}
        reading = read_outputs(raws["source"]) if provided.output == "auto" else None
        output = provided.output if reading is None else reading.output
        classes = match_classes(source.labels, domains["target"].labels, raws["source"].shape[1], provided.classes)
    except ShiftlensError as error:
        remarks.ask("classifier", str(error))
        return
    remarks.note("classifier", *provided.notes)
    if reading is not None and reading.told:
        (remarks.ask if reading.multi_label else remarks.note)("classifier", reading.told)
    place = {name: i for i, name in enumerate(classes)}
    labels = {
        role: None if domain.labels is None else np.array([place[str(name)] for name in domain.labels], dtype=np.int64)
        for role, domain in domains.items()
    }
    predictions = {role: outputs.argmax(axis=1).astype(np.int64) for role, outputs in raws.items()}
    known = labels["source"]
    if known is not None:
        rows = some["source"]
        right = float((predictions["source"] == known[rows]).mean())
        remarks.note("classifier", f"It is right on {right:.1%} of {len(rows)} source samples.")
        better = better_order(classes, known[rows], predictions["source"])
        if better is not None:
            raw["classes"] = list(better.classes)
            remarks.ask("classifier", f"{better.told} That order is written here.")
    for role, domain in domains.items():
        everything = np.full(len(domain), -1, dtype=np.int64)
        everything[some[role]] = predictions[role]
        for other in domain.otherwise:
            if len(missing := other.rows[everything[other.rows] < 0]):
                outputs = np.concatenate(_in_batches(outputs_of, domain, missing))
                everything[missing] = outputs.argmax(axis=1)
            told = other.told(role, labels[role], everything, lambda x: probabilities_of(outputs_of(x), output))
            remarks.ask(role, told)


def _opened(path: Path) -> Any:
    from shiftlens.export.session import Session

    session = Session(path, device="cpu")
    entry, result = session.inputs[0].name, session.outputs[0].name
    return lambda x: session.run(**{entry: x})[result]


def _evenly(count: int) -> Any:
    return np.linspace(0, count - 1, min(count, TRIED)).astype(np.int64)


def _in_batches(outputs_of: Any, domain: Domain, rows: Any) -> list[Any]:
    return [outputs_of(domain.batch(rows[start : start + 64])) for start in range(0, len(rows), 64)]
