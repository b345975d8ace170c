"""The smallest analysis that goes through every stage: handwritten digits 0 and 1 as vectors, one value darker.

Each sample is a digit of scikit-learn's, told by the ink in five of its rows and by all of it. In the target the middle
row holds more. The classifier is a logistic regression in an ONNX file, so that a run takes little beside the imports.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from onnx import TensorProto, helper, numpy_helper, save
from realdata import digits

COLUMNS = ("top", "upper", "middle", "lower", "bottom", "whole")


@cache
def ink() -> tuple[np.ndarray, np.ndarray]:
    """Vectors ``(n, 6)`` float32 of the digits 0 and 1, and their labels ``(n,)``."""
    x, y = digits()
    few = y < 2
    rows = x[few, 0].sum(axis=2)  # (n, 8): ink in each row of pixels
    values = np.concatenate([rows[:, [1, 2, 3, 5, 6]], rows.mean(axis=1, keepdims=True)], axis=1)
    return values.astype(np.float32), y[few]


@cache
def weights() -> tuple[np.ndarray, np.ndarray]:
    """Of a logistic regression on the source half: ``(6, 2)`` and ``(2,)`` float32."""
    from sklearn.linear_model import LogisticRegression

    x, y = ink()
    fitted = LogisticRegression().fit(x[: len(x) // 2], y[: len(x) // 2])
    slope, offset = fitted.coef_[0].astype(np.float32), fitted.intercept_.astype(np.float32)
    return np.stack([-slope, slope], axis=1) / 2, np.concatenate([-offset, offset]) / 2


def write_classifier(path: Path) -> Path:
    """The logistic regression as an ONNX file, ``x (batch, 6) -> logits (batch, 2)``."""
    w, b = weights()
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["logits"])],
        "ink",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", len(COLUMNS)])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(b, "b")],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def write_tiny(folder: Path, **settings: Any) -> Path:
    """Write source.npz, target.npz, classifier.onnx and analysis.yaml; returns the path of the last.

    Args:
        settings: keys of the settings file that are to be others.
    """
    x, y = ink()
    half = len(x) // 2
    darker = x[half:].copy()
    darker[:, COLUMNS.index("middle")] += 2.5
    for role, values, labels in (("source", x[:half], y[:half]), ("target", darker, y[half:])):
        np.savez(folder / f"{role}.npz", x=values, y=labels, columns=np.array(COLUMNS))
    write_classifier(folder / "classifier.onnx")
    raw = {
        "name": "tiny",
        "source": {"path": "source.npz", "kind": "tabular"},
        "target": {"path": "target.npz", "kind": "tabular"},
        "classifier": {"path": "classifier.onnx"},
        "generator": {"name": "autoencoder", "steps": 20, "batch": 16},
        "selector": {"name": "extremes", "pairs": 1},
        "grid": {"features": 2, "losses": 2, "second_opinion": False},
        "trial": {"samples": 50, "matching_samples": 50, "rows": 50, "bootstrap": 50, "dose_steps": 2},
        **settings,
    }
    path = folder / "analysis.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return path
