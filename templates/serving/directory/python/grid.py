"""The grid of a pair with ONNX Runtime alone: python grid.py [source.npy target.npy label]."""

import json
import os
import sys
from pathlib import Path

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime reads it when it is loaded: no queue on disk, no upload
import onnxruntime

BUNDLE = Path(__file__).resolve().parents[2]
manifest = json.loads((BUNDLE / "manifest.json").read_text(encoding="utf-8"))
shape = manifest["sample_shape"]

if len(sys.argv) == 4:
    source, target = (np.load(path).astype(np.float32).reshape(1, *shape) for path in sys.argv[1:3])
    label = manifest["classes"].index(sys.argv[3])
else:  # random samples, which only show the call
    source, target = np.random.default_rng(0).random((2, 1, *shape), dtype=np.float32)
    label = 0

session = onnxruntime.InferenceSession(BUNDLE / "grid.onnx", providers=["CPUExecutionProvider"])
cells, requested, measured, probabilities = session.run(
    ["cells", "requested", "measured", "probabilities"],
    {
        "source": source,
        "target": target,
        "label": np.array([label], dtype=np.int64),
        "loss": np.full((1, 2), -1, dtype=np.float32),  # negative: measured by the classifier
        "n_features": np.array([5], dtype=np.int64),
        "n_losses": np.array([5], dtype=np.int64),
    },
)
predicted = probabilities.argmax(axis=-1)
print(json.dumps({"shape": cells.shape, "measured": measured.tolist(), "predicted": predicted.tolist()}))
