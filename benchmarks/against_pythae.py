"""Samples a second of our VAE and of pythae's, with the same networks, batches, data and number of steps, in turn.

    pip install --no-deps pythae imageio cloudpickle tqdm     # in an environment of its own that holds shiftlens, too
    python benchmarks/against_pythae.py [--epochs 10]

pythae (https://github.com/clementchadebec/benchmark_VAE) is no dependency. It gets the data in memory, no held-out
rows, and only its training is timed. Ours is timed whole: reading from a memory-mapped file, looks at held-out rows,
checkpoints, the second stage with its loss axis. On a CPU both use one thread and CPU seconds are counted. The ratio
is that of each pair of runs; a smaller side shows more of what surrounds the networks. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import platform
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from training import BATCH, LATENT, demo_data, seconds, train

from shiftlens.core.host.kinds import TrainingData
from shiftlens.core.learning.devices import pick_device, seeded
from shiftlens.plugins.generators import shiftlens_generators
from shiftlens.plugins.generators.blocks import decoder_network, encoder_network

REPEATS = 3
SIDES = (32,)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10, help="passes over the samples at 32x32 (default 10)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    arguments = parser.parse_args()
    if importlib.util.find_spec("pythae") is None:
        sys.exit("pythae is not installed; see the first lines of this file")
    device = pick_device(arguments.device)
    torch.set_num_threads(1)
    named = torch.cuda.get_device_name(device) if device.type == "cuda" else f"one thread of {platform.machine()}"
    print(f"{named}, Python {platform.python_version()}, torch {torch.__version__}, batches of {BATCH}\n")
    print("| sample | steps | ours, samples/s | pythae, samples/s | ours over pythae, median (smallest to largest) |")
    print("|---|---|---|---|---|")
    (vae,) = (generator for generator in shiftlens_generators() if generator.name == "vae")
    for side in SIDES:
        epochs = max(1, arguments.epochs * SIDES[0] ** 2 // side**2)
        with tempfile.TemporaryDirectory() as folder:
            data = demo_data(Path(folder), side)
            steps = epochs * (len(data) // BATCH)
            both = []
            for _ in range(REPEATS):
                both.append(
                    (
                        seconds(lambda steps=steps, data=data: train(vae, data, steps, device), device),
                        pythae(data, epochs, device, Path(folder)),
                    )
                )
        ours, theirs = np.array(both).T / (steps * BATCH)  # seconds a sample
        ratio = theirs / ours
        spread = f"{np.median(ratio):.2f} ({ratio.min():.2f} to {ratio.max():.2f})"
        print(f"| 3x{side}x{side} | {steps} | {1 / ours.min():,.0f} | {1 / theirs.min():,.0f} | {spread} |", flush=True)


def pythae(data: TrainingData, epochs: int, device: torch.device, folder: Path) -> float:
    """Seconds of pythae's own trainer over its VAE, built of our networks."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.network = encoder_network(data.sample_shape, 2 * LATENT)

        def forward(self, x: torch.Tensor) -> ModelOutput:
            mean, log_variance = self.network(x).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.network = decoder_network(data.sample_shape, LATENT)

        def forward(self, z: torch.Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.network(z))

    logging.disable(logging.WARNING)
    with seeded(0):
        model = VAE(VAEConfig(input_dim=data.sample_shape, latent_dim=LATENT), Encoder(), Decoder())
        rows = np.arange(len(data) // BATCH * BATCH)  # whole batches, as ours
        dataset = BaseDataset(torch.from_numpy(data.batch(rows)), torch.from_numpy(data.label[rows]))
        config = BaseTrainerConfig(
            output_dir=str(folder / "pythae"),
            num_epochs=epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=1e-3,
            no_cuda=device.type == "cpu",
        )
        trainer = BaseTrainer(model=model, train_dataset=dataset, training_config=config, callbacks=[])
        taken = seconds(trainer.train, device)
    logging.disable(logging.NOTSET)
    return taken


if __name__ == "__main__":
    main()
