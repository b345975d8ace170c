"""A client of the v2 protocol, run in the environment that has tritonclient: asks a server what a folder's files say.

python ask.py http|grpc ADDRESS MODEL FOLDER [--plain] [--together]: every FOLDER/NAME.npz holds the inputs of one
request; its outputs are written to NAME.PROTOCOL.out.npz, or the server's error to NAME.PROTOCOL.error.txt. ``--plain``
sends JSON instead of binary tensors over HTTP. ``--together`` (gRPC only) sends all of them at once, and prints how
often the server ran the model for them.

python ask.py config FILE ...: parses each config.pbtxt with Triton's own protobuf schema and prints it as JSON.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np


def ask(protocol: str, address: str, model: str, folder: Path, plain: bool, together: bool) -> None:
    """Send every request of a folder, one after the other or all at once."""
    import importlib

    client = importlib.import_module(f"tritonclient.{protocol}")
    from tritonclient.utils import InferenceServerException, np_to_triton_dtype

    http = protocol == "http"
    connection = client.InferenceServerClient(address)
    names = [output["name"] if http else output.name for output in _outputs(connection.get_model_metadata(model))]

    def send(path: Path) -> None:
        tensors = []
        for name, values in np.load(path, allow_pickle=False).items():
            tensor = client.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
            tensor.set_data_from_numpy(values, **({"binary_data": not plain} if http else {}))
            tensors.append(tensor)
        wanted = [client.InferRequestedOutput(name, **({"binary_data": not plain} if http else {})) for name in names]
        base = str(path).removesuffix(".npz") + f".{protocol}"
        try:
            answer = connection.infer(model, tensors, outputs=wanted)
            np.savez(f"{base}.out.npz", **{name: answer.as_numpy(name) for name in names})
        except InferenceServerException as error:
            Path(f"{base}.error.txt").write_text(str(error))

    paths = [path for path in sorted(folder.glob("*.npz")) if not path.name.endswith(".out.npz")]
    if together:
        before = _executions(connection, model)
        with ThreadPoolExecutor(len(paths)) as pool:
            list(pool.map(send, paths))
        print(_executions(connection, model) - before)
    else:  # here and in no thread of its own: the client for HTTP can be used by the thread that made it alone
        for path in paths:
            send(path)


def _executions(connection, model) -> int:
    """How often the server has run a model; one run may serve several requests."""
    statistics = connection.get_inference_statistics(model, as_json=True)["model_stats"][0]
    return int(statistics.get("execution_count", 0))


def _outputs(metadata):
    return metadata["outputs"] if isinstance(metadata, dict) else metadata.outputs


def configurations(paths: list[str]) -> None:
    """Print each model configuration as one line of JSON, with the schema's own names."""
    from google.protobuf import json_format, text_format
    from tritonclient.grpc import model_config_pb2

    for path in paths:
        parsed = text_format.Parse(Path(path).read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
        print(json_format.MessageToJson(parsed, preserving_proto_field_name=True, indent=None))


if __name__ == "__main__":
    if sys.argv[1] == "config":
        configurations(sys.argv[2:])
    else:
        ask(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]), "--plain" in sys.argv, "--together" in sys.argv)
