"""Everything that is registered is held to the rules of the conformance kit: built-ins pass the same bar as anybody."""

from __future__ import annotations

import csv
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from realdata import spoken

from shiftlens import Host
from shiftlens.core.host.host import Offer
from shiftlens.core.host.kinds import Classifier
from shiftlens.core.job import Job
from shiftlens.core.testing.check import findings
from shiftlens.core.testing.classifier import domain_of
from shiftlens.core.testing.selector import candidates
from shiftlens.testing import samples

HOST = Host(strict=True)
QUICK = ("loss", "selector", "reader")
QUICK_ONES = ("json", "markdown", "level", "amplitude", "column")


def npz(folder: Path) -> dict[str, Any]:
    x, y = samples("image")
    np.savez_compressed(folder / "digits.npz", x=x[:20], y=y[:20])
    return {"path": folder / "digits.npz"}


def image_folder(folder: Path) -> dict[str, Any]:
    from PIL import Image

    for i, (x, y) in enumerate(zip(*(part[:20] for part in samples("image")), strict=True)):
        path = folder / "digits" / str(y) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((x[0] * 255).astype(np.uint8)).save(path)
    return {"path": folder / "digits"}


def wav_folder(folder: Path) -> dict[str, Any]:
    for i, (x, y) in enumerate(zip(*(part[:10] for part in samples("series")), strict=True)):
        path = folder / "lines" / f"photo-{y}" / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(((x[0] - 0.5) * 60_000).astype("<i2").tobytes())
    return {"path": folder / "lines"}


def table(folder: Path) -> dict[str, Any]:
    x, y = samples("tabular")
    with (folder / "cells.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["label", *(f"x{i}" for i in range(x.shape[1]))])
        rows.writerows([f"class-{k}", *row.tolist()] for row, k in zip(x[:30], y[:30], strict=True))
    return {"path": folder / "cells.csv", "label": "label"}


def parquet(folder: Path) -> dict[str, Any]:
    from pyarrow import csv as text
    from pyarrow import parquet as columns

    columns.write_table(text.read_csv(table(folder)["path"]), folder / "cells.parquet")
    return {"path": folder / "cells.parquet", "label": "label"}


def train(folder: Path) -> dict[str, Any]:
    return {"train": {"epochs": 3}}


def onnx(folder: Path) -> dict[str, Any]:
    """A classifier that the built-in one has trained."""
    component = HOST.find(Classifier, "trained")
    provided = component.build(component.settings(**train(folder)))(domain_of(*samples("image"), "image"), Job(folder))
    return {"path": provided.onnx}


class Linear:
    """A linear classifier of the digits as a torch module."""

    def __new__(cls) -> Any:
        import torch
        from sklearn.linear_model import LogisticRegression

        x, y = samples("image")
        fitted = LogisticRegression(max_iter=50).fit(x.reshape(len(x), -1), y)
        layer = torch.nn.Linear(256, 10)
        layer.weight.data = torch.tensor(fitted.coef_, dtype=torch.float32)
        layer.bias.data = torch.tensor(fitted.intercept_, dtype=torch.float32)
        return torch.nn.Sequential(torch.nn.Flatten(), layer).eval()


def torch_export(folder: Path) -> dict[str, Any]:
    import torch

    batch = torch.export.Dim("batch", min=1, max=4096)
    example = (torch.from_numpy(samples("image")[0][:4]),)
    torch.export.save(torch.export.export(Linear(), example, dynamic_shapes=({0: batch},)), folder / "linear.pt2")
    return {"path": folder / "linear.pt2"}


def torch_script(folder: Path) -> dict[str, Any]:
    import torch

    torch.jit.save(torch.jit.script(Linear()), folder / "linear.pt")
    return {"path": folder / "linear.pt"}


def in_python(folder: Path) -> dict[str, Any]:
    (folder / "digits_linear.py").write_text(
        "from conformance_linear import Linear\n\n\ndef load():\n    return Linear()\n"
    )
    return {"path": "digits_linear:load"}


def chosen_pairs(folder: Path) -> dict[str, Any]:
    among = candidates()
    worst = int(np.argmax(among.target.loss))
    same = np.flatnonzero(among.source.label == among.target.label[worst])
    return {"pairs": [[int(same[np.argmin(among.source.loss[same])]), worst]]}


def tracked(folder: Path) -> dict[str, Any]:
    """A store that is there already, as a server's is, and keeps artifacts beside itself."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    client.create_experiment("shiftlens", artifact_location=str(folder / "artifacts"))
    return {"tracking_uri": f"sqlite:///{folder / 'mlflow.db'}"}


def few_steps(folder: Path) -> dict[str, Any]:
    return {"steps": 60}


def small_networks(folder: Path) -> dict[str, Any]:
    return {"steps": 150, "width": 8, "batch": 16}


SETTINGS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "npz": npz, "image-folder": image_folder, "wav-folder": wav_folder, "csv": table, "parquet": parquet,
    "trained": train, "onnx": onnx, "torch-export": torch_export, "torch-script": torch_script,
    "callable": in_python, "indices": chosen_pairs,
    "autoencoder": few_steps, "vae": few_steps, "gan": few_steps, "cyclegan": small_networks,
    "column": lambda folder: {"column": 2}, "mlflow": tracked,
}  # fmt: skip
OWN: dict[str, Callable[[], Any]] = {
    name: lambda: spoken(4)[0] for name in ("pitch", "speed", "bandwidth", "sampling-rate")
}
"""The kit's series are curves; these factors are about tones, and are looked at with spoken digits."""


EXCUSED = {"mlflow": "component-writes-in-its-folder"}
"""MLflow keeps artifacts where its store does: on a server, or here in a folder beside the store."""


def marked(offer: Offer) -> Any:
    component = offer.component
    quick = component.kind in QUICK or component.name in QUICK_ONES
    return pytest.param(component, id=f"{component.kind}-{component.name}", marks=[] if quick else [pytest.mark.slow])


@pytest.mark.parametrize("component", [marked(offer) for offer in HOST.offers()])
def test_what_is_registered_keeps_the_rules(component: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "conformance_linear", sys.modules[__name__])
    settings = SETTINGS.get(component.name, lambda folder: {})(tmp_path)
    own = OWN.get(component.name, lambda: None)()
    found = list(findings(component, settings, own))
    excused = EXCUSED.get(component.name)
    assert not [f.told() for f in found if f.status == "broken" and f.rule.anchor != excused]
    assert [finding for finding in found if finding.status == "kept" and finding.rule.kind == component.kind]


def test_no_name_is_offered_twice() -> None:
    for component in (offer.component for offer in HOST.offers()):
        assert len(HOST.offers(component.kind)) == len(HOST.names(component.kind))
