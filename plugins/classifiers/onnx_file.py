"""A classifier brought along as an ONNX file, in whatever form its exporter gave it. No torch.

What the file takes and gives is read off its graph and tried on real samples (`onnx_form`); where that is not the one
form of a bundle, a wrapped copy takes its place, checked against the original's own answers.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from shiftlens.core.arrays import AnyArray
from shiftlens.core.data.domain import Domain
from shiftlens.core.data.scoring import read_outputs
from shiftlens.core.errors import ClassifierError, InputError
from shiftlens.core.host.kinds import ProvidedClassifier, UnderstoodClassifier
from shiftlens.core.job import Job
from shiftlens.export.found_onnx import FoundOnnx, external_files, look, names_beside, with_one_input
from shiftlens.export.session import Session
from shiftlens.export.wrap_onnx import PARITY, wrap
from shiftlens.plugins.classifiers.brought import BroughtSettings, check_normalise, normalised, outputs_of
from shiftlens.plugins.classifiers.onnx_form import LARGEST_BATCH, READINGS, Decided, decide

logger = logging.getLogger("shiftlens")

COMPANY = 1e-2  # relative difference of a sample's answers alone and in a batch, above which something is wrong
TRIED_SIZE = 64  # px or values, for a dimension that may vary, where no data is at hand


class Settings(BroughtSettings):
    """Settings of a classifier in an ONNX file."""

    path: Path = Field(description="the .onnx file; weights beside it are read, too")
    layout: Literal["auto", "channels-first", "channels-last", "no-channels", "flat"] = Field(
        "auto", description="how it takes a sample; auto: as its input's shape says, tried on real samples"
    )
    output: str = Field(  # type: ignore[assignment]  # a file can have outputs of any name
        "auto",
        description="logits or probabilities: what it gives, where that is told apart wrongly; or the name of the one "
        "of its outputs that is meant; auto: the likeliest",
    )
    batch: int | None = Field(
        None, ge=1, le=4096, description="run it in batches of exactly this size; left out: any, where it allows that"
    )


class OnnxFile:
    """The worker: checks the file against real samples, and brings it to the one form."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def files(self) -> list[Path]:
        """The file, and those that hold its weights."""
        path = self.settings.path
        try:
            beside = [path.with_name(name) for name in names_beside(path)]
            return [path, *external_files(path), *beside] if path.is_file() else [path]
        except ClassifierError:  # told when it is opened
            return [path]

    def __call__(self, source: Domain, job: Job) -> ProvidedClassifier:
        """The file itself where it stands alone in the one form, else a copy that does."""
        settings = self.settings
        name = f"the classifier {settings.path}"
        check_normalise(settings.normalise, source)
        found = with_one_input(look(settings.path), source.columns, source.categories)
        decided = self._decided(found, source, name)
        for step in decided.steps:
            logger.info("%s: %s", name, step)
        path, notes = settings.path, list(decided.notes)
        if settings.normalise is not None or external_files(settings.path) or not _is_in_form(found, decided):
            path = job.folder / "classifier.onnx"
            self._write(found, decided, path)
        try:
            session = Session(path, device="cpu")
        except InputError as error:
            raise ClassifierError(f"{name}: {error}") from None
        entry, result = session.inputs[0].name, session.outputs[0].name
        x = source.batch(np.resize(np.arange(len(source)), len(decided.reference)))
        together = outputs_of(name, lambda x: session.run(**{entry: x})[result], x)
        self._check_same(together, decided, source, name)
        notes += _company(found, name, lambda x: session.run(**{entry: x})[result], x, together)
        classes, remarks = _classes(settings, found, source, decided.reference.shape[1])
        return ProvidedClassifier(
            onnx=path,
            output=settings.output if settings.output in READINGS else "auto",
            classes=classes,
            notes=(*notes, *remarks),
        )

    def understood(self) -> UnderstoodClassifier:
        """What the file says of itself, tried on noise where its input's shape allows that."""
        settings = self.settings
        name = f"the classifier {settings.path}"
        found = with_one_input(look(settings.path), ())
        sample, layout = _guessed_sample(found)
        notes: list[str] = []
        output, count, reading, batch = found.outputs[0].name, None, "unknown", str(found.batch or "any")
        tried = tuple(d or TRIED_SIZE for d in sample)
        kind = {1: "tabular", 2: "series"}.get(len(tried), "image")
        try:
            if 4 * 4 * math.prod(tried) > LARGEST_BATCH:
                raise ClassifierError(f"a sample has {math.prod(tried):.2g} values")
            noise = np.random.default_rng(0).random((4, *tried), dtype=np.float32)
            decided = self._decided(found, Domain(noise, tried, kind), name)
        except ClassifierError as error:
            notes.append(f"it could not be tried on noise: {error}")
        else:
            form = decided.form
            output, count, layout = form.output, decided.reference.shape[1], form.layout.name
            batch = {"free": "any", "freed": f"any (exported for {found.batch})"}.get(
                str(form.batch), f"{form.batch}, run one after the other"
            )
            reading = read_outputs(decided.reference).output
            if decided.form.columns == 1 and not decided.form.bounded:
                reading = "logits"
            notes += [*decided.notes, *decided.steps]
        return UnderstoodClassifier(
            inputs=tuple(str(tensor) for tensor in found.inputs),
            outputs=found.given,
            sample_shape=sample,
            layout=layout,
            output=output,
            reading=settings.output if settings.output in READINGS[1:] else reading,
            classes=settings.classes or found.classes or next(iter(names_beside(settings.path).values()), None),
            count=count,
            batch=batch,
            notes=tuple(notes),
        )

    def _decided(self, found: FoundOnnx, source: Domain, name: str) -> Decided:
        settings = self.settings
        if len(found.inputs) != 1:
            takes = ", ".join(str(tensor) for tensor in found.inputs) or "nothing"
            raise ClassifierError(f"{name} takes {takes}; export it with one input (N, *sample)")
        if settings.normalise is not None and not np.issubdtype(found.inputs[0].dtype, np.floating):
            raise ClassifierError(
                f"{name} takes {found.inputs[0]}, whole numbers, which cannot be normalised; take normalise out"
            )
        if settings.normalise is not None:  # decided on what stands behind the normalisation
            domain = source
            run = normalised(lambda x: x, settings.normalise)
            rows = np.resize(np.arange(len(source)), min(len(source), 64))
            x = np.asarray(run(domain.batch(rows)), dtype=np.float32)
            source = Domain(x, source.sample_shape, source.kind, source.labels, columns=source.columns)
        return decide(found, source, name, settings.layout, settings.output, settings.batch)

    def _write(self, found: FoundOnnx, decided: Decided, path: Path) -> None:
        """A copy in the one form, with its weights and its normalisation in it."""
        from shiftlens.export import graphs

        model = found.model if _is_in_form(found, decided) else wrap(found, decided.form)
        if self.settings.normalise is not None:
            graphs.prepend_normalisation(model, self.settings.normalise.mean, self.settings.normalise.std)
        graphs.save(model, path, check=False)  # ONNX Runtime, which must run it, judges it next

    def _check_same(self, together: AnyArray, decided: Decided, source: Domain, name: str) -> None:
        """The wrapped copy gives what the original gave."""
        reference = decided.reference
        off = float(np.abs(np.nan_to_num(together - reference)).max())
        if together.shape != reference.shape or off > PARITY * max(1.0, float(np.abs(np.nan_to_num(reference)).max())):
            raise ClassifierError(
                f"{name} gives other answers when it is run in the form that the analysis needs (they differ by "
                f"{off:.2g}); export it with float32 (N, *sample) in and (N, classes) out"
            )


