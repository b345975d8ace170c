"""Code of the user and of plugins that ends, hangs or shadows: told by name, and no library is ever replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hostilecases import Case, cases, check, run_alone
from tinyanalysis import write_tiny

ANSWER = "import numpy as np\ndef net(x):\n    return np.stack([-x[:, 2], x[:, 2]], axis=1)\n"


def a_callable(code, path="mine:net", until="score", **files):
    """An analysis whose classifier is a callable in ``mine.py`` beside the settings, with other files beside it."""

    def make(folder):
        (folder / "mine.py").write_text(code)
        for name, content in files.items():
            target = folder / name.replace("__", "/")
            target.parent.mkdir(exist_ok=True)
            target.with_suffix(".py").write_text(content)
        config = write_tiny(folder, classifier={"path": path})
        return "run", config, "--out", folder / "out", "--until", until, "--quiet"

    return make


def body(line):
    return f"import os, sys, signal\ndef net(x):\n    {line}\n"


EXPLODES = "raise RuntimeError('a module of the data folder was executed')\n"
TABLE = [
    Case("a callable", a_callable(ANSWER), quick=True),
    Case("a callable that exits", a_callable(body("sys.exit(0)")), ("mine:net", "sys.exit(0)"), quick=True),
    Case("a callable that exits with a message", a_callable(body("sys.exit('bye')")), ("mine:net", "sys.exit('bye')")),
    Case("an exit at import", a_callable("import sys\nsys.exit(0)\n"), ("mine cannot be imported", "sys.exit(0)")),
    Case("an exit with nothing at import", a_callable("raise SystemExit\n"), ("mine cannot be imported", "sys.exit()")),
    Case("quit at import", a_callable("quit()\n"), ("mine cannot be imported", "sys.exit")),
    Case("an exit where it is made", a_callable("import sys\ndef net():\n    sys.exit(3)\n"), ("mine:net() failed",)),
    Case(
        "an exit in a later batch",
        a_callable(ANSWER.replace("    return", "    if len(x) > 64: raise SystemExit(0)\n    return")),
        ("mine:net fails on a batch of shape (180, 6)", "sys.exit(0)"),
    ),
    Case(
        "an error in a later batch",
        a_callable(ANSWER.replace("    return", "    if len(x) > 64: raise KeyError(1)\n    return")),
        ("mine:net fails on a batch of shape (180, 6)", "KeyError: 1"),
        quick=True,
    ),
    Case("an error of many lines", a_callable(body("raise ValueError('a\\nb\\nc')")), ("ValueError: a;",)),
    Case("a syntax error", a_callable("def net(x)\n"), ("mine cannot be imported: SyntaxError",)),
    Case("an endless recursion", a_callable(body("return net(x)")), ("mine:net fails", "RecursionError")),
    Case("a name that is not there", a_callable(ANSWER, "mine:ne"), ("has no ne", 'did you mean "net"?')),
    Case("a name that exits", a_callable("def __getattr__(name): raise SystemExit(0)"), ("mine", "sys.exit(0)")),
    Case("a name that raises", a_callable("def __getattr__(name): raise OSError(5)"), ("mine", "OSError")),
    Case("a module that is not there", a_callable(ANSWER, "his:net"), ("his cannot be imported", "put it beside")),
    Case("nothing returned", a_callable(body("return None")), ("mine:net gives ()",)),
    Case("ragged rows", a_callable(body("return [[1, 2], [3]]")), ("mine:net fails on a batch",)),
    Case("words", a_callable(body("return [['a', 'b']] * len(x)")), ("mine:net gives <U1",)),
    Case("a generator", a_callable(body("yield 1")), ("mine:net gives ()",)),
    Case("not finite", a_callable(body("return [[float('nan')] * 2] * len(x)")), ("not finite", "classifier")),
    Case("a module of a package", a_callable("", "mypackage.models:net", mypackage__models=ANSWER)),
    Case(
        "a package with imports of its own",
        a_callable("", "pack.models:net", pack____init__="", pack__models="from .deep import net\n", pack__deep=ANSWER),
        quick=True,
    ),
    Case("a module that imports its neighbour", a_callable("from helper import net\n", helper=ANSWER), quick=True),
    Case("a callable in a file named like a module of Python", a_callable("", "random:net", random=ANSWER), quick=True),
    Case("a callable in a file named like a library", a_callable("", "numpy:net", numpy=ANSWER)),
    Case("modules beside a callable that shadow", a_callable(ANSWER, colorsys=EXPLODES, numpy=EXPLODES, PIL=EXPLODES)),
]


@cases(TABLE)
def test_code_of_the_user(case, tmp_path, capfd):
    check(case, tmp_path, capfd)


SHADOWS = ("random", "colorsys", "scipy", "PIL", "queue", "json", "torch", "onnx", "wave", "csv")


@pytest.mark.slow
@pytest.mark.parametrize("classifier", ["classifier.onnx", "mine:net"])
def test_nothing_beside_the_settings_is_taken_for_a_library(tmp_path, classifier):
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text(EXPLODES)
    (tmp_path / "mine.py").write_text("import random, colorsys, queue\n" + ANSWER)
    config = write_tiny(tmp_path, classifier={"path": classifier})
    until = "render" if classifier.endswith(".onnx") else "trial"  # the callable's answers fit no pair
    done = run_alone(["run", str(config), "--out", "out", "--until", until, "--quiet"], tmp_path)
    assert done.returncode == 0, done.stderr


def heard():
    """Hear Ctrl-C, which what a shell starts in the background does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(folder, code):
    """An analysis with a callable, in a process of its own that has begun to call it."""
    config = a_callable(code)(folder)[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "shiftlens", "run", str(config), "--out", "out", "--quiet"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=heard,
    )
    while not (folder / "called").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    return process


