"""A stage can read what it declares, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from smallanalysis import stages_done, write_analysis

from shiftlens import Host, load_run, load_settings
from shiftlens.core.config.settings import EVERY_SETTING, General
from shiftlens.core.run.context import Context, Outcome, Stage
from shiftlens.core.run.declared import Undeclared
from shiftlens.core.run.pipeline import NAMES, STAGES


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """An analysis that has come to its scores: a context, and the records of its stages."""
    folder = tmp_path_factory.mktemp("scored")
    config = write_analysis(folder)
    stages_done(config, folder / "run", until="score")
    run = load_run(folder / "run")
    np.save(folder / "run" / "arrays" / "left-behind.npy", np.zeros(3))  # by a run of other settings
    host = Host()
    context = Context(load_settings(config, host), host, run)
    return context, {name: run.record(name) for name in ("data", "classifier", "score")}


def reading(scored, read, settings=(), after=()):
    """What a stage of these declarations reads."""
    context, records = scored
    stage = Stage("mine", settings=settings, after=after, work=lambda context: Outcome())
    with context.inside(stage, records):
        return read(context)


SCORING = {"settings": ("loss", "device", "batch_size"), "after": ("data", "classifier")}
READS = {
    "a general setting": (lambda c: c.general.seed, {"settings": ("seed",)}),
    "one of a group": (lambda c: c.general.grid.features, {"settings": ("grid.features",)}),
    "one of a whole group": (lambda c: c.general.grid.features, {"settings": ("grid",)}),
    "a group": (lambda c: c.general.trial, {"settings": ("trial",)}),
    "a slot": (lambda c: c.settings.selector.name, {"settings": ("selector",)}),
    "an empty slot": (lambda c: c.settings.converter is None, {"settings": ("converter",)}),
    "facts": (lambda c: c.facts("data")["kind"], {"after": ("data",)}),
    "a record": (lambda c: c.run.record("score").seconds, {"after": ("score",)}),
    "a domain": (lambda c: len(c.domain("source")), {"after": ("data",)}),
    "labels": (lambda c: c.labels("source")[0], {"after": ("data", "classifier")}),
    "an array": (lambda c: c.run.arrays["scores-source"][0], {"after": ("score",)}),
    "scores": (lambda c: c.scores("target").loss[0], {"after": ("score",)}),
    "the loss": (lambda c: c.loss, {"settings": ("loss",)}),
    "a score": (lambda c: c.score_in_batches(c.domain("source").batch(slice(0, 4)), c.labels("source")[:4]), SCORING),
    "a job": (lambda c: c.job("mine").seed, {"settings": ("seed", "device")}),
    "all settings' hash": (lambda c: c.settings.sha256, {"settings": EVERY_SETTING}),
    "settings.yaml": (lambda c: c.run.settings["name"], {"settings": EVERY_SETTING}),
}


@pytest.mark.parametrize("what", READS)
def test_what_is_declared_can_be_read_and_each_part_is_needed(scored, what):
    read, declared = READS[what]
    reading(scored, read, **declared)
    for part, names in declared.items():
        for left_out in names:
            fewer = {**declared, part: tuple(name for name in names if name != left_out)}
            with pytest.raises(Undeclared, match='the stage "mine" reads'):
                reading(scored, read, **fewer)


def test_nothing_is_kept_from_whoever_is_no_stage(scored):
    context, _ = scored
    assert context.general.seed == 0
    assert context.facts("data")["kind"] == "tabular"
    assert len(context.scores("source")) == len(context.domain("source"))


def test_an_array_that_no_stage_of_this_run_wrote_is_not_there(scored):
    assert reading(scored, lambda c: "left-behind" in c.run.arrays, after=("data", "classifier", "score")) is False
    assert reading(scored, lambda c: sorted(c.run.arrays), after=("score",)) == ["scores-source", "scores-target"]
    assert reading(scored, lambda c: list(c.run.arrays), after=("data",)) == []


def test_a_stage_reads_its_own_arrays(scored):
    def save_and_read(context):
        context.run.arrays.save("mine", np.arange(3))
        return context.run.arrays["mine"]

    assert reading(scored, save_and_read).tolist() == [0, 1, 2]


@pytest.mark.parametrize("stage", STAGES, ids=NAMES)
def test_what_the_stages_declare_exists_and_comes_before(stage):
    for path in stage.settings:
        key, _, inner = path.partition(".")
        assert key in EVERY_SETTING
        assert not inner or inner in type(getattr(General(), key)).model_fields
    assert set(stage.after) <= set(NAMES[: NAMES.index(stage.name)])
