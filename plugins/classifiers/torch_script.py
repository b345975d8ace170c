"""A classifier brought along as a .pt or .pth file: TorchScript is taken, anything else is told what to do with.

TorchScript is a language of its own that calls torch's operators and nothing of Python. Its source stands in the file,
and is read before the file is loaded: operators that touch files and classes of C++ libraries are refused.
"""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from pathlib import Path

from pydantic import Field

from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import ClassifierError
from shiftlens.core.host.kinds import ProvidedClassifier
from shiftlens.core.job import Job
from shiftlens.plugins.classifiers.brought import first_line, provide_module
from shiftlens.plugins.classifiers.torch_export import TorchSettings

HARMFUL = re.compile(r"\b(save|load\w*|from_file|print|_print)\s*\(")
LIBRARY = re.compile(r"\bops\.(\w+)\.")
LIBRARIES = frozenset({"aten", "prim", "prims", "quantized", "_quantized", "torchvision", "mkldnn_prepacked"})
FOREIGN_CLASS = re.compile(r"__torch__\.torch\.classes\.(?!quantized\.|sparse\.)[\w.]+|__backends__")
LARGEST_SOURCE = 64 << 20  # bytes
WHAT_TO_DO = (
    "build the network in Python, load the weights into it, and bring it as classifier: package.module:function, or "
    "export it with torch.onnx.export(model, (x,), path, dynamo=True, dynamic_shapes=({0: 'batch'},))"
)


class Settings(TorchSettings):
    """Settings of a classifier in a .pt or .pth file."""

    path: Path = Field(description="the file of torch.jit.save: (N, *sample) to (N, classes)")


class TorchScript:
    """The worker: loads the scripted or traced module and exports it on to ONNX."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def files(self) -> list[Path]:
        """The file."""
        return [self.settings.path]

    def __call__(self, source: Domain, job: Job) -> ProvidedClassifier:
        """An ONNX file in ``job.folder``; a function where no ONNX can be made of it."""
        import torch

        from shiftlens.export.to_onnx import silence

        path = self.settings.path
        if not path.is_file():
            raise ClassifierError(f"classifier: there is no file {path}; give the path of a .pt or .pth file")
        archive = checked(path, self.settings.trust)
        try:
            with silence():
                module = torch.jit.load(archive, map_location="cpu")  # type: ignore[no-untyped-call]
        except Exception as error:  # C++ raises what it likes
            raise ClassifierError(
                f"classifier: {path} cannot be loaded by torch.jit: {first_line(error)} (torch here: "
                f"{torch.__version__})"
            ) from None
        if module.training:
            raise ClassifierError(f"classifier: {path} was saved in train mode; call .eval() before torch.jit.save")
        return provide_module(f"the classifier {path}", module, self.settings, source, job)


def checked(path: Path, trust: bool) -> io.BytesIO:
    """The members of a TorchScript file, packed anew, so that what was read is what is loaded.

    Raises:
        ClassifierError: it is no TorchScript, telling what it is and what to do; or it names what is refused.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}
            if "models/model.json" in names:
                raise ClassifierError(f"classifier: {path} is a file of torch.export; give it the suffix .pt2")
            if "constants.pkl" not in names or not any(name.startswith("code/") for name in names):
                raise ClassifierError(_no_script(path))
            if sum(entry.file_size for name, entry in names.items() if name.startswith("code/")) > LARGEST_SOURCE:
                raise ClassifierError(f"classifier: {path} holds more than {LARGEST_SOURCE >> 20} MB of source")
            if sum(entry.file_size for entry in names.values()) > path.stat().st_size + LARGEST_SOURCE:
                raise ClassifierError(f"classifier: {path} is compressed; torch stores tensors as they are")
            members = {name: archive.read(entry) for name, entry in names.items()}
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError, EOFError):
        raise ClassifierError(_no_script(path)) from None
    for name, content in members.items():
        refused = "" if trust else _refused(name, content)
        if refused:
            raise ClassifierError(
                f"classifier: {path} is not opened: {name} {refused}, which no network needs; a file that you made "
                "yourself opens with classifier.trust: true"
            )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            if not name.endswith(".debug_pkl"):  # pickles that only tell where errors come from
                archive.writestr(f"archive/{name}", content)
    made.seek(0)
    return made


def _refused(name: str, content: bytes) -> str:
    """What is wrong with a member; an empty string where nothing is."""
    text = content.decode("utf-8", "replace")
    foreign = FOREIGN_CLASS.search(text) if name.endswith((".py", ".pkl")) else None
    if foreign:
        return f"uses {foreign[0][:60]}"
    if not name.endswith(".py"):
        return ""
    harmful = HARMFUL.search(text)
    if harmful:
        return f"calls {harmful[1]}"
    other = sorted(set(LIBRARY.findall(text)) - LIBRARIES)
    return f"uses operators of {other[0]}" if other else ""


def _no_script(path: Path) -> str:
    """What a file that is no TorchScript holds, found without running what stands in it."""
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, OSError, AttributeError, KeyError, TypeError):
        return (
            f"classifier: {path} is neither TorchScript nor plain weights: a pickle of Python classes, which would run "
            f"code if it were opened, or a broken file. Where it is a saved model, {WHAT_TO_DO}"
        )
    weights = content
    for inner in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(inner), dict):
            weights = content[inner]
    names = (
        [str(name) for name, value in weights.items() if isinstance(value, torch.Tensor)]
        if (isinstance(weights, dict))
        else []
    )
    told = f"the weights of a network ({len(names)} tensors, the first {names[0]})" if names else "no network"
    return f"classifier: {path} holds {told}, and not what is computed with them: {WHAT_TO_DO}"
