"""The settings of a run directory: settings.yaml as resolved, and origin.json: where its paths start from."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from shiftlens.core.errors import InputError
from shiftlens.core.files import read_text, write_text

if TYPE_CHECKING:
    from shiftlens.core.config.settings import Settings

RESOLVED, ORIGIN = "settings.yaml", "origin.json"


def base_of(folder: Path) -> Path:
    """Where the relative paths of a settings file in ``folder`` start from: the folder itself.

    In a run directory they start from where those of the analysis did, which its origin.json tells.
    """
    path = folder / ORIGIN
    if not path.exists() or not (folder / RESOLVED).exists():  # a folder of data may hold an origin.json of its own
        return folder
    try:
        told = json.loads(read_text(path))
        return Path(os.path.normpath(folder / told["base"]))
    except InputError as error:
        raise InputError(f"{error}; run the analysis again") from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({error}); run the analysis again") from None


def write_resolved(folder: Path, settings: Settings) -> None:
    """Write settings.yaml, and origin.json for its paths, into a run directory.

    A base that the run directory lies in is told from there, so that both can be moved together.
    """
    here = folder.resolve()
    base = os.path.relpath(settings.base, here) if here.is_relative_to(settings.base) else str(settings.base)
    text = yaml.safe_dump(settings.plain(), sort_keys=False, allow_unicode=True)
    for name, content in ((ORIGIN, json.dumps({"base": base}) + "\n"), (RESOLVED, text)):
        path = folder / name
        if not path.is_file() or path.read_bytes() != content.encode():
            write_text(path, content)
