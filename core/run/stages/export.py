"""Stage ``export``: encoder and decoder to ONNX, proven equal to the trained networks, with the manifest (¶50–51)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import shiftlens
from shiftlens.core.errors import ExportError
from shiftlens.core.grid.intervention import sides_of
from shiftlens.core.host.kinds import Loss
from shiftlens.core.run.context import DOMAINS, Context, Outcome, Stage
from shiftlens.core.run.stages.trial import fitted_plan
from shiftlens.core.run.versions import versions

logger = logging.getLogger("shiftlens")

EXAMPLES = 8  # real samples that an export is traced with
BATCHES = (1, 2, 7, 64)
PROVEN = 3  # source samples whose intervention grids are held against those made in Python


def work(context: Context) -> Outcome:
    import torch

    from shiftlens.export.manifest import CONVERTED, GRID, INTERVENTION, LOG_VARIANCE, MANIFEST, write_manifest
    from shiftlens.export.parity import check_parity
    from shiftlens.export.to_onnx import on_numpy, to_onnx

    trained = context.train_generator()
    source, scores = context.domain("source"), context.scores("source")
    labels = context.generator_labels("source")
    folder = context.run.folder("bundle")
    metadata = _metadata(context)
    parity: dict[str, Any] = {}

    def encoder_inputs(batch: int) -> dict[str, Any]:
        rows = np.arange(batch) % len(source)
        return {"x": source.batch(rows), "loss": scores.loss[rows].astype(np.float32), "label": labels[rows]}

    encode = on_numpy(trained.encoder, ["z"])

    def decoder_inputs(batch: int) -> dict[str, Any]:
        inputs = encoder_inputs(batch)
        return {"z": encode(inputs)["z"], "loss": inputs["loss"], "label": inputs["label"]}

    parts: list[tuple[str, Any, Callable[[int], dict[str, Any]], list[str]]] = [
        ("encoder", trained.encoder, encoder_inputs, ["z"])
        if trained.posterior is None
        else ("encoder", trained.posterior, encoder_inputs, ["z", LOG_VARIANCE]),
        ("decoder", trained.decoder, decoder_inputs, ["x"]),
    ]
    if context.settings.converter is not None:
        parts.append(("converter", *_converter(context), [CONVERTED]))
    for name in (GRID, INTERVENTION, "converter.onnx"):  # of an earlier export, made of other models
        (folder / name).unlink(missing_ok=True)
    for number, (name, module, inputs, given) in enumerate(parts):
        path = folder / f"{name}.onnx"
        example = inputs(EXAMPLES)
        tensors = tuple(torch.from_numpy(value) for value in example.values())
        to_onnx(module, tensors, list(example), given, path, {**metadata, "shiftlens.part": name})
        parity[name] = check_parity(path, on_numpy(module, given), inputs, BATCHES)
        context.progress(number + 1, len(parts))
    if not context.facts("classifier")["exported"]:
        (folder / "classifier.onnx").unlink(missing_ok=True)
    write_manifest(folder, **_described(context, trained.latent))
    outputs = [f"bundle/{name}" for name in (*(f"{part[0]}.onnx" for part in parts), MANIFEST)]
    if context.facts("classifier")["exported"]:
        outputs += [*_fused_grid(context, folder), *fused_intervention(context, folder)]
    return Outcome(outputs, {"parity": parity, "latent": trained.latent})


def _converter(context: Context) -> tuple[Any, Callable[[int], dict[str, Any]]]:
    """The module of converter.onnx, from a target sample to one of the source domain, and its inputs (¶82)."""
    trained = context.train_converter()
    target, labels = context.domain("target"), context.generator_labels("target")

    def inputs(batch: int) -> dict[str, Any]:
        rows = np.arange(batch) % len(target)
        return {"x": target.batch(rows), **({"label": labels[rows]} if trained.needs_label else {})}

    return trained.module, inputs


def _fused_grid(context: Context, folder: Path) -> list[str]:
    """grid.onnx: the whole grid as one graph, for servers; what it is made of works without it."""
    from shiftlens.export.bundle import Bundle
    from shiftlens.export.compose import add_grid
    from shiftlens.export.manifest import GRID

    label = int(context.generator_labels("source")[0])
    samples = np.concatenate([context.domain(role).batch(slice(0, 1)) for role in DOMAINS])
    try:
        add_grid(Bundle.open(folder, context.general.device), samples, label)
    except ExportError as error:
        logger.warning("the bundle has no %s: %s", GRID, error)
        return []
    return [f"bundle/{GRID}"]


def fused_intervention(context: Context, folder: Path) -> list[str]:
    """intervention.onnx of a bundle: the plan's changes and its classifier as one graph; or why there is none."""
    from shiftlens.export.bundle import Bundle
    from shiftlens.export.intervention_graph import add_intervention
    from shiftlens.export.manifest import INTERVENTION, read_manifest, renewed

    plan, verdicts = fitted_plan(context)
    known = context.evaluated()
    rows = known[np.linspace(0, len(known) - 1, PROVEN).astype(np.int64)]
    samples, labels = context.domain("source").batch(rows), context.generator_labels("source")[rows]
    (folder / INTERVENTION).unlink(missing_ok=True)
    try:
        renewed(folder, read_manifest(folder))
        bundle = Bundle.open(folder, context.general.device)
        add_intervention(bundle, plan, sides_of(plan, verdicts), samples, labels.tolist(), context.general.seed)
    except ExportError as error:
        logger.info("the bundle has no %s: %s", INTERVENTION, error)
        renewed(folder, read_manifest(folder), why_no_intervention=str(error), intervention={})
        return []
    return [f"bundle/{INTERVENTION}"]


