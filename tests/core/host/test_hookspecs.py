"""Each hook's docstring holds a complete plugin; every one of them is run here."""

from __future__ import annotations

import inspect
import textwrap
import types

import numpy as np
import pytest

from shiftlens.core.data.domain import Domain
from shiftlens.core.data.scoring import Scores
from shiftlens.core.host.host import Host, hookspecs
from shiftlens.core.host.kinds import KINDS, SOURCE, TARGET, Candidates, ConversionData, TrainingData
from shiftlens.core.job import Job

HOOKS = [name for name in vars(hookspecs) if name.startswith("shiftlens_")]


def plugin_of(hook: str) -> types.ModuleType:
    text = inspect.getdoc(getattr(hookspecs, hook)).split("Example::\n", 1)[1]
    module = types.ModuleType(f"example_{hook}")
    exec(compile(textwrap.dedent(text), hook, "exec", dont_inherit=True), module.__dict__)
    return module


def offered(hook: str):
    host = Host([plugin_of(hook)], entry_points=False, strict=True)
    (offer,) = host.offers()
    return offer.component


def a_domain() -> Domain:
    rng = np.random.default_rng(0)
    labels = np.array(["a", "b"] * 30)
    x = (rng.normal(size=(60, 6)) + (labels == "b")[:, None] * 3).astype(np.float32)
    return Domain(x, (6,), "tabular", labels)


def test_there_is_a_hook_for_every_kind_and_five_observers():
    assert len(HOOKS) == len(KINDS) + 5


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_is_a_plugin_that_the_host_takes(hook):
    host = Host([plugin_of(hook)], entry_points=False, strict=True)
    assert not host.problems
    assert bool(host.offers()) == (hook.removeprefix("shiftlens_") not in host_events())


def host_events() -> list[str]:
    return ["run_started", "stage_started", "step", "stage_finished", "run_finished"]


def test_reader_example_reads(tmp_path):
    path = tmp_path / "samples.txt"
    path.write_text("cat 1 2\ndog 3 4\n")
    component = offered("shiftlens_readers")
    domain = component.build(component.settings(path=path))(tmp_path)
    assert domain.sample_shape == (2,)
    assert list(domain.labels) == ["cat", "dog"]
    assert component.claims({"path": "x.txt"}, tmp_path)


def test_classifier_example_classifies(tmp_path):
    component = offered("shiftlens_classifiers")
    source = a_domain()
    provided = component.build(component.settings())(source, Job(tmp_path))
    predicted = np.array(provided.classes)[provided.function(source.batch(slice(None))).argmax(1)]
    assert (predicted == source.labels).mean() > 0.95


def test_generator_example_encodes_and_decodes(tmp_path):
    import torch

    component = offered("shiftlens_generators")
    x = a_domain().batch(slice(None))
    data = TrainingData(
        batch=lambda indices: x[indices],
        loss=np.linspace(0, 1, 60),
        label=np.arange(60) % 2,
        role=np.where(np.arange(60) < 30, SOURCE, TARGET).astype(np.int8),
        loss_before=np.linspace(0, 1, 60),
        sample_shape=(6,),
        kind="tabular",
        classes=2,
    )
    trained = component.build(component.settings(latent=6))(data, Job(tmp_path))
    arguments = torch.from_numpy(data.loss).float(), torch.from_numpy(data.label)
    z = trained.encoder(torch.from_numpy(x), *arguments)
    assert z.shape == (60, trained.latent)
    assert np.allclose(trained.decoder(z, *arguments).detach().numpy(), x, atol=1e-3)


def test_converter_example_converts(tmp_path):
    import torch

    component = offered("shiftlens_converters")
    x = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    x[30:] = 3 * x[30:] + 2
    rows = TrainingData(
        batch=lambda indices: x[indices],
        loss=np.zeros(60),
        label=np.zeros(60, dtype=np.int64),
        role=np.where(np.arange(60) < 30, SOURCE, TARGET).astype(np.int8),
        loss_before=np.zeros(60),
        sample_shape=(6,),
        kind="tabular",
        classes=1,
    )
    data = ConversionData(rows, labelled=True, predict=lambda batch: np.ones((len(batch), 1)))
    trained = component.build(component.settings())(data, Job(tmp_path))
    made = trained.module(torch.from_numpy(x[30:])).numpy()
    assert np.allclose(made.mean(0), x[:30].mean(0), atol=1e-4)
    assert np.allclose(made.std(0), x[:30].std(0), atol=1e-4)


def test_selector_example_selects():
    component = offered("shiftlens_selectors")
    scores = Scores(np.array([0.1, 2.0, 3.0]), np.array([0, 0, 0]), np.array([0, 1, 1]), np.ones(3))
    worker = component.build(component.settings())
    pairs = worker(Candidates(scores, scores, lambda role, i: np.zeros((len(i), 2))), np.random.default_rng(0))
    assert pairs


def test_factor_example_measures_and_shifts():
    component = offered("shiftlens_factors")
    worker = component.build(component.settings())
    x = np.random.default_rng(0).uniform(0.3, 0.6, (8, 3, 8, 8)).astype(np.float32)
    moved = worker.shift(x, np.full(8, 0.1), np.random.default_rng(0))
    assert np.allclose(worker.measure(moved) - worker.measure(x), 0.1, atol=1e-3)
    assert worker.refuses(x) == ""
    assert "colour" in worker.refuses(x[:, :1])


def test_loss_example_is_small_where_right():
    component = offered("shiftlens_losses")
    worker = component.build(component.settings())
    losses = worker(np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 0]))
    assert losses[0] < losses[1]


def test_target_example_writes(tmp_path):
    component = offered("shiftlens_targets")
    bundle, out = tmp_path / "bundle", tmp_path / "out"
    bundle.mkdir()
    out.mkdir()
    (bundle / "manifest.json").write_text("{}")
    component.build(component.settings())(bundle, out)
    assert list(out.iterdir())


def test_observer_example_writes(tmp_path):
    component = offered("shiftlens_observers")
    host = Host(entry_points=False)
    with host.watched_by({"diary": lambda: component.build(component.settings(path=tmp_path / "diary.txt"))}):
        host.notify("stage_finished", stage="score", seconds=1.25)
    assert (tmp_path / "diary.txt").read_text() == "score took 1.2 s\n"
    assert not host.problems


def test_observer_examples_are_told(capsys):
    modules = [plugin_of(f"shiftlens_{event}") for event in host_events()]
    host = Host(modules, entry_points=False)
    host.notify("stage_started", stage="score")
    host.notify("step", stage="score", done=1, total=2, values={"loss": 0.5})
    host.notify("stage_finished", stage="score", seconds=1.0)
    told = capsys.readouterr().out
    assert "score ..." in told
    assert "1/2" in told
    assert "1.0 s" in told
    assert not host.problems
