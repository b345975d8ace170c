"""Built-in style converters: descriptions only, so that listing them is fast; each method is one file beside this."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens import hookimpl
from shiftlens.core.host.kinds import ComponentSettings, Converter, ConverterWorker
from shiftlens.plugins.converters.settings import CycleganSettings


def _cyclegan(settings: CycleganSettings) -> ConverterWorker:
    from shiftlens.plugins.converters.cyclegan import CycleGan

    return CycleGan(settings)


def _latent_transport(settings: ComponentSettings) -> ConverterWorker:
    from shiftlens.plugins.converters.latent_transport import LatentTransport

    return LatentTransport(settings)


@hookimpl
def shiftlens_converters() -> Iterator[Converter]:
    """The style converters that come with shiftlens."""
    yield Converter(
        name="cyclegan",
        summary="two networks, there and back, against discriminators; keeps what the classifier sees; minutes",
        settings=CycleganSettings,
        build=_cyclegan,
        kinds=("image", "series"),
        reference="patent ¶79-84, claim 6, FIG. 14-15; https://arxiv.org/abs/1703.10593",
    )
    yield Converter(
        name="latent-transport",
        summary="moves each class's latents from the target's to the source's Gaussian; no training, seconds",
        build=_latent_transport,
        uses_generator=True,
        reference="https://arxiv.org/abs/1803.00567",
    )
