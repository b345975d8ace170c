"""What classifiers that are brought along share: their common settings, and the checks before they are believed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field, PositiveFloat

from shiftlens.core.arrays import AnyArray, FloatArray, Floats
from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import ClassifierError, ExportError
from shiftlens.core.host.kinds import ComponentSettings, ProvidedClassifier
from shiftlens.core.host.watchdog import told_when_slow
from shiftlens.core.job import Job

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("shiftlens")

Run = Callable[[FloatArray], AnyArray]
PATIENCE = 60.0  # seconds that the user's code may take for one answer before it is told
ClassName = Annotated[str, BeforeValidator(str)]  # YAML reads a bare 7 as a number


class Normalise(ComponentSettings):
    """What the classifier's training subtracted and divided by."""

    mean: tuple[float, ...] = Field(min_length=1, description="one value per channel or column, or one for all")
    std: tuple[PositiveFloat, ...] = Field(min_length=1, description="as many values as mean")


class BroughtSettings(ComponentSettings):
    """Settings of every classifier that is brought along."""

    output: Literal["auto", "logits", "probabilities"] = Field(
        default="auto", description="what it gives; auto: probabilities where every row is positive and sums to one"
    )
    classes: tuple[ClassName, ...] | None = Field(
        default=None, description="class names in the order of its outputs; left out: the labels of the source, sorted"
    )
    normalise: Normalise | None = Field(
        default=None, description="put (x - mean) / std in front of it; left out: its normalisation is part of it"
    )


def check_normalise(normalise: Normalise | None, source: Domain) -> None:
    """One value for all, or as many as a sample has channels (or columns).

    Raises:
        ClassifierError: telling both numbers.
    """
    if normalise is None:
        return
    channels = source.sample_shape[0]
    for name, values in (("mean", normalise.mean), ("std", normalise.std)):
        if len(values) not in (1, channels):
            raise ClassifierError(
                f"classifier.normalise.{name} has {len(values)} values; samples of shape {source.sample_shape} need "
                f"{channels} or one"
            )


def normalised(run: Run, normalise: Normalise | None) -> Run:
    """``run`` with the normalisation in front, for a classifier that stays a function."""
    if normalise is None:
        return run

    def run_normalised(x: FloatArray) -> AnyArray:
        shape = (1, -1, *[1] * (x.ndim - 2))
        mean = np.asarray(normalise.mean, dtype=np.float32).reshape(shape)
        std = np.asarray(normalise.std, dtype=np.float32).reshape(shape)
        return run((x - mean) / std)

    return run_normalised


def check_outputs(name: str, run: Run, source: Domain) -> None:
    """Run a classifier on real samples, alone and in batches.

    Raises:
        ClassifierError: it fails, gives another shape than ``(N, classes)``, or gives a sample another answer in
            company than alone, as a network left in train mode does.
    """
    x = source.batch(np.resize(np.arange(len(source)), 3))
    together = outputs_of(name, run, x)
    alone = np.concatenate([outputs_of(name, run, x[i : i + 1]) for i in range(3)])
    off = float(np.abs(np.nan_to_num(together - alone)).max() / max(1.0, float(np.abs(np.nan_to_num(alone)).max())))
    if off > 1e-2:
        raise ClassifierError(
            f"{name} gives a sample another answer in a batch than alone (they differ by {off:.2g}): it was probably "
            "left in train mode; call .eval() before you export or return it"
        )


def guarded(name: str, run: Run) -> Run:
    """``run`` as the code of others, which may raise anything, hang, or want to end the program: told by name."""

    def run_guarded(x: FloatArray) -> AnyArray:
        try:
            with told_when_slow(name, f"working on a batch of shape {x.shape}", PATIENCE):
                return np.asarray(run(x))
        except ClassifierError:
            raise
        except (Exception, SystemExit) as error:
            raise ClassifierError(
                f"{name} fails on a batch of shape {x.shape}: {first_line(error)}; it must take (N, *sample) float32 "
                "of any N"
            ) from error

    return run_guarded


def outputs_of(name: str, run: Run, x: FloatArray) -> Floats:
    """What a classifier gives for ``(n, *sample)``, as ``(n, classes)`` numbers.

    Raises:
        ClassifierError: it fails, or gives another shape or type.
    """
    outputs = guarded(name, run)(x)
    if outputs.ndim != 2 or len(outputs) != len(x) or outputs.shape[1] < 2:
        raise ClassifierError(
            f"{name} gives {outputs.shape} for a batch of {len(x)}; it must give ({len(x)}, classes): one logit or "
            "probability per class, for at least 2 classes"
        )
    if not np.issubdtype(outputs.dtype, np.number):
        raise ClassifierError(f"{name} gives {outputs.dtype}; it must give logits or probabilities as numbers")
    return outputs.astype(np.float64)


def provide_module(
    name: str, module: torch.nn.Module, settings: BroughtSettings, source: Domain, job: Job
) -> ProvidedClassifier:
    """A torch module as an ONNX file in ``job.folder``, or as a function where it cannot be exported."""
    import torch

    from shiftlens.export import graphs
    from shiftlens.export.parity import check_parity
    from shiftlens.export.to_onnx import on_numpy, to_onnx
    from shiftlens.plugins.classifiers.torch_outputs import plain

    module = plain(name, module, source)

    def on_array(x: FloatArray) -> AnyArray:
        with torch.no_grad():
            outputs: AnyArray = module(torch.from_numpy(np.ascontiguousarray(x))).numpy()
        return outputs

    check_normalise(settings.normalise, source)
    run = guarded(name, normalised(on_array, settings.normalise))
    check_outputs(name, run, source)
    path = job.folder / "classifier.onnx"
    rows = np.arange(len(source))
    try:
        example = torch.from_numpy(source.batch(np.resize(rows, 2)))
        to_onnx(module, (example,), ["x"], ["outputs"], path, {})
        check_parity(path, on_numpy(module, ["outputs"]), lambda batch: {"x": source.batch(np.resize(rows, batch))})
    except ExportError as error:
        logger.warning("%s stays a Python function, because %s; the bundle cannot hold it", name, error)
        return ProvidedClassifier(
            function=run, why_no_onnx=str(error), output=settings.output, classes=settings.classes
        )
    if settings.normalise is not None:
        model = graphs.load(path)
        graphs.prepend_normalisation(model, settings.normalise.mean, settings.normalise.std)
        graphs.save(model, path)
    return ProvidedClassifier(onnx=path, output=settings.output, classes=settings.classes)


def first_line(error: BaseException) -> str:
    """The error's class and the first line of what it says."""
    if isinstance(error, SystemExit):
        return f"its code calls sys.exit({'' if error.code is None else repr(error.code)}), which ends no analysis"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
