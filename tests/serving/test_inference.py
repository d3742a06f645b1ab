"""Who is not let in, and a service that cannot score, are told alike over REST and gRPC."""

import asyncio

import grpc
import httpx
import pytest
from grpc import StatusCode
from starlette.applications import Starlette

from models.artifact import Artifact
from models.errors import Rejected
from serving.batching import Batcher
from serving.grpc_calls import GrpcCalls
from serving.inference import PREDICT, Inference
from serving.messages import SERVICE, Messages
from serving.rest import RestRoutes
from serving.tensors import pack

MESSAGES = Messages()
KEYS = {"sesame": {"predict", "read"}, "reader": {"read"}}


def admit(key, permission):
    """As keys would be checked."""
    if key == "too often":
        raise Rejected(429, "too many requests")
    if key not in KEYS:
        raise Rejected(401, "no such key")
    if permission not in KEYS[key]:
        raise Rejected(403, f"this key may not {permission}")


@pytest.fixture(scope="module")
def inference(trained):
    """The model, with nobody who scores behind it."""
    return Inference(Artifact(trained.folder, ""), Batcher(8, 8), 100, 5.0, admit)


def over_rest(inference, key):
    """Status, code and `Retry-After` of a good request over REST."""
    tensors = [
        {"name": f.name, "shape": [1], "datatype": "BYTES" if f.type == "categorical" else "FP64", "data": [value]}
        for f, value in good(inference)
    ]

    async def ask():
        app = Starlette(routes=RestRoutes(inference, 1 << 20).routes())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            headers = {"x-api-key": key} if key else {}
            answer = await client.post(f"/v2/models/{inference.name}/infer", json={"inputs": tensors}, headers=headers)
            described = await client.get(f"/v2/models/{inference.name}", headers=headers)
            live, ready = await client.get("/v2/health/live"), await client.get("/v2/health/ready")
            assert (live.status_code, ready.status_code) == (200, 503)
        return answer.status_code, described.status_code, answer.headers.get("retry-after")

    return asyncio.run(ask())


def over_grpc(inference, key):
    """The same over gRPC."""
    request = MESSAGES["ModelInferRequest"](model_name=inference.name)
    for feature, value in good(inference):
        datatype = "BYTES" if feature.type == "categorical" else "FP64"
        request.inputs.add(name=feature.name, datatype=datatype, shape=[1])
        request.raw_input_contents.append(pack(datatype, [value]))
    metadata = [("authorization", f"Bearer {key}")] if key else []

    async def ask():
        server = grpc.aio.server()
        server.add_registered_method_handlers(SERVICE, GrpcCalls(inference, MESSAGES).handlers())
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        codes, pushback = [], None
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            described = MESSAGES["ModelMetadataRequest"](name=inference.name)
            for call, body in (("ModelInfer", request), ("ModelMetadata", described)):
                asked = channel.unary_unary(f"/{SERVICE}/{call}")(body.SerializeToString(), metadata=metadata)
                codes.append(await asked.code())
                pushback = pushback or dict(await asked.trailing_metadata()).get("grpc-retry-pushback-ms")
            ready = await channel.unary_unary(f"/{SERVICE}/ServerReady")(b"")
            assert not MESSAGES["ServerReadyResponse"].FromString(ready).ready
        await server.stop(None)
        return (*codes, pushback)

    return asyncio.run(ask())


def good(inference):
    """Each feature with a value that it allows."""
    for f in inference.decoder.schema.dataset.features:
        yield f, f.categories[0] if f.type == "categorical" else float(int(f.lowest) + 1)


@pytest.mark.parametrize(
    ("key", "rest", "rpc"),
    [
        (None, (401, 401, None), (StatusCode.UNAUTHENTICATED, StatusCode.UNAUTHENTICATED, None)),
        ("wrong", (401, 401, None), (StatusCode.UNAUTHENTICATED, StatusCode.UNAUTHENTICATED, None)),
        ("reader", (403, 200, None), (StatusCode.PERMISSION_DENIED, StatusCode.OK, None)),
        ("too often", (429, 429, "1"), (StatusCode.RESOURCE_EXHAUSTED, StatusCode.RESOURCE_EXHAUSTED, "1000")),
        ("sesame", (503, 200, "1"), (StatusCode.UNAVAILABLE, StatusCode.OK, "1000")),
    ],
)
def test_a_caller_is_told_the_same_over_rest_and_grpc(inference, key, rest, rpc):
    assert over_rest(inference, key) == rest
    assert over_grpc(inference, key) == rpc


def test_without_keys_everybody_is_let_in(trained):
    Inference(Artifact(trained.folder, ""), Batcher(8, 8), 100, 5.0).admit(dict, PREDICT)
