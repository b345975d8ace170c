"""A plugin for shiftlens: what it offers, as frozen descriptions. The host builds what is asked for."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens import hookimpl
from shiftlens.core.kinds import Factor, Renderer
from shiftlens_vignette import slack, vignette


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