def _metadata(context: Context) -> dict[str, str]:
    """What each exported file says of itself."""
    data = context.facts("data")
    return {
        "shiftlens.version": shiftlens.__version__,
        "shiftlens.data_sha256.source": data["data_sha256"]["source"],
        "shiftlens.data_sha256.target": data["data_sha256"]["target"],
        "shiftlens.classifier_sha256": context.facts("classifier")["sha256"],
    }


def _described(context: Context, latent: int) -> dict[str, Any]:
    """What the manifest tells about the models."""
    from shiftlens.export.manifest import GridFacts, LossFacts

    data, model, loss = context.facts("data"), context.facts("classifier"), context.settings.loss
    score = context.facts("score")
    assert isinstance(loss.component, Loss)
    return {
        "name": context.general.name,
        "kind": data["kind"],
        "sample_shape": data["sample_shape"],
        "classes": model["classes"],
        "loss": LossFacts(
            name=loss.name,
            unit=loss.component.unit,
            needs_labels=loss.component.needs_labels,
            settings=loss.settings.model_dump(mode="json"),
        ),
        "classifier_output": model["output"] if model["exported"] else None,
        "why_no_classifier": model["why_not_exported"],
        "normalisation": _normalisation(context, data["kind"]),
        "accuracy": {role: score[role]["accuracy"] for role in DOMAINS},
        "versions": versions(),
        "latent": latent,
        "grid": GridFacts(interpolation=context.general.grid.interpolation, calibrate=context.general.grid.calibrate),
        "provenance": _metadata(context),
    }


def _normalisation(context: Context, kind: str) -> dict[str, Any]:
    """What samples are like outside, and what is done to them inside classifier.onnx."""
    outside = {"image": "channels first, values in [0, 1]", "series": "channels first"}.get(
        kind, "one value per column"
    )
    chosen = context.settings.classifier.settings.model_dump(mode="json").get("normalise")
    inside = {"subtract": chosen["mean"], "divide_by": chosen["std"]} if chosen else "what the classifier was made with"
    return {"samples": outside, "inside classifier.onnx": inside}


def outside(context: Context) -> Any:
    """A bundle of another format is made again."""
    from shiftlens.export.manifest import FORMAT

    return FORMAT


STAGE = Stage(
    "export",
    settings=(
        "classifier",
        "converter",
        "loss",
        "name",
        "grid.interpolation",
        "grid.calibrate",
        "device",
        "factors",
        "seed",
    ),
    after=("data", "classifier", "score", "trial", "generator", "converter"),
    work=work,
    outside=outside,
)
