"""The classifier with its loss as one ONNX piece, ``x, label -> probabilities (n, K), measured (n,)``, for grid.onnx.

Its nodes between the classifier and the outputs stand here in ONNX's own text form, one text per loss.
"""

from __future__ import annotations

from typing import Any

from shiftlens.core.errors import ExportError
from shiftlens.export import graphs
from shiftlens.export.bundle import Bundle

AS_PROBABILITIES = {
    "logits": """
    probabilities = Softmax <axis = -1> (outputs)
""",
    "probabilities": """
    tiny = Constant <value_float = 1e-12> ()
    class_axis = Constant <value_ints = [1]> ()
    nothing = Constant <value_float = 0.0> ()
    positive = Max (outputs, nothing)
    total = ReduceSum <keepdims = 1> (positive, class_axis)
    total_above_zero = Max (total, tiny)
    probabilities = Div (positive, total_above_zero)
""",
}
CONSTANTS = """
    zero = Constant <value_int = 0> ()
    one = Constant <value_int = 1> ()
    two = Constant <value_ints = [2]> ()
    onef = Constant <value_float = 1.0> ()
    second_axis = Constant <value_ints = [1]> ()
"""
CHOSEN = """
    label_column = Unsqueeze (label, second_axis)
    chosen_column = GatherElements <axis = 1> (probabilities, label_column)
    chosen = Squeeze (chosen_column, second_axis)
"""
# The losses that can be measured inside the graph, by their plugin's name; tests compare each with its plugin.
MEASURED = {
    "cross-entropy": CHOSEN
    + """
    smallest = Constant <value_float = {eps}> ()
    chosen_above_zero = Max (chosen, smallest)
    log_chosen = Log (chosen_above_zero)
    measured = Neg (log_chosen)
""",
    "brier": CHOSEN
    + """
    squares = Mul (probabilities, probabilities)
    sum_of_squares = ReduceSum <keepdims = 0> (squares, second_axis)
    twice_chosen = Add (chosen, chosen)
    without_chosen = Sub (sum_of_squares, twice_chosen)
    measured = Add (without_chosen, onef)
""",
    "entropy": """
    least = Constant <value_float = 1e-30> ()
    above_zero = Max (probabilities, least)
    logarithms = Log (above_zero)
    products = Mul (probabilities, logarithms)
    sum_of_products = ReduceSum <keepdims = 0> (products, second_axis)
    measured = Neg (sum_of_products)
""",
    "margin": """
    best, which = TopK <axis = 1> (probabilities, two)
    best_first = Gather <axis = 1> (best, zero)
    best_second = Gather <axis = 1> (best, one)
    lead = Sub (best_first, best_second)
    measured = Sub (onef, lead)
""",
}


def scorer(bundle: Bundle, classifier: Any) -> Any:
    """The bundle's classifier model, its probabilities and its loss as one model.

    Args:
        classifier: the model of classifier.onnx, in the opset of the fused graph.

    Raises:
        ExportError: the bundle has no classifier, or its loss cannot be written as ONNX.
    """
    from onnx import TensorProto, helper

    manifest = bundle.manifest
    if manifest.classifier_output is None or manifest.loss.name not in MEASURED:
        what = "there is no classifier" if manifest.classifier_output is None else f"of the loss {manifest.loss.name}"
        raise ExportError(f"no fused grid can be made, because {what}; use encoder, decoder and classifier one by one")
    (entry,), (result,) = bundle.classifier.inputs, bundle.classifier.outputs
    own = graphs.prefixed(classifier, "classifier/")
    nodes = [
        helper.make_node("Identity", ["x"], [f"classifier/{entry.name}"]),
        *own.graph.node,
        helper.make_node("Identity", [f"classifier/{result.name}"], ["outputs"]),
        *graphs.glue(CONSTANTS),
        *graphs.glue(AS_PROBABILITIES[manifest.classifier_output]),
        *graphs.glue(MEASURED[manifest.loss.name].format(eps=manifest.loss.settings.get("eps"))),
    ]
    used = {name for node in nodes for name in node.input}  # a loss does not need every constant
    nodes = [node for node in nodes if node.op_type != "Constant" or node.output[0] in used or "/" in node.output[0]]
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
        initializer=own.graph.initializer,
    )
    return helper.make_model(graph, opset_imports=own.opset_import, ir_version=own.ir_version)
