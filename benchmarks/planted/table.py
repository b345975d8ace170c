"""The planted-cause benchmark's table, and what the factors do to each other's measures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.planted.cases import MODES, Row
from benchmarks.planted.data import image_factors, samples_of
from shiftlens.core.causes.cross_response import cross_response

READ = 300
"""Samples that the factors' measures of each other's changes are taken on."""


def table_of(rows: Sequence[Row]) -> str:
    """Figures first, then one line per case."""
    lines = ["| | cases | right | largest drift right | partial correlation right |", "|---|---|---|---|---|"]
    kinds = [("pair", mode) for mode in MODES] + [("null", None), ("outside", None)]
    for kind, mode in kinds:
        chosen = [r for r in rows if r.case.kind == kind and (mode is None or r.case.mode == mode)]
        if chosen:
            title = {"pair": f"harmful and harmless, {mode}", "null": "nothing harmful", "outside": "cause not listed"}
            lines.append(
                f"| {title[kind]} | {len(chosen)} | {_count(r.right for r in chosen)} | "
                f"{_count(r.drift_right for r in chosen)} | {_count(r.correlation_right for r in chosen)} |"
            )
    errors = [abs(e) for r in rows if r.case.kind != "outside" for e in r.errors.values()]
    covered = [c for r in rows if r.case.kind != "outside" for c in r.covered.values()]
    wrong = [n for r in rows for n in r.named if n not in r.expected and n not in r.undecided]
    seconds = np.array([r.seconds for r in rows])
    lines += [
        "",
        f"- factors called harmful that are not, over all cases: {len(wrong)}{f' ({_listed(wrong)})' if wrong else ''}",
        f"- accuracy that a planted factor costs, within 3 points of the truth: {_count(e <= 3 for e in errors)}; "
        f"mean distance {np.mean(errors) if errors else 0:.1f} points",
        f"- true rise of the loss inside the 95 % interval: {_count(covered)}",
        f"- seconds for one verdict: median {np.median(seconds):.0f}, longest {seconds.max():.0f}",
        "",
        "| case | accuracy | truth: nats, points | harmful | other verdicts | rest | drift | correlation | right |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        truth = "; ".join(f"{n} {v[0]:+.2f}, {100 * v[1]:+.1f}" for n, v in r.truth.items())
        verdicts = ", ".join(f"{n} {v}" for n, v in r.verdicts.items() if v != "harmful")
        rest = "" if r.unexplained is None else f"{100 * r.unexplained:.0f} %"
        lines.append(
            f"| {r.case.name} | {100 * r.accuracy[0]:.0f} → {100 * r.accuracy[1]:.0f} | {truth} | "
            f"{', '.join(r.named) or '–'} | {verdicts or '–'} | {rest} | {r.drift or '–'} | {r.correlation or '–'} | "
            f"{'yes' if r.right else '**no**'} |"
        )
    return "\n".join(lines) + "\n"


def cross_readings(data: Sequence[str], seed: int, quick: bool) -> str:
    """What each factor, changed by a step of its own, does to all the measures, on samples of each kind of data."""
    parts = []
    for name in data:
        x = samples_of(name, seed, shipped_only=quick)[0][:READ]
        fitting = [factor for factor in image_factors() if not factor.discrete and not factor.refuses(x)]
        found = cross_response(fitting, x, np.random.default_rng([seed, 109]))
        parts.append(
            f"What each factor, changed by one step on {name}, does to every measure, in steps of that measure:\n\n"
            f"```\n{found}\n```\n"
        )
    return "\n".join(parts)


def _count(values: Iterable[bool]) -> str:
    found = list(values)
    return f"{sum(found)} of {len(found)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"{n} {names.count(n)}×" if names.count(n) > 1 else n for n in sorted(set(names)))
