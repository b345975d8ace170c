"""A torch module as one ONNX file: dynamic batch, no source paths, silent.

The parity with the original is checked by `shiftlens.export.parity`; an export is unfinished until it is.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from shiftlens.core.errors import ExportError
from shiftlens.export import graphs
from shiftlens.export.parity import Arrays

UNKNOWN_OP = re.compile(r"No ONNX function found for <OpOverload\(op='([\w.]+)'")
LOGGERS = ("torch.onnx", "torch.export", "torch._dynamo", "torch.fx", "onnxscript", "onnx_ir")


def to_onnx(
    module: torch.nn.Module,
    example_inputs: tuple[torch.Tensor, ...],
    input_names: Sequence[str],
    output_names: Sequence[str],
    path: Path,
    metadata: Mapping[str, str],
) -> None:
    """Export a module whose inputs and outputs all have the batch as their first dimension.

    Args:
        module: in eval mode, on the CPU.
        example_inputs: one tensor per input, all of one batch of at least 2.
        input_names, output_names: as they shall stand in the file.
        path: written whole or not at all, weights included.
        metadata: provenance, read back by `Session.metadata`.

    Raises:
        ExportError: the module is in train mode, or cannot be exported with a dynamic batch.
    """
    training = _training(module)
    if training:
        raise ExportError(f"{_name(module)} is in train mode ({training[0]}); call .eval() before the export")
    if min(len(x) for x in example_inputs) < 2:
        raise ExportError("the example needs a batch of at least 2: a batch of 1 would be exported as a constant")
    scripted = any(isinstance(part, torch.jit.ScriptModule) for part in module.modules())
    batch = torch.export.Dim("batch", min=1, max=2**31 - 1)
    shapes = None if scripted else _dynamic_shapes(module, batch, len(example_inputs))
    try:
        with silence(), torch.no_grad():
            if scripted:
                model = _of_script(module, example_inputs, input_names, output_names)
            else:
                program = torch.onnx.export(
                    module,
                    example_inputs,
                    dynamo=True,
                    input_names=list(input_names),
                    output_names=list(output_names),
                    dynamic_shapes=shapes,
                    opset_version=graphs.OPSET,
                    external_data=False,
                    verbose=False,
                )
                assert program is not None
                model = program.model_proto
    except Exception as error:  # the export runs the module's own code, which may raise anything
        cause = _innermost(error)
        unknown = UNKNOWN_OP.search(str(cause))
        if unknown is not None and not scripted:
            where = _layer_of(unknown[1], module, example_inputs, shapes)
            raise ExportError(
                f"{_name(module)} cannot be exported to ONNX: {where} uses {unknown[1]}, for which ONNX has no "
                "operator; write that step with others (torch.onnx.ops, or plain arithmetic), or bring it as .onnx"
            ) from error
        raise ExportError(
            f"{_name(module)} cannot be exported to ONNX with a dynamic batch: {_first_line(cause)}"
        ) from error
    _check_batch(model, _name(module))
    graphs.strip_origins(model)
    graphs.set_metadata(model, metadata)
    graphs.save(model, path)


def _training(module: torch.nn.Module) -> list[str]:
    """Parts in train mode, by their paths; not those of torch.export, whose mode was fixed when they were made."""
    fixed = [name for name, part in module.named_modules() if isinstance(part, torch.fx.GraphModule)]

    def of_export(name: str) -> bool:
        return any(not root or name == root or name.startswith(f"{root}.") for root in fixed)

    parts = [name for name, part in module.named_modules() if part.training]
    return [name or "the module itself" for name in parts if not of_export(name)]


def _of_script(
    module: torch.nn.Module,
    example_inputs: tuple[torch.Tensor, ...],
    input_names: Sequence[str],
    output_names: Sequence[str],
) -> Any:
    """TorchScript goes through the exporter that was made for it; torch.export does not take it."""
    import onnx

    made = io.BytesIO()
    torch.onnx.export(
        module,
        example_inputs,
        made,  # type: ignore[arg-type]  # its stubs leave buffers out
        dynamo=False,
        input_names=list(input_names),
        output_names=list(output_names),
        dynamic_axes={name: {0: "batch"} for name in (*input_names, *output_names)},
        opset_version=graphs.OPSET,
    )
    return onnx.load_from_string(made.getvalue())


def on_numpy(module: torch.nn.Module, output_names: Sequence[str]) -> Callable[[Arrays], Arrays]:
    """The module on numpy arrays by name, in the order of its inputs: what `check_parity` compares with."""

    def run(inputs: Arrays) -> Arrays:
        with torch.no_grad():
            result = module(*(torch.from_numpy(value) for value in inputs.values()))
        results = result if isinstance(result, tuple) else (result,)
        return {name: value.numpy() for name, value in zip(output_names, results, strict=True)}

    return run


def _dynamic_shapes(module: torch.nn.Module, batch: Any, inputs: int) -> Any:
    """The first dimension of every input, whether ``forward`` names its inputs or takes ``*args``."""
    import inspect

    each = tuple({0: batch} for _ in range(inputs))
    parameters = inspect.signature(module.forward).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return (each,)
    return each


def _check_batch(model: Any, name: str) -> None:
    """A dimension that the exporter has fixed says so only here."""
    for value in (*model.graph.input, *model.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        if not dimensions or dimensions[0].HasField("dim_value"):
            raise ExportError(
                f"{name}: {value.name} came out with a fixed batch; use x.shape[0] or -1 where a batch size is written"
            )


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """torch.export and the ONNX exporter warn, log and print about themselves; what matters is raised."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        told = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _name(module: torch.nn.Module) -> str:
    return f"the network {type(module).__name__}"


def _layer_of(op: str, module: torch.nn.Module, example: tuple[torch.Tensor, ...], shapes: Any) -> str:
    """Which layer calls an operator such as ``aten.linalg_qr``, by its path in the module."""
    with silence(), torch.no_grad():
        program = torch.export.export(module, example, dynamic_shapes=shapes)
        for graph in (program.graph, program.run_decompositions().graph):
            for node in graph.nodes:
                stack = node.meta.get("nn_module_stack")
                if stack and str(node.target).startswith(f"{op}."):
                    path, kind = list(stack.values())[-1]
                    kind = kind if isinstance(kind, str) else kind.__name__
                    return f"the layer {path} ({kind.rpartition('.')[2]})" if path else "its forward()"
    return "it"


def _innermost(error: BaseException) -> BaseException:
    """The exporter wraps what went wrong in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"
