"""Built-in remedies: what brings the lost accuracy back (¶73)."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.host.kinds import Remedy
from shiftlens.plugins.remedies import normalise, refit_head, retrain, undo, use_where


@hookimpl
def shiftlens_remedies() -> Iterator[Remedy]:
    """The remedies of this room."""
    yield Remedy(
        name="undo",
        summary="takes the harmful changes back before the classifier; the classifier stays as it is",
        settings=undo.Settings,
        build=undo.Undo,
        makes="restored",
    )
    yield Remedy(
        name="refit-head",
        summary="fits the last linear layer of an ONNX classifier anew, on samples changed as in the target",
        settings=refit_head.Settings,
        build=refit_head.RefitHead,
        reference="https://arxiv.org/abs/2204.02937",
        learns=True,
        makes="refitted",
    )
    yield Remedy(
        name="retrain",
        summary="trains again on source samples and samples changed as in the target; or runs your own command",
        settings=retrain.Settings,
        build=retrain.Retrain,
        reference="https://arxiv.org/abs/2302.11861",
        learns=True,
        makes="retrained",
    )
    yield Remedy(
        name="normalise",
        summary="estimates the classifier's batch normalisation anew on target samples; needs no labels",
        settings=normalise.Settings,
        build=normalise.Renormalise,
        reference="https://arxiv.org/abs/1603.04779",
        makes="normalised",
    )
    yield Remedy(
        name="use-where",
        summary="uses the classifier only where the harmful factor's value lets it be right as often as on the source",
        settings=use_where.Settings,
        build=use_where.UseWhere,
        reference="¶73: use, or do not use",
    )
