"""A model of Triton's Python backend: runs the ONNX file beside this one with ONNX Runtime.

Needs numpy and onnxruntime in Triton's Python. Written by shiftlens; the same file serves every model of the bundle.
"""

import json
import os
from pathlib import Path

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime reads it when it is loaded: no queue on disk, no upload
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """One instance of one model."""

    def initialize(self, args):
        """Open the ONNX file on what the instance group says."""
        config = json.loads(args["model_config"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(config["parameters"]["intra_op_thread_count"]["string_value"])
        options.log_severity_level = 4  # what goes wrong is sent to the client
        providers = ["CPUExecutionProvider"]
        if args["model_instance_kind"] == "GPU":
            if hasattr(onnxruntime, "preload_dlls"):
                onnxruntime.preload_dlls()
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": args["model_instance_device_id"]}))
        path = Path(__file__).with_name("model.onnx")
        self.session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        self.inputs = [tensor.name for tensor in self.session.get_inputs()]
        self.outputs = [tensor.name for tensor in self.session.get_outputs()]
        self.batched = config["max_batch_size"] > 0

    def execute(self, requests):
        """One response for each request: its outputs, or what is wrong with it."""
        feeds = [self._feed(request) for request in requests]
        sound = [feed for feed in feeds if isinstance(feed, dict)]
        together = iter(self._run_together(sound) if self.batched and len(sound) > 1 else map(self._run, sound))
        return [_response(next(together) if isinstance(feed, dict) else feed) for feed in feeds]

    def _feed(self, request):
        """The inputs of a request by name, or an error."""
        feed = {}
        for name in self.inputs:
            tensor = pb_utils.get_input_tensor_by_name(request, name)
            if tensor is not None:
                feed[name] = tensor.as_numpy()
                if feed[name].dtype.kind == "f" and not np.isfinite(feed[name]).all():
                    return ValueError(f"{name} has values that are not finite")
        if "loss" in self.inputs and "loss" not in feed:  # of a grid: to be measured
            feed["loss"] = np.full((len(feed["source"]), 2), -1, dtype=np.float32)
        return feed

    def _run(self, feed):
        """The outputs of one request by name, or an error."""
        try:
            return dict(zip(self.outputs, self.session.run(self.outputs, feed), strict=True))
        except Exception as error:  # ONNX Runtime's exceptions share no base of their own
            return error

    def _run_together(self, feeds):
        """The outputs of several requests from one call; each alone where one of them does not fit."""
        sizes = [len(feed[self.inputs[0]]) for feed in feeds]
        try:
            joined = {name: np.concatenate([feed[name] for feed in feeds]) for name in self.inputs}
            made = self._run(joined)
        except (KeyError, ValueError) as error:
            made = error
        if isinstance(made, Exception):
            return [self._run(feed) for feed in feeds]
        cuts = np.cumsum(sizes)[:-1]
        split = {name: np.split(values, cuts) for name, values in made.items()}
        return [{name: split[name][number] for name in split} for number in range(len(feeds))]


def _response(made):
    if isinstance(made, Exception):
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(made)))
    tensors = [pb_utils.Tensor(name, np.ascontiguousarray(values)) for name, values in made.items()]
    return pb_utils.InferenceResponse(output_tensors=tensors)
