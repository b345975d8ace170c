"""Inputs given from Python, as arrays and objects: they become what a settings file could have named.

Arrays are written into the run directory, ``given/source.npz`` and ``given/target.npz``, so that everything that is
done with a run later finds them. A classifier that is an object has no file: it is known for the time of the call, as
``shiftlens.core.run.given:classifier``, and asked anew in every call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np

from shiftlens.core.errors import InputError
from shiftlens.core.files import sha256_of, whole

FOLDER = "given"
OBJECT = f"{__name__}:classifier"
"""What the settings name for a classifier that is an object."""

_CLASSIFIER: ContextVar[Any] = ContextVar("given classifier", default=None)


def __getattr__(name: str) -> Any:
    """The object of the call that is under way.

    Raises:
        InputError: there is none, as in another process.
    """
    if name != "classifier":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    classifier = _CLASSIFIER.get()
    if classifier is None:
        raise InputError(
            "the classifier of this analysis was given from Python as an object; call shiftlens.run with it again"
        )
    return classifier


def asked_anew() -> tuple[str, ...]:
    """Stages that are done again in a call with an object, as nothing tells whether it is as it was; later ones are
    where its file, or its answers, differ."""
    return ("classifier", "score") if _CLASSIFIER.get() is not None else ()


@contextmanager
def known(classifier: Any) -> Iterator[None]:
    """Let the settings name an object (None: there is none) while the block runs."""
    before = _CLASSIFIER.set(classifier)
    try:
        yield
    finally:
        _CLASSIFIER.reset(before)


def classifier_of(value: Any) -> tuple[Any, Any]:
    """What the settings say of a classifier, and the object that must be `known` with it (None: not needed).

    Args:
        value: a path, ``"package.module:callable"``, a mapping as in the settings file, a torch module, an estimator
            with ``predict_proba``, or a function ``(N, *sample)`` float32 -> ``(N, classes)``.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(value, str | Path):
        return str(value), None
    if isinstance(value, Mapping):
        raw = dict(value)
        if not callable(raw.get("path")) and not hasattr(raw.get("path"), "predict_proba"):
            return raw, None
        _, found = classifier_of(raw["path"])
        return {**raw, "path": OBJECT}, found
    if hasattr(value, "predict_proba"):
        return {"path": OBJECT, "output": "probabilities"}, lambda x: value.predict_proba(x.reshape(len(x), -1))
    if callable(value):
        return {"path": OBJECT}, value
    raise InputError(
        f"classifier is a {type(value).__name__}; give a path, a torch module, an estimator with predict_proba, or a "
        "function of (N, *sample) float32 that gives (N, classes)"
    )


def domain_of(value: Any, role: str, folder: Path) -> Any:
    """What the settings say of a domain; arrays are written into ``folder`` first.

    Args:
        value: a path, a mapping as in the settings file, an array of samples, ``(samples, labels)``, or a mapping with
            arrays ``x`` and, where there are any, ``y``, ``names`` and ``columns``, beside settings such as ``kind``.
            Samples may be a data frame of numbers.
        role: source or target.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(value, str | Path):
        return str(value)
    if isinstance(value, Mapping) and isinstance(value.get("x", ""), str):  # settings; x may name an array of a file
        return dict(value)
    if isinstance(value, tuple | list) and len(value) == 2:
        value = {"x": value[0], "y": value[1]}
    raw = dict(value) if isinstance(value, Mapping) else {"x": value}
    arrays = {name: raw.pop(name) for name in ("x", "y", "names", "columns") if raw.get(name) is not None}
    raw.pop("y", None)
    if hasattr(arrays["x"], "columns"):  # a data frame
        arrays.setdefault("columns", [str(name) for name in arrays["x"].columns])
    plain = {name: _array(array, f"{role}: {name}") for name, array in arrays.items()}
    plain["x"] = _numbers(plain["x"], f"{role}: x")
    if "columns" in plain:
        raw.setdefault("kind", "tabular")
    path = folder / f"{role}.npz"
    _write(path, plain)
    return {"path": str(path), **raw}


def _array(values: Any, where: str) -> Any:
    if hasattr(values, "detach"):  # a tensor, wherever it lies
        values = values.detach().cpu()
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} is no array: {error}") from None
    if array.dtype == object:
        array = array.astype(str)
    return array


def _numbers(array: Any, where: str) -> Any:
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == np.bool_):
        raise InputError(
            f"{where} holds {array.dtype}, and not numbers; write a table with words as CSV or Parquet, and give its "
            "path"
        )
    return array.astype(np.float32) if array.dtype in (np.float64, np.float16, np.bool_) else array


def _write(path: Path, arrays: dict[str, Any]) -> None:
    """Write an .npz, unless it stands there already: what has not changed is not read again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary:
        with temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
        if path.is_file() and sha256_of(path) == sha256_of(temporary):
            path.replace(temporary)  # keeps its time of change
