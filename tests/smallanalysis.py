"""A whole analysis that takes seconds: real digits as vectors of sixteen values, a linear classifier of them in ONNX.

The target's bottom row is dimmed, which costs the classifier accuracy.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from realdata import digits

from shiftlens import Host, hookimpl, load_settings, run

SETTINGS = {
    "name": "dimmed",
    "source": {"path": "source.npz", "kind": "tabular"},
    "target": {"path": "target.npz", "kind": "tabular"},
    "classifier": {"path": "classifier.onnx"},
    "generator": {"name": "autoencoder", "steps": 20},
    "selector": {"pairs": 2},
    "grid": {"features": 3, "losses": 3},
    "trial": {"rows": 100, "matching_samples": 50, "precision": 0.2},
}


@cache
def vectors() -> tuple[np.ndarray, np.ndarray]:
    """``(1797, 16)`` float32, the digits' light in a raster of 4 x 4; ``(1797,)`` their classes."""
    x, y = digits()
    return x.reshape(-1, 4, 2, 4, 2).mean((2, 4)).reshape(-1, 16), y


@cache
def weights(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """``(16, 10)`` of a logistic regression on half of the source, fitted without intercepts: ``(10,)`` zeros."""
    from sklearn.linear_model import LogisticRegression

    x, y = vectors()
    rows = np.random.default_rng(seed).permutation(800)[:400]
    model = LogisticRegression(C=100, max_iter=1000, fit_intercept=False).fit(x[rows], y[rows])
    return model.coef_.T.astype(np.float32), np.zeros(10, np.float32)


def write_onnx(path: Path, seed: int = 0, good: bool = True) -> None:
    """The classifier; another seed makes another one, and one that is not good turns the answers round."""
    from onnx import TensorProto, helper, numpy_helper, save

    w, b = weights(seed)
    w = w if good else -w
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["logits"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 16])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(b, "b")],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def write_domain(path: Path, dimmed: float, first: int, last: int) -> None:
    """Some of the digits, their bottom row times ``1 - dimmed``."""
    x, y = vectors()
    x = x[first:last].copy()
    x[:, 12:] *= 1 - dimmed
    np.savez(path, x=x, y=y[first:last])


def write_analysis(folder: Path, **changes: object) -> Path:
    """Data, classifier and settings; returns the settings file."""
    folder.mkdir(parents=True, exist_ok=True)
    write_domain(folder / "source.npz", 0.0, 0, 800)
    write_domain(folder / "target.npz", 0.8, 800, 1400)
    write_onnx(folder / "classifier.onnx")
    path = folder / "analysis.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, **changes}))
    return path


class Watching:
    """An observer that remembers which stages were done."""

    def __init__(self) -> None:
        self.done: list[str] = []

    @hookimpl
    def shiftlens_stage_started(self, stage: str) -> None:
        self.done.append(stage)


def stages_done(config: Path, out: Path, *overrides: str, plugins: tuple[object, ...] = (), **more: Any) -> list[str]:
    """Run an analysis; the stages that were really done."""
    watching = Watching()
    host = Host([watching, *plugins])
    run(load_settings(config, host, overrides), out, host=host, **more)
    return watching.done
