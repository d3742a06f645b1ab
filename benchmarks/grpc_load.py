"""Load over gRPC: `ModelInfer` calls of the Open Inference Protocol, a fixed number in flight.

    python -m benchmarks.grpc_load    one JSON object per line in (`Load`), one per line out (`Measured`)

The messages equal those of an unmodified `tritonclient`, one tensor per feature with raw contents. They are made before
the clock starts; of a response only the length is checked. Each channel is a separate connection. `grpc.aio` takes some
90 us of a core per call, so it is no bottleneck below 10,000 calls/s; `busy` shows when it comes close.
"""

import asyncio
import gc
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import msgspec
import uvloop
from tritonclient.grpc import service_pb2

from benchmarks.measurement import PATIENCE_S, Load, Measured, Window

CALL = "/inference.GRPCInferenceService/ModelInfer"
CHANNELS = 8


def message(model: str, applicant: dict[str, Any]) -> bytes:
    """One applicant as a `ModelInferRequest`; text is BYTES, a whole number INT64, another number FP64."""
    request = service_pb2.ModelInferRequest(model_name=model)
    for name, value in applicant.items():
        if isinstance(value, str):
            encoded = value.encode()
            datatype, raw = "BYTES", struct.pack("<I", len(encoded)) + encoded
        elif isinstance(value, int):
            datatype, raw = "INT64", struct.pack("<q", value)
        else:
            datatype, raw = "FP64", struct.pack("<d", value)
        request.inputs.add(name=name, datatype=datatype, shape=[1])
        request.raw_input_contents.append(raw)
    made: bytes = request.SerializeToString()
    return made


def probability(answer: bytes) -> float:
    """The first value of the output `probability`, raw or typed."""
    response = service_pb2.ModelInferResponse.FromString(answer)
    index = next(index for index, output in enumerate(response.outputs) if output.name == "probability")
    if response.raw_output_contents:
        return float(struct.unpack_from("<d", response.raw_output_contents[index])[0])
    return float(response.outputs[index].contents.fp64_contents[0])


def ask(port: int, sent: bytes) -> float:
    """The probability that a server returns for one message; raises `grpc.RpcError`."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return probability(channel.unary_unary(CALL)(sent, timeout=10))


async def caller(call: Any, ready: Sequence[bytes], first: int, window: Window) -> None:
    """Make one call after another until the window closes."""
    following, now_s = first, 0.0
    while now_s < window.end_s:
        following = (following + 1) % len(ready)
        sent_s = time.perf_counter()
        answer = await call(ready[following])
        now_s = time.perf_counter()
        if not answer:
            raise ConnectionError("an empty response")
        window.responses += 1
        if window.begin_s <= now_s < window.end_s:
            window.taken_s.append(now_s - sent_s)


async def run(load: Load, ready: Sequence[bytes]) -> Measured:
    """Put one load on a server; `load.connections` is the number of calls in flight."""
    # Without a pool of their own, channels to the same address share a connection.
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [
        grpc.aio.insecure_channel(f"127.0.0.1:{load.port}", options) for _ in range(min(CHANNELS, load.connections))
    ]
    started_s, cpu_s = time.perf_counter(), time.process_time()
    window = Window(load.connections, started_s + load.lead_s, started_s + load.lead_s + load.seconds)
    try:
        async with asyncio.timeout(load.lead_s + load.seconds + PATIENCE_S):
            await asyncio.gather(
                *(
                    caller(
                        channels[index % len(channels)].unary_unary(CALL),
                        ready,
                        index * len(ready) // load.connections,
                        window,
                    )
                    for index in range(load.connections)
                )
            )
    except (grpc.RpcError, OSError) as error:  # TimeoutError is an OSError
        return Measured(error=str(error) or f"no response for {PATIENCE_S} s")
    finally:
        for channel in channels:
            await channel.close()
    return window.measured(time.process_time() - cpu_s, time.perf_counter() - started_s)


def main() -> None:
    """Write one measurement per line of input."""
    gc.disable()
    made: dict[tuple[str, str], list[bytes]] = {}
    for line in sys.stdin.buffer:
        load = msgspec.json.decode(line, type=Load)
        if (load.path, load.bodies) not in made:
            rows = (msgspec.json.decode(body)["applicants"][0] for body in Path(load.bodies).read_bytes().splitlines())
            made[load.path, load.bodies] = [message(load.path, row) for row in rows]
        measured = uvloop.run(run(load, made[load.path, load.bodies]))
        gc.collect()
        sys.stdout.buffer.write(msgspec.json.encode(measured) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
