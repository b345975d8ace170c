"""A classifier brought along as ``package.module:callable``, importable or standing beside the settings file."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import FloatArray
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
from shiftlens.plugins.classifiers.opened import Opened
from shiftlens.plugins.classifiers.user_module import file_of, load, remember

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
    takes: Literal["array", "frame"] = Field(
        default="array",
        description="what a function is called with: an array, or, of a table, a pandas data frame with the columns of "
        "the file, categories as their texts, such as a pipeline of scikit-learn was fitted on",
    )
    depends: tuple[Path, ...] = Field(
        default=(),
        description="files and folders that it reads, such as its weights; what Python opens beside the module while "
        "it loads and is called is known without",
    )


class PythonCallable:
    """The worker: imports it, and exports it to ONNX where it is a torch module."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def files(self) -> list[Path]:
        """The module's file, where it can be found (yet), and what is named under ``depends``."""
        file = file_of(self.settings.path.partition(":")[0], self.settings.folder)
        return [*([] if file is None else [file]), *_all_files(self.settings.depends)]

    def __call__(self, source: Domain, job: Job) -> ProvidedClassifier:
        """An ONNX file in ``job.folder`` for a torch module, a function for anything else."""
        settings = self.settings
        name = f"the classifier {settings.path}"
        logger.info("%s is called", name)  # whoever ends the process, as C code can, is the last in log.txt
        module = settings.path.partition(":")[0]
        file = file_of(module, settings.folder)
        opened = Opened((settings.folder, *([file.parent] if file else [])), leave_out=job.folder)
        with opened.listening():
            found = imported(settings.path, settings.folder)
            classifier = made(settings.path, found)
        named = [
            *_all_files(settings.depends),
            *_named(found, file),
            *(_named(classifier, file) if classifier is not found else []),
        ]
        if is_module(classifier):
            provided = provide_module(name, classifier.to("cpu").eval(), settings, source, job)
            return replace(provided, reads=tuple(remember(module, settings.folder, [*named, *opened.files])))
        if not callable(classifier):
            raise ClassifierError(
                f"{name} gives a {type(classifier).__name__}; it must give a torch module or a function"
            )
        check_normalise(settings.normalise, source)
        called = opened.while_called(classifier)
        if settings.takes == "frame":
            check_frames(name, source)
            called = on_frames(called, source.columns, source.categories)
        run = normalised(guarded(name, called), settings.normalise)
        check_outputs(name, run, source)
        return ProvidedClassifier(
            reads=tuple(remember(module, settings.folder, [*named, *opened.files])),
            function=run,
            why_no_onnx=f"{settings.path} is a Python function, not a torch module",
            output=settings.output,
            classes=settings.classes,
        )


def check_frames(name: str, source: Domain) -> None:
    """Frames can be made: the samples are rows of a table, and pandas is there.

    Raises:
        ClassifierError: they cannot.
    """
    if source.kind != "tabular":
        raise ClassifierError(f"{name}: takes: frame is for tables; samples of kind {source.kind} are arrays")
    if importlib.util.find_spec("pandas") is None:
        raise ClassifierError(f"{name}: takes: frame needs pandas: pip install pandas")


def on_frames(
    function: Callable[[Any], Any], columns: tuple[str, ...], categories: Mapping[str, tuple[str, ...]]
) -> Callable[[FloatArray], Any]:
    """A function of data frames as one of vectors ``(N, F)``; a number that is no category's is an empty cell."""

    def called(x: FloatArray) -> Any:
        import pandas

        cells: dict[str, Any] = {}
        for place, name in enumerate(columns):
            if name not in categories:
                cells[name] = x[:, place]
                continue
            texts = np.array([*categories[name], np.nan], dtype=object)
            numbers = np.round(x[:, place]).astype(np.int64)
            cells[name] = texts[np.where((numbers >= 0) & (numbers < len(texts)), numbers, len(texts) - 1)]
        return function(pandas.DataFrame(cells))

    return called


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


def _named(found: Any, file: Path | None) -> list[Path]:
    """The files that a callable names itself by a method or an attribute ``files()``, from its module's folder."""
    tell = getattr(found, "files", None)
    if not callable(tell) or inspect.isclass(found):
        return []
    try:
        told = [Path(path) for path in tell()]
    except (Exception, SystemExit) as error:  # the user's own code
        raise ClassifierError(
            f"classifier: its files() failed: {first_line(error)}; it gives a list of paths"
        ) from error
    folder = Path.cwd() if file is None else file.parent
    return _all_files(tuple(folder / path for path in told))


def _all_files(paths: tuple[Path, ...]) -> list[Path]:
    """The files themselves, and those in folders.

    Raises:
        ClassifierError: one is not there.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise ClassifierError(f"classifier: it depends on {', '.join(missing)}, which is not there")
    return [
        file
        for path in paths
        for file in (sorted(inner for inner in path.rglob("*") if inner.is_file()) if path.is_dir() else [path])
    ]


def is_module(value: Any) -> bool:
    """Whether it is a torch module; where torch was never imported, it cannot be."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)
