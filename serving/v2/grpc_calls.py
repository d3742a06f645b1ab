"""The Open Inference Protocol over gRPC: its six calls, three extensions, and the status that each error has there.

Leaves to others: the port (grpc_server), what a call is (grpc_call), health (grpc_health), reflection
(grpc_reflection), reading a message (message_reader), messages and rows (grpc_codec), inference (inference), who may
call (`serving.access.grpc_access`), and which exception means which error (`serving.faults`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn, cast

from google.protobuf.message import DecodeError
from grpc import StatusCode
from starlette.types import Scope

from configs.api_keys import Permission
from models.errors import ScorerError, Unready
from models.prediction import Prediction
from serving.access.denials import WrongKey
from serving.access.grpc_access import GrpcAccess
from serving.calls import ANYONE, Call, Caller
from serving.faults import error_from
from serving.metrics import metrics
from serving.request_ids import HEADER, begin, id_of, request_id
from serving.rows import Results, first_error
from serving.v2.call_coalescer import CallCoalescer
from serving.v2.extensions import Extensions
from serving.v2.grpc_call import GrpcCall, Handler
from serving.v2.grpc_codec import GrpcCodec
from serving.v2.inference import TIMEOUT, Inference, timeout_s
from serving.v2.message_reader import MessageReader
from serving.v2.messages import SERVICE, Messages
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

Answer = Callable[[bytes, Caller, GrpcCall], Awaitable[bytes | ScorerError]]


class GrpcCalls:
    """The calls, for one worker.

    Args:
        inference: what is served.
        messages: the protocol's.
        access: decides who may call.
        admitted: reads the messages of those who may call.
        strangers: reads those of the calls that are open to everybody.
    """

    def __init__(
        self,
        inference: Inference,
        messages: Messages,
        access: GrpcAccess,
        admitted: MessageReader,
        strangers: MessageReader,
    ) -> None:
        self._inference = inference
        self._admitted = admitted
        self._strangers = strangers
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

    def handlers(self) -> dict[str, Handler]:
        """The handlers by the path of the call. They read its message once its caller has been let in."""
        calls: dict[str, tuple[Answer, Permission | None]] = {
            "ServerLive": (self._server_live, None),
            "ServerReady": (self._server_ready, None),
            "ModelReady": (self._model_ready, "read"),
            "ServerMetadata": (self._server_metadata, "read"),
            "ModelMetadata": (self._model_metadata, "read"),
            "ModelInfer": (self._model_infer, "predict"),
            "ModelConfig": (self._model_config, "read"),
            "ModelStatistics": (self._model_statistics, "read"),
            "RepositoryIndex": (self._repository_index, "read"),
        }
        return {f"/{SERVICE}/{name}": self._guarded(name, *call) for name, call in calls.items()}

    def _guarded(self, name: str, answer: Answer, permission: Permission | None) -> Handler:
        """`answer`, for those with the permission, ending in a status of gRPC whatever it raises."""

        async def handler(call: GrpcCall) -> bytes:
            begin({}, None)
            try:
                answered = SHUTTING_DOWN if self._shutting_down else await self._answer(answer, permission, call)
            except Exception as exception:  # noqa: BLE001 - logged there
                answered = error_from(exception, f"answering the gRPC call {name}")
            if isinstance(answered, ScorerError):
                await self.refuse(call, answered)
            return answered

        return handler

    async def _answer(self, answer: Answer, permission: Permission | None, call: GrpcCall) -> bytes | ScorerError:
        if permission is None:
            caller, body = ANYONE, await self._strangers.read(call)
        else:
            caller = self._access.authorize(call, permission)
            body = await self._admitted.read(call)
        if isinstance(body, ScorerError):
            return body
        self._running += 1
        try:
            return await answer(body, caller, call)
        finally:
            self._running -= 1

    async def refuse(self, call: GrpcCall, error: ScorerError) -> NoReturn:
        """End a call with an error."""
        if isinstance(error, WrongKey):
            await asyncio.sleep(error.hold_s)
        self._metrics.rejected.labels(error.code).inc()
        status = STATUS.get(error.status, StatusCode.INVALID_ARGUMENT)
        await call.abort(status, error.line(), ((HEADER.decode(), str(request_id())), *pushback(error)))

    async def _server_live(self, body: bytes, *_: Any) -> bytes:
        self._parse("ServerLiveRequest", body)
        return self._bytes("ServerLiveResponse", {"live": True})

    async def _server_ready(self, body: bytes, *_: Any) -> bytes:
        self._parse("ServerReadyRequest", body)
        return self._bytes("ServerReadyResponse", {"ready": await self._inference.ready()})

    async def _model_ready(self, body: bytes, *_: Any) -> bytes:
        request = self._parse("ModelReadyRequest", body)
        self._inference.check(request.name, request.version)
        return self._bytes("ModelReadyResponse", {"ready": await self._inference.ready()})

    async def _server_metadata(self, body: bytes, *_: Any) -> bytes:
        self._parse("ServerMetadataRequest", body)
        return self._bytes("ServerMetadataResponse", self._inference.describe_server())

    async def _model_metadata(self, body: bytes, *_: Any) -> bytes:
        request = self._parse("ModelMetadataRequest", body)
        self._inference.check(request.name, request.version)
        return self._bytes("ModelMetadataResponse", self._inference.describe_model())

    async def _model_config(self, body: bytes, *_: Any) -> bytes:
        request = self._parse("ModelConfigRequest", body)
        self._inference.check(request.name, request.version)
        return self._bytes("ModelConfigResponse", {"config": self._extensions.config()})

    async def _model_statistics(self, body: bytes, *_: Any) -> bytes:
        request = self._parse("ModelStatisticsRequest", body)
        if request.name:
            self._inference.check(request.name, request.version)
        return self._bytes("ModelStatisticsResponse", await self._extensions.statistics())

    async def _repository_index(self, body: bytes, *_: Any) -> bytes:
        request = self._parse("RepositoryIndexRequest", body)
        return self._bytes("RepositoryIndexResponse", {"models": await self._extensions.index(request.ready)})

    async def _model_infer(self, body: bytes, caller: Caller, call: GrpcCall) -> bytes | ScorerError:
        received_s, limits_s = time.perf_counter(), [call.time_remaining()]
        if caller.rows:
            caller.rows.spend(0)
        request = self._codec.parse(body)
        scope: Scope = {}
        begin(scope, sent_id(request.id, call))
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
        waiting: asyncio.Future[Results] = asyncio.get_running_loop().create_future()
        limit_s = self._inference.submit(waiting, rows, Call("grpc", caller.name, id_of(scope)), until_s)
        async with asyncio.timeout(limit_s):
            results = await waiting
        return first_error(results) or self._codec.answer(request, names, cast("Sequence[Prediction]", results))

    def _parse(self, name: str, body: bytes) -> Any:
        try:
            return self._messages[name].FromString(body)
        except DecodeError:
            raise malformed(f"not a {name}: its bytes cannot be parsed") from None

    def _bytes(self, name: str, fields: dict[str, Any]) -> bytes:
        return bytes(self._messages[name](**fields).SerializeToString())


def sent_id(given: str, call: GrpcCall) -> bytes | None:
    """The id that a call brings: that of its message, or else `x-request-id` of its metadata."""
    if given:
        return given.encode()
    name = HEADER.decode()
    found = next((value for key, value in call.invocation_metadata() if key == name), None)
    return found.encode() if isinstance(found, str) else found


def pushback(error: ScorerError) -> tuple[tuple[str, str], ...]:
    """GRPC's `Retry-After`, as metadata.

    >>> pushback(SHUTTING_DOWN), pushback(ScorerError("no"))
    ((('grpc-retry-pushback-ms', '1000'),), ())
    """
    if error.retry_after_s is None:
        return ()
    return (("grpc-retry-pushback-ms", str(1000 * error.retry_after_s)),)
