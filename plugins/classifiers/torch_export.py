"""A classifier brought along as a .pt2 file of ``torch.export.save``. Nothing that stands in the file is run."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import ClassifierError
from shiftlens.core.host.kinds import ProvidedClassifier
from shiftlens.core.job import Job
from shiftlens.plugins.classifiers.brought import BroughtSettings, first_line, provide_module


class TorchSettings(BroughtSettings):
    """Settings of a classifier in a file of torch."""

    trust: bool = Field(
        default=False,
        description="open a file that holds more than tensors and operators of a network; it may then run any code "
        "that stands in it, so say true only of files that you or people whom you trust have made",
    )


class Settings(TorchSettings):
    """Settings of a classifier in a .pt2 file."""

    path: Path = Field(description="the .pt2 file, exported with a dynamic batch: (N, *sample) to (N, classes)")


class TorchExport:
    """The worker: loads the program and exports it on to ONNX."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def files(self) -> list[Path]:
        """The file."""
        return [self.settings.path]

    def __call__(self, source: Domain, job: Job) -> ProvidedClassifier:
        """An ONNX file in ``job.folder``; a function where no ONNX can be made of it."""
        import torch

        from shiftlens.export.to_onnx import silence
        from shiftlens.plugins.classifiers.pt2_archive import Harmful, harmless

        path = self.settings.path
        if not path.is_file():
            raise ClassifierError(f"classifier: there is no file {path}; give the path of a .pt2 file")
        try:
            with silence():
                program = torch.export.load(path if self.settings.trust else harmless(path))
        except Harmful as reason:
            raise ClassifierError(
                f"classifier: {path} is not opened: {reason}. Save it again with torch.export.save of torch 2.9 or "
                "later, or bring it as .onnx; a file that you made yourself opens with classifier.trust: true"
            ) from None
        except Exception as error:  # a corrupt archive fails in as many ways as it has parts
            raise ClassifierError(
                f"classifier: {path} cannot be loaded by torch.export: {first_line(error)}; check that it is complete "
                f"and was saved by torch.export.save (torch here: {torch.__version__})"
            ) from None
        sizes = [
            node.meta["val"].shape for node in program.graph.nodes if node.name in program.graph_signature.user_inputs
        ]
        if len(sizes) != 1:
            raise ClassifierError(f"classifier: {path} has {len(sizes)} inputs; export it with one, (N, *sample)")
        if isinstance(sizes[0][0], int):
            raise ClassifierError(
                f"classifier: {path} takes batches of exactly {sizes[0][0]}; export it again with "
                "dynamic_shapes=({0: torch.export.Dim('batch')},)"
            )
        return provide_module(f"the classifier {path}", program.module(), self.settings, source, job)
