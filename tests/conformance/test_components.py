"""What every component of a kind must do, run over all that is registered."""

from __future__ import annotations

from functools import cache

import converterdata
import numpy as np
import pytest
from examplereports import example
from realdata import digits

from shiftlens import Host
from shiftlens.core.demo import demo_domains
from shiftlens.core.job import Job
from shiftlens.core.kinds import (
    SOURCE,
    TARGET,
    TRIAL,
    Candidates,
    Converter,
    Factor,
    Generator,
    Loss,
    Renderer,
    Selector,
    TrainingData,
)
from shiftlens.core.scoring import Scores

HOST = Host(strict=True)


def every(kind):
    offers = HOST.offers(kind)
    return pytest.mark.parametrize("component", [pytest.param(o.component, id=o.component.name) for o in offers])


def built(component, **settings):
    return component.build(component.settings(**settings))


@every(None)
def test_a_description_reads_well(component):
    assert component.summary
    assert not component.summary.endswith(".")
    assert len(component.summary) < 110
    assert len(HOST.offers(component.kind)) == len(HOST.names(component.kind)), "a name is offered twice"


@every(Loss)
def test_a_loss_is_finite_and_smaller_where_the_classifier_is_sure_and_right(component):
    loss = built(component)
    probabilities = np.array([[1.0, 0.0, 0.0], [0.9, 0.05, 0.05], [0.4, 0.3, 0.3], [0.0, 1.0, 0.0]])
    labels = np.zeros(4, dtype=np.int64)
    values = loss(probabilities, labels)
    assert values.shape == (4,)
    assert np.isfinite(values).all()
    assert values[0] < values[1] < values[2]
    if component.needs_labels:
        assert values[3] > values[2]
    else:
        assert np.array_equal(loss(probabilities, None), values)


@every(Factor)
def test_a_factor_measures_every_sample_and_leaves_it_alone_when_asked_for_nothing(component):
    x = samples_of(component.kinds[0])
    worker = built(component, column=2) if component.per_column else built(component)
    before = x.copy()
    values = worker.measure(x)
    assert values.shape == (len(x),)
    assert values.dtype == np.float64
    assert not np.isinf(values).any()
    assert isinstance(worker.refuses(x), str)
    if component.interventional and not worker.refuses(x):
        same = worker.shift(x, np.zeros(len(x)), np.random.default_rng(0))
        assert same.shape == x.shape
        assert same.dtype == np.float32
        assert np.allclose(same, x, atol=0.02)
        assert np.array_equal(x, before), "shift must not change what it is given"
        moved = [worker.shift(x, np.full(len(x), 0.1), np.random.default_rng(3)) for _ in range(2)]
        assert np.array_equal(*moved), "the same seed must give the same samples"


@cache
def samples_of(kind):
    rng = np.random.default_rng(0)
    if kind == "image":
        (x, _), _ = demo_domains()
        return (x[:8].transpose(0, 3, 1, 2) / 255).astype(np.float32)
    if kind == "series":
        time = np.linspace(0, 40, 256)
        waves = np.sin(time * rng.uniform(1, 6, (8, 1))) * rng.uniform(0.3, 1, (8, 1))
        return (waves + rng.normal(0, 0.02, waves.shape))[:, None].astype(np.float32)
    return rng.normal(size=(8, 6)).astype(np.float32)


@every(Selector)
def test_a_selector_gives_pairs_of_one_class_without_repeats_the_same_each_time(component):
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 200)
    wrong = rng.random(200) < 0.5
    source = Scores(rng.exponential(0.05, 200), label, label, np.ones(200))
    target = Scores(
        np.where(wrong, 3.0, 0.1) + rng.random(200), label, np.where(wrong, (label + 1) % 3, label), np.ones(200)
    )
    first = int(np.flatnonzero(wrong & (label == label[0]))[0])
    settings = {"pairs": [(0, first)] if component.name == "indices" else 12}

    def encode(role, indices):
        return np.random.default_rng(role).normal(size=(200, 4)).astype(np.float32)[indices]

    chosen = [
        built(component, **settings)(Candidates(source, target, encode), np.random.default_rng(1)) for _ in range(2)
    ]
    assert chosen[0] == chosen[1]
    assert chosen[0]
    assert len(set(chosen[0])) == len(chosen[0])
    assert all(label[pair.source] == label[pair.target] for pair in chosen[0])


@every(Renderer)
def test_a_renderer_gives_files_and_the_same_ones_each_time(component):
    report = example("digits")
    files = built(component)(report)
    assert files
    assert all(isinstance(content, bytes) and content for content in files.values())
    assert built(component)(report) == files


@every(Generator)
@pytest.mark.parametrize("axis", ["joint", "observed", "randomised"])
def test_a_generator_trains_gives_samples_back_and_listens_to_the_loss(component, axis, tmp_path):
    import torch

    x, label = digits()
    x = np.repeat(np.repeat(x[:600], 2, axis=2), 2, axis=3)
    rng = np.random.default_rng(0)
    brightness = rng.uniform(0.3, 1.0, 600).astype(np.float32)
    x, loss = x * brightness[:, None, None, None], 2.0 * (1 - brightness.astype(np.float64))
    data = TrainingData(
        batch=lambda indices: x[indices],
        loss=loss,
        label=label[:600],
        role=np.repeat([SOURCE, TARGET, TRIAL], 200).astype(np.int8),
        loss_before=np.zeros(600),
        sample_shape=(1, 16, 16),
        kind="image",
        classes=10,
    )
    trained = built(component, latent=8, steps=60, loss_axis=axis)(data, Job(tmp_path, seed=1, device="cpu"))
    assert not trained.encoder.training
    given = torch.from_numpy(x[:50]), torch.from_numpy(loss[:50]).float(), torch.from_numpy(label[:50])
    with torch.no_grad():
        z = trained.encoder(*given)
        back = trained.decoder(z, *given[1:]).numpy()
        moved = trained.decoder(z, given[1] + 1.0, given[2]).numpy()
    assert z.shape == (50, trained.latent)
    assert back.shape == (50, 1, 16, 16)
    assert ((back - x[:50]) ** 2).mean() < 0.8 * x.var()
    assert np.abs(moved - back).mean() > 1e-4, "the decoder ignores the loss"
    again = built(component, latent=8, steps=60, loss_axis=axis)(data, Job(tmp_path, seed=1, device="cpu"))
    assert all(torch.equal(a, b) for a, b in zip(trained.decoder.parameters(), again.decoder.parameters(), strict=True))


@every(Converter)
def test_a_converter_gives_samples_of_the_same_shape_and_the_same_ones_each_time(component, tmp_path):
    import torch

    data = converterdata.digits(component.kinds[0])
    settings = {"steps": 3} if "steps" in component.settings.model_fields else {}
    made = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        trained = built(component, **settings)(data, Job(folder, seed=1, device="cpu"))
        assert not trained.module.training
        rows = np.flatnonzero(data.rows.role == TARGET)[:20]
        label = (torch.from_numpy(data.rows.label[rows]),) if trained.needs_label else ()
        with torch.no_grad():
            made.append(trained.module(torch.from_numpy(data.rows.batch(rows)), *label).numpy())
    assert made[0].shape == (20, *data.rows.sample_shape)
    assert np.isfinite(made[0]).all()
    assert np.array_equal(*made)
    assert set(trained.held_out) <= set(range((data.rows.role == TARGET).sum()))
