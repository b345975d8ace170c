"""Built-in generators: descriptions only, so that listing them stays fast; each method is one file beside this."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens import hookimpl
from shiftlens.core.host.kinds import Generator, GeneratorWorker
from shiftlens.plugins.generators.settings import AutoencoderSettings, GanSettings, VaeSettings


def _autoencoder(settings: AutoencoderSettings) -> GeneratorWorker:
    from shiftlens.plugins.generators.autoencoder import Autoencoder

    return Autoencoder(settings)


def _vae(settings: VaeSettings) -> GeneratorWorker:
    from shiftlens.plugins.generators.vae import VariationalAutoencoder

    return VariationalAutoencoder(settings)


def _gan(settings: GanSettings) -> GeneratorWorker:
    from shiftlens.plugins.generators.gan import AdversarialGenerator

    return AdversarialGenerator(settings)


@hookimpl
def shiftlens_generators() -> Iterator[Generator]:
    """The generators that come with shiftlens."""
    yield Generator(
        name="autoencoder",
        summary="plain autoencoder; sharp enough, fast, and the base of the others",
        settings=AutoencoderSettings,
        build=_autoencoder,
        reference="patent ¶49-51",
    )
    yield Generator(
        name="vae",
        summary="variational autoencoder; a smoother latent space, softer samples",
        settings=VaeSettings,
        build=_vae,
        reference="patent ¶78; https://arxiv.org/abs/1312.6114",
    )
    yield Generator(
        name="gan",
        summary="encoder and generator against a discriminator of both; crisper samples, three times the time",
        settings=GanSettings,
        build=_gan,
        reference="patent ¶75-78, FIG. 13; https://arxiv.org/abs/1605.09782",
    )