def _classes(
    settings: Settings, found: FoundOnnx, source: Domain, count: int
) -> tuple[tuple[str, ...] | None, list[str]]:
    """The class names in the order of the outputs: as set, or as the file or one beside it says where that fits.

    Names that the source's labels do not know are left aside, and said: labels that are numbers stand for themselves.
    """
    if settings.classes is not None:
        return settings.classes, []
    known = {str(label) for label in source.labels} if source.labels is not None else set[str]()
    remarks = []
    said = {"the file": found.classes} if found.classes else {}
    for where, names in {**said, **names_beside(settings.path)}.items():
        if names is None or len(names) != count:
            continue
        if known <= set(names):
            beside = where != "the file"
            return names, [f"The class names and their order are those of {where} beside the model."] if beside else []
        remarks.append(
            f"The class names of {where} ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''}) are not the "
            "labels of the source and are not used; name the outputs in their order as classifier.classes."
        )
    return None, remarks


def _is_in_form(found: FoundOnnx, decided: Decided) -> bool:
    """Whether the file can stand in the bundle as it is."""
    form = decided.form
    entry = found.inputs[0]
    result = next(tensor for tensor in found.outputs if tensor.name == form.output)
    return (
        not found.altered
        and len(found.outputs) == 1
        and len(found.model.graph.input) == len(found.inputs)
        and form.layout.name == "channels-first"
        and not form.layout.repeat
        and entry.dtype == result.dtype == np.float32
        and form.batch == "free"
        and form.columns > 1
        and len(result.shape) == 2
        and len(entry.shape) == len(form.sample_shape) + 1
    )


def _company(found: FoundOnnx, name: str, run: Any, x: AnyArray, together: AnyArray) -> list[str]:
    """How far a sample's answer depends on those it is run with.

    Raises:
        ClassifierError: it does, and nothing in the graph says why it should.
    """
    alone = np.concatenate([outputs_of(name, run, x[i : i + 1]) for i in range(len(x))])
    scale = max(1.0, float(np.abs(np.nan_to_num(alone)).max()))
    off = float(np.abs(np.nan_to_num(together - alone)).max())
    if found.quantised_on_the_fly and off > 0:
        changed = int((together.argmax(axis=1) != alone.argmax(axis=1)).sum())
        return [
            f"{name} is quantised by the range of each batch (dynamic int8), so its answers depend a little on the "
            f"batch size: by up to {off:.2g} on {len(x)} samples run alone and together, with {changed} other "
            "predictions. Losses are as of batch_size; keep it to compare runs."
        ]
    if off / scale > COMPANY:
        raise ClassifierError(
            f"{name} gives a sample another answer in a batch than alone (they differ by {off:.2g}): it was probably "
            "left in train mode; call .eval() before you export or return it"
        )
    return []


def _guessed_sample(found: FoundOnnx) -> tuple[tuple[int | None, ...], str]:
    """The shape of a sample with the channels first, and the layout, by the input's shape alone."""
    dims = [d if isinstance(d, int) else None for d in found.inputs[0].shape[1:]]
    if len(dims) == 3 and dims[0] not in (1, 3, 4) and dims[2] in (1, 3, 4):
        return (dims[2], dims[0], dims[1]), "channels-last"
    if len(dims) == 3:
        return (dims[0] or 3, dims[1], dims[2]), "channels-first"
    if len(dims) == 2 and None not in dims and min(dims) >= 8 and max(dims) <= 4 * min(dims):  # type: ignore[type-var, operator]
        return (1, *dims), "no-channels"
    return tuple(dims), "channels-first"
