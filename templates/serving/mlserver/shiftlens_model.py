"""A runtime of MLServer: serves one ONNX file with ONNX Runtime.

Needs numpy and onnxruntime beside mlserver. Written by shiftlens; the same file serves every model of the bundle.
"""

import asyncio
import os

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime reads it when it is loaded: no queue on disk, no upload
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceResponse
from mlserver.utils import get_model_uri


class OnnxModel(MLModel):
    """One model of the bundle."""

    async def load(self):
        """Open the ONNX file."""
        extra = self.settings.parameters.extra
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = extra["threads"]
        options.log_severity_level = 4  # what goes wrong is sent to the client
        self.max_batch = extra.get("max_batch")
        path = await get_model_uri(self.settings)
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.wanted = [tensor.name for tensor in self.session.get_inputs()]
        self.given = [tensor.name for tensor in self.session.get_outputs()]
        return True

    async def predict(self, payload):
        """The outputs of one request; the work is done in a thread, so that the server goes on answering."""
        feed = self._feed(payload)
        results = await asyncio.to_thread(self._run, feed)
        outputs = [_encoded(name, values) for name, values in zip(self.given, results, strict=True)]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)

    def _feed(self, payload):
        """The inputs by name.

        Raises:
            InferenceError: one cannot be used.
        """
        feed = {}
        for entry in payload.inputs:
            try:
                feed[entry.name] = NumpyCodec.decode_input(entry)
            except (ValueError, TypeError, KeyError) as error:
                raise InferenceError(f"{entry.name} cannot be read: {error}") from None
            if feed[entry.name].dtype.kind == "f" and not np.isfinite(feed[entry.name]).all():
                raise InferenceError(f"{entry.name} has values that are not finite")
            if self.max_batch is not None and len(feed[entry.name]) > self.max_batch:
                raise InferenceError(f"{entry.name} has a batch above {self.max_batch}; send it in parts")
        if "loss" in self.wanted and "loss" not in feed and "source" in feed:  # of a grid: to be measured
            feed["loss"] = np.full((len(feed["source"]), 2), -1, dtype=np.float32)
        return feed

    def _run(self, feed):
        try:
            return self.session.run(self.given, feed)
        except Exception as error:  # ONNX Runtime's exceptions share no base of their own
            raise InferenceError(str(error)) from None


def _encoded(name, values):
    """An output of the shape that it has: MLServer makes columns of vectors."""
    output = NumpyCodec.encode_output(name, values)
    output.shape = list(values.shape)
    return output
