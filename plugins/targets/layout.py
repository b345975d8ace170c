"""What the targets share: the files that come with the package, and what a server must know to run the models."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pydantic import Field

from shiftlens.core.errors import ExportError
from shiftlens.core.files import write_bytes, write_text
from shiftlens.core.host.kinds import ComponentSettings
from shiftlens.export.manifest import MANIFEST, Manifest, read_manifest


class ServerSettings(ComponentSettings):
    """What every server that runs the models needs to be told."""

    opset: int = Field(
        default=21,
        ge=7,
        description="newest ONNX opset that the server's ONNX Runtime knows: 21 from 1.18 on, 20 for 1.17, 19 for 1.15",
    )
    threads: int = Field(default=1, ge=0, description="threads inside one call; 0: as many as there are cores")


def served(bundle: Path, newest_opset: int) -> Manifest:
    """The manifest of a bundle whose models the server can run.

    Raises:
        ExportError: a model needs a newer server; telling which, and what to do.
    """
    from onnx import helper

    manifest = read_manifest(bundle)
    newest = {
        "opset": newest_opset,
        "ir_version": helper.find_min_ir_version_for([helper.make_opsetid("", newest_opset)], ignore_unknown=True),
    }
    for name, model in manifest.models.items():
        for what, most in newest.items():
            if model[what] > most:
                raise ExportError(
                    f"{name} has ONNX {what.replace('_', ' ')} {model[what]}, and a server for opset {newest_opset} "
                    f"knows up to {most}: take a server with a newer ONNX Runtime and say so with --set opset=NUMBER"
                    + (", or bring the classifier in an older opset" if name == "classifier.onnx" else "")
                )
    return manifest


def copy_bundle(bundle: Path, out: Path) -> None:
    """All files of a bundle, which are none but its own."""
    for path in sorted(bundle.iterdir()):
        shutil.copyfile(path, out / path.name)


def copy_papers(bundle: Path, out: Path) -> None:
    """What says what the models are: the manifest and the place of the licence."""
    for path in sorted(bundle.iterdir()):
        if path.name == MANIFEST or path.suffix == ".txt":
            shutil.copyfile(path, out / path.name)


def copy_files(folder: str, out: Path) -> None:
    """The package's files of ``templates/serving/FOLDER``, as they are."""
    _copy(resources.files("shiftlens.templates").joinpath("serving", folder), out)


def _copy(source: Traversable, out: Path) -> None:
    for entry in source.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            _copy(entry, out / entry.name)
        elif entry.is_file() and not entry.name.endswith((".j2", ".pyc")):
            write_bytes(out / entry.name, entry.read_bytes())


def write_rendered(template: str, path: Path, **values: Any) -> None:
    """A Jinja template, everything escaped for what it becomes: HTML entities in Markdown, quoted strings elsewhere."""
    environment = Environment(
        loader=PackageLoader("shiftlens", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = lambda text: Markup(json.dumps(str(text), ensure_ascii=False))
    write_text(path, environment.get_template(template).render(**values))
