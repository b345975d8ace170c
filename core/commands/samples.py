"""``shiftlens samples``: a row for every sample, for the viewers of data that people have."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from shiftlens.core.causes.changes import ActiveFactor
from shiftlens.core.causes.marginal_shifts import measured_on
from shiftlens.core.causes.statistics import wrapped
from shiftlens.core.causes.views import sight_of, viewed
from shiftlens.core.config.settings import Settings
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.samples import LazySamples
from shiftlens.core.data.scoring import Scores
from shiftlens.core.errors import InputError
from shiftlens.core.files import whole
from shiftlens.core.host.host import Host
from shiftlens.core.job import Progress, silent
from shiftlens.core.results.results import Cause
from shiftlens.core.run.context import DOMAINS, Context
from shiftlens.core.run.directory import Run
from shiftlens.core.run.stages.trial import active_factors

FORMS = (".csv", ".parquet")
CHUNK = 1024  # samples that are measured and written at once


def write_samples(run: Run, out: Path, host: Host, progress: Progress = silent) -> int:
    """Write domain, place, name, class, prediction, confidence, loss, every factor's measure, and the nearest cause.

    The nearest cause of a target sample that the classifier gets wrong is the harmful factor whose measure has gone
    furthest from the source's mean towards the target's; it is empty where none has gone half of that way.

    Returns:
        How many samples.

    Raises:
        InputError: the run has no verdicts yet, ``out`` is of another form, or pyarrow is missing for Parquet.
    """
    if out.suffix.lower() not in FORMS:
        raise InputError(f"--out {out}: the name must end in one of {', '.join(FORMS)}")
    results = run.results
    context = Context(Settings.parse(run.settings, run.base, host), host, run)
    domain = context.domain("source")
    sight = sight_of(domain.kind, domain.sample_shape)
    fitting = [factor for factor in active_factors(context)[0] if factor.name not in results.left_out]
    factors = viewed(fitting, sight)
    harmful = [cause for cause in results.causes if cause.verdict == "harmful" and cause.shift is not None]
    total = sum(len(context.domain(role)) for role in DOMAINS)

    def chunks() -> Iterator[dict[str, Any]]:
        done = 0
        for role in DOMAINS:
            domain, scores, labelled = context.domain(role), context.scores(role), context.labels(role) is not None
            for start in range(0, len(domain), CHUNK):
                rows = np.arange(start, min(start + CHUNK, len(domain)))
                x = sight.samples(LazySamples(domain.batch, rows, domain.sample_shape))
                measures = measured_on(factors, x)
                told = _told(role, rows, domain, scores, context.classes, labelled)
                yield {**told, **measures, "nearest_cause": _nearest(harmful, factors, measures, told)}
                done += len(rows)
                progress(done, total)

    with whole(out) as temporary:
        (_write_csv if out.suffix.lower() == ".csv" else _write_parquet)(temporary, chunks())
    return total


def _told(
    role: str, rows: Any, domain: Domain, scores: Scores, classes: Sequence[str], labelled: bool
) -> dict[str, Any]:
    """What is known of samples without looking at them."""
    return {
        "domain": [role] * len(rows),
        "sample": rows,
        "name": [domain.names[i] if domain.names else "" for i in rows],
        "label": [classes[scores.label[i]] if labelled else None for i in rows],
        "predicted": [classes[scores.prediction[i]] for i in rows],
        "confidence": scores.confidence[rows],
        "correct": [bool(scores.correct[i]) if labelled else None for i in rows],
        "loss": scores.loss[rows],
    }


def _nearest(
    harmful: Sequence[Cause], factors: Sequence[ActiveFactor], measures: dict[str, Any], told: dict[str, Any]
) -> list[str]:
    """For each sample the harmful factor that has gone furthest; only target samples that are wrong have one."""
    periods = {factor.name: factor.period for factor in factors}
    names, ways = [""], [np.full(len(told["domain"]), 0.5)]
    for cause in harmful:
        if cause.factor not in measures:  # such as a changed mix of classes
            continue
        assert cause.shift is not None
        start, period = cause.shift.source, periods[cause.factor]
        gap = cause.shift.turn if cause.shift.turn is not None else cause.shift.target - start
        gone = measures[cause.factor] - start
        names.append(cause.factor)
        ways.append(np.nan_to_num((wrapped(gone, period) if period else gone) / gap if gap else np.zeros(len(gone))))
    furthest = np.argmax(ways, axis=0)
    wrong = [
        role == "target" and correct is False for role, correct in zip(told["domain"], told["correct"], strict=True)
    ]
    return [names[k] if is_wrong else "" for k, is_wrong in zip(furthest, wrong, strict=True)]


def _write_csv(path: Path, chunks: Iterator[dict[str, Any]]) -> None:
    stream: TextIO
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        for number, chunk in enumerate(chunks):
            if number == 0:
                writer.writerow(chunk)
            columns = [
                np.asarray(values).tolist() if not isinstance(values, list) else values for values in chunk.values()
            ]
            writer.writerows(zip(*columns, strict=True))


def _write_parquet(path: Path, chunks: Iterator[dict[str, Any]]) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise InputError("Parquet needs pyarrow: pip install 'shiftlens[tables]'; or write .csv") from None
    kinds = dict.fromkeys(("domain", "name", "label", "predicted", "nearest_cause"), pa.string())
    kinds["correct"] = pa.bool_()
    writer = None
    try:
        for chunk in chunks:
            columns = {name: pa.array(list(values), kinds.get(name)) for name, values in chunk.items()}
            table = pa.table(columns)
            writer = writer or parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
