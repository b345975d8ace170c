"""Real inference servers for the tests and the benchmark: started on loopback, waited for, stopped by their process id.

Their environments are not ours (other numpy, other protobuf): `.ci/run` makes them of the requirements in tests/servers
and names the folder they stand in with SHIFTLENS_SERVERS: ``triton/``, ``mlserver/`` (virtual
environments), ``node/node_modules`` and ``browser/node_modules``.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sysconfig
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from realdata import ROOT

from shiftlens.core.cli import _run_command_line

VARIABLE = "SHIFTLENS_SERVERS"
PATIENCE = 120  # seconds that a server may take to be ready
ASK = ROOT / "tests" / "servers" / "ask.py"
TRITON_IN_WHEEL = "lib/python3.*/site-packages/pytriton/tritonserver"


@dataclass(frozen=True)
class Server:
    """A server that is ready: where it listens, and its process id."""

    http: str
    grpc: str
    process: int
    log: Path


def environment(name: str) -> Path | None:
    """The folder of one environment; None where it was not made."""
    folder = os.environ.get(VARIABLE)
    path = Path(folder) / name if folder else None
    return path if path is not None and path.is_dir() else None


def needed(name: str) -> Path:
    """The folder of an environment; the test is skipped where it was not made."""
    path = environment(name)
    if path is None:
        pytest.skip(f"no {name} environment: set {VARIABLE} to the folder that .ci/run makes")
    return path


def exported(run: Path, out: Path, *options: str) -> Path:
    """``shiftlens export``, as a person calls it; returns the folder."""
    assert _run_command_line(["export", str(run), "--out", str(out), "--quiet", *options]) == 0
    return out


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


@contextmanager
def triton(home: Path, repository: Path, scratch: Path) -> Iterator[Server]:
    """The Triton of the nvidia-pytriton wheel, which has the Python backend only, on a model repository."""
    (wheel,) = home.glob(TRITON_IN_WHEEL)
    backends = scratch / "backends"
    shutil.copytree(wheel / "backends" / "python", backends / "python")
    version = sysconfig.get_python_version()
    stub = backends / "python" / "triton_python_backend_stub"
    shutil.copy(wheel / "python_backend_stubs" / version / stub.name, stub)
    stub.chmod(0o755)
    libraries = [sysconfig.get_config_var("LIBDIR"), wheel.parents[1] / "nvidia_pytriton.libs"]
    variables = {
        **os.environ,
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",  # the stub's Python takes its packages from where this leads
    }
    http, grpc = free_ports(2)
    command = [
        wheel / "bin" / "tritonserver",
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--http-address=127.0.0.1",
        f"--http-port={http}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={grpc}",
        "--allow-metrics=false",
    ]
    with _running(command, variables, scratch, http, grpc) as server:
        yield server


@contextmanager
def mlserver(home: Path, folder: Path, http: int, grpc: int, scratch: Path) -> Iterator[Server]:
    """``mlserver start`` on a folder whose settings name these ports."""
    command = [home / "bin" / "mlserver", "start", folder]
    with _running(command, dict(os.environ), scratch, http, grpc) as server:
        yield server


@contextmanager
def _running(command: list[object], variables: dict[str, str], scratch: Path, http: int, grpc: int) -> Iterator[Server]:
    log = scratch / "server.log"
    with log.open("wb") as stream:
        started = subprocess.Popen(
            [str(word) for word in command], env=variables, cwd=scratch, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_ready(started, http, log)
        yield Server(f"127.0.0.1:{http}", f"127.0.0.1:{grpc}", started.pid, log)
    finally:
        started.terminate()
        try:
            started.wait(30)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _wait_until_ready(started: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Ask the v2 readiness call until it says yes."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if started.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the server did not get ready:\n{log.read_text(errors='replace')[-4000:]}")


def memory(process: int) -> int:
    """Resident memory of a process and all that it started, in bytes (Linux)."""
    family, total = [process], 0
    while family:
        current = family.pop()
        try:
            total += int(Path(f"/proc/{current}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for task in Path(f"/proc/{current}/task").iterdir():
                family += map(int, (task / "children").read_text().split())
        except FileNotFoundError:  # it has ended meanwhile
            continue
    return total
