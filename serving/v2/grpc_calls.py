"""The Open Inference Protocol over gRPC: its six calls, three extensions, and the status that each error has there.

Leaves to others: the port, health and reflection (grpc_server), messages and rows (grpc_codec), inference (inference),
who may call (`serving.access.grpc_access`), and which exception means which error (`serving.faults`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError
from grpc import StatusCode
from starlette.types import Scope

from models.errors import ScorerError, Unready
from models.prediction import Prediction
from serving.access.denials import WrongKey
from serving.access.grpc_access import GrpcAccess
from serving.calls import Call
from serving.faults import error_from
from serving.metrics import metrics
from serving.request_ids import HEADER, begin, id_of, request_id
from serving.rows import first_error
from serving.v2.call_coalescer import CallCoalescer
from serving.v2.extensions import Extensions
from serving.v2.grpc_codec import GrpcCodec
from serving.v2.inference import TIMEOUT, Inference, timeout_s
from serving.v2.messages import Messages
from serving.v2.tensors import malformed

STATUS = {  # of an error's HTTP status; any other is the caller's fault
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    413: StatusCode.RESOURCE_EXHAUSTED,
    429: StatusCode.RESOURCE_EXHAUSTED,
    500: StatusCode.INTERNAL,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.DEADLINE_EXCEEDED,
}
SHUTTING_DOWN = Unready("the service is shutting down; try again")

Handler = Callable[[bytes, Any], Awaitable[bytes | ScorerError]]


class GrpcCalls:
    """The calls, for one worker.

    Args:
        inference: what is served.
        messages: the protocol's.
        access: decides who may call; liveness and readiness are open to everybody.
    """

    def __init__(self, inference: Inference, messages: Messages, access: GrpcAccess) -> None:
        self._inference = inference
        self._messages = messages
        self._access = access
        self._codec = GrpcCodec(messages, inference.decoder, inference.name, inference.version)
        self._extensions = Extensions(inference)
        self._metrics = metrics()
        self._coalescer = CallCoalescer()
        self._shutting_down = False
        self._running = 0

    def shut_down(self) -> None:
        """Answer every further call with UNAVAILABLE, so that its client tries elsewhere."""
        self._shutting_down = True

    def handlers(self) -> dict[str, Any]:
        """The handlers by the name of the call.

        They take bytes: a message that cannot be parsed is then the caller's fault, not an exception inside gRPC.
        """
        calls: dict[str, Handler] = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._model_infer,
            "ModelConfig": self._model_config,
            "ModelStatistics": self._model_statistics,
            "RepositoryIndex": self._repository_index,
        }
        return {name: grpc.unary_unary_rpc_method_handler(self._guarded(name, call)) for name, call in calls.items()}

    def _guarded(self, name: str, call: Handler) -> Callable[[bytes, Any], Awaitable[bytes]]:
        """`call`, ending in a status of gRPC whatever it raises."""

        async def handler(body: bytes, context: Any) -> bytes:
            self._running += 1
            begin({}, None)
            try:
                answer = SHUTTING_DOWN if self._shutting_down else await call(body, context)
            except Exception as exception:  # noqa: BLE001 - logged there
                answer = error_from(exception, f"answering the gRPC call {name}")
            finally:
                self._running -= 1
            if isinstance(answer, WrongKey):
                await asyncio.sleep(answer.hold_s)
            if isinstance(answer, ScorerError):
                self._metrics.rejected.labels(answer.code).inc()
                status = STATUS.get(answer.status, StatusCode.INVALID_ARGUMENT)
                await context.abort(status, answer.line(), ((HEADER.decode(), request_id()), *pushback(answer)))
            return answer  # type: ignore[return-value] # `abort` does not return

        return handler

    async def _server_live(self, body: bytes, _: Any) -> bytes:
        self._parse("ServerLiveRequest", body)
        return self._bytes("ServerLiveResponse", {"live": True})

    async def _server_ready(self, body: bytes, _: Any) -> bytes:
        self._parse("ServerReadyRequest", body)
        return self._bytes("ServerReadyResponse", {"ready": await self._inference.ready()})

    async def _model_ready(self, body: bytes, _: Any) -> bytes:
        request = self._parse("ModelReadyRequest", body)
        self._inference.check(request.name, request.version)
        return self._bytes("ModelReadyResponse", {"ready": await self._inference.ready()})

    async def _server_metadata(self, body: bytes, context: Any) -> bytes:
        self._access.authorize(context, "read")
        self._parse("ServerMetadataRequest", body)
        return self._bytes("ServerMetadataResponse", self._inference.describe_server())

    async def _model_metadata(self, body: bytes, context: Any) -> bytes:
        self._access.authorize(context, "read")
        request = self._parse("ModelMetadataRequest", body)
        self._inference.check(request.name, request.version)
        return self._bytes("ModelMetadataResponse", self._inference.describe_model())

    async def _model_config(self, body: bytes, context: Any) -> bytes:
        self._access.authorize(context, "read")
        request = self._parse("ModelConfigRequest", body)
        self._inference.check(request.name, request.version)
        return self._bytes("ModelConfigResponse", {"config": self._extensions.config()})

    async def _model_statistics(self, body: bytes, context: Any) -> bytes:
        self._access.authorize(context, "read")
        request = self._parse("ModelStatisticsRequest", body)
        if request.name:
            self._inference.check(request.name, request.version)
        return self._bytes("ModelStatisticsResponse", await self._extensions.statistics())

    async def _repository_index(self, body: bytes, context: Any) -> bytes:
        self._access.authorize(context, "read")
        request = self._parse("RepositoryIndexRequest", body)
        return self._bytes("RepositoryIndexResponse", {"models": await self._extensions.index(request.ready)})

    async def _model_infer(self, body: bytes, context: Any) -> bytes | ScorerError:
        received_s, limits_s = time.perf_counter(), [context.time_remaining()]
        caller = self._access.authorize(context, "predict")
        if caller.rows:
            caller.rows.spend(0)
        request = self._codec.parse(body)
        scope: Scope = {}
        begin(scope, sent_id(request.id, context))
        self._inference.check(request.model_name, request.model_version)
        names = self._codec.outputs(request)
        rows = self._codec.rows(request)
        if caller.rows:
            caller.rows.spend(len(rows))
        if self._running > 1 or self._coalescer.crowded:  # a lone call does not wait
            await self._coalescer.join()
        if request.parameters and TIMEOUT in request.parameters:
            timeout = request.parameters[TIMEOUT]
            limits_s.append(timeout_s(timeout.int64_param or timeout.uint64_param))
        limit_s = min((limit_s for limit_s in limits_s if limit_s is not None), default=None)
        until_s = None if limit_s is None else received_s + limit_s
        submitted, limit_s = self._inference.submit(rows, Call("grpc", caller.name, id_of(scope)), until_s)
        async with asyncio.timeout(limit_s):
            results = await submitted
        return first_error(results) or self._codec.answer(request, names, cast("Sequence[Prediction]", results))

    def _parse(self, name: str, body: bytes) -> Any:
        try:
            return self._messages[name].FromString(body)
        except DecodeError:
            raise malformed(f"not a {name}: its bytes cannot be parsed") from None

    def _bytes(self, name: str, fields: dict[str, Any]) -> bytes:
        return bytes(self._messages[name](**fields).SerializeToString())


def sent_id(given: str, context: Any) -> bytes | None:
    """The id that a call brings: that of its message, or else `x-request-id` of its metadata."""
    if given:
        return given.encode()
    name = HEADER.decode()
    found = next((value for key, value in context.invocation_metadata() or () if key == name), None)
    return found.encode() if isinstance(found, str) else found


def pushback(error: ScorerError) -> tuple[tuple[str, str], ...]:
    """GRPC's `Retry-After`, as metadata.

    >>> pushback(SHUTTING_DOWN), pushback(ScorerError("no"))
    ((('grpc-retry-pushback-ms', '1000'),), ())
    """
    if error.retry_after_s is None:
        return ()
    return (("grpc-retry-pushback-ms", str(1000 * error.retry_after_s)),)
