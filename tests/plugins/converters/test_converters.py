"""Every built-in style converter: brings samples back, keeps their class, is exported, resumes, refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import converterdata
import numpy as np
import pytest
import torch

from shiftlens.core.errors import TrainingError
from shiftlens.core.host.kinds import SOURCE, TARGET, ConversionData, TrainedConverter
from shiftlens.core.job import Job, silent
from shiftlens.core.learning.training import CHECKPOINT
from shiftlens.export.manifest import CONVERTED
from shiftlens.export.parity import check_parity
from shiftlens.export.to_onnx import on_numpy, to_onnx
from shiftlens.plugins import converters
from shiftlens.plugins.converters import cyclegan

CONVERTERS = {converter.name: converter for converter in converters.shiftlens_converters()}


def fit(name: str, data: ConversionData, folder: Path, progress=silent, **settings) -> TrainedConverter:
    converter = CONVERTERS[name]
    if name == "cyclegan":
        settings = {"steps": 60, "width": 8, "blocks": 1, **settings}
    folder.mkdir(exist_ok=True)
    return converter.build(converter.settings(**settings))(data, Job(folder, 0, "cpu", progress))


def converted(trained: TrainedConverter, x: np.ndarray, label: np.ndarray) -> np.ndarray:
    given = (torch.from_numpy(x), torch.from_numpy(label)) if trained.needs_label else (torch.from_numpy(x),)
    with torch.no_grad():
        return trained.module(*given).numpy()


def before_and_after(data: ConversionData, trained: TrainedConverter) -> tuple[float, float, float, float]:
    """Share of right predictions on held-out target samples and their distance to the source's mean, each twice."""
    rows = data.rows
    target = np.flatnonzero(rows.role == TARGET)[trained.held_out]
    x, y = rows.batch(target), rows.label[target]
    made, mean = converted(trained, x, y), rows.batch(np.flatnonzero(rows.role == SOURCE)).mean(0)
    rate = [float((data.predict(part).argmax(1) == y).mean()) for part in (x, made)]
    away = [float(np.abs(part.mean(0) - mean).mean()) for part in (x, made)]
    return rate[0], rate[1], away[0], away[1]


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        ("latent-transport", "image", {}),
        ("latent-transport", "series", {}),
        ("latent-transport", "tabular", {}),
        pytest.param("cyclegan", "image", {"steps": 120}, marks=pytest.mark.slow),
        pytest.param("cyclegan", "series", {"steps": 600, "width": 16, "blocks": 2}, marks=pytest.mark.slow),
    ],
)
def test_unseen_target_samples_come_nearer_to_the_source_and_are_classified_rightly_again(
    name, kind, settings, tmp_path
):
    data = converterdata.digits(kind)
    trained = fit(name, data, tmp_path, **settings)
    assert len(trained.held_out)
    rate, rate_after, away, away_after = before_and_after(data, trained)
    assert rate_after > rate + 0.15
    assert away_after < 0.6 * away


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (3, 17, 35), (2, 24), (1, 501)])
def test_cyclegan_starts_as_the_identity_at_every_shape(shape):
    from shiftlens.plugins.converters.networks import ConverterNetwork, check_shape

    check_shape(shape)
    x = torch.rand(3, *shape)
    with torch.no_grad():
        assert torch.allclose(ConverterNetwork(shape, 8, 1)(x), x, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("latent-transport", "image"),
        pytest.param("cyclegan", "image", marks=pytest.mark.slow),
        ("cyclegan", "series"),
    ],
)
def test_the_exported_converter_agrees(name, kind, tmp_path):
    data = converterdata.digits(kind)
    trained = fit(name, data, tmp_path, **({"steps": 5} if name == "cyclegan" else {}))
    path = tmp_path / "converter.onnx"

    def inputs(batch):
        here = np.flatnonzero(data.rows.role == TARGET)[:batch]
        label = {"label": data.rows.label[here]} if trained.needs_label else {}
        return {"x": data.rows.batch(here), **label}

    example = inputs(4)
    to_onnx(trained.module, tuple(map(torch.from_numpy, example.values())), list(example), [CONVERTED], path, {})
    found = check_parity(path, on_numpy(trained.module, [CONVERTED]), inputs, (1, 2, 64))
    assert found["largest_difference"][CONVERTED] < 1e-4


class Interrupted(Exception):
    pass


@pytest.mark.slow
def test_cyclegan_goes_on_after_an_interruption_to_the_same_result(tmp_path):
    data = converterdata.digits()

    def interrupt(done, total, **values):
        if done == 55:
            raise Interrupted

    whole = fit("cyclegan", data, tmp_path / "whole", steps=60)
    with pytest.raises(Interrupted):
        fit("cyclegan", data, tmp_path / "cut", interrupt, steps=60)
    assert (tmp_path / "cut" / CHECKPOINT).is_file()
    resumed = fit("cyclegan", data, tmp_path / "cut", steps=60)
    assert resumed.history == whole.history
    pairs = zip(resumed.module.parameters(), whole.module.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_cyclegan_does_without_labels(tmp_path):
    data = replace(converterdata.digits(), labelled=False)
    trained = fit("cyclegan", data, tmp_path, steps=5)
    assert not trained.needs_label


def only(data: ConversionData, keep: np.ndarray) -> ConversionData:
    rows = data.rows
    cut = {field: getattr(rows, field)[keep] for field in ("loss", "label", "role", "loss_before")}
    return replace(data, rows=replace(rows, batch=lambda i: rows.batch(keep[i]), **cut))


@pytest.mark.parametrize("name", CONVERTERS)
@pytest.mark.parametrize(("role", "domain"), [(SOURCE, "target"), (TARGET, "source")])
def test_an_empty_domain_is_told(name, role, domain, tmp_path):
    data = converterdata.digits()
    data = only(data, np.flatnonzero(data.rows.role == role))
    with pytest.raises(TrainingError, match=rf"the {domain} domain has (no|0) samples.*set converter to null"):
        fit(name, data, tmp_path)


def test_fewer_samples_than_a_batch_are_told(tmp_path):
    data = converterdata.digits()
    data = only(data, np.r_[np.arange(20), len(data.rows) - 20 : len(data.rows)])
    with pytest.raises(TrainingError, match=r"20 target samples.*too few for batches of 32.*set converter\.batch to"):
        fit("cyclegan", data, tmp_path)


def test_samples_without_a_network_are_told(tmp_path):
    with pytest.raises(TrainingError, match=r"no network for samples of shape \(64,\).*latent-transport"):
        fit("cyclegan", converterdata.digits("tabular"), tmp_path)


def test_a_divergence_is_told_and_stops_at_once(tmp_path):
    data = converterdata.digits()
    with pytest.raises(TrainingError, match=r"diverged at step .*smaller learning_rate"):
        fit("cyclegan", replace(data, predict=lambda x: np.full((len(x), 10), np.nan)), tmp_path)


def test_a_collapse_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(cyclegan, "COLLAPSED", 100.0)  # no training that ends in one is short enough to be a test
    with pytest.raises(TrainingError, match=r"collapsed: converted samples hardly differ.*converter\.adversarial"):
        fit("cyclegan", converterdata.digits(), tmp_path, steps=2)
