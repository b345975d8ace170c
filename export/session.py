"""One ONNX file, run by ONNX Runtime on numpy arrays. No torch.

ONNX Runtime lists CUDA as available wherever its GPU build is installed, and prints C++ errors when it then cannot
be loaded. So the driver is asked first, CUDA is requested only where it answers, and what was got can be read.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from shiftlens.core.arrays import AnyArray
from shiftlens.core.errors import InputError
from shiftlens.core.host.watchdog import told_when_slow

logger = logging.getLogger("shiftlens")

PATIENCE = 60.0  # seconds that a model may take to be opened, or for one batch, before it is told
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}
FATAL, WARNING = 4, 2  # severities of ONNX Runtime's logger


@dataclass(frozen=True)
class Tensor:
    """An input or output: a dimension is a number, or a name (or None) where it may vary."""

    name: str
    shape: tuple[int | str | None, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(str(d) for d in self.shape)}) {self.dtype}"


class Session:
    """An opened ONNX model.

    Args:
        path: the file, or its content.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; what cannot be had becomes the CPU, see ``provider``.
        threads: threads inside one call; None: as many as there are cores.

    Attributes:
        provider: ONNX Runtime's name of what runs it, e.g. ``"CPUExecutionProvider"``.
        inputs, outputs: a `Tensor` each, in the file's order.
        metadata: what the exporter wrote into the file.

    Raises:
        InputError: no such file, or not a model that ONNX Runtime can run.
    """

    def __init__(self, path: Path | bytes, device: str = "auto", threads: int | None = None) -> None:
        from shiftlens.export.runtime import onnxruntime

        self.origin = "the ONNX model" if isinstance(path, bytes) else str(path)
        if isinstance(path, Path) and not path.is_file():
            raise InputError(f"there is no file {path}; give the path of an .onnx file")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = FATAL  # what goes wrong is raised, with the same words
        if threads is not None:
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
        providers = providers_for(device)
        with _quiet(onnxruntime), told_when_slow(self.origin, "being opened by ONNX Runtime", PATIENCE):
            try:
                self._session = onnxruntime.InferenceSession(_named(path), sess_options=options, providers=providers)
            except Exception as error:  # ONNX Runtime's exceptions share no base of their own
                raise InputError(
                    f"{self.origin} cannot be opened as an ONNX model: {_first_line(error)}; check that the file is "
                    "complete and was written by an ONNX exporter"
                ) from None
        self.provider: str = self._session.get_providers()[0]
        if device.startswith("cuda") and self.provider != CUDA:
            logger.warning("CUDA cannot be used here; %s runs on the CPU, see `shiftlens doctor`", self.origin)
        self.inputs = tuple(self._tensor(value) for value in self._session.get_inputs())
        self.outputs = tuple(self._tensor(value) for value in self._session.get_outputs())
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self._output_names = [tensor.name for tensor in self.outputs]

    def run(self, /, **inputs: AnyArray) -> dict[str, AnyArray]:
        """All outputs by name. Inputs are cast to what the model takes (float64 to float32, int32 to int64).

        Raises:
            InputError: an input is missing, unknown, of another shape, or would lose its meaning when cast.
        """
        names = [tensor.name for tensor in self.inputs]
        if set(inputs) != set(names):
            raise InputError(f"{self.origin} takes {', '.join(names)}; it was given {', '.join(inputs) or 'nothing'}")
        feed = {tensor.name: self._cast(tensor, inputs[tensor.name]) for tensor in self.inputs}
        shapes = ", ".join(str(value.shape) for value in feed.values())
        try:
            with told_when_slow(self.origin, f"working on a batch of shape {shapes}", PATIENCE):
                results = self._session.run(self._output_names, feed)
        except Exception as error:  # as above
            given = ", ".join(f"{name} {value.shape}" for name, value in feed.items())
            wanted = ", ".join(str(tensor) for tensor in self.inputs)
            raise InputError(
                f"{self.origin} cannot be run on {given}: {_first_line(error)}; it takes {wanted}"
            ) from None
        return dict(zip(self._output_names, results, strict=True))

    def _cast(self, tensor: Tensor, value: AnyArray) -> AnyArray:
        array = np.asarray(value)
        if not np.can_cast(array.dtype, tensor.dtype, casting="same_kind"):
            raise InputError(f"{self.origin}: input {tensor.name} takes {tensor.dtype}, not {array.dtype}")
        return np.ascontiguousarray(array, dtype=tensor.dtype).reshape(array.shape)  # keeps a scalar's empty shape

    def _tensor(self, value: Any) -> Tensor:
        if value.type not in DTYPES:
            raise InputError(
                f"{self.origin}: {value.name} is a {value.type}, not a numeric tensor; export the model without it"
            )
        return Tensor(value.name, tuple(value.shape), np.dtype(DTYPES[value.type]))


def _named(path: Path | bytes) -> str | bytes:
    """What ONNX Runtime opens: a file by its name, or its content where the name is no UTF-8."""
    if isinstance(path, bytes):
        return path
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return path.read_bytes()
    return str(path)


@cache
def cuda_devices() -> int:
    """Number of CUDA devices that the driver of this machine answers for; 0 without a driver."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def providers_for(device: str) -> list[str | tuple[str, dict[str, str]]]:
    """What to ask ONNX Runtime for: CUDA only where the driver answers and this build knows it, then the CPU."""
    from shiftlens.export.runtime import onnxruntime

    wants_cuda = device == "auto" or device.startswith("cuda")
    if not wants_cuda or not cuda_devices() or CUDA not in onnxruntime.get_available_providers():
        return [CPU]
    index = device.partition(":")[2] or "0"
    return [(CUDA, {"device_id": index}), CPU]


def providers_usable() -> list[str]:
    """The providers that a model really runs on here, best first; costs a session on an empty model."""
    session = Session(_identity(), device="auto")
    return [CPU] if session.provider == CPU else [session.provider, CPU]


def _identity() -> bytes:
    """The smallest model: y = x."""
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch"]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content


@contextlib.contextmanager
def _quiet(onnxruntime: Any) -> Iterator[None]:
    """Let a provider that cannot be loaded be told by `Session.provider`, not by C++ on the terminal."""
    if not cuda_devices():
        yield
        return
    told = io.StringIO()  # ONNX Runtime's Python side prints which libraries it misses and what it falls back to
    onnxruntime.set_default_logger_severity(FATAL)
    try:
        with contextlib.redirect_stdout(told):
            if hasattr(onnxruntime, "preload_dlls"):  # of GPU builds since 1.21: loads the CUDA libraries of pip
                onnxruntime.preload_dlls()
            yield
    finally:
        onnxruntime.set_default_logger_severity(WARNING)
        if told.getvalue():
            logger.debug("ONNX Runtime said: %s", told.getvalue())


def _first_line(error: Exception) -> str:
    """What ONNX Runtime says, without its code prefix ``[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : ``."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return text.rsplit(" : ", 1)[-1].rsplit("failed:", 1)[-1].rstrip(". ")
