"""Built-in classifiers: brought along as a file or a callable, or trained here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.host.kinds import Classifier
from shiftlens.plugins.classifiers import onnx_file, python_callable, torch_export, torch_script, trained

CALLABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def claims_onnx(raw: Mapping[str, Any], base: Path) -> bool:
    """A path that ends in .onnx."""
    return str(raw.get("path", "")).lower().endswith(".onnx")


def claims_torch_export(raw: Mapping[str, Any], base: Path) -> bool:
    """A path that ends in .pt2."""
    return str(raw.get("path", "")).lower().endswith(".pt2")


def claims_torch_script(raw: Mapping[str, Any], base: Path) -> bool:
    """A path that ends in .pt or .pth."""
    return str(raw.get("path", "")).lower().endswith((".pt", ".pth"))


def claims_callable(raw: Mapping[str, Any], base: Path) -> bool:
    """``package.module:callable``."""
    return CALLABLE.fullmatch(str(raw.get("path", ""))) is not None


def claims_trained(raw: Mapping[str, Any], base: Path) -> bool:
    """``{train: ...}``."""
    return "train" in raw


@hookimpl
def shiftlens_classifiers() -> Iterator[Classifier]:
    """The classifiers of this room."""
    yield Classifier(
        name="onnx",
        summary="an ONNX file, run by ONNX Runtime; needs no torch",
        settings=onnx_file.Settings,
        build=onnx_file.OnnxFile,
        claims=claims_onnx,
    )
    yield Classifier(
        name="torch-export",
        summary="a .pt2 file of torch.export",
        settings=torch_export.Settings,
        build=torch_export.TorchExport,
        claims=claims_torch_export,
    )
    yield Classifier(
        name="torch-script",
        summary="a .pt or .pth file of TorchScript",
        settings=torch_script.Settings,
        build=torch_script.TorchScript,
        claims=claims_torch_script,
    )
    yield Classifier(
        name="callable",
        summary='"package.module:callable" giving a torch module, or a function of numpy arrays',
        settings=python_callable.Settings,
        build=python_callable.PythonCallable,
        claims=claims_callable,
    )
    yield Classifier(
        name="trained",
        summary="a small network trained here on the source domain",
        settings=trained.Settings,
        build=trained.Trained,
        claims=claims_trained,
        reference="¶47",
    )
