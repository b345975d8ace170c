"""One small real bundle for all tests of this folder: linear models of scikit-learn's digits, exported once."""

from __future__ import annotations

import numpy as np
import pytest
from madeonce import made_once
from realdata import digits

from shiftlens.export.manifest import GridFacts, LossFacts, write_manifest

LATENT = 6


@pytest.fixture(scope="session")
def modules():
    """(encoder, decoder, classifier) in eval mode: principal components with a loss axis, and least squares."""
    import torch

    x, y = digits()
    flat = torch.from_numpy(x.reshape(len(x), -1))
    mean = flat.mean(0)
    axes = torch.linalg.svd(flat - mean, full_matrices=False).Vh[:LATENT]
    wanted = 8.0 * torch.nn.functional.one_hot(torch.from_numpy(y), 10) - 4.0
    squares = (flat - mean).T @ (flat - mean) + torch.eye(64)  # the eye: some pixels are always empty
    weights = torch.linalg.solve(squares, (flat - mean).T @ wanted)

    class Encoder(torch.nn.Module):
        def forward(self, x, loss, label):
            return (x.flatten(1) - mean) @ axes.T - 0.1 * loss[:, None]

    class Decoder(torch.nn.Module):
        def forward(self, z, loss, label):
            darker = 0.02 * loss[:, None] * (1 + label[:, None].float() / 10)
            return ((z + 0.1 * loss[:, None]) @ axes + mean - darker).clamp(0, 1).unflatten(1, (1, 8, 8))

    class Linear(torch.nn.Module):
        def forward(self, x):
            return (x.flatten(1) - mean) @ weights

    return Encoder().eval(), Decoder().eval(), Linear().eval()


@pytest.fixture(scope="session")
def exported(modules, tmp_path_factory):
    """A folder with encoder.onnx, decoder.onnx, classifier.onnx and their manifest. Copy it before changing it."""
    return made_once(tmp_path_factory, "bundle", lambda folder: write_bundle(folder, *modules))


def write_bundle(folder, encoder, decoder, classifier):
    import torch

    from shiftlens.export.to_onnx import to_onnx

    x, z = torch.from_numpy(digits()[0][:4]), torch.zeros(4, LATENT)
    loss, label = torch.ones(4), torch.arange(4)
    to_onnx(encoder, (x, loss, label), ["x", "loss", "label"], ["z"], folder / "encoder.onnx", {"shiftlens.part": "e"})
    to_onnx(decoder, (z, loss, label), ["z", "loss", "label"], ["x"], folder / "decoder.onnx", {})
    to_onnx(classifier, (x,), ["x"], ["logits"], folder / "classifier.onnx", {})
    write_manifest(
        folder,
        name="digits",
        kind="image",
        sample_shape=(1, 8, 8),
        classes=[str(i) for i in range(10)],
        loss=LossFacts(name="cross-entropy", settings={"eps": 1e-7}),
        classifier_output="logits",
        latent=LATENT,
        provenance={"data": "scikit-learn digits"},
        grid=GridFacts(calibrate=False),
    )


@pytest.fixture(scope="session")
def pair():
    """Two real sevens, ``(1, 8, 8)``: one as it is, one with most of its ink gone."""
    x, y = digits()
    first, second = x[np.flatnonzero(y == 7)[:2]]
    return first, (second * 0.3).astype(np.float32)


@pytest.fixture(scope="session")
def interventions(exported, tmp_path_factory):
    """The same bundle with an intervention grid: brighter to the right, of less contrast downwards."""
    import shutil

    from shiftlens import Factor, Host
    from shiftlens.core.causes.changes import ActiveFactor, Change
    from shiftlens.core.grid.intervention import Sides
    from shiftlens.export.bundle import Bundle
    from shiftlens.export.intervention_graph import add_intervention

    plan = []
    for name, offset in (("brightness", 0.06), ("contrast", -0.2)):
        component = Host().find(Factor, name)
        plan.append(Change(ActiveFactor(name, component, component.build(component.settings())), offset))
    folder = tmp_path_factory.mktemp("interventions") / "bundle"
    shutil.copytree(exported, folder)
    x, y = digits()
    sides = Sides(("brightness",), ("contrast",))
    add_intervention(Bundle.open(folder), tuple(plan), sides, x[:2], y[:2].tolist(), 0)
    return folder
