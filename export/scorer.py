"""The classifier with its loss as one model, ``x, label -> probabilities (n, K), measured (n,)``, for grid.onnx."""

from __future__ import annotations

from typing import Any

from shiftlens.core.errors import ExportError
from shiftlens.export import graphs, grid_parts
from shiftlens.export.bundle import Bundle

AS_PROBABILITIES = {"logits": grid_parts.of_logits, "probabilities": grid_parts.of_probabilities}


def prepared(bundle: Bundle, name: str) -> Any:
    """One model of a bundle with its functions inlined, in our opset.

    Raises:
        ExportError: it cannot be brought to it.
    """
    return graphs.inlined(graphs.load(bundle.folder / f"{name}.onnx"), f"{bundle.folder / name}.onnx")


def loss_model(bundle: Bundle) -> Any:
    """The loss of a bundle as an ONNX model, from its plugin: two inputs, probabilities and labels; one output.

    Raises:
        ExportError: the plugin offers none, or it is no such model.
    """
    component, settings = bundle.loss_component
    if component.onnx is None:
        raise ExportError(
            f"no fused grid can be made, because of the loss {component.name}: it has no ONNX form; use encoder, "
            "decoder and classifier one by one"
        )
    name = f"the ONNX form of the loss {component.name}"
    try:
        model = component.onnx(settings)
    except Exception as error:  # the plugin's own code, which may raise anything
        raise ExportError(f"{name} cannot be made: {type(error).__name__}: {error}") from error
    if not hasattr(model, "graph") or (len(model.graph.input), len(model.graph.output)) != (2, 1):
        raise ExportError(
            f"{name} must be an onnx.ModelProto: probabilities (N, K) and labels (N,) in, losses (N,) out"
        )
    return graphs.inlined(model, name)


def scorer(bundle: Bundle) -> Any:
    """The bundle's classifier, its probabilities and its loss as one model.

    Raises:
        ExportError: the bundle has no classifier, or its loss has no ONNX form.
    """
    from onnx import TensorProto, helper

    manifest = bundle.manifest
    if manifest.classifier_output is None:
        raise ExportError(
            "no fused grid can be made, because there is no classifier; use encoder and decoder one by one"
        )
    loss = graphs.prefixed(loss_model(bundle), "loss/")
    own = graphs.prefixed(prepared(bundle, "classifier"), "classifier/")
    (entry,), (result,) = bundle.classifier.inputs, bundle.classifier.outputs
    chances, label = (value.name for value in loss.graph.input)
    as_probabilities = AS_PROBABILITIES[manifest.classifier_output]
    nodes = [
        helper.make_node("Identity", ["x"], [f"classifier/{entry.name}"]),
        *own.graph.node,
        grid_parts.call(as_probabilities, [f"classifier/{result.name}"], ["probabilities"]),
        helper.make_node("Identity", ["probabilities"], [chances]),
        helper.make_node("Identity", ["label"], [label]),
        *loss.graph.node,
        helper.make_node("Identity", [loss.graph.output[0].name], ["measured"]),
    ]
    single = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "shiftlens-scorer",
        [
            helper.make_tensor_value_info("x", single, ["n", *manifest.sample_shape]),
            helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
        ],
        [
            helper.make_tensor_value_info("probabilities", single, ["n", len(manifest.classes)]),
            helper.make_tensor_value_info("measured", single, ["n"]),
        ],
        initializer=[*own.graph.initializer, *loss.graph.initializer],
    )
    return graphs.model_of(graph, (own, loss), (as_probabilities,))
