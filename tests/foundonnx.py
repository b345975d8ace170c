"""ONNX classifiers as other tools leave them: one network in many forms, built with onnx, skl2onnx and onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper
from realdata import digits

FLOAT16, FLOAT, DOUBLE, U8, I8, I32, I64 = T.FLOAT16, T.FLOAT, T.DOUBLE, T.UINT8, T.INT8, T.INT32, T.INT64


@cache
def fitted(binary: bool = False, values: int = 1) -> Any:
    """A linear classifier of digits ``(64,)`` in [0, values], by scikit-learn."""
    from sklearn.linear_model import LogisticRegression

    x, y = digits()
    return LogisticRegression(max_iter=2000).fit(x.reshape(len(x), -1) * values, y % 2 if binary else y)


def graph(
    path: Path,
    shape: list[Any],
    *middle: Any,
    entry: int = FLOAT,
    flat: str = "flat",
    outputs: list[Any] | None = None,
    weights: list[Any] | None = None,
    binary: bool = False,
    values: int = 1,
    number: int = FLOAT,
    opset: int = 17,
    ir: int = 8,
    metadata: dict[str, str] | None = None,
    **more: Any,
) -> Path:
    """``middle`` turns ``x`` into ``flat``, the linear classifier follows and makes ``y``."""
    model = fitted(binary, values)
    kind = helper.tensor_dtype_to_np_dtype(number)
    own = [
        numpy_helper.from_array(np.ascontiguousarray(model.coef_.T.astype(kind)), "w"),
        numpy_helper.from_array(model.intercept_.astype(kind), "b"),
        *(weights or []),
    ]
    nodes = [*middle, helper.make_node("Gemm", [flat, "w", "b"], ["y"]), *more.get("after", [])]
    outputs = outputs or [("y", number, [shape[0], len(model.coef_)])]
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "g",
            [
                helper.make_tensor_value_info("x", entry, shape),
                *[helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in own if ir < 4],
                *more.get("inputs", []),
            ],
            [helper.make_tensor_value_info(*output) for output in outputs],
            own,
        ),
        opset_imports=[helper.make_opsetid("", opset), *more.get("imports", [])],
        ir_version=ir,
    )
    for key, value in (metadata or {}).items():
        made.metadata_props.add(key=key, value=value)
    onnx.save(made, path)
    return path


def node(op: str, *names: str, **attributes: Any) -> Any:
    """``op`` from all names but the last to the last."""
    return helper.make_node(op, list(names[:-1]), [names[-1]], **attributes)


def ints(name: str, *values: int) -> Any:
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


FLATTEN = node("Flatten", "x", "flat")
FROM_BYTES = (
    node("Cast", "x", "wide", to=FLOAT),
    node("Div", "wide", "most", "shares"),
    node("Flatten", "shares", "flat"),
)
MOST = numpy_helper.from_array(np.array(255, dtype=np.float32), "most")


def _reshaped(path: Path, batch: int, *shape: int) -> Path:
    return graph(path, [batch, 1, 8, 8], node("Reshape", "x", "to", "flat"), weights=[ints("to", *shape)])


def _stuck(path: Path, batch: int) -> Path:
    """A graph through whose shapes the batch cannot be freed."""
    return graph(
        path,
        [batch, 1, 8, 8],
        node("Reshape", "x", "line", "all"),
        node("Add", "all", "zeros", "raised"),
        node("Reshape", "raised", "back", "flat"),
        weights=[
            ints("line", -1),
            ints("back", batch, 64),
            numpy_helper.from_array(np.zeros(64 * batch, dtype=np.float32), "zeros"),
        ],
    )


def _external(path: Path, **how: Any) -> Path:
    graph(path, ["N", 1, 8, 8], FLATTEN)
    onnx.save(onnx.load(path), path, save_as_external_data=True, size_threshold=0, **how)
    return path


def _sklearn(path: Path, make: Callable[[Any, Any], Any], strings: bool = False, **options: Any) -> Path:
    from skl2onnx import to_onnx

    x, y = digits()
    flat = x.reshape(len(x), -1).astype(np.float32)
    labels = np.array([f"digit {i}" for i in y]) if strings else y
    model = make(flat[:600], labels[:600])
    onnx.save(to_onnx(model, flat[:1], target_opset=17, options=options.get("options")), path)
    return path


def _by_column(path: Path) -> Path:
    """A scikit-learn pipeline with one input for each column, as of a data frame."""
    import pandas
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = digits()
    frame = pandas.DataFrame(x.reshape(len(x), -1)[:600], columns=[f"p{i}" for i in range(64)])
    scaled = ColumnTransformer([("all", StandardScaler(), list(frame.columns))])
    model = make_pipeline(scaled, LogisticRegression(max_iter=500)).fit(frame, y[:600])
    kinds = [(name, FloatTensorType([None, 1])) for name in reversed(list(frame.columns))]
    onnx.save(convert_sklearn(model, initial_types=kinds, target_opset=17), path)
    return path


def _forest(x: Any, y: Any) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(30, random_state=0).fit(x, y)


def _boosted(x: Any, y: Any) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(n_estimators=8, random_state=0).fit(x, y)


def _scaled(x: Any, y: Any) -> Any:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), MLPClassifier((24,), max_iter=300, random_state=0)).fit(x, y)


def _linear(x: Any, y: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=2000).fit(x, y)


def _quantised(path: Path, how: str) -> Path:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static

    x = digits()[0].reshape(-1, 1, 1, 8, 8).astype(np.float32)
    softmax = [node("Softmax", "y", "p", axis=1)]
    plain = graph(
        path.with_name("plain.onnx"), ["N", 1, 8, 8], FLATTEN, after=softmax, outputs=[("p", FLOAT, ["N", 10])]
    )

    class Some(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter([{"x": one} for one in x[:100]])

        def get_next(self) -> Any:
            return next(self.left, None)

    if how == "dynamic":
        quantize_dynamic(plain, path)
    else:
        quantize_static(plain, path, Some(), quant_format=QuantFormat[how])
    plain.unlink()
    return path


def _labelled(path: Path) -> Path:
    after = [node("ArgMax", "y", "label", axis=1, keepdims=0), node("Softmax", "y", "probabilities", axis=1)]
    return graph(
        path,
        ["N", 1, 8, 8],
        FLATTEN,
        after=after,
        outputs=[("label", I64, ["N"]), ("probabilities", FLOAT, ["N", 10])],
    )


def _one(path: Path, last: str | None, *shape: Any) -> Path:
    after = [node(last, "y", "p")] if last else [node("Identity", "y", "p")]
    if len(shape) == 1:
        after = [*after[:-1], node(last or "Identity", "y", "q"), node("Squeeze", "q", "axis", "p")]
    return graph(
        path,
        ["N", 1, 8, 8],
        FLATTEN,
        after=after,
        outputs=[("p", FLOAT, list(shape))],
        weights=[ints("axis", 1)] if len(shape) == 1 else None,
        binary=True,
    )


def _function(path: Path) -> Path:
    """The linear part in a function of the model's own, as torch's newer exporter writes them."""
    graph(path, ["N", 1, 8, 8], FLATTEN)
    model = onnx.load(path)
    gemm = model.graph.node.pop()
    model.functions.append(
        helper.make_function(
            "own", "Linear", ["a", "w", "b"], ["c"], [node("Gemm", "a", "w", "b", "c")], [helper.make_opsetid("", 17)]
        )
    )
    model.graph.node.append(helper.make_node("Linear", list(gemm.input), list(gemm.output), domain="own"))
    model.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(model, path)
    return path


LAST = (node("Transpose", "x", "first", perm=[0, 3, 1, 2]), node("Flatten", "first", "flat"))
EMBEDDED = [("flat", FLOAT, ["N", 64]), ("y", FLOAT, ["N", 10])]
FIRST_OF_THREE = (node("Slice", "x", "zero", "one", "axis", "grey"), node("Flatten", "grey", "flat"))
SLICES = [ints("zero", 0), ints("one", 1), ints("axis", 1)]

# What is taken, by name: how the file is made, and what the outputs mean (``binary``: two classes).
KINDS: dict[str, Callable[[Path], Path]] = {
    "plain": lambda p: graph(p, ["N", 1, 8, 8], FLATTEN),
    "dynamic without names": lambda p: graph(
        p, [None, None, None, None], FLATTEN, outputs=[("y", FLOAT, [None, None])]
    ),
    "opset 9": lambda p: graph(p, ["N", 1, 8, 8], FLATTEN, opset=9, ir=4),
    "weights are inputs, too (IR 3)": lambda p: graph(p, ["N", 1, 8, 8], FLATTEN, opset=8, ir=3),
    "batch of 1": lambda p: graph(p, [1, 1, 8, 8], FLATTEN),
    "batch of 16": lambda p: graph(p, [16, 1, 8, 8], FLATTEN),
    "batch of 1 in a Reshape": lambda p: _reshaped(p, 1, 1, 64),
    "batch of 4 in a Reshape with a free side": lambda p: _reshaped(p, 4, 4, -1),
    "batch of 1 that cannot be freed": lambda p: _stuck(p, 1),
    "batch of 5 that cannot be freed": lambda p: _stuck(p, 5),
    "batch of 1 in opset 9": lambda p: graph(p, [1, 1, 8, 8], FLATTEN, opset=9, ir=4),
    "channels last": lambda p: graph(p, ["N", 8, 8, 1], *LAST),
    "channels last, all free, as of tf2onnx": lambda p: graph(p, ["unk__1", "unk__2", "unk__3", "unk__4"], *LAST),
    "channels last, batch of 1": lambda p: graph(p, [1, 8, 8, 1], *LAST),
    "no channels": lambda p: graph(p, ["N", 8, 8], FLATTEN),
    "no channels, batch of 1": lambda p: graph(p, [1, 8, 8], FLATTEN),
    "flat": lambda p: graph(p, ["N", 64], FLATTEN),
    "an axis more": lambda p: graph(p, ["N", 1, 1, 8, 8], FLATTEN),
    "colour": lambda p: graph(p, ["N", 3, 8, 8], *FIRST_OF_THREE, weights=SLICES),
    "bytes": lambda p: graph(p, ["N", 1, 8, 8], *FROM_BYTES, entry=U8, weights=[MOST]),
    "bytes, channels last, batch of 1": lambda p: graph(p, [1, 8, 8, 1], *FROM_BYTES, entry=U8, weights=[MOST]),
    "32-bit integers": lambda p: graph(p, ["N", 1, 8, 8], *FROM_BYTES, entry=I32, weights=[MOST]),
    "half precision": lambda p: graph(p, ["N", 1, 8, 8], FLATTEN, entry=FLOAT16, number=FLOAT16),
    "double precision": lambda p: graph(p, ["N", 1, 8, 8], FLATTEN, entry=DOUBLE, number=DOUBLE),
    "softmax": lambda p: graph(
        p, ["N", 1, 8, 8], FLATTEN, after=[node("Softmax", "y", "p", axis=1)], outputs=[("p", FLOAT, ["N", 10])]
    ),
    "log softmax": lambda p: graph(
        p, ["N", 1, 8, 8], FLATTEN, after=[node("LogSoftmax", "y", "p", axis=1)], outputs=[("p", FLOAT, ["N", 10])]
    ),
    "two axes of one at the end": lambda p: graph(
        p,
        ["N", 1, 8, 8],
        FLATTEN,
        after=[node("Reshape", "y", "to", "p")],
        outputs=[("p", FLOAT, ["N", 10, 1, 1])],
        weights=[ints("to", -1, 10, 1, 1)],
    ),
    "label and probabilities": _labelled,
    "an embedding before the logits": lambda p: graph(p, ["N", 1, 8, 8], FLATTEN, outputs=EMBEDDED),
    "logits twice, under two names": lambda p: graph(
        p,
        ["N", 1, 8, 8],
        FLATTEN,
        after=[node("Softmax", "y", "p", axis=1)],
        outputs=[("p", FLOAT, ["N", 10]), ("y", FLOAT, ["N", 10])],
    ),
    "a flag of training": lambda p: graph(
        p,
        ["N", 1, 8, 8],
        node("Flatten", "x", "flat"),
        node("Not", "training", "serving"),
        inputs=[helper.make_tensor_value_info("training", T.BOOL, [])],
    ),
    "class names in the metadata": lambda p: graph(
        p, ["N", 1, 8, 8], FLATTEN, metadata={"names": str({i: str(i) for i in range(10)})}
    ),
    "a function of its own": _function,
    "weights in model.onnx_data": lambda p: _external(p, location="model.onnx_data"),
    "weights in a file each": lambda p: _external(p, all_tensors_to_one_file=False),
    "one sigmoid (N, 1), binary": lambda p: _one(p, "Sigmoid", "N", 1),
    "one sigmoid (N,), binary": lambda p: _one(p, "Sigmoid", "N"),
    "one logit (N, 1), binary": lambda p: _one(p, None, "N", 1),
    "scikit-learn, ZipMap": lambda p: _sklearn(p, _linear),
    "scikit-learn, ZipMap of names": lambda p: _sklearn(p, _linear, strings=True),
    "scikit-learn, no ZipMap": lambda p: _sklearn(p, _linear, options={"zipmap": False}),
    "scikit-learn, an output for each class": lambda p: _sklearn(p, _linear, options={"zipmap": "columns"}),
    "scikit-learn, a forest": lambda p: _sklearn(p, _forest),
    "scikit-learn, boosted trees": lambda p: _sklearn(p, _boosted),
    "scikit-learn, a pipeline": lambda p: _sklearn(p, _scaled),
    "scikit-learn, an input for each column": _by_column,
    "dynamic int8": lambda p: _quantised(p, "dynamic"),
    "static int8, QDQ": lambda p: _quantised(p, "QDQ"),
    "static int8, QOperator": lambda p: _quantised(p, "QOperator"),
}
