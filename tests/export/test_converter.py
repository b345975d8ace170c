"""The style converter in a bundle: optional, checked, with or without the class as input."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from realdata import digits

from shiftlens.core.errors import BundleError
from shiftlens.export.bundle import CHUNK, Bundle
from shiftlens.export.manifest import CONVERTED, LossFacts, write_manifest


class Darker:
    """Two real modules: all values halved, and halved for even classes only."""

    def __new__(cls, needs_label: bool):
        import torch

        class Plain(torch.nn.Module):
            def forward(self, x):
                return x * 0.5

        class ByClass(torch.nn.Module):
            def forward(self, x, label):
                return x * torch.where(label % 2 == 0, 0.5, 1.0)[:, None, None, None]

        return (ByClass() if needs_label else Plain()).eval()


def with_converter(exported, folder, needs_label: bool, shape: tuple[int, ...] = (1, 8, 8)):
    import torch

    from shiftlens.export.to_onnx import to_onnx

    shutil.copytree(exported, folder)
    example = (torch.rand(4, *shape), *((torch.arange(4),) if needs_label else ()))
    names = ["x", "label"][: len(example)]
    to_onnx(Darker(needs_label), example, names, [CONVERTED], folder / "converter.onnx", {})
    manifest = json.loads((folder / "manifest.json").read_text())
    write_manifest(
        folder,
        **{key: manifest[key] for key in ("name", "kind", "sample_shape", "classes", "latent", "provenance")},
        loss=LossFacts(**manifest["loss"]),
        classifier_output=manifest["classifier_output"],
    )
    return folder


@pytest.mark.parametrize("needs_label", [False, True])
def test_it_converts_in_chunks(exported, tmp_path, needs_label):
    bundle = Bundle.open(with_converter(exported, tmp_path / "bundle", needs_label), device="cpu")
    x, y = digits()
    x, y = x[: CHUNK + 7], y[: CHUNK + 7]
    assert "converter.onnx" in bundle.manifest.files
    expected = np.where(y % 2 == 0, 0.5, 1.0)[:, None, None, None] * x if needs_label else 0.5 * x
    np.testing.assert_allclose(bundle.convert(x, y), expected, atol=1e-6)


def test_a_bundle_without_one_says_so(exported):
    with pytest.raises(BundleError, match="holds no style converter; set converter in the settings"):
        Bundle.open(exported, device="cpu").convert(*(part[:2] for part in digits()))


def test_one_for_other_samples_is_refused(exported, tmp_path):
    folder = with_converter(exported, tmp_path / "bundle", needs_label=False, shape=(1, 9, 8))
    with pytest.raises(BundleError, match=r"converter\.onnx takes x \(batch, 1, 9, 8\).*does not fit"):
        Bundle.open(folder, device="cpu").convert(*(part[:2] for part in digits()))
