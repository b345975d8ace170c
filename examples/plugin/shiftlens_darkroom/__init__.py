"""A plugin for shiftlens: what it offers, as frozen descriptions. The host builds what is asked for.

This module stays light: the generator imports torch, so it is imported when it is built.
"""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens import Factor, Generator, GeneratorWorker, Renderer, Selector, hookimpl
from shiftlens_darkroom import confusions, slack, vignette
from shiftlens_darkroom.settings import LocationScaleSettings

shiftlens_api = 1  # the plugin API that this was written for


def build_location_scale(settings: LocationScaleSettings) -> GeneratorWorker:
    """The generator's worker."""
    from shiftlens_darkroom.location_scale import LocationScale

    return LocationScale(settings)


@hookimpl
def shiftlens_generators() -> Iterator[Generator]:
    """One generator."""
    yield Generator(
        name="location-scale",
        summary="principal components whose place and spread go with the loss; in closed form, seconds",
        settings=LocationScaleSettings,
        build=build_location_scale,
        reference="https://arxiv.org/abs/2006.06485",
    )


@hookimpl
def shiftlens_selectors() -> Iterator[Selector]:
    """One selector."""
    yield Selector(
        name="confusions",
        summary="by what is taken for what, the most frequent confusion first",
        settings=confusions.Settings,
        build=confusions.Confusions,
        reference="https://doi.org/10.3758/BF03213026",
    )


@hookimpl
def shiftlens_factors() -> Iterator[Factor]:
    """One factor."""
    yield Factor(
        name="vignette",
        summary="how much darker the corners are than the middle",
        settings=vignette.Settings,
        build=vignette.Vignette,
        kinds=("image",),
        unit="of the middle",
        noun=("darker corners", "brighter corners"),
        confused_with=("brightness", "background"),
    )


@hookimpl
def shiftlens_renderers() -> Iterator[Renderer]:
    """One renderer."""
    yield Renderer(
        name="slack",
        summary="the finding as a Slack message: slack.json",
        settings=slack.Settings,
        build=slack.build,
        reference="https://api.slack.com/reference/block-kit/blocks",
    )
