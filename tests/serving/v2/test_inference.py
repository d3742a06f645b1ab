"""A service that cannot score is told alike over REST and gRPC."""

import asyncio

import grpc
import httpx
import pytest
from grpc import StatusCode
from starlette.applications import Starlette

from configs.service import read_service
from models.artifact import Artifact
from serving.access.authenticator import Authenticator
from serving.access.grpc_access import GrpcAccess
from serving.access.middleware import AccessMiddleware, AccessPolicy
from serving.batching import Batcher
from serving.v2.grpc_calls import GrpcCalls
from serving.v2.grpc_core import GrpcCore
from serving.v2.inference import Inference
from serving.v2.message_reader import MessageReader
from serving.v2.messages import SERVICE, Messages
from serving.v2.rest import RestRoutes
from serving.v2.tensors import pack

MESSAGES = Messages()


@pytest.fixture(scope="module")
def inference(trained):
    """The model, with nobody who scores behind it."""
    return Inference(Artifact(trained.folder, ""), Batcher(8, 8, 1.0), 100, 5.0)


def over_rest(inference):
    """Status of a good request and of the metadata over REST, and `Retry-After`."""
    tensors = [
        {"name": f.name, "shape": [1], "datatype": "BYTES" if f.type == "categorical" else "FP64", "data": [value]}
        for f, value in good(inference)
    ]

    async def ask():
        routes = Starlette(routes=RestRoutes(inference, 1 << 20).routes())
        app = AccessMiddleware(routes, AccessPolicy(Authenticator(None), open_to_network=True))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            answer = await client.post(f"/v2/models/{inference.name}/infer", json={"inputs": tensors})
            described = await client.get(f"/v2/models/{inference.name}")
            live, ready = await client.get("/v2/health/live"), await client.get("/v2/health/ready")
            assert (live.status_code, ready.status_code) == (200, 503)
        return answer.status_code, described.status_code, answer.headers.get("retry-after")

    return asyncio.run(ask())


def over_grpc(inference):
    """The same over gRPC."""
    request = MESSAGES["ModelInferRequest"](model_name=inference.name)
    for feature, value in good(inference):
        datatype = "BYTES" if feature.type == "categorical" else "FP64"
        request.inputs.add(name=feature.name, datatype=datatype, shape=[1])
        request.raw_input_contents.append(pack(datatype, [value]))

    async def ask():
        access, reader = GrpcAccess(Authenticator(None), read_service()), MessageReader(8, 4, 5.0)
        calls = GrpcCalls(inference, MESSAGES, access, admitted=reader, strangers=reader)
        server = GrpcCore((), calls.handlers())
        port = server.listen("127.0.0.1:0")
        server.start()
        codes, pushback = [], None
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            described = MESSAGES["ModelMetadataRequest"](name=inference.name)
            for call, body in (("ModelInfer", request), ("ModelMetadata", described)):
                asked = channel.unary_unary(f"/{SERVICE}/{call}")(body.SerializeToString())
                codes.append(await asked.code())
                pushback = pushback or dict(await asked.trailing_metadata()).get("grpc-retry-pushback-ms")
            ready = await channel.unary_unary(f"/{SERVICE}/ServerReady")(b"")
            assert not MESSAGES["ServerReadyResponse"].FromString(ready).ready
        await server.stop(0)
        return (*codes, pushback)

    return asyncio.run(ask())


def good(inference):
    """Each feature with a value that it allows."""
    for f in inference.decoder.schema.dataset.features:
        yield f, f.categories[0] if f.type == "categorical" else float(int(f.lowest) + 1)


def test_a_service_that_cannot_score_says_when_to_retry_over_rest_and_grpc(inference):
    assert over_rest(inference) == (503, 200, "1")
    assert over_grpc(inference) == (StatusCode.UNAVAILABLE, StatusCode.OK, "1000")
