"""Throughput and latency of classifier and grid through Triton and MLServer, against ONNX Runtime in one process.

    SHIFTLENS_SERVERS=$(.ci/servers) .venv/bin/python benchmarks/serving.py RUN [--seconds 3] [--requests 10000]

RUN is a finished run, such as the demo's. Both servers run on loopback in environments of their own, with one thread
for each call and one instance of each model, which is what a machine of two cores is good for; so does ONNX Runtime.
The last part sends ``--requests`` grids of 3 × 3 cells and looks at the server's memory before, half-way and after.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from inferenceservers import environment, exported, free_ports, memory, mlserver, triton  # noqa: E402

from shiftlens.export import Bundle  # noqa: E402

CONCURRENCIES = (1, 4, 16)
REPEATS = 3
BATCH = 8  # samples in one request of the classifier


def requests_of(bundle: Bundle, run: Path) -> dict[str, dict[str, Any]]:
    """One real request for each model: eight samples, and one pair with a 5 × 5 grid."""
    cells = np.load(run / "arrays" / "cells.npy", mmap_mode="r")[0]
    source, target = np.array(cells[:1, 0]), np.array(cells[-1:, -1])
    (entry,) = bundle.classifier.inputs
    return {
        "classifier": {entry.name: np.concatenate([source, target] * (BATCH // 2))},
        "grid": {
            "source": source,
            "target": target,
            "label": np.array([0]),
            "loss": np.full((1, 2), -1, np.float32),
            "n_features": np.array([5]),
            "n_losses": np.array([5]),
        },
    }


def bare(path: Path, feed: dict[str, Any], concurrency: int, seconds: float) -> dict[str, Any]:
    """ONNX Runtime called from as many threads of this process."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    session.run(None, feed)
    latencies: list[float] = []
    started = time.perf_counter()

    def work(_: int) -> None:
        while time.perf_counter() - started < seconds:
            before = time.perf_counter()
            session.run(None, feed)
            latencies.append(1000 * (time.perf_counter() - before))

    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(work, range(concurrency)))
    took = time.perf_counter() - started
    p50, p99 = np.percentile(latencies, [50, 99])
    return {"per_second": len(latencies) / took, "p50": float(p50), "p99": float(p99), "errors": 0}


def asked(address: str, model: str, inputs: Path, concurrency: int, *limit: object) -> dict[str, Any]:
    """The client's figures."""
    home = environment("triton")
    assert home is not None, "set SHIFTLENS_SERVERS to what .ci/servers prints"
    words = [home / "bin" / "python", HERE / "serving_load.py", address, model, inputs, concurrency, *limit]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def row(where: str, model: str, concurrency: int, runs: list[dict[str, Any]]) -> str:
    """A line of the table: the median of the repeats, and the range of the throughput."""
    rates = [run["per_second"] for run in runs]
    p50, p99 = (float(np.median([run[name] for run in runs])) for name in ("p50", "p99"))
    errors = sum(run["errors"] for run in runs)
    return (
        f"| {model} | {where} | {concurrency} | {np.median(rates):.0f} | {min(rates):.0f}–{max(rates):.0f} | "
        f"{p50:.1f} | {p99:.1f} | {errors} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--requests", type=int, default=10_000, help="of the grid, one after the other")
    chosen = parser.parse_args()
    homes = {name: environment(name) for name in ("triton", "mlserver")}
    assert all(homes.values()), "set SHIFTLENS_SERVERS to what .ci/servers prints"
    print(f"{os.cpu_count()} cores, {platform.machine()}, load average at the start {os.getloadavg()[0]:.1f}\n")
    print("| model | through | concurrency | requests/s | from–to | p50 ms | p99 ms | errors |")
    print("|---|---|---|---|---|---|---|---|")
    endurance: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        bundle = Bundle.open(chosen.run, device="cpu")
        feeds = requests_of(bundle, chosen.run)
        np.savez(folder / "small.npz", **{**feeds["grid"], "n_features": np.array([3]), "n_losses": np.array([3])})
        for model, feed in feeds.items():
            np.savez(folder / f"{model}.npz", **feed)
            for concurrency in CONCURRENCIES:
                path = bundle.folder / f"{model}.onnx"
                runs = [bare(path, feed, concurrency, chosen.seconds) for _ in range(REPEATS)]
                print(row("ONNX Runtime, one process", model, concurrency, runs), flush=True)
        for name, home in homes.items():
            assert home is not None
            here = folder / name
            here.mkdir()
            http, grpc = free_ports(2)
            options = ["--backend", "python"]
            if name == "mlserver":
                options = ["--set", f"http_port={http}", "--set", f"grpc_port={grpc}"]
            sys.stdout, kept = sys.stderr, sys.stdout
            out = exported(chosen.run, here / "out", "--target", name, *options)
            sys.stdout = kept
            running = triton(home, out / "models", here)
            if name == "mlserver":
                running = mlserver(home, out, http, grpc, here)
            with running as server:
                for model in feeds:
                    for concurrency in CONCURRENCIES:
                        inputs = folder / f"{model}.npz"
                        runs = [asked(server.grpc, model, inputs, concurrency, chosen.seconds) for _ in range(REPEATS)]
                        print(row(name, model, concurrency, runs), flush=True)
                sizes, errors = [memory(server.process)], 0
                for _ in range(2):
                    figures = asked(server.grpc, "grid", folder / "small.npz", 4, "--requests", chosen.requests // 2)
                    errors += figures["errors"]
                    sizes.append(memory(server.process))
                endurance.append(
                    f"{name}: {chosen.requests} grids, {errors} errors; memory {sizes[0] / 2**20:.0f} MB before, "
                    f"{sizes[1] / 2**20:.0f} half-way, {sizes[2] / 2**20:.0f} after"
                )
    print("\n" + "\n".join(endurance))
    print(f"\nload average at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
