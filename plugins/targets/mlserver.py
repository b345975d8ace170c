"""Target ``mlserver``: a folder that ``mlserver start`` serves, over HTTP and gRPC in the v2 protocol."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from pydantic import Field, NonNegativeInt, PositiveInt

from shiftlens.core.files import write_text
from shiftlens.export.manifest import WITH_OWN_BATCH, Manifest
from shiftlens.plugins.targets.layout import ServerSettings, copy_files, copy_papers, served, write_rendered

TYPES = {
    "float32": "FP32", "float64": "FP64", "float16": "FP16", "int64": "INT64", "int32": "INT32", "uint8": "UINT8",
    "int8": "INT8", "bool": "BOOL",
}  # fmt: skip


class Settings(ServerSettings):
    """Settings of the server and its models."""

    host: str = Field(default="127.0.0.1", description="address that it listens on; 0.0.0.0 in a container")
    http_port: PositiveInt = Field(default=8080, le=65535, description="port for HTTP")
    grpc_port: PositiveInt = Field(default=8081, le=65535, description="port for gRPC")
    parallel_workers: NonNegativeInt = Field(
        default=0, description="processes that run the models; 0: threads of the server's own process"
    )
    max_batch: PositiveInt = Field(default=64, description="largest batch of classifier, encoder and decoder")


class MLServer:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, bundle: Path, out: Path) -> None:
        """Lay the bundle out: settings.json, the runtime, a folder for each model, README.md, manifest."""
        settings = self.settings
        manifest = served(bundle, settings.opset)
        server = settings.model_dump(include={"host", "http_port", "grpc_port", "parallel_workers"})
        write_text(out / "settings.json", json.dumps({**server, "metrics_endpoint": None}, indent=2) + "\n")
        for file in manifest.files:
            name = file.removesuffix(".onnx")
            (out / name).mkdir()
            shutil.copyfile(bundle / file, out / name / "model.onnx")
            described = json.dumps(_model(manifest, name, settings), indent=2) + "\n"
            write_text(out / name / "model-settings.json", described)
        copy_files("mlserver", out)
        copy_papers(bundle, out)
        write_rendered("serving/mlserver.md.j2", out / "README.md", manifest=manifest, settings=settings)


def _model(manifest: Manifest, name: str, settings: Settings) -> dict[str, Any]:
    """model-settings.json of one model."""
    limits = {"threads": settings.threads}
    if name not in WITH_OWN_BATCH:  # the bound of the others stands inside their graphs
        limits["max_batch"] = settings.max_batch
    described = manifest.models[f"{name}.onnx"]
    return {
        "name": name,
        "implementation": "shiftlens_model.OnnxModel",
        "parameters": {"uri": "./model.onnx", "extra": limits},
        "inputs": [_tensor(tensor) for tensor in described["inputs"]],
        "outputs": [_tensor(tensor) for tensor in described["outputs"]],
    }


def _tensor(tensor: dict[str, Any]) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else -1 for size in tensor["shape"]]
    return {"name": tensor["name"], "datatype": TYPES[tensor["type"]], "shape": shape}
