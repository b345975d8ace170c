"""``shiftlens export``: the bundle of a finished run, laid out by a target plugin; written whole or not at all."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.config.settings import Settings, apply_override, choices
from shiftlens.core.errors import ExportError, InputError, PluginError, ShiftlensError, near_miss
from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import Remedy, Target
from shiftlens.core.job import Progress, silent
from shiftlens.core.run.context import DOMAINS, Context
from shiftlens.core.run.directory import Run
from shiftlens.core.run.pipeline import NAMES
from shiftlens.core.run.stages.export import fused_intervention

CALIBRATION_SAMPLES = 256
MOST_ACCURACY_LOST = 0.01


@dataclass(frozen=True)
class Delivery:
    """What is exported, and for whom.

    Attributes:
        target: name of a target plugin.
        overrides: ``key=value``, settings of the target.
        classifier: a mended one in place of the run's own, as its remedy calls it: ``"refitted"``.
        precision: of the classifier, ``"float32"`` or ``"int8"``.
        most_accuracy_lost: with int8, the largest fall of the accuracy on source samples that is accepted.
    """

    target: str
    overrides: Sequence[str] = ()
    classifier: str | None = None
    precision: str = "float32"
    most_accuracy_lost: float = MOST_ACCURACY_LOST


def export_run(run: Run, delivery: Delivery, out: Path, host: Host, progress: Progress = silent) -> dict[str, Any]:
    """Write a run's bundle as a target lays it out.

    Args:
        out: a folder that is new or empty.

    Returns:
        What the manifest says of the classifier's precision; with int8, the accuracy before and after.

    Raises:
        InputError: the run is not finished, ``out`` is not empty, or a setting is wrong.
        ExportError: the bundle cannot go where the target wants it, or int8 costs too much accuracy.
    """
    from shiftlens.export.assemble import copied, described

    raw: dict[str, Any] = {"name": delivery.target}
    for override in delivery.overrides:
        apply_override(raw, override)
    (choice,) = choices(host, Target, [raw], Path.cwd())
    worker = choice.build()
    _check_finished(run)
    with _written_whole(out) as staging:
        bundle, laid_out = staging / "bundle", staging / "out"
        bundle.mkdir()
        laid_out.mkdir()
        copied(run.bundle, bundle)
        precision: dict[str, Any] = {"classifier": "float32"}
        context = Context(Settings.parse(run.settings, run.base, host), host, run)
        if delivery.classifier is not None:
            _mended(context, bundle, delivery.classifier)
        if delivery.precision == "int8":
            precision = _quantised(context, bundle, delivery.most_accuracy_lost, progress)
        described(bundle, precision=precision, fidelity=run.results.fidelity.model_dump())
        try:
            worker(bundle, laid_out)
        except ShiftlensError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(f'the target "{delivery.target}" failed: {type(error).__name__}: {error}') from error
    return precision


def _check_finished(run: Run) -> None:
    missing = [stage for stage in NAMES if run.record(stage) is None]
    if missing or not (run.path / "results.json").is_file():
        raise InputError(
            f"{run.path} is not finished: {', '.join(missing) or 'results.json'} is missing; "
            "finish it with `shiftlens run`, then export it"
        )


@contextmanager
def _written_whole(out: Path) -> Iterator[Path]:
    """A folder beside ``out``, whose ``out`` takes its place when the block ends well; removed in any case."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out} is not empty; give a new or an empty folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield staging
        if out.is_dir():
            out.rmdir()
        os.replace(staging / "out", out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _mended(context: Context, bundle: Path, name: str) -> None:
    """Put a remedy's classifier in the place of the bundle's own, and compose the grid anew."""
    from shiftlens.export.assemble import recomposed

    measured = (context.run.results.remedy.measured if context.run.results.remedy else None) or []
    files = {Path(row.file).stem.removeprefix("classifier-"): row.file for row in measured if row.file}
    if name not in files:
        without = {_makes(context, row.name): row for row in measured if row.why_no_file or row.why_not}
        if name in without:
            why = without[name].why_no_file or without[name].why_not
            raise InputError(f'{context.run.path} has no classifier "{name}": {why}')
        raise InputError(
            f'{context.run.path} has no classifier called "{name}"; {near_miss(name, list(files))}'
            f"there are: {', '.join(files) or 'none: no remedy of this run gave a file'}"
        )
    shutil.copyfile(context.run.path / files[name], bundle / "classifier.onnx")
    recomposed(bundle, *_example(context))
    fused_intervention(context, bundle)


def _makes(context: Context, remedy: str) -> str:
    """What the classifier of a remedy is called; the remedy's name where its plugin is not installed here."""
    try:
        return context.host.find(Remedy, remedy).makes or remedy
    except PluginError:
        return remedy


def _example(context: Context) -> tuple[FloatArray, int]:
    """The first pair ``(2, *sample)`` and its class, to check a new grid with; any two samples where there is none."""
    arrays = context.run.arrays
    pair = arrays["pairs"][0] if "pairs" in arrays else (0, 0)
    samples = np.concatenate([context.domain(r).batch(np.array([i])) for r, i in zip(DOMAINS, pair, strict=True)])
    return samples, int(context.generator_labels("source")[pair[0]])


def _quantised(context: Context, bundle: Path, most_lost: float, progress: Progress) -> dict[str, Any]:
    """Make the classifier of a bundle int8, unless that costs more accuracy than is accepted; tells what it cost."""
    from shiftlens.export.assemble import recomposed
    from shiftlens.export.bundle import Bundle
    from shiftlens.export.quantise import quantise

    source, labels = context.domain("source"), context.labels("source")
    if labels is None:
        raise ExportError("int8 needs labels of the source, to tell what it costs; export float32")
    if not context.facts("classifier")["exported"]:
        raise ExportError(f"there is no classifier to quantise: {context.facts('classifier')['why_not_exported']}")
    judged = context.evaluated()
    spread = np.linspace(0, len(source) - 1, min(len(source), CALIBRATION_SAMPLES)).astype(np.int64)
    total, done = len(spread) + 2 * len(judged), 0

    def batches(rows: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
        nonlocal done
        size = context.batch_size
        for start in range(0, len(rows), size):
            here = rows[start : start + size]
            yield here, source.batch(here)
            done += len(here)
            progress(done, total)

    def accuracy() -> float:
        opened = Bundle.open(bundle, context.general.device)
        right = sum(int((opened.predict(x).argmax(axis=1) == labels[rows]).sum()) for rows, x in batches(judged))
        return right / len(judged)

    before = accuracy()
    quantise(bundle / "classifier.onnx", (x for _, x in batches(spread)))
    recomposed(bundle, *_example(context))
    fused_intervention(context, bundle)
    after = accuracy()
    if before - after > most_lost:
        raise ExportError(
            f"int8 costs {100 * (before - after):.1f} points of accuracy ({before:.1%} before, {after:.1%} after, on "
            f"{len(judged)} source samples), more than the {100 * most_lost:.1f} that are accepted; export float32, or "
            f"accept it with --accept-loss {math.ceil(1000 * (before - after)) / 1000}"
        )
    return {
        "classifier": "int8",
        "calibrated_on": f"{len(spread)} source samples",
        "judged_on": f"{len(judged)} source samples",
        "accuracy_float32": before,
        "accuracy_int8": after,
    }
