"""A classifier brought along as ``package.module:callable``, importable or standing beside the settings file."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

from pydantic import Field

from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import ClassifierError, near_miss
from shiftlens.core.host.kinds import ProvidedClassifier
from shiftlens.core.job import Job
from shiftlens.plugins.classifiers.brought import (
    BroughtSettings,
    check_normalise,
    check_outputs,
    normalised,
    provide_module,
)


class Settings(BroughtSettings):
    """Settings of a classifier in Python code."""

    path: str = Field(
        pattern=r"^[\w.]+:[\w.]+$",
        description='"package.module:callable": a torch module, a function without parameters that returns one, or a '
        "function of numpy arrays, (N, *sample) float32 to (N, classes)",
    )


class PythonCallable:
    """The worker: imports it, and exports it to ONNX where it is a torch module."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def files(self) -> list[Path]:
        """The module's file; none where the module cannot be found (yet)."""
        try:
            spec = importlib.util.find_spec(self.settings.path.partition(":")[0])
        except (ImportError, ValueError):  # a parent package is missing, or is not what it seems
            return []
        return [Path(spec.origin)] if spec is not None and spec.origin is not None and spec.has_location else []

    def __call__(self, source: Domain, job: Job) -> ProvidedClassifier:
        """An ONNX file in ``job.folder`` for a torch module, a function for anything else."""
        settings = self.settings
        name = f"the classifier {settings.path}"
        classifier = made(settings.path, imported(settings.path))
        if is_module(classifier):
            return provide_module(name, classifier.to("cpu").eval(), settings, source, job)
        if not callable(classifier):
            raise ClassifierError(
                f"{name} gives a {type(classifier).__name__}; it must give a torch module or a function"
            )
        check_normalise(settings.normalise, source)
        run = normalised(classifier, settings.normalise)
        check_outputs(name, run, source)
        return ProvidedClassifier(
            function=run,
            why_no_onnx=f"{settings.path} is a Python function, not a torch module",
            output=settings.output,
            classes=settings.classes,
        )


def imported(path: str) -> Any:
    """What stands under ``package.module:name``.

    Raises:
        ClassifierError: no such module or name (with the near miss), or the module's own code fails.
    """
    module_name, _, attribute = path.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # the module's own code runs here
        raise ClassifierError(
            f"classifier: {module_name} cannot be imported: {type(error).__name__}: {error}; put it beside the "
            "settings file, or install it"
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ClassifierError(
                f"classifier: {module_name} has no {attribute}; {near_miss(part, dir(found))}"
                f"see {getattr(found, '__file__', module_name)}"
            )
        found = getattr(found, part)
    return found


def made(path: str, found: Any) -> Any:
    """The classifier itself: what can be called without arguments is called, as it makes the classifier."""
    if is_module(found) or not callable(found):
        return found
    try:
        inspect.signature(found).bind()
    except (TypeError, ValueError):  # needs arguments: a function of arrays, or builtin code without a signature
        if inspect.isclass(found):
            raise ClassifierError(
                f"classifier: the class {path} needs arguments; name a function without parameters that makes it"
            ) from None
        return found
    try:
        return found()
    except Exception as error:  # the user's own code
        raise ClassifierError(f"classifier: {path}() failed: {type(error).__name__}: {error}") from error


def is_module(value: Any) -> bool:
    """Whether it is a torch module; where torch was never imported, it cannot be."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)