CALLED = "    open('called', 'w').close()\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "import time\ndef net(x):\n" + CALLED + "    time.sleep(500)\n",
        "def net(x):\n" + CALLED + "    while True: pass\n",
        "import time\ndef net(x):\n" + CALLED + "    while True:\n        try: time.sleep(500)\n        except: pass\n",
        # C code that never gives the interpreter back its turn in the main thread
        "import ctypes\ndef net(x):\n" + CALLED + "    while True: ctypes.CDLL(None).sleep(500)\n",
    ],
    ids=["sleeps", "computes", "catches-everything", "in-c-code"],
)
def test_a_callable_that_hangs_is_ended_by_ctrl_c(tmp_path, code):
    process = start(tmp_path, code)
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "the same command goes on where it stopped" in err


def test_a_callable_that_hangs_is_told_by_name_while_it_hangs(tmp_path, capfd, monkeypatch):
    from shiftlens.plugins.classifiers import brought

    monkeypatch.setattr(brought, "PATIENCE", 0.05)
    told = ""

    def answering(x):
        nonlocal told
        while "has been working" not in told:  # it hangs until it has been told
            told += capfd.readouterr().err
        return np.zeros((len(x), 2))

    brought.guarded("the classifier mine:net", answering)(np.zeros((3, 6), np.float32))
    assert "the classifier mine:net has been working on a batch of shape (3, 6) for 0.05 s" in told
    assert "Ctrl-C stops" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", ["os.kill(os.getpid(), signal.SIGSEGV)", "os.abort()"], ids=["segmentation-fault", "abort"]
)
def test_code_that_crashes_the_process_is_named(tmp_path, line):
    done = run_alone([str(word) for word in a_callable(body(line))(tmp_path)], tmp_path)
    assert done.returncode < 0
    assert "mine.py" in done.stderr
    assert "in net" in done.stderr
    assert (tmp_path / "out" / "log.txt").read_text().rstrip().endswith("the classifier mine:net is called")


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams_stop_nothing_and_no_file_takes_their_place(tmp_path, closed):
    config = write_tiny(tmp_path)
    code = f"{sys.executable} -m shiftlens run {config} --out out --until score {closed}"
    done = subprocess.run(["sh", "-c", code], cwd=tmp_path, capture_output=True, timeout=300)
    assert done.returncode == 0
    assert "score: done" in (tmp_path / "out" / "log.txt").read_text()
    assert subprocess.run(["sh", "-c", code.replace("analysis", "absent")], cwd=tmp_path).returncode == 2
