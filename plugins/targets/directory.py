"""Target ``directory``: the bundle as it is, with a README and an example for each place where ONNX Runtime runs."""

from __future__ import annotations

from pathlib import Path

from shiftlens.core.host.kinds import ComponentSettings
from shiftlens.export.manifest import read_manifest
from shiftlens.plugins.targets.layout import copy_bundle, copy_files, write_rendered


class Settings(ComponentSettings):
    """The plain bundle has none."""


class Directory:
    """The worker."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, bundle: Path, out: Path) -> None:
        """Lay the bundle out: models and manifest, README.md, ``examples/``."""
        copy_bundle(bundle, out)
        copy_files("directory", out / "examples")
        write_rendered("serving/bundle.md.j2", out / "README.md", manifest=read_manifest(bundle))
