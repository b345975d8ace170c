"""Adversarial style converter with a way back (¶79-84, claim 6, FIG. 14; Zhu et al. 2017, https://arxiv.org/abs/1703.10593).

Two networks, A from target t to source s and B from source to target, and a patch discriminator for each domain:

    A, B: - adversarial · (D of A(t) as source, of B(s) as target) + matching · (distance of what these D see in both)
          + cycle · (|B(A(t)) - t| + |A(B(s)) - s|) + identity · |A(s) - s|
          + content · cross-entropy of the classifier on A(t) against the label
    discriminators: max(0, 1 - D(real)) + max(0, 1 + D(converted))

Left to itself such a pair closes the gap between the domains by whatever change is cheapest: on coloured digits it
swapped figure and ground. What holds the content here: both networks start as the identity; a batch holds a source
sample of the same class beside each target sample, and the discriminators are told the class; and the frozen
classifier must find the label on the converted sample. No gradient passes the classifier, which may be any function.
So a small surrogate learns, in every step, to answer as it does on the samples of that step, converted ones included,
and passes the gradient in its place. It never sees more than a step's worth of anything the classifier would deny.

What is exported is a moving average of A. Which state is best is decided on held-out samples by the real classifier's
loss on converted ones and by their distance to the source (`_distance`).
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d, adaptive_avg_pool2d, cross_entropy, relu

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.errors import TrainingError
from shiftlens.core.host.kinds import SOURCE, TARGET, ConversionData, TrainedConverter, TrainingData
from shiftlens.core.job import Job
from shiftlens.core.learning.batches import Batch
from shiftlens.core.learning.devices import one_core_free, seeded
from shiftlens.core.learning.scale import Scale
from shiftlens.core.learning.training import Schedule, Trainee, train
from shiftlens.plugins.converters.networks import ConverterNetwork, PatchDiscriminator, Surrogate, check_shape
from shiftlens.plugins.converters.settings import CycleganSettings

logger = logging.getLogger("shiftlens")

AVERAGE = 0.99  # of the moving average stays at each step; less at first
WARMUP = 0.05  # of the training, in which the others' advice gains weight
NOISE = (
    0.1  # in the network's units, before the surrogate looks: what is too fine to survive it does not count as content
)
CALM = 0.1  # weight of the moves' urge: once at the end of its reach, a move has no gradient to come back by
COARSE = 8  # px or values a side, to which samples are averaged before their distribution is compared
DIRECTIONS = 64  # along which it is compared
UNIT_ROWS = 512  # rows that the distance before any conversion is taken from
POOR, COLLAPSED = 0.5, 0.1  # of the source samples' variety


class CycleGan:
    """Trains the two converters; see the module."""

    def __init__(self, settings: CycleganSettings) -> None:
        self.settings = settings

    def __call__(self, data: ConversionData, job: Job) -> TrainedConverter:
        """Train (or go on, or return what is finished) in ``job.folder``."""
        settings = self.settings
        check_shape(data.rows.sample_shape)
        pairs = paired(data, job.seed)
        most = len(pairs) - max(len(pairs) // 10, 1)
        if most < settings.batch:
            raise TrainingError(
                f"there are {len(pairs)} target samples, a tenth of them held out: too few for batches of "
                f"{settings.batch}. Bring more of them, or set converter.batch to {max(2, most // 2)} or less"
            )
        with seeded(job.seed):
            trainee = _Trainee(data, pairs, settings, job.seed)
        schedule = Schedule(settings.steps, settings.batch, settings.learning_rate, patience=settings.patience)
        identity = f"cyclegan {settings.model_dump()} {data.labelled}"
        training = train(trainee, pairs, job, schedule, identity)
        module = _Converter(trainee.scale, trainee.average).eval()
        held_out = np.sort(training.held_out)
        variety = _variety(module, pairs, held_out)
        if variety < COLLAPSED:
            raise TrainingError(
                "the style converter collapsed: converted samples hardly differ from each other (their variety is "
                f"{variety:.2g} of the source's). Set converter.adversarial below {settings.adversarial:g}, "
                f"converter.cycle above {settings.cycle:g}, or use converter: {{name: latent-transport}}"
            )
        if variety < POOR:
            logger.warning(
                "converted samples vary only %.2g times as much as source samples: the style converter has lost some "
                "of them; set converter.adversarial below %g",
                variety,
                settings.adversarial,
            )
        return TrainedConverter(
            module,
            held_out=held_out,
            history=training.history,
            facts={
                "steps": training.steps,
                "best_step": training.best_step,
                "variety": variety,
                "parameters": sum(p.numel() for p in module.parameters()),
            },
        )


def paired(data: ConversionData, seed: int) -> TrainingData:
    """One row per target sample, a source sample stacked onto it: ``(2 C, ...)``, the target's channels first.

    The source sample is of the same class where the target has labels and the source such samples, else any.
    """
    rows = data.rows
    source, target = np.flatnonzero(rows.role == SOURCE), np.flatnonzero(rows.role == TARGET)
    for name, found in (("source", source), ("target", target)):
        if not len(found):
            raise TrainingError(
                f"the {name} domain has no samples, and a style converter learns from both; check its path, or set "
                "converter to null"
            )
    rng = np.random.default_rng([seed, 8])
    partner = rng.permutation(np.resize(source, len(target)))
    if data.labelled:
        for label in np.unique(rows.label[target]):
            own, here = source[rows.label[source] == label], np.flatnonzero(rows.label[target] == label)
            if len(own):
                partner[here] = np.resize(rng.permutation(own), len(here))

    def batch(indices: IntArray) -> FloatArray:
        return np.concatenate([rows.batch(target[indices]), rows.batch(partner[indices])], axis=1)

    channels, *sides = rows.sample_shape
    return TrainingData(
        batch=batch,
        loss=rows.loss[target],
        label=rows.label[target],
        role=rows.role[target],
        loss_before=rows.loss[target],
        sample_shape=(2 * channels, *sides),
        kind=rows.kind,
        classes=rows.classes,
    )


class _Trainee(Trainee):
    unit: Tensor
    updates: Tensor
    directions: Tensor

    def __init__(self, data: ConversionData, pairs: TrainingData, settings: CycleganSettings, seed: int) -> None:
        super().__init__()
        shape, classes = data.rows.sample_shape, data.rows.classes
        self.settings, self.predict, self.labelled = settings, data.predict, data.labelled
        self.scale = Scale(data.rows, seed)
        self.to_source = ConverterNetwork(shape, settings.width, settings.blocks)
        self.to_target = ConverterNetwork(shape, settings.width, settings.blocks)
        answers = classes if data.labelled else 1
        self.of_source = PatchDiscriminator(shape, settings.width, answers)
        self.of_target = PatchDiscriminator(shape, settings.width, answers)
        self.surrogate = Surrogate(shape, classes) if data.labelled and settings.content else None
        self.average = copy.deepcopy(self.to_source).requires_grad_(False)
        self.register_buffer("updates", torch.zeros(()))
        values = shape[0] * COARSE ** (len(shape) - 1)
        self.register_buffer("directions", nn.functional.normalize(torch.randn(values, DIRECTIONS), dim=0))
        rows = np.linspace(0, len(pairs) - 1, min(len(pairs), UNIT_ROWS)).astype(np.int64)
        target, source = (self.scale(x) for x in torch.from_numpy(pairs.batch(rows)).chunk(2, dim=1))
        unit = torch.tensor([float(pairs.loss.mean()), float(self._distance(target, source))])
        self.register_buffer("unit", unit.clamp(min=1e-6))

    def groups(self) -> dict[str, Iterable[nn.Parameter]]:
        found: dict[str, Iterable[nn.Parameter]] = {
            "converters": [*self.to_source.parameters(), *self.to_target.parameters()],
            "discriminators": [*self.of_source.parameters(), *self.of_target.parameters()],
        }
        return found if self.surrogate is None else {**found, "surrogate": self.surrogate.parameters()}

    def objective(self, batch: Batch, done: float) -> Iterator[tuple[str, Tensor]]:
        settings, count = self.settings, len(batch.x)
        target, source = (self.scale(x) for x in batch.x.chunk(2, dim=1))
        label = batch.label if self.labelled else torch.zeros_like(batch.label)
        converted, same_source = self.to_source(torch.cat([target, source])).split(count)
        moved, back_target = self.to_target(torch.cat([source, converted])).split(count)
        back_source = self.to_source(moved)
        fooled, alike = zip(
            _advice(self.of_source, converted, source, label),
            _advice(self.of_target, moved, target, label),
            strict=True,
        )
        cycle = (back_target - target).abs().mean() + (back_source - source).abs().mean()
        same = (same_source - source).abs().mean()
        urge = (self.to_source.move.urge(target) ** 2).mean() + (self.to_target.move.urge(source) ** 2).mean()
        loss = settings.cycle * cycle + settings.identity * same + settings.matching * sum(alike) + CALM * urge
        advised = settings.adversarial * sum(fooled)
        if self.surrogate is not None:
            seen = self._held(converted) + NOISE * torch.randn_like(converted)
            advised = advised + settings.content * cross_entropy(self.surrogate(seen), batch.label)
        loss = loss + min(1.0, done / WARMUP) * advised  # discriminators and surrogate know nothing at first
        yield "converters", loss
        self._update_average()
        converted, moved = converted.detach(), moved.detach()
        yield (
            "discriminators",
            _hinge(self.of_source, source, converted, label) + _hinge(self.of_target, target, moved, label),
        )
        if self.surrogate is not None:
            seen = self._held(torch.cat([converted, target, source]))
            yield "surrogate", cross_entropy(self.surrogate(seen), self._classified(seen))

    def error(self, batch: Batch) -> Tensor:
        target, source = (self.scale(x) for x in batch.x.chunk(2, dim=1))
        converted = self._held(self.average(target))
        away = self._distance(converted, source) / self.unit[1]
        if not self.labelled:
            return away.expand(len(target))
        chance = self._classified(converted).gather(1, batch.label[:, None])[:, 0]
        return -chance.clamp(min=1e-7).log() / self.unit[0] + away

    def _held(self, y: Tensor) -> Tensor:
        """Within the samples' range, in the network's units: what leaves the converter in the end."""
        return y.clamp(0.0, 1.0) if self.scale.bounded else y

    def _classified(self, y: Tensor) -> Tensor:
        """The frozen classifier's probabilities, ``(n, classes)``; no gradient."""
        x = self.scale.back(y.detach()).float().cpu().numpy()
        return torch.from_numpy(self.predict(x).astype(np.float32)).to(y.device)

    def _distance(self, converted: Tensor, source: Tensor) -> Tensor:
        """Mean distance between two sets of samples, coarsely seen, sorted along fixed random directions (sliced)."""
        pool: Callable[..., Tensor] = adaptive_avg_pool1d if converted.ndim == 3 else adaptive_avg_pool2d
        places = [(pool(x.float(), COARSE).flatten(1) @ self.directions).sort(0).values for x in (converted, source)]
        return (places[0] - places[1]).abs().mean()

    @torch.no_grad()
    def _update_average(self) -> None:
        stays = min(AVERAGE, float((1 + self.updates) / (10 + self.updates)))
        self.updates += 1
        for average, now in zip(self.average.parameters(), self.to_source.parameters(), strict=True):
            average.lerp_(now, 1 - stays)


