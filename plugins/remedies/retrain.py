"""Train again, on source samples and as many changed as in the target: with the classifier's own training, or yours.

Targeted augmentation, that which imitates what really varies, is what helps out of domain where generic augmentation
does not (Gao et al. 2023, https://arxiv.org/abs/2302.11861).
"""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
from pathlib import Path

import numpy as np

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.errors import InputError
from shiftlens.core.files import write_bytes
from shiftlens.core.host.kinds import Augmentation, ComponentSettings, Remedied, RemedyData
from shiftlens.core.job import Job

READ = 256
SAID = 400  # characters of a failed command's last words that are repeated


class Settings(ComponentSettings):
    """There is nothing to set: budget, seeds and command stand under ``remedy``."""


class Retrain:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, data: RemedyData, augment: Augmentation, job: Job) -> Remedied:
        """Train on the samples as they are and, behind them, on as many changed ones."""
        if not data.command and data.train is None:
            raise InputError(
                "a classifier that was brought along is trained again by your own command only: set remedy.command"
            )
        assert data.source.label is not None
        rows = np.arange(len(data.source))
        x = np.concatenate([data.source.batch(rows), *_changed(data, augment, job.seed)])
        label = np.concatenate([data.source.label, data.source.label])
        path = _commanded(data, x, label, job) if data.command else _trained(data, x, label, job)
        return Remedied(data.open(path), path)


def _changed(data: RemedyData, augment: Augmentation, seed: int) -> list[FloatArray]:
    starts = range(0, len(data.source), READ)
    return [
        augment(data.source.batch(np.arange(start, min(start + READ, len(data.source)))), seed + start)
        for start in starts
    ]


def _trained(data: RemedyData, x: FloatArray, label: IntArray, job: Job) -> Path:
    assert data.train is not None
    return data.train(x, label, job)


def _commanded(data: RemedyData, x: FloatArray, label: IntArray, job: Job) -> Path:
    """Run the user's command; what it writes is looked at before it is believed.

    Raises:
        InputError: it cannot be started, fails, takes too long, or writes no classifier of these classes.
    """
    given, wanted = job.folder / "augmented.npz", job.folder / "classifier.onnx"
    stream = io.BytesIO()
    np.savez(stream, x=x, y=np.array(data.classes)[label])
    write_bytes(given, stream.getvalue())
    wanted.unlink(missing_ok=True)
    words = [word.format(augmented=given, classifier=wanted) for word in shlex.split(data.command)]
    try:
        started = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True
        )
    except OSError as error:
        raise InputError(f"remedy.command cannot be started: {error}") from None
    try:
        said, _ = started.communicate(timeout=data.timeout)
    except subprocess.TimeoutExpired:
        raise InputError(f"remedy.command was stopped after {data.timeout:.0f} s (remedy.timeout)") from None
    finally:
        if started.poll() is None:  # it and all that it started
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()
    if started.returncode != 0:
        raise InputError(f"remedy.command ended with {started.returncode}: {said.strip()[-SAID:]}")
    if not wanted.is_file():
        raise InputError("remedy.command ended well and wrote no {classifier}; it must write an ONNX file there")
    answers = np.asarray(data.open(wanted)(x[:2]))
    if answers.shape != (2, len(data.classes)) or not np.isfinite(answers).all():
        raise InputError(
            f"remedy.command wrote a classifier that gives {answers.shape[1:]} values instead of {len(data.classes)}"
        )
    return wanted
