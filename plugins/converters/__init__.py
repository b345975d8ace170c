"""Built-in style converters: descriptions only, so that listing them is fast; each method is one file beside this."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens import hookimpl
from shiftlens.core.kinds import ComponentSettings, Converter, ConverterWorker


def _latent_transport(settings: ComponentSettings) -> ConverterWorker:
    from shiftlens.plugins.converters.latent_transport import LatentTransport

    return LatentTransport(settings)


@hookimpl
def shiftlens_converters() -> Iterator[Converter]:
    """The style converters that come with shiftlens."""
    yield Converter(
        name="latent-transport",
        summary="moves each class's latents from the target's to the source's Gaussian; no training, seconds",
        build=_latent_transport,
        uses_generator=True,
        reference="https://arxiv.org/abs/1803.00567",
    )
