"""A small bundle of real, exported models: principal components of the digits, moved along with the loss."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from shiftlens.core.testing.realdata import NearestMean, samples, training_data

LATENT = 4
CLASSES = tuple(str(k) for k in range(10))


def bundle(folder: Path) -> Path:
    """Copy the bundle to ``folder``, which must not exist; returns the folder."""
    shutil.copytree(_made().name, folder)
    return folder


@cache
def _made() -> tempfile.TemporaryDirectory[str]:
    """The bundle, exported once a process; gone when the process ends."""
    from shiftlens.export.manifest import LossFacts, write_manifest

    home = tempfile.TemporaryDirectory(prefix="shiftlens-bundle-", ignore_cleanup_errors=True)
    folder = Path(home.name)
    _export(folder)
    write_manifest(
        folder, name="kit", kind="image", sample_shape=(1, 16, 16), classes=CLASSES, classifier_output="logits",
        loss=LossFacts(name="cross-entropy"), latent=LATENT, provenance={},
    )  # fmt: skip
    return home


def _export(folder: Path) -> None:
    """Classifier, encoder and decoder as ONNX files."""
    import torch

    from shiftlens.export.to_onnx import to_onnx

    x, label = samples("image")
    data = training_data("image")
    flat = data.batch(np.arange(len(data))).reshape(len(data), -1)
    mean = torch.from_numpy(flat.mean(0))
    axes = torch.from_numpy(np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:LATENT].astype(np.float32))
    codes = (flat - flat.mean(0)) @ axes.numpy().T
    slope = np.linalg.lstsq(np.c_[data.loss, np.ones(len(data))], codes, rcond=None)[0][:1].astype(np.float32)
    along = torch.from_numpy(slope)  # (1, LATENT)
    nearest = NearestMean(x, label)
    means, spread, centre = (
        torch.from_numpy(np.asarray(value, dtype=np.float32))
        for value in (nearest.means, nearest.spread, nearest.centre)
    )

    class Encoder(torch.nn.Module):
        def forward(self, x: Any, loss: Any, label: Any) -> Any:
            return (x.flatten(1) - mean) @ axes.T - loss[:, None] * along + 0 * label[:, None].float()

    class Decoder(torch.nn.Module):
        def forward(self, z: Any, loss: Any, label: Any) -> Any:
            flat = (z + loss[:, None] * along) @ axes + mean + 0 * label[:, None].float()
            return flat.unflatten(1, (1, 16, 16))

    class Classifier(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            seen = (x.flatten(1) - centre) / spread
            return (2 * seen @ means.T - (means**2).sum(1)) / nearest.temperature

    given = torch.from_numpy(x[:8]), torch.from_numpy(data.loss[:8].astype(np.float32)), torch.from_numpy(label[:8])
    z = Encoder()(*given)
    to_onnx(Encoder().eval(), given, ["x", "loss", "label"], ["z"], folder / "encoder.onnx", {})
    to_onnx(Decoder().eval(), (z, *given[1:]), ["z", "loss", "label"], ["x"], folder / "decoder.onnx", {})
    to_onnx(Classifier().eval(), given[:1], ["x"], ["logits"], folder / "classifier.onnx", {})
