"""Samples a second of the training loop, beside a bare torch loop over the same networks, batches and optimiser.

    python benchmarks/training.py [--steps 300]

The data are the demo's digits, memory-mapped for our loop and in memory for the bare one. Our figure includes reading,
checks on held-out rows, checkpoints and the second stage. Then, bare as well, what a step of photographs costs: with
the perceptual term, and before that a step of the student that it needs (the classifier's own answers not counted:
here a linear one gives them). On a CPU both use one thread and the seconds are CPU
seconds, so that a busy machine does not count against either. Prints a Markdown table; benchmarks/training.md holds
the last one with its machine.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.core.data.demo import demo_domains
from shiftlens.core.host.kinds import Generator, TrainingData
from shiftlens.core.job import Job
from shiftlens.core.learning.devices import pick_device
from shiftlens.core.learning.student import Student, distil
from shiftlens.core.learning.training import Schedule
from shiftlens.plugins.generators import shiftlens_generators
from shiftlens.plugins.generators.blocks import Scale, decoder_network, encoder_network
from shiftlens.plugins.generators.likeness import Likeness
from shiftlens.plugins.generators.settings import AutoencoderSettings

LATENT, BATCH, REPEATS = 32, 64, 3
SIDES = (32, 64, 96, 128)  # px; the larger ones take a tenth of the steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300, help="training steps at 32x32 (default 300)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    arguments = parser.parse_args()
    device = pick_device(arguments.device)
    torch.set_num_threads(1)
    named = torch.cuda.get_device_name(device) if device.type == "cuda" else f"one thread of {platform.machine()}"
    print(f"{named}, Python {platform.python_version()}, torch {torch.__version__}, batches of {BATCH}\n")
    print("| generator | sample | ms a step | samples/s | bare loop, samples/s | share of the bare loop |")
    print("|---|---|---|---|---|---|")
    for side in SIDES:
        with tempfile.TemporaryDirectory() as folder:
            data = demo_data(Path(folder), side)
            steps = max(1, arguments.steps // (1 if side == SIDES[0] else 10))
            for generator in shiftlens_generators():
                if side == SIDES[0] or generator.name == "autoencoder":
                    row(generator, data, steps, device, side)
            photographs_row(data, steps, device, side)


def row(generator: Generator, data: TrainingData, steps: int, device: torch.device, side: int) -> None:
    """Measure in turn, ours and the bare loop, and print the best of each."""
    ours, bare = [], []
    for _ in range(REPEATS):
        ours.append(seconds(lambda: train(generator, data, steps, device), device))
        bare.append(seconds(lambda: bare_loop(data, steps, device), device))
    best, best_bare = min(ours) / steps, min(bare) / steps
    against = f"{BATCH / best_bare:,.0f} | {best_bare / best:.2f}" if generator.name == "autoencoder" else "- | -"
    print(f"| {generator.name} | 3x{side}x{side} | {1e3 * best:.1f} | {BATCH / best:,.0f} | {against} |", flush=True)


def photographs_row(data: TrainingData, steps: int, device: torch.device, side: int) -> None:
    """A step of the student, and one of the autoencoder with the perceptual term."""
    weights = np.random.default_rng(0).normal(size=(data.sample_shape[0], data.classes))

    def predict(x: FloatArray) -> Floats:
        answers = np.exp(x.mean((2, 3), dtype=np.float64) @ weights)
        return answers / answers.sum(1, keepdims=True)

    taught, bare = [], []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            job = Job(Path(folder), device=str(device))
            taught.append(seconds(lambda job=job: distil(predict, data, job, steps), device))  # type: ignore[misc]
            student = distil(predict, data, job, steps).to(device)
        bare.append(seconds(lambda student=student: bare_loop(data, steps, device, student), device))  # type: ignore[misc]
    for name, best in (("student", min(taught) / steps), ("autoencoder, perceptual", min(bare) / steps)):
        print(f"| {name} | 3x{side}x{side} | {1e3 * best:.1f} | {BATCH / best:,.0f} | - | - |", flush=True)


def train(generator: Generator, data: TrainingData, steps: int, device: torch.device) -> None:
    """A whole training as a run makes it."""
    with tempfile.TemporaryDirectory() as folder:
        settings = generator.settings(latent=LATENT, batch=BATCH, steps=steps)  # type: ignore[call-arg]
        generator.build(settings)(data, Job(Path(folder), device=str(device)))


def bare_loop(data: TrainingData, steps: int, device: torch.device, student: Student | None = None) -> None:
    """What anybody would write: the autoencoder's networks, Adam, clipping, data in memory."""
    likeness = Likeness(Scale(data, 0), student, AutoencoderSettings(perceptual=float(student is not None)))
    x = torch.from_numpy(data.batch(np.arange(len(data)))).to(device).contiguous(memory_format=torch.channels_last)
    encoder, decoder = encoder_network(data.sample_shape, LATENT), decoder_network(data.sample_shape, LATENT)
    both = torch.nn.Sequential(encoder, decoder).to(device, memory_format=torch.channels_last)
    schedule = Schedule()
    optimiser = torch.optim.Adam(both.parameters(), lr=schedule.learning_rate)
    for _ in range(steps):
        batch = x[torch.randint(len(x), (BATCH,), device=device)]
        with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
            loss = 100 * likeness(both(batch), batch).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), schedule.clip)
        optimiser.step()


def seconds(work: Callable[[], None], device: torch.device) -> float:
    """CPU seconds on a CPU, wall seconds on anything else."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    begun = clock()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - begun


def demo_data(folder: Path, side: int) -> TrainingData:
    """The demo's two domains, enlarged, as one memory-mapped file; the losses are drawn, no time depends on them."""
    (source, source_labels), (target, target_labels) = demo_domains()
    images = np.concatenate([source, target]).transpose(0, 3, 1, 2)
    times = side // images.shape[-1]
    np.save(folder / "x.npy", images.repeat(times, axis=2).repeat(times, axis=3))
    stored = np.load(folder / "x.npy", mmap_mode="r")
    role = np.repeat(np.array([0, 1], np.int8), [len(source), len(target)])
    loss = np.random.default_rng(0).exponential(0.1 + role)
    return TrainingData(
        batch=lambda rows: np.divide(stored[rows], 255, dtype=np.float32),
        loss=loss,
        label=np.concatenate([source_labels, target_labels]),
        role=role,
        loss_before=loss,
        sample_shape=(3, side, side),
        kind="image",
        classes=10,
    )


if __name__ == "__main__":
    main()
