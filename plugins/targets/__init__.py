"""Built-in targets: where the bundle of a run can be deployed to."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.host.kinds import Target
from shiftlens.plugins.targets import directory, mlserver, triton


@hookimpl
def shiftlens_targets() -> Iterator[Target]:
    """The targets of this room."""
    yield Target(
        name="directory",
        summary="the plain bundle, with examples for ONNX Runtime in Python, Node and the browser",
        settings=directory.Settings,
        build=directory.Directory,
    )
    yield Target(
        name="triton",
        summary="a model repository for NVIDIA's Triton Inference Server",
        settings=triton.Settings,
        build=triton.Triton,
        reference="https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html",
    )
    yield Target(
        name="mlserver",
        summary="a folder that `mlserver start` serves, with a custom runtime (v2 protocol)",
        settings=mlserver.Settings,
        build=mlserver.MLServer,
        reference="https://mlserver.readthedocs.io/en/latest/user-guide/custom.html",
    )
