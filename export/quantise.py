"""A classifier in int8: static quantisation by ONNX Runtime, its ranges calibrated on real samples. No torch.

8-bit activations and 7-bit weights, one scale per output channel (7 bits, because the 16-bit sums of AVX2 machines
overflow with 8; https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shiftlens.core.arrays import FloatArray
from shiftlens.core.errors import ExportError
from shiftlens.export import graphs
from shiftlens.export.session import Session


def quantise(path: Path, batches: Iterable[FloatArray]) -> None:
    """Replace a classifier's file by its int8 form.

    Args:
        path: one float32 input.
        batches: real samples ``(n, *sample)`` that the ranges of the activations are taken from.

    Raises:
        ExportError: ONNX Runtime cannot quantise it.
    """
    from onnx import inliner
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    (entry,) = Session(path, device="cpu").inputs

    class Samples(CalibrationDataReader):  # type: ignore[misc]
        """What ONNX Runtime asks for the next batch."""

        def __init__(self) -> None:
            self.rest: Iterator[FloatArray] = iter(batches)

        def get_next(self) -> dict[str, Any] | None:
            x = next(self.rest, None)
            return None if x is None else {entry.name: x.astype(entry.dtype)}

    level = logging.root.level
    logging.root.setLevel(logging.ERROR)  # it advises and reports through the root logger
    try:
        with TemporaryDirectory() as scratch:
            plain, prepared, made = (Path(scratch) / f"{name}.onnx" for name in ("plain", "prepared", "made"))
            graphs.save(inliner.inline_local_functions(graphs.load(path)), plain, check=False)
            quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(made),
                Samples(),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
            )
            graphs.save(graphs.load(made), path)
    except ExportError:
        raise
    except Exception as error:  # ONNX Runtime's tools raise what they like
        raise ExportError(f"the classifier cannot be quantised to int8: {error}; export it with float32") from error
    finally:
        logging.root.setLevel(level)
