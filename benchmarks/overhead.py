"""What shiftlens costs over what it is made of: start of the command line, scoring and grids, memory, the demo.

    python benchmarks/overhead.py [--run shiftlens-demo/run]

Scoring and grids are measured on a finished run, against a bare ONNX Runtime loop over the same batches: both
alternate in one process, so that a busy machine slows both. Prints a Markdown table; benchmarks/overhead.md holds the
last one with its machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from shiftlens import Host, Settings, load_run
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.scoring import score_domain
from shiftlens.core.grid.interpolate import GridNetworks, GridShape, grid_of_pair
from shiftlens.core.run.context import Context
from shiftlens.export.bundle import CHUNK

REPEATS = 9
SAMPLES = 20_000  # the run's source samples, repeated in a memory-mapped file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("shiftlens-demo/run"), help="a finished run directory")
    parser.add_argument("--score-only", type=int, metavar="N", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.score_only:
        score_only(arguments.run, arguments.score_only)
        return
    print(f"{platform.machine()}, {platform.python_version()}, {REPEATS} repeats each, alternating\n")
    print("| what | shiftlens | bare | ratio: median (least to greatest) |\n|---|---|---|---|")
    start_up()
    throughput(arguments.run)
    memory(arguments.run)
    stages(arguments.run)


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def paired(ours: Callable[[], object], bare: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Seconds of both, alternating, after one warm-up each."""
    ours()
    bare()
    pairs = [(seconds(ours), seconds(bare)) for _ in range(REPEATS)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def start_up() -> None:
    """``shiftlens --help`` against ``python -c pass``, as whole processes."""

    def process(*command: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *command], check=True, capture_output=True)

    ours, bare = paired(process("-m", "shiftlens", "--help"), process("-c", "pass"))
    more = [a - b for a, b in zip(ours, bare, strict=True)]
    print(f"| `--help`, s | {spread(ours)} | {spread(bare)} | {spread(more)} s more |")


def opened(run: Path) -> Context:
    finished = load_run(run)
    return Context(Settings.parse(finished.settings, finished.base), Host(), finished)


def repeated(domain: Domain, count: int, folder: Path) -> Domain:
    """The domain's samples over and over in a memory-mapped file, as a large domain."""
    path = folder / f"{count}.npy"
    stored = np.lib.format.open_memmap(path, "w+", domain.stored.dtype, (count, *domain.stored.shape[1:]))
    for begin in range(0, count, len(domain)):
        part = stored[begin : begin + len(domain)]
        part[:] = domain.stored[: len(part)]
    stored.flush()
    return Domain(np.load(path, mmap_mode="r"), domain.sample_shape, domain.kind, None, domain.decode)


def throughput(run: Path) -> None:
    """Scoring a domain, and the grid of one pair, as a share of ONNX Runtime alone on the same batches."""
    from shiftlens.export.session import Session

    context = opened(run)
    size = context.general.batch_size
    with tempfile.TemporaryDirectory() as folder:
        domain = repeated(context.domain("source"), SAMPLES, Path(folder))
        labels = np.resize(context.generator_labels("source"), SAMPLES)
        session = Session(context.run.bundle / "classifier.onnx")
        name, runtime = session.inputs[0].name, session._session
        x = domain.batch(slice(None))  # decoded once, so that the bare loop does nothing but run the model
        context.predict(x[:2])
        ours, bare = paired(
            lambda: score_domain(domain, labels, context.predict, context.loss, size),
            lambda: [runtime.run(None, {name: x[i : i + size]}) for i in range(0, SAMPLES, size)],
        )
    ratio = [b / a for a, b in zip(ours, bare, strict=True)]
    rates = [SAMPLES / statistics.median(times) for times in (ours, bare)]
    print(f"| scoring, samples/s | {rates[0]:.0f} | {rates[1]:.0f} | {spread(ratio)} |")
    grid_throughput(context)


def grid_throughput(context: Context) -> None:
    bundle = context.bundle
    pair = np.asarray(context.run.arrays["pairs"])[0]
    samples = np.stack([context.domain(role).batch(pair[i : i + 1])[0] for i, role in enumerate(("source", "target"))])
    label = int(context.generator_labels("source")[pair[0]])
    loss = np.array([context.scores("source").loss[pair[0]], context.scores("target").loss[pair[1]]])
    side = 12  # 142 generated cells: enough for several chunks

    def ours() -> None:
        networks = GridNetworks(bundle.encode, bundle.decode, context.score)
        grid_of_pair(samples, loss, label, networks, GridShape(side, side))

    cells = side * side - 2
    z = np.repeat(bundle.encode(samples, loss, np.full(2, label)), cells // 2, axis=0)
    feed = {"z": z, "loss": np.full(cells, loss[1], np.float32), "label": np.full(cells, label)}
    predict = context.open_classifier()

    def bare() -> None:
        bundle.encoder._session.run(None, {"x": samples, "loss": loss.astype(np.float32), "label": np.full(2, label)})
        starts = range(0, cells, CHUNK)
        parts = [bundle.decoder._session.run(None, {k: v[i : i + CHUNK] for k, v in feed.items()})[0] for i in starts]
        predict(np.concatenate([samples, *parts]))

    times, bare_times = paired(ours, bare)
    ratio = [b / a for a, b in zip(times, bare_times, strict=True)]
    rates = [cells / statistics.median(t) for t in (times, bare_times)]
    print(f"| grid, cells/s | {rates[0]:.0f} | {rates[1]:.0f} | {spread(ratio)} |")


def memory(run: Path) -> None:
    """Peak memory of a process that scores N samples, and ten times as many."""
    peaks = {}
    for count in (SAMPLES // 10, SAMPLES):
        command = [sys.executable, __file__, "--run", str(run), "--score-only", str(count)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[count] = float(done.stdout)
    few, many = peaks.values()
    print(f"| peak memory, MB, scoring {SAMPLES // 10} and {SAMPLES} | {few:.0f} | {many:.0f} | {many / few:.2f} |")


def score_only(run: Path, count: int) -> None:
    import resource

    context = opened(run)
    with tempfile.TemporaryDirectory() as folder:
        domain = repeated(context.domain("source"), count, Path(folder))
        labels = np.resize(context.generator_labels("source"), count)
        score_domain(domain, labels, context.predict, context.loss, context.general.batch_size)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def stages(run: Path) -> None:
    """What each stage of the run took, from its records."""
    records = {path.stem: json.loads(path.read_text())["seconds"] for path in (run / "stages").glob("*.json")}
    parts = ", ".join(f"{name} {value:.1f}" for name, value in sorted(records.items(), key=lambda kv: -kv[1]))
    print(f"\nStages of {run.parent.name}, seconds: {parts}; together {sum(records.values()):.0f}")


if __name__ == "__main__":
    main()
