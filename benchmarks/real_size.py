"""How long a verdict on photographs of 224 px takes, and how much memory: as a user runs it, in a process of its own.

    SHIFTLENS_TEST_DATA=FOLDER python -m benchmarks.real_size [--each 500 2000] [--plant blur fade_colour]

Two folders of photographs by class and an ONNX file (see `benchmarks.photos`); the target's photographs are changed
with Pillow. Then `shiftlens init` and `shiftlens run --until trial`, with default settings. Wall and processor seconds
and the largest resident memory are of the whole process of `run`, *inference* is the part of the wall time that is
spent inside ONNX Runtime. Prints a Markdown table; benchmarks/real_size.md holds the last one.
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
from pathlib import Path

import numpy as np

from benchmarks.photos import CHANGES, data_file, halves, strengths, write_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, nargs="+", default=[500], help="photographs of each domain (default 500)")
    parser.add_argument("--plant", nargs="*", choices=CHANGES, default=["blur", "fade_colour"], help="at most two")
    parser.add_argument("--mode", choices=("independent", "confounded", "fixed"), default="independent")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of the run")
    parser.add_argument("--keep", type=Path, help="folder that keeps data and runs")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        sys.exit(inside(arguments.inside, arguments.set))
    print(f"{os.cpu_count()} cores of {platform.machine()}, Python {platform.python_version()}\n")
    print("| photographs | planted | wall, s | processor, s | inference | peak, MB | stages, s | headline |")
    print("|---|---|---|---|---|---|---|---|")
    for each in arguments.each:
        with tempfile.TemporaryDirectory() as temporary:
            folder = (arguments.keep or Path(temporary)) / f"{each}-{'-'.join(arguments.plant)}"
            print(line(folder, each, arguments.plant, arguments.mode, arguments.set), flush=True)


def line(folder: Path, each: int, plant: list[str], mode: str, changed_settings: list[str]) -> str:
    """One line of the table."""
    source, target = halves(each)
    if not (folder / "target").is_dir():
        write_folder(folder / "source", source)
        write_folder(folder / "target", target, list(zip(plant, strengths(mode, each, 0), strict=False)))
    command = [sys.executable, "-m", "shiftlens", "init", str(folder / "analysis"), "--source", str(folder / "source")]
    command += ["--target", str(folder / "target"), "--classifier", str(data_file("photos-classifier.onnx"))]
    if not (folder / "analysis").is_dir():
        subprocess.run(command, check=True, capture_output=True)
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.real_size", "--inside", str(folder), "--set", *changed_settings],
        stdout=subprocess.PIPE,
    )
    told = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begun
    if process.returncode != 0:
        return f"| 2 × {each} | {', '.join(plant)} | failed with {process.returncode} |"
    found = json.loads(told.splitlines()[-1])
    stages = ", ".join(f"{name} {seconds:.0f}" for name, seconds in found["stages"].items() if seconds >= 0.5)
    return (
        f"| 2 × {each} | {', '.join(plant) or '–'} | {wall:.0f} | {usage.ru_utime + usage.ru_stime:.0f} | "
        f"{100 * found['inference'] / wall:.0f} % | {usage.ru_maxrss / 1024:.0f} | {stages} | {found['headline']} |"
    )


def inside(folder: Path, changed_settings: list[str]) -> int:
    """The run itself, with a clock around ONNX Runtime; the last line of stdout says what was found."""
    from shiftlens import load_run, load_settings, run
    from shiftlens.export.session import Session

    spent = 0.0
    plain = Session.run

    def timed(self: Session, /, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        nonlocal spent
        begun = time.perf_counter()
        try:
            return plain(self, **inputs)
        finally:
            spent += time.perf_counter() - begun

    Session.run = timed  # type: ignore[method-assign]
    settings = load_settings(folder / "analysis" / "analysis.yaml", overrides=changed_settings)
    finished = run(settings, folder / "run", until="trial")
    record = load_run(finished.path).record("trial")
    stages = {
        path.stem: json.loads(path.read_text())["seconds"] for path in sorted((finished.path / "stages").glob("*.json"))
    }
    assert record is not None
    verdicts = {cause["factor"]: cause["verdict"] for cause in record.facts["causes"]}
    print(
        json.dumps(
            {
                "inference": spent,
                "stages": stages,
                "headline": record.facts["headline"],
                "verdicts": {name: verdict for name, verdict in verdicts.items() if verdict != "unchanged"},
                "left_out": list(record.facts["left_out"]),
            }
        )
    )
    return 0


if __name__ == "__main__":
    main()
