"""Targets that break one rule each, and one that keeps them all."""

from __future__ import annotations

import time

from rulebreakers.tried import Tried
from shiftlens.core.host.kinds import (
    Target,
)


def copied(bundle, out):
    for name in ("encoder.onnx", "decoder.onnx", "manifest.json"):
        (out / name).write_bytes((bundle / name).read_bytes())


def target(function):
    return Tried(Target(name="broken", summary="a target", build=lambda settings: function))


def with_clock(bundle, out):
    copied(bundle, out)
    (out / "made.txt").write_text(str(time.perf_counter_ns()))


def with_path(bundle, out):
    copied(bundle, out)
    (out / "config.json").write_text(f'{{"model": "{out}/decoder.onnx"}}')


def cut_short(bundle, out):
    copied(bundle, out)
    (out / "decoder.onnx").write_bytes((bundle / "decoder.onnx").read_bytes()[:1000])


def marked(bundle, out):
    copied(bundle, out)
    (bundle / "deployed").write_text("yes")


GOOD = target(copied)

BREAKERS = {
    "target-writes-the-layout": target(lambda bundle, out: None),
    "target-leaves-the-bundle-alone": target(marked),
    "target-the-same-each-time": target(with_clock),
    "target-moves-to-another-machine": target(with_path),
    "target-models-still-run": target(cut_short),
}
