"""The table of the grid benchmark, as Markdown: one line per generator and loss axis, then one per case.

Where the harmless change costs loss in the harmful one's company, both belong on the loss axis, and "ranked right" has
no answer: such cases are shown, and counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from benchmarks.planted.grid_case import GridRow


def table_of(rows: Sequence[GridRow], total: int) -> str:
    """Medians over cases; the joint axis's reconstruction beside that of the networks trained without the loss."""
    clean = [row for row in rows if row.clean]
    lines = [
        f"{len(rows)} of {total} cases; in {len(rows) - len(clean)} of them (not clean) the harmless change costs loss "
        "in the harmful one's company. *Ranked right* and *solved*: of the clean cases; of the others behind the plus.",
        "",
        "| data | generator | loss axis | clean + other cases | ranked right | solved | harmful: loss, feature "
        "| harmless: loss, feature | fidelity: plain → calibrated | ≥ 0.9 | leak: along, all of z | reconstruction "
        "| train, measure: CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for data, backend, axis in dict.fromkeys((row.case.data, row.backend, row.axis) for row in rows):
        chosen = [row for row in rows if (row.case.data, row.backend, row.axis) == (data, backend, axis)]
        part = "digits" if data == "figures" else data
        cases = _counted(chosen, lambda row: True)
        lines.append(f"| {part} | {backend} | {axis} | {cases} | {_summary(chosen, rows)} |")
    lines += [
        "",
        "| harmful / harmless | | generator | axis | truth: nats alone; the harmless one in company "
        "| harmful: loss, feature | harmless: loss, feature | fidelity | leak along | ranked, solved |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(row) for row in rows]
    failures = dict.fromkeys(f"{row.backend}, {row.axis}: {row.failure}" for row in rows if row.failure)
    lines += ["", *(f"- {failure}" for failure in failures)] if failures else []
    return "\n".join(lines) + "\n"


def _counted(rows: Sequence[GridRow], holds: Callable[[GridRow], bool]) -> str:
    """``20 + 3``: clean cases of which it holds, and others."""
    clean, others = (sum(holds(row) for row in rows if row.clean is wanted) for wanted in (True, False))
    return f"{clean} + {others}" if any(not row.clean for row in rows) else f"{clean}"


def _summary(chosen: Sequence[GridRow], rows: Sequence[GridRow]) -> str:
    fidelities = [row.fidelity for row in chosen if row.fidelity is not None]
    trained = [row.train for row in chosen if row.axis != "observed"]  # it finds the networks trained
    without = {r.case: r.reconstruction for r in rows if r.axis != "joint" and r.backend == chosen[0].backend}
    errors = [(row.reconstruction, without.get(row.case)) for row in chosen]
    reconstruction = _figure((error for error, _ in errors), 4)
    if chosen[0].axis == "joint":
        ratios = [error / other if error and other else None for error, other in errors]
        reconstruction += f" ({_figure(ratios)}×)"
    return " | ".join(
        [
            _counted(chosen, lambda row: row.ranked),
            _counted(chosen, lambda row: row.solved),
            _both(chosen, lambda row: row.harmful),
            _both(chosen, lambda row: row.harmless),
            f"{_figure(row.fidelity_plain for row in chosen)} → {_figure(fidelities)}",
            f"{sum(f >= 0.9 for f in fidelities)} of {len(chosen)}",
            f"{_figure(row.leak_along for row in chosen)}, {_figure(row.leak for row in chosen)}",
            reconstruction,
            f"{_figure(trained, 0)}, {_median(row.measure for row in chosen):.0f}",
        ]
    )


def _line(row: GridRow) -> str:
    case = row.case
    return (
        f"| {case.unseen} / {case.seen} | {case.mode}, {case.seed} | {row.backend} | {row.axis} "
        f"| {row.truth[0]:+.2f}, {row.truth[1]:+.2f}; {row.company[1]:+.2f}{'' if row.clean else ', **not clean**'} "
        f"| {_of(row.harmful['loss'])}, {row.harmful['feature'][0]:.2f} "
        f"| {_of(row.harmless['loss'])}, {row.harmless['feature'][0]:.2f} "
        f"| {_figure([row.fidelity_plain])} → {_figure([row.fidelity])} | {_figure([row.leak_along])} "
        f"| {'yes' if row.ranked else '**no**'}, {'yes' if row.solved else '**no**'} |"
    )


def _of(move: Sequence[float]) -> str:
    return f"{move[0]:.2f} [{move[1]:.2f}, {move[2]:.2f}]"


def _both(rows: Sequence[GridRow], which: Callable[[GridRow], dict[str, tuple[float, float, float]]]) -> str:
    return ", ".join(f"{_median(which(row)[axis][0] for row in rows):.2f}" for axis in ("loss", "feature"))


def _median(values: Iterable[float]) -> float:
    return float(np.median(list(values)))


def _figure(values: Iterable[float | None], digits: int = 2) -> str:
    known = [value for value in values if value is not None]
    return f"{np.median(known):.{digits}f}" if known else "–"
