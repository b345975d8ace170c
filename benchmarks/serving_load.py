"""The client of serving.py, run in the environment that has tritonclient: asyncio over gRPC, results as JSON on stdout.

python serving_load.py ADDRESS MODEL INPUTS.npz CONCURRENCY (SECONDS | --requests N)
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import numpy as np
import tritonclient.grpc.aio as client
from tritonclient.utils import np_to_triton_dtype


async def load(address: str, model: str, path: str, concurrency: int, seconds: float, most: int) -> dict[str, object]:
    """Ask without a pause, each of the tasks one request at a time; latencies in milliseconds."""
    tensors = []
    for name, values in np.load(path, allow_pickle=False).items():
        tensor = client.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
        tensor.set_data_from_numpy(values)
        tensors.append(tensor)
    latencies: list[float] = []
    errors: list[str] = []
    begun = 0
    async with client.InferenceServerClient(address) as connection:
        for _ in range(3):
            await connection.infer(model, tensors)
        started = time.perf_counter()

        async def task() -> None:
            nonlocal begun
            while begun < most and time.perf_counter() - started < seconds:
                begun += 1
                before = time.perf_counter()
                try:
                    await connection.infer(model, tensors)
                except Exception as error:  # counted, whatever it is
                    errors.append(str(error))
                latencies.append(1000 * (time.perf_counter() - before))

        await asyncio.gather(*(task() for _ in range(concurrency)))
        took = time.perf_counter() - started
    return {
        "requests": len(latencies),
        "per_second": len(latencies) / took,
        "p50": float(np.percentile(latencies, 50)),
        "p99": float(np.percentile(latencies, 99)),
        "errors": len(errors),
        "first_error": errors[0] if errors else "",
    }


if __name__ == "__main__":
    address, model, path, concurrency = sys.argv[1:5]
    fixed = int(sys.argv[sys.argv.index("--requests") + 1]) if "--requests" in sys.argv else 0
    limit = 1e9 if fixed else float(sys.argv[5])
    print(json.dumps(asyncio.run(load(address, model, path, int(concurrency), limit, fixed or 10**9))))
