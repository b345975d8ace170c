"""A classifier brought along as ``package.module:callable``, importable or standing beside the settings file."""

from __future__ import annotations

import inspect
import logging
import sys
from pathlib import Path
from typing import Any

from pydantic import Field

from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import ClassifierError, near_miss
from shiftlens.core.host.kinds import ProvidedClassifier
from shiftlens.core.host.watchdog import told_when_slow
from shiftlens.core.job import Job
from shiftlens.plugins.classifiers.brought import (
    PATIENCE,
    BroughtSettings,
    check_normalise,
    check_outputs,
    first_line,
    guarded,
    normalised,
    provide_module,
)
from shiftlens.plugins.classifiers.user_module import file_of, load

logger = logging.getLogger("shiftlens")


class Settings(BroughtSettings):
    """Settings of a classifier in Python code."""

    path: str = Field(
        pattern=r"^[\w.]+:[\w.]+$",
        description='"package.module:callable": a torch module, a function without parameters that returns one, or a '
        "function of numpy arrays, (N, *sample) float32 to (N, classes)",
    )
    folder: Path = Field(
        default=Path(),
        description="folder where the module stands, unless it is installed; left out: that of the settings file",
    )


class PythonCallable:
    """The worker: imports it, and exports it to ONNX where it is a torch module."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def files(self) -> list[Path]:
        """The module's file; none where the module cannot be found (yet)."""
        file = file_of(self.settings.path.partition(":")[0], self.settings.folder)
        return [] if file is None else [file]

    def __call__(self, source: Domain, job: Job) -> ProvidedClassifier:
        """An ONNX file in ``job.folder`` for a torch module, a function for anything else."""
        settings = self.settings
        name = f"the classifier {settings.path}"
        logger.info("%s is called", name)  # whoever ends the process, as C code can, is the last in log.txt
        classifier = made(settings.path, imported(settings.path, settings.folder))
        if is_module(classifier):
            return provide_module(name, classifier.to("cpu").eval(), settings, source, job)
        if not callable(classifier):
            raise ClassifierError(
                f"{name} gives a {type(classifier).__name__}; it must give a torch module or a function"
            )
        check_normalise(settings.normalise, source)
        run = normalised(guarded(name, classifier), settings.normalise)
        check_outputs(name, run, source)
        return ProvidedClassifier(
            function=run,
            why_no_onnx=f"{settings.path} is a Python function, not a torch module",
            output=settings.output,
            classes=settings.classes,
        )


def imported(path: str, folder: Path = Path()) -> Any:
    """What stands under ``package.module:name``, in a module of the folder or an installed one.

    Raises:
        ClassifierError: no such module or name (with the near miss), or the module's own code fails.
    """
    module_name, _, attribute = path.partition(":")
    try:
        with told_when_slow(f"classifier: {module_name}", "loading", PATIENCE):
            found: Any = load(module_name, folder)
    except (Exception, SystemExit) as error:  # the module's own code runs here
        raise ClassifierError(
            f"classifier: {module_name} cannot be imported: {first_line(error)}; put it beside the settings file, or "
            "install it"
        ) from error
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ClassifierError(
                f"classifier: {module_name} has no {attribute}; {near_miss(part, dir(found))}"
                f"see {getattr(found, '__file__', module_name)}"
            ) from None
        except (Exception, SystemExit) as error:  # a __getattr__ of the user's
            raise ClassifierError(f"classifier: {path} cannot be had: {first_line(error)}") from error
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
        with told_when_slow(f"classifier: {path}()", "working", PATIENCE):
            return found()
    except (Exception, SystemExit) as error:  # the user's own code
        raise ClassifierError(f"classifier: {path}() failed: {first_line(error)}") from error


def is_module(value: Any) -> bool:
    """Whether it is a torch module; where torch was never imported, it cannot be."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)
