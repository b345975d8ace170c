"""A classifier brought along as an ONNX file. No torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from pydantic import Field

from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import ClassifierError, InputError
from shiftlens.core.host.kinds import ProvidedClassifier
from shiftlens.core.job import Job
from shiftlens.export.session import Session
from shiftlens.plugins.classifiers.brought import BroughtSettings, check_normalise, check_outputs, normalised

DYNAMIC = "torch.onnx.export(model, (x,), path, dynamo=True, dynamic_shapes=({0: 'batch'},))"


class Settings(BroughtSettings):
    """Settings of a classifier in an ONNX file."""

    path: Path = Field(description="the .onnx file: one input (N, *sample), one output (N, classes)")


class OnnxFile:
    """The worker: checks the file against real samples; folds the normalisation in."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def files(self) -> list[Path]:
        """The file, and its weights where they stand beside it under the exporter's usual name."""
        path = self.settings.path
        beside = path.with_name(path.name + ".data")
        return [path, beside] if beside.is_file() else [path]

    def __call__(self, source: Domain, job: Job) -> ProvidedClassifier:
        """The file itself where it stands alone, else one file of it, its weights and its normalisation."""
        settings = self.settings
        try:
            session = Session(settings.path, device="cpu")
        except InputError as error:
            raise ClassifierError(f"classifier: {error}") from None
        check_normalise(settings.normalise, source)
        check_signature(session, source)
        entry, result = session.inputs[0].name, session.outputs[0].name
        run = normalised(lambda x: session.run(**{entry: x})[result], settings.normalise)
        check_outputs(f"the classifier {settings.path}", run, source)

        path = settings.path
        if settings.normalise is not None or len(self.files()) > 1:
            from shiftlens.export import graphs

            model = graphs.load(path)
            if settings.normalise is not None:
                graphs.prepend_normalisation(model, settings.normalise.mean, settings.normalise.std)
            path = job.folder / "classifier.onnx"
            graphs.save(model, path)
        classes = settings.classes
        if classes is None and "shiftlens.classes" in session.metadata:  # a classifier out of a bundle
            classes = tuple(json.loads(session.metadata["shiftlens.classes"]))
        return ProvidedClassifier(onnx=path, output=settings.output, classes=classes)


def check_signature(session: Session, source: Domain) -> None:
    """One input that takes these samples in batches of any size, one output of numbers.

    Raises:
        ClassifierError: saying what the file takes and gives, and what to do.
    """
    name = f"the classifier {session.origin}"
    if len(session.inputs) != 1 or len(session.outputs) != 1:
        inputs, outputs = (", ".join(str(tensor) for tensor in side) for side in (session.inputs, session.outputs))
        raise ClassifierError(
            f"{name} has inputs {inputs} and outputs {outputs}; export it with one input (N, *sample) and one output "
            "(N, classes)"
        )
    entry, result = session.inputs[0], session.outputs[0]
    if not np.issubdtype(entry.dtype, np.floating) or not np.issubdtype(result.dtype, np.floating):
        raise ClassifierError(f"{name} takes {entry} and gives {result}; export it with float32 on both sides")
    wanted, found = source.sample_shape, entry.shape[1:]
    fits = len(wanted) == len(found) and all(
        not isinstance(f, int) or f == w for w, f in zip(wanted, found, strict=True)
    )
    if not fits:
        hint = "resize the samples in the reader's settings, or export the classifier for this shape"
        if len(wanted) > 1 and found == (*wanted[1:], wanted[0]):
            hint = "it takes the channels last: export it with the channels first"
        raise ClassifierError(f"{name} takes samples of shape {found}; the source has {wanted}; {hint}")
    if isinstance(entry.shape[0], int):
        raise ClassifierError(
            f"{name} takes batches of exactly {entry.shape[0]}; export it again with a dynamic batch: {DYNAMIC}"
        )
