"""The training loop: resuming, stopping, and saying what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import realdata
import torch
from torch import Tensor, nn

from shiftlens.core.errors import TrainingError
from shiftlens.core.host.kinds import TrainingData
from shiftlens.core.job import Job
from shiftlens.core.learning.batches import Batch, Order, split
from shiftlens.core.learning.devices import pick_device, seeded
from shiftlens.core.learning.training import CHECKPOINT, Schedule, Trainee, Training, train


def digits_as_data(count: int = 300) -> TrainingData:
    x, y = realdata.digits()
    x, y = x[:count].reshape(count, -1), y[:count]
    return TrainingData(
        batch=lambda rows: x[rows],
        loss=np.linspace(0, 2, count),
        label=y,
        role=np.zeros(count, np.int8),
        loss_before=np.linspace(0, 2, count),
        sample_shape=(64,),
        kind="tabular",
        classes=10,
    )


class Noisy(Trainee):
    """A small autoencoder with dropout and noise in its objective: everything that a resume could get wrong."""

    def __init__(self, blow_up_at: float = 2.0) -> None:
        super().__init__()
        with seeded(0):
            self.network = nn.Sequential(nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Dropout(0.2), nn.Linear(16, 64))
        self.blow_up_at = blow_up_at

    def objective(self, batch: Batch, done: float) -> Iterator[tuple[str, Tensor]]:
        noisy = batch.x + 0.1 * torch.randn_like(batch.x)
        loss = ((self.network(noisy) - batch.x) ** 2).mean()
        yield "all", loss * torch.nan if done >= self.blow_up_at else loss

    def error(self, batch: Batch) -> Tensor:
        return ((self.network(batch.x) - batch.x) ** 2).mean(1)


class Interrupted(Exception):
    pass


def interrupt_at(step: int):
    def progress(done: int, total: int, **values: float) -> None:
        if done == step:
            raise Interrupted

    return progress


SCHEDULE = Schedule(steps=90, batch=32, learning_rate=1e-2, check_every=20)


def run(folder: Path, trainee: Trainee | None = None, schedule: Schedule = SCHEDULE, **job) -> tuple[Trainee, Training]:
    folder.mkdir(exist_ok=True)
    trainee = trainee or Noisy()
    return trainee, train(trainee, digits_as_data(), Job(folder, device="cpu", **job), schedule)


@pytest.mark.parametrize("stopped_at", [33, 89])
def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path, stopped_at):
    whole, history = run(tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(tmp_path / "cut", progress=interrupt_at(stopped_at))
    seen: list[int] = []
    resumed, resumed_history = run(tmp_path / "cut", progress=lambda done, total, **values: seen.append(done))
    assert seen[0] == stopped_at // 20 * 20 + 1
    assert resumed_history.history == history.history
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_finished_training_returns_at_once_with_the_same_result(tmp_path):
    first, training = run(tmp_path / "a")
    again, repeated = run(tmp_path / "a", progress=interrupt_at(1))
    assert repeated.history == training.history
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in first.state_dict().items())
    assert not again.training


def test_a_checkpoint_of_other_settings_or_another_seed_is_not_used(tmp_path):
    run(tmp_path / "a")
    for changed in ({"schedule": Schedule(steps=90, batch=16, check_every=20)}, {"seed": 1}):
        with pytest.raises(Interrupted):
            run(tmp_path / "a", progress=interrupt_at(1), **changed)


def test_a_broken_checkpoint_is_told_and_training_starts_anew(tmp_path, caplog):
    _, training = run(tmp_path / "a")
    (tmp_path / "a" / CHECKPOINT).write_bytes(b"not a checkpoint")
    _, again = run(tmp_path / "a")
    assert again.history == training.history
    assert "starts anew" in caplog.text


def test_the_global_random_numbers_are_left_as_they_were(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(tmp_path / "a")
    assert torch.equal(torch.rand(3), expected)


def test_training_learns_and_the_best_state_is_the_one_returned(tmp_path):
    trainee, training = run(tmp_path / "a", schedule=Schedule(steps=200, batch=32, learning_rate=1e-2, check_every=20))
    errors = [row["held_out"] for row in training.history]
    assert training.error == min(errors) < 0.6 * errors[0]
    data = digits_as_data()
    x = torch.from_numpy(data.batch(training.held_out))
    with torch.no_grad():
        assert float(trainee.error(Batch(x, x[:, 0], x[:, 0])).mean()) == pytest.approx(training.error, rel=1e-5)


def test_training_stops_early_once_the_held_out_error_no_longer_falls(tmp_path):
    class Overfits(Noisy):
        def error(self, batch: Batch) -> Tensor:  # grows as the weights move away from where they began
            moved = (self.network[0].weight - Noisy().network[0].weight).square().mean()
            return (1 + moved).expand(len(batch.x))

    _, training = run(tmp_path / "a", Overfits(), Schedule(steps=2000, batch=32, check_every=20, patience=3))
    assert training.steps < 2000
    assert training.best_step == training.steps - 3 * 20


def test_values_that_are_not_finite_stop_at_once_and_keep_the_last_good_checkpoint(tmp_path):
    with pytest.raises(TrainingError, match=r"diverged at step 46: the loss is nan.*smaller learning_rate"):
        run(tmp_path / "a", Noisy(blow_up_at=0.5))
    kept = torch.load(tmp_path / "a" / CHECKPOINT, weights_only=True)
    assert kept["step"] == 40
    assert all(torch.isfinite(value).all() for value in kept["best"].values() if value.is_floating_point())


def test_an_exploding_error_is_divergence_even_where_it_is_finite(tmp_path):
    class Explodes(Noisy):
        def objective(self, batch: Batch, done: float) -> Iterator[tuple[str, Tensor]]:
            yield "all", -self.network[3].weight.sum()

    with pytest.raises(TrainingError, match=r"the held-out error is .* at the start"):
        run(tmp_path / "a", Explodes(), Schedule(steps=400, batch=32, learning_rate=1.0, check_every=20))


def test_several_optimisers_each_update_their_own_group(tmp_path):
    class Two(Noisy):
        def groups(self):
            return {"first": self.network[0].parameters(), "last": self.network[3].parameters()}

        def objective(self, batch: Batch, done: float) -> Iterator[tuple[str, Tensor]]:
            before = self.network[3].weight.detach().clone()
            yield "first", ((self.network(batch.x) - batch.x) ** 2).mean()
            assert torch.equal(self.network[3].weight, before)
            yield "last", ((self.network(batch.x) - batch.x) ** 2).mean()
            assert not torch.equal(self.network[3].weight, before)

    trainee, _ = run(tmp_path / "a", Two(), Schedule(steps=20, batch=32, check_every=20))
    assert not torch.equal(trainee.network[0].weight, Noisy().network[0].weight)


def test_fewer_samples_than_a_batch_is_one_clear_message():
    with pytest.raises(TrainingError, match="there are 40 samples, 4 of them held out: too few for batches of 64"):
        split(40, 64, 0)


def test_samples_that_are_not_finite_are_named(tmp_path):
    data = digits_as_data(100)

    def batch(rows):
        x = data.batch(rows).copy()
        x[rows == 77] = np.nan
        return x

    broken = TrainingData(**{**data.__dict__, "batch": batch})
    with pytest.raises(TrainingError, match="sample 77 of the training data"):
        train(Noisy(), broken, Job(tmp_path, device="cpu"), SCHEDULE)


def test_devices():
    assert pick_device("cpu").type == "cpu"
    with pytest.raises(TrainingError, match="is no device"):
        pick_device("gpu please")
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="cannot be used on this machine"):
            pick_device("cuda")


def test_every_epoch_sees_each_row_at_most_once_and_the_held_out_rows_never():
    fit, held_out = split(205, 20, seed=3)
    assert len(set(fit) & set(held_out)) == 0
    assert len(fit) + len(held_out) == 205
    order = Order(fit, 20, seed=3)
    epoch = np.concatenate([order.rows(step) for step in range(9)])
    following = np.concatenate([order.rows(step) for step in range(9, 18)])
    assert len(set(epoch)) == 180
    assert set(epoch) <= set(fit)
    assert not np.array_equal(epoch, following)


def test_where_no_row_is_dropped_an_epoch_sees_each_exactly_once_in_batches_of_even_size():
    fit = np.arange(100, 205)
    order = Order(fit, 20, seed=3, drop_last=False)
    epoch = [order.rows(step) for step in range(order.steps)]
    assert sorted(np.concatenate(epoch)) == list(fit)
    assert {len(rows) for rows in epoch} == {21}
    few = Order(fit[:7], 20, seed=3, drop_last=False)
    assert few.steps == 1
    assert sorted(few.rows(0)) == sorted(few.rows(1)) == list(fit[:7])


def test_rows_held_out_by_the_caller_are_never_trained_on(tmp_path):
    seen: set[int] = set()
    data = digits_as_data()
    held_out = np.arange(0, 300, 7)

    def batch(rows):
        if len(rows) == 32:  # a step; looks at the held-out rows come in other sizes
            seen.update(rows.tolist())
        return data.batch(rows)

    watched = TrainingData(**{**data.__dict__, "batch": batch})
    training = train(Noisy(), watched, Job(tmp_path, device="cpu"), SCHEDULE, held_out=held_out[:31])
    np.testing.assert_array_equal(training.held_out, held_out[:31])
    assert seen
    assert not seen & set(held_out[:31].tolist())


def test_the_learning_rate_rises_then_falls_to_zero():
    schedule = Schedule(steps=100, learning_rate=1.0, warmup=0.1)
    rates = [schedule.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert np.all(np.diff(rates[:10]) > 0)
    assert np.all(np.diff(rates[10:]) < 0)
    assert rates[-1] < 1e-3
    assert Schedule(steps=100, learning_rate=1.0).rate(0) == 1.0


def test_weight_decay_pulls_weights_to_zero(tmp_path):
    def weight(decay: float) -> float:
        (tmp_path / str(decay)).mkdir()
        trainee, _ = run(tmp_path / str(decay), schedule=Schedule(steps=60, batch=32, weight_decay=decay))
        return float(trainee.network[0].weight.detach().norm())

    assert weight(10.0) < 0.5 * weight(0.0)
