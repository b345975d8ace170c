"""A small bundle of real, exported models: principal components of the digits, moved along with the loss."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from shiftlens.core.testing.linear import LATENT, linear_generator
from shiftlens.core.testing.realdata import NearestMean, samples, training_data

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
    generator, nearest = linear_generator(data), NearestMean(x, label)
    means, spread, centre = (
        torch.from_numpy(np.asarray(v, dtype=np.float32)) for v in (nearest.means, nearest.spread, nearest.centre)
    )

    class Classifier(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            seen = (x.flatten(1) - centre) / spread
            return (2 * seen @ means.T - (means**2).sum(1)) / nearest.temperature

    given = torch.from_numpy(x[:8]), torch.from_numpy(data.loss[:8].astype(np.float32)), torch.from_numpy(label[:8])
    z = generator.encoder(*given)
    to_onnx(generator.encoder, given, ["x", "loss", "label"], ["z"], folder / "encoder.onnx", {})
    to_onnx(generator.decoder, (z, *given[1:]), ["z", "loss", "label"], ["x"], folder / "decoder.onnx", {})
    to_onnx(Classifier().eval(), given[:1], ["x"], ["logits"], folder / "classifier.onnx", {})
