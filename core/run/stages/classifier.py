"""Stage ``classifier``: bring or train the model under analysis, and put it into the bundle as ONNX (¶47, ¶89)."""

from __future__ import annotations

import hashlib
import logging
import shutil
from typing import Any

import numpy as np

from shiftlens.core.arrays import FloatArray
from shiftlens.core.data.fingerprint import fingerprint, sha256_of_files
from shiftlens.core.data.labels import match_classes
from shiftlens.core.data.scoring import Reading, read_outputs
from shiftlens.core.errors import ClassifierError
from shiftlens.core.files import sha256_of, whole
from shiftlens.core.host.kinds import ProvidedClassifier
from shiftlens.core.run.context import Context, Outcome, Stage

logger = logging.getLogger("shiftlens")

PROBED = 64  # samples on which logits and probabilities are told apart


def work(context: Context) -> Outcome:
    source, target = context.domain("source"), context.domain("target")
    provided = context.provide_classifier()
    probe = _probe(context, provided, source.batch(slice(0, PROBED)))
    reading = _reading(provided, probe)
    classes = match_classes(source.labels, target.labels, probe.shape[1], provided.classes)
    warnings = [*provided.notes, *([reading.told] if reading.told else [])]
    for warning in warnings:
        logger.warning("%s", warning)
    outputs: list[str] = []
    if provided.onnx is not None:
        bundled = context.run.folder("bundle") / "classifier.onnx"
        with whole(bundled) as temporary:
            shutil.copyfile(provided.onnx, temporary)
        outputs.append("bundle/classifier.onnx")
        sha256 = sha256_of(bundled)
    else:
        logger.warning("the classifier cannot be exported to ONNX: this run works, its bundle will hold no classifier")
        files = sha256_of_files([*context.classifier_files(), *provided.reads])
        sha256 = hashlib.sha256(files.encode() + probe.tobytes()).hexdigest()  # an object may have no file of its own
    if len(provided.held_out):
        outputs.append(context.run.arrays.save("classifier-held-out", np.asarray(provided.held_out, dtype=np.int64)))
    facts: dict[str, Any] = {
        "name": context.settings.classifier.name,
        "exported": provided.onnx is not None,
        "why_not_exported": provided.why_no_onnx,
        "output": reading.output,
        "classes": list(classes),
        "trained_here": bool(len(provided.held_out)),
        "accuracy": provided.accuracy,
        "history": list(provided.history),
        "sha256": sha256,
        "warnings": warnings,
    }
    return Outcome(outputs, facts, list(provided.reads))


def _probe(context: Context, provided: ProvidedClassifier, x: FloatArray) -> FloatArray:
    """Outputs ``(n, classes)`` on a few real samples, checked."""
    if provided.onnx is not None:
        raw = np.asarray(context.opened(provided.onnx)(x))
    else:
        assert provided.function is not None
        raw = np.asarray(provided.function(x))
    if raw.ndim != 2 or len(raw) != len(x) or raw.shape[1] < 2:
        raise ClassifierError(
            f"the classifier gave an output of shape {raw.shape} for {len(x)} samples of shape {x.shape[1:]}; "
            "it must give (N, classes) logits or probabilities of at least two classes"
        )
    if not np.isfinite(raw).all():
        raise ClassifierError(
            "the classifier gave values that are not finite on real source samples; check its normalisation "
            "(classifier.normalise) and the samples' range"
        )
    return raw


def _reading(provided: ProvidedClassifier, probe: FloatArray) -> Reading:
    """As said, or as it looks."""
    return read_outputs(probe) if provided.output == "auto" else Reading(provided.output)


def outside(context: Context) -> Any:
    return fingerprint(context.classifier_files())


STAGE = Stage("classifier", settings=("classifier", "seed", "device"), after=("data",), work=work, outside=outside)