def _advice(discriminator: PatchDiscriminator, made: Tensor, real: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """How much converted samples look made up; and how far the statistics of what each layer sees are from real ones.

    The second (Salimans et al. 2016, https://arxiv.org/abs/1606.03498) points the way steadily, also early on.
    """
    seen = discriminator.features(made)
    with torch.no_grad():
        wanted = discriminator.features(real)
    away = made.new_zeros(())
    for here, there in zip(seen, wanted, strict=True):
        over = [axis for axis in range(here.ndim) if axis != 1]
        spread = there.std(over)
        moved = (here.mean(over) - there.mean(over)).abs() + (here.std(over) - spread).abs()
        away = away + (moved / (spread + 1e-3)).mean() / len(seen)
    return -discriminator.judged(seen[-1], label).mean(), away


def _hinge(discriminator: nn.Module, real: Tensor, made: Tensor, label: Tensor) -> Tensor:
    loss: Tensor = relu(1 - discriminator(real, label)).mean() + relu(1 + discriminator(made, label)).mean()
    return loss


def _variety(module: nn.Module, pairs: TrainingData, rows: IntArray) -> float:
    """Spread over held-out samples after the conversion, as a share of the source samples' spread."""
    target, source = torch.from_numpy(pairs.batch(rows)).chunk(2, dim=1)
    with one_core_free(), torch.no_grad():
        return float(module(target).std(0).mean() / source.std(0).mean().clamp(min=1e-12))


class _Converter(nn.Module):
    """What is exported: ``x (N, *sample) -> x (N, *sample)``."""

    def __init__(self, scale: Scale, network: nn.Module) -> None:
        super().__init__()
        self.scale, self.network = scale, network

    def forward(self, x: Tensor) -> Tensor:
        converted: Tensor = self.scale.back(self.network(self.scale(x)))
        return converted
