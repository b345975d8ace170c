"""One finished run, exported for every server; the servers are started once for all tests of this folder."""

from __future__ import annotations

import subprocess

import inferenceservers as servers
import numpy as np
import pytest
from inferenceservers import ASK, exported, needed

from shiftlens.export import Bundle


@pytest.fixture(scope="session")
def bundle(demo_run):
    """The bundle that the servers' answers are compared with."""
    return Bundle.open(demo_run.run.path, device="cpu")


@pytest.fixture(scope="session")
def triton(demo_run, tmp_path_factory):
    """Triton with the Python backend, serving the run."""
    home = needed("triton")
    folder = tmp_path_factory.mktemp("triton")
    out = exported(demo_run.run.path, folder / "out", "--target", "triton", "--backend", "python")
    with servers.triton(home, out / "models", folder) as server:
        yield server


@pytest.fixture(scope="session")
def mlserver(demo_run, tmp_path_factory):
    """MLServer, serving the run."""
    home = needed("mlserver")
    folder = tmp_path_factory.mktemp("mlserver")
    http, grpc = servers.free_ports(2)
    ports = ("--set", f"http_port={http}", "--set", f"grpc_port={grpc}")
    out = exported(demo_run.run.path, folder / "out", "--target", "mlserver", *ports)
    with servers.mlserver(home, out, http, grpc, folder) as server:
        yield server


@pytest.fixture(params=["triton", "mlserver"])
def server(request):
    """Each of the two; with its name."""
    return request.param, request.getfixturevalue(request.param)


@pytest.fixture
def ask(tmp_path):
    """``ask(server, protocol, model, {name: inputs})`` gives, by name, the outputs or the server's error text.

    Further arguments are options of ``ask.py``; what it prints is printed.
    """

    def asked(server, protocol, model, requests, *options):
        name, where = server
        for request, inputs in requests.items():
            np.savez(tmp_path / f"{request}.npz", **inputs)
        address = where.http if protocol == "http" else where.grpc
        plain = ["--plain"] if name == "mlserver" else []
        python = needed(name) / "bin" / "python"
        command = [python, ASK, protocol, address, model, tmp_path, *plain, *options]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        print(done.stdout, end="")
        answers = {}
        for request in requests:
            path = tmp_path / f"{request}.{protocol}"
            failed = path.with_name(f"{path.name}.error.txt")
            answers[request] = (
                failed.read_text() if failed.is_file() else dict(np.load(path.with_name(f"{path.name}.out.npz")))
            )
        return answers

    return asked
