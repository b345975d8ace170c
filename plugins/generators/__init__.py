"""Built-in generators: descriptions only, so that listing them stays fast; each method is one file beside this."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens import hookimpl
from shiftlens.core.kinds import Generator, GeneratorWorker
from shiftlens.plugins.generators.settings import AutoencoderSettings


def _autoencoder(settings: AutoencoderSettings) -> GeneratorWorker:
    from shiftlens.plugins.generators.autoencoder import Autoencoder

    return Autoencoder(settings)


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
