"""Target ``triton``: a model repository, for Triton's onnxruntime backend or for its Python backend.

With ``backend: python`` each model has a ``model.py`` that calls ONNX Runtime; Triton's Python needs numpy and
onnxruntime then. Calls of the two grids hold many cells already and are not batched by the server; the others are.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from shiftlens.export.manifest import WITH_OWN_BATCH, Manifest
from shiftlens.plugins.targets.layout import ServerSettings, copy_files, copy_papers, served, write_rendered

TYPES = {
    "float32": "TYPE_FP32",
    "float64": "TYPE_FP64",
    "float16": "TYPE_FP16",
    "int64": "TYPE_INT64",
    "int32": "TYPE_INT32",
    "uint8": "TYPE_UINT8",
    "int8": "TYPE_INT8",
    "bool": "TYPE_BOOL",
}
REPOSITORY = "models"


class Settings(ServerSettings):
    """Settings of the model repository."""

    backend: Literal["onnxruntime", "python"] = Field(
        default="onnxruntime", description="Triton's backend: onnxruntime, or python with a model.py that calls it"
    )
    max_batch: PositiveInt = Field(default=64, description="largest batch of classifier, encoder and decoder")
    dynamic_batching: bool = Field(default=True, description="let Triton put the requests of several clients together")
    preferred_batch: tuple[PositiveInt, ...] = Field(
        default=(), description="batch sizes that dynamic batching aims at; none: whatever is waiting"
    )
    queue_delay: NonNegativeInt = Field(
        default=100, description="microseconds that a request may wait for others to be put together with"
    )
    instances: PositiveInt = Field(default=1, description="copies of each model that run at the same time, per device")
    device: Literal["cpu", "gpu"] = Field(default="cpu", description="what the instances run on")
    gpus: tuple[NonNegativeInt, ...] = Field(default=(), description="numbers of the GPUs; none: all that there are")


class Triton:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, bundle: Path, out: Path) -> None:
        """Lay the bundle out: ``models/NAME/config.pbtxt`` and ``models/NAME/1/model.onnx``, README.md, manifest."""
        settings = self.settings
        manifest = served(bundle, settings.opset)
        for file in manifest.files:
            name = file.removesuffix(".onnx")
            version = out / REPOSITORY / name / "1"
            version.mkdir(parents=True)
            shutil.copyfile(bundle / file, version / "model.onnx")
            if settings.backend == "python":
                copy_files("triton", version)
            write_rendered(
                "serving/config.pbtxt.j2",
                out / REPOSITORY / name / "config.pbtxt",
                name=name,
                settings=settings,
                batched=name not in WITH_OWN_BATCH,
                inputs=_tensors(manifest, file, "inputs"),
                outputs=_tensors(manifest, file, "outputs"),
            )
        copy_papers(bundle, out)
        write_rendered("serving/triton.md.j2", out / "README.md", manifest=manifest, settings=settings)


def _tensors(manifest: Manifest, file: str, side: str) -> list[dict[str, Any]]:
    """Name, type and dimensions of the inputs or outputs, as config.pbtxt writes them.

    In a batched model the first dimension is Triton's, and one without any other is written as ``[1]`` and taken away
    again by ``reshape``.
    """
    tensors = []
    for tensor in manifest.models[file][side]:
        shape = [size if isinstance(size, int) else -1 for size in tensor["shape"]]
        dims = shape if file.removesuffix(".onnx") in WITH_OWN_BATCH else shape[1:]
        optional = (file, tensor["name"]) == ("grid.onnx", "loss")
        tensors.append(
            {"name": tensor["name"], "type": TYPES[tensor["type"]], "dims": dims or [1], "scalar": not dims,
             "optional": optional}
        )  # fmt: skip
    return tensors
